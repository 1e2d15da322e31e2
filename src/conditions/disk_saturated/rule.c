#include <math.h>
#include <stdio.h>
#include <string.h>

#include "conditions/conditions.h"
#include "diagnose/storage_evidence.h"

/* One stream, however fast, keeps at most itself waiting: measured on a virtio disk, one reader
 * or writer at full speed gives queues of 0.8 to 7 (large requests are split) and one task
 * in disk wait; eight readers and a writer 9 and 8.5. */
#define WAITERS 4.0	/* tasks that wait at any moment */
#define QUEUE 5.0	/* requests in the queue and the device */
#define BUSY 0.6	/* share of the time; never enough alone: a fast disk does many at once. Where the
			 * CPUs are short too, even a crowd of tasks leaves a disk idle for moments */
#define AWAIT_MS 1.0	/* a request takes at least so long */
#define PRESSURE 0.2	/* PSI io some must agree. It is a mean over CPUs: with some of them computing,
			 * it stays well below the 100 % that many waiters would suggest */
#define RISEN 2.0	/* times the mean of the disk's life: then nothing is left to doubt */
#define MOST_LOST 0.5	/* of the time the waiters wanted to work */

/* Asynchronous I/O and writeback fill a queue while nobody stands at it; then it is a fault when
 * another stands behind it most of the time for next to nothing. */
#define DEEP_QUEUE 16.0
#define DEEP_BUSY 0.9
#define BYSTANDER_WAIT 0.7  /* of the time */
#define BYSTANDER_SHARE 0.1 /* of the bytes */

struct load {
	const struct disk *disk;
	double reads, writes; /* a second */
	double bytes;	      /* a second */
	double queue, busy;
	double await_ms, read_await_ms, write_await_ms;
	double service_ms; /* busy time for each request: what it would cost if none waited */
	double usual_ms;   /* await over the disk's life until the window, for this mix */
};

struct waiters {
	double waiting, cpu; /* of tasks that wait for a disk; those at an I/O limit left out */
	double limited;	     /* … which are these */
	const struct process_span *most;
	double bystanders; /* … of them: processes that wait nearly always, and hardly do any I/O */
	const struct process_span *bystander; /* who waits most of these */
};

static double per(reading total, reading count)
{
	double n = reading_value(count);

	return n > 0 ? reading_value(total) / 1e6 / n : NAN;
}

/* A disk's latency so far, weighted by what it does now. */
static double usual_ms(const struct disk *before, double reads, double writes)
{
	double read = reads > 0 ? reads * per(before->read_ns, before->reads) : 0;
	double write = writes > 0 ? writes * per(before->write_ns, before->writes) : 0;

	return (read + write) / (reads + writes);
}

static bool measure_disk(const struct window *w, const struct disk *d, struct load *ret)
{
	const struct disk *before = sample_disk(w->first, d->major, d->minor);

	if (!before || d->stacked || strncmp(d->name, "zram", 4) == 0)
		return false;
	reading reads = reading_delta(before->reads, d->reads), writes = reading_delta(before->writes, d->writes);
	reading read_ns = reading_delta(before->read_ns, d->read_ns);
	reading write_ns = reading_delta(before->write_ns, d->write_ns);
	reading busy_ns = reading_delta(before->busy_ns, d->busy_ns);
	*ret = (struct load){
		.disk = d,
		.reads = window_rate(w, reads),
		.writes = window_rate(w, writes),
		.bytes = window_rate(w, reading_sum(reading_delta(before->read_bytes, d->read_bytes),
						    reading_delta(before->write_bytes, d->write_bytes))),
		.queue = window_rate(w, reading_delta(before->queue_ns, d->queue_ns)) / 1e9,
		.busy = window_rate(w, busy_ns) / 1e9,
		.await_ms = per(reading_sum(read_ns, write_ns), reading_sum(reads, writes)),
		.read_await_ms = per(read_ns, reads),
		.write_await_ms = per(write_ns, writes),
		.service_ms = per(busy_ns, reading_sum(reads, writes)),
	};
	ret->usual_ms = usual_ms(before, ret->reads, ret->writes);
	return true;
}

static bool same_name(const struct process_span *a, const struct process_span *b)
{
	return strncmp(a->comm, b->comm, sizeof a->comm) == 0;
}

static void note_bystander(const struct process_span *p, double wait, const struct process_group *doers, double bytes,
			   struct waiters *ret)
{
	if (wait < BYSTANDER_WAIT || !doers->top || same_name(p, doers->top) ||
	    process_io_bytes(p) > BYSTANDER_SHARE * bytes)
		return;
	ret->bystanders += wait;
	if (!ret->bystander)
		ret->bystander = p;
}

static void measure_waiters(const struct window *w, struct waiters *ret)
{
	const struct process_group doers = window_top_group(w, process_io_bytes, NULL);
	struct io_held_back held;
	double most = 0, bytes = 0;

	*ret = (struct waiters){ 0 };
	window_io_held_back(w, &held);
	for (size_t i = 0; i < w->nprocesses; i++)
		bytes += process_io_bytes(&w->processes[i]);
	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double wait = process_disk_wait(w, p);

		if (wait <= 0)
			continue;
		if (io_held_back_by(&held, w, p)) {
			ret->limited += wait;
			continue;
		}
		note_bystander(p, wait, &doers, bytes, ret);
		ret->waiting += wait;
		ret->cpu += process_cpu_ns(p) / 1e9 / w->seconds;
		if (wait > most) {
			most = wait;
			ret->most = p;
		}
	}
}

static bool queues(const struct load *l)
{
	return l->queue >= QUEUE && l->busy >= BUSY && l->await_ms >= AWAIT_MS;
}

static bool crowded(const struct waiters *t)
{
	return t->waiting >= WAITERS;
}

static bool in_others_way(const struct load *l, const struct waiters *t)
{
	return t->bystanders > 0 && l->queue >= DEEP_QUEUE && l->busy >= DEEP_BUSY;
}

static bool saturated(const struct window *w, const struct load *l, const struct waiters *t)
{
	return queues(l) && (crowded(t) || in_others_way(l, t)) && !(window_io_pressure(w) < PRESSURE);
}

/* The wait beyond the time a request would take if the disk had it alone. */
static double lost(const struct load *l, const struct waiters *t)
{
	return fmin(crowded(t) ? t->waiting : t->bystanders, l->queue) * fmax(0, 1 - l->service_ms / l->await_ms);
}

static const struct process_span *victim(const struct window *w, const struct process_span *culprit)
{
	const struct process_span *found = NULL;
	double most = 0;

	for (size_t i = 0; i < w->nprocesses; i++) {
		double wait = process_disk_wait(w, &w->processes[i]);

		if (wait > most && !(culprit && same_name(&w->processes[i], culprit))) {
			most = wait;
			found = &w->processes[i];
		}
	}
	return found;
}

static void add_evidence(const struct window *w, const struct load *l, const struct waiters *t,
			 const struct process_group *g, struct finding *f)
{
	const char *name = l->disk->name;

	finding_evidence(f, "requests in flight (weighted time)", l->queue, "requests", ">= 5", "/proc/diskstats %s", name);
	finding_evidence(f, "tasks in disk wait", t->waiting, "tasks",
			 crowded(t) ? ">= 4" : "", "/proc/*/stat");
	if (!crowded(t))
		finding_evidence(f, "… who wait >= 70 % of the time for < 10 % of the bytes", t->bystanders, "tasks",
				 "> 0, behind >= 16 requests", "/proc/%d/stat, io", t->bystander->pid);
	finding_evidence(f, "time for each request", l->await_ms, "ms", ">= 1 ms", "/proc/diskstats %s", name);
	finding_evidence(f, "its mean until now", l->usual_ms, "ms", "", "/proc/diskstats %s", name);
	finding_evidence(f, "busy time for each request", l->service_ms, "ms", "", "/proc/diskstats %s", name);
	finding_evidence(f, "busy time", 100 * l->busy, "% of the time", ">= 60 %", "/proc/diskstats %s", name);
	finding_evidence(f, "reads", l->reads, "requests/s", "", "/proc/diskstats %s", name);
	finding_evidence(f, "writes", l->writes, "requests/s", "", "/proc/diskstats %s", name);
	finding_evidence(f, "read and written", l->bytes / 1e6, "MB/s", "", "/proc/diskstats %s", name);
	finding_evidence(f, "some total", 100 * window_io_pressure(w), "% of the time", ">= 20 %", "/proc/pressure/io");
	if (g->top)
		finding_evidence(f, "read_bytes, write_bytes of the culprit and its namesakes", g->value / 1e6 / w->seconds,
				 "MB/s", "", "/proc/%d/io", g->top->pid);
	if (t->limited > 0)
		finding_evidence(f, "tasks that wait at an I/O limit: left out", t->limited, "tasks", "", "/proc/*/stat");
}

static void add_advice(const struct load *l, const struct process_group *g, struct finding *f)
{
	finding_confirm(f, "iostat -x %s 1   # aqu-sz, r_await, w_await; %%util alone says nothing", l->disk->name);
	finding_confirm(f, "pidstat -d 1   # who reads and writes; iodelay: who waits");
	if (!g->top)
		return;
	finding_mend(f, "kill -STOP %d   # the queue should shrink at once; undo: kill -CONT %d", g->top->pid, g->top->pid);
	finding_mend(f, "ionice -c 3 -p %d   # it then gets what others leave (with the bfq and mq-deadline schedulers; "
			"undo: ionice -c 0 -p %d)", g->top->pid, g->top->pid);
	finding_mend(f, "a cgroup with io.max (v1: blkio.throttle.*) for it: others' requests should again take %.2f ms or so",
		     l->service_ms);
	finding_mend(f, "fewer or larger requests: less parallel jobs, more page cache for what is read again");
}

static const char *describe(const struct process_group *g, const struct window *w, const struct load *l, char *ret,
			    size_t size)
{
	double share = g->value / w->seconds / l->bytes * 100;

	if (!g->top)
		snprintf(ret, size, "Who does the I/O cannot be seen.");
	else if (g->processes > 1)
		snprintf(ret, size, "Most of the I/O is done by %u processes named %s (%.0f %% of the bytes).", g->processes,
			 g->top->comm, fmin(share, 100));
	else
		snprintf(ret, size, "Most of the I/O is done by %s (pid %d, %.0f %% of the bytes).", g->top->comm,
			 g->top->pid, fmin(share, 100));
	return ret;
}

static void report(const struct window *w, const struct load *l, const struct waiters *t, struct verdict *v)
{
	struct process_group g = window_top_group(w, process_io_bytes, NULL);
	const struct process_span *suffers = crowded(t) ? victim(w, g.top) : t->bystander;
	double gone = lost(l, t);
	bool risen = l->await_ms > RISEN * l->usual_ms;
	struct finding *f = verdict_find(v, crowded(t) && gone > MOST_LOST * (gone + t->cpu) ? SEVERITY_CRITICAL :
											  SEVERITY_WARNING,
					 risen ? 0.95 : 0.85);
	char who[128];

	finding_title(f, "disk %s has more requests than it can serve", l->disk->name);
	finding_summary(f,
			"%.1f requests are queued on %s at any moment; each takes %.2f ms, of which the disk works %.2f ms. "
			"%.1f tasks stand waiting for it. %s",
			l->queue, l->disk->name, l->await_ms, l->service_ms, t->waiting,
			describe(&g, w, l, who, sizeof who));
	finding_lost(f, gone, true);
	if (g.top)
		actor_process(&f->culprit, g.top->pid, g.top->comm);
	else
		actor_named(&f->culprit, ACTOR_DISK, "%s", l->disk->name);
	if (suffers)
		actor_process(&f->victim, suffers->pid, suffers->comm);
	else
		actor_host(&f->victim);
	add_evidence(w, l, t, &g, f);
	add_advice(l, &g, f);
}

/* Which of the signals speaks against it. */
static void exonerate(const struct window *w, const struct load *worst, const struct waiters *t, struct verdict *v)
{
	const char *name = worst->disk->name;
	double busy = 100 * worst->busy;

	if (worst->queue < QUEUE || worst->busy < BUSY)
		verdict_clear(v, "%s has the longest queue: %.1f requests (>= 5 counts); it is busy %.0f %% of the time", name,
			      worst->queue, busy);
	else if (!queues(worst))
		verdict_clear(v, "%s has %.1f requests in flight and keeps up: each takes %.2f ms (>= 1 ms counts)", name,
			      worst->queue, worst->await_ms);
	else if (w->abilities->tasks != PRESENT)
		verdict_unmeasured(v, "needs /proc/PID/stat: %s has %.1f requests in flight, and who waits is not known",
				   name, worst->queue);
	else if (t->waiting < WAITERS)
		verdict_clear(v, "%s has %.1f requests in flight, but only %.1f tasks wait for a disk (>= 4 counts)%s", name,
			      worst->queue, t->waiting, t->limited > 0 ? "; others wait at an I/O limit" : "");
	else
		verdict_clear(v, "%s has %.1f requests in flight, but tasks stall on I/O only %.0f %% of the time (>= 20 %% counts)",
			      name, worst->queue, 100 * window_io_pressure(w));
}

static void rule(const struct window *w, struct verdict *v)
{
	struct load l, worst = { .queue = -1 };
	struct waiters t;

	if (w->last->disks_presence != PRESENT) {
		verdict_unmeasured(v, "needs /proc/diskstats (%s)", presence_name(w->last->disks_presence));
		return;
	}
	measure_waiters(w, &t);
	vec_each(d, &w->last->disks) {
		if (!measure_disk(w, d, &l))
			continue;
		if (saturated(w, &l, &t))
			report(w, &l, &t, v);
		if (l.queue > worst.queue)
			worst = l;
	}
	if (v->outcome != OUTCOME_NONE)
		return;
	if (!worst.disk)
		verdict_clear(v, "no disk of its own did any I/O");
	else
		exonerate(w, &worst, &t, v);
}

/* Who holds a lock while waiting for a saturated disk holds it long; the victim's wait is the disk's. */
static bool absorbs(const struct window *w, const struct finding *cause, const struct finding *symptom)
{
	const struct process_span *p = symptom->culprit.pid ? window_process(w, symptom->culprit.pid) : NULL;

	(void)cause;
	return p && process_disk_wait(w, p) > 0.5;
}

static const char *const explains[] = { "lock_contention", NULL };

const struct condition_rule disk_saturated_rule = {
	.title = "A disk has more requests than it can serve",
	.resource = "disk",
	.rule = rule,
	.explains = explains,
	.absorbs = absorbs,
};
