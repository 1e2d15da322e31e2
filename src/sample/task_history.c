#include "sample/task_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void task_history_deinit(struct task_history *t)
{
	vec_free(&t->spans);
	vec_free(&t->processes);
	map_deinit(&t->by_task);
	buf_deinit(&t->scratch);
}

/* Pids are reused; pid and start time together are not. */
static uint64_t task_key(const struct task *t)
{
	uint64_t key = t->start_ns * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uint32_t)t->tid << 1;
	return key ? key : 1;
}

/* What a task's counters were when it was born: nothing. Gauges and names stay. */
static void zero_counters(struct task *t)
{
	uint64_t *const counters[] = {
		&t->user_ns, &t->system_ns, &t->run_ns, &t->wait_ns, &t->runs, &t->voluntary_switches,
		&t->involuntary_switches, &t->minor_faults, &t->major_faults, &t->read_bytes,
		&t->write_bytes, &t->block_delay_ns, &t->dead_user_ns, &t->dead_system_ns,
		&t->dead_minor_faults, &t->dead_major_faults, &t->dead_voluntary_switches,
		&t->dead_involuntary_switches, &t->dead_read_bytes, &t->dead_write_bytes,
		&t->children_user_ns, &t->children_system_ns, &t->children_minor_faults,
	};

	for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
		if (reading_ok(*counters[i]))
			*counters[i] = 0;
}

static bool switched(const struct task *before, const struct task *now)
{
	return before->voluntary_switches != now->voluntary_switches ||
	       before->involuntary_switches != now->involuntary_switches;
}

static void count_state(struct task_span *s, const struct task *now)
{
	s->looks++;
	s->running += now->state == 'R';
	s->blocked += now->state == 'D';
	s->iowait += now->state == 'D' && (now->flags & TASK_IN_IOWAIT);
	s->stopped += now->state == 'T' || now->state == 't';
}

static struct task_span *span_new(struct task_history *t, const struct task *now)
{
	struct task_span *s = vec_push(&t->spans);

	if (!s || map_set(&t->by_task, task_key(now), (uint32_t)(t->spans.n - 1)) < 0)
		return NULL;
	s->first = *now;
	s->born = t->looks > 0 && now->start_ns >= t->from_boot_ns;
	if (s->born)
		zero_counters(&s->first);
	return s;
}

struct look {
	struct task_history *history;
	struct host *host;
	size_t next; /* of the spans: tables come in the order of the last one, mostly */
};

static struct task_span *span_of(struct look *look, const struct task *now)
{
	struct task_history *t = look->history;
	const struct task *expected = look->next < t->spans.n ? &t->spans.v[look->next].last : NULL;
	size_t at = look->next;

	if (!expected || expected->tid != now->tid || expected->start_ns != now->start_ns) {
		uint32_t found = map_get(&t->by_task, task_key(now));

		if (found == MAP_NONE)
			return NULL;
		at = found;
	}
	look->next = at + 1;
	return &t->spans.v[at];
}

static void note_mutex(struct look *look, struct task_span *s, const struct task *now)
{
	struct mutex_wait wait;

	if (!mutex_wait_suspected(now) || mutex_wait_read(look->host, &look->history->scratch, now, &wait) < 0) {
		s->mutex = (struct mutex_wait){ 0 };
		return;
	}
	s->lock_looks++;
	s->lock_address = wait.address;
	s->mutex_looks = s->mutex.address == wait.address ? s->mutex_looks + 1 : 1;
	s->mutex = wait;
}

static int take(const struct task *now, void *arg)
{
	struct look *look = arg;
	struct task_history *t = look->history;
	struct task_span *s = span_of(look, now);

	if (!s && !(s = span_new(t, now)))
		return -ENOMEM;
	bool stuck = s->looks && !switched(&s->last, now) && s->last.syscall == now->syscall &&
		     (now->flags & TASK_HAS_SYSCALL);
	s->stuck_looks = stuck ? s->stuck_looks + 1 : 1;
	s->last = *now;
	s->gone = false;
	count_state(s, now);
	note_mutex(look, s, now);
	return 0;
}

static int reindex(struct task_history *t)
{
	map_clear(&t->by_task);
	for (size_t i = 0; i < t->spans.n; i++) {
		int r = map_set(&t->by_task, task_key(&t->spans.v[i].last), (uint32_t)i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What a task that came and went in the window weighs: its time, and a ns a byte. */
static uint64_t weight(const struct task *t)
{
	return reading_or(t->user_ns, 0) + reading_or(t->system_ns, 0) + reading_or(t->wait_ns, 0) +
	       reading_or(t->anon_bytes, 0);
}

static bool came_and_went(const struct task_span *s)
{
	return s->born && s->gone;
}

static size_t count_passed(const struct task_history *t)
{
	size_t n = 0;

	vec_each(s, &t->spans)
		n += came_and_went(s);
	return n;
}

static void drop_passed_below(struct task_history *t, uint64_t least)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->spans.n; i++) {
		const struct task_span *s = &t->spans.v[i];

		if (came_and_went(s) && weight(&s->last) < least)
			continue;
		if (kept != i)
			t->spans.v[kept] = *s;
		kept++;
	}
	t->spans.n = kept;
}

/* Forks must not fill our memory: of the tasks that came and went the heavier half of the places is
 * kept. What threads did stays in the sums of their process's dead. */
static int forget_light(struct task_history *t)
{
	if (t->spans.n <= TASK_HISTORY_PASSED || count_passed(t) <= TASK_HISTORY_PASSED)
		return 0;
	for (uint64_t least = 1000000; least && count_passed(t) > TASK_HISTORY_PASSED / 2; least *= 4)
		drop_passed_below(t, least);
	return reindex(t);
}

int task_history_look(struct task_history *t, struct host *h, struct task_reader *reader)
{
	struct look look = { .history = t, .host = h };

	if (t->looks == 0)
		t->from_boot_ns = host_time(h).boot_ns;
	vec_each(s, &t->spans)
		s->gone = true;
	int r = task_reader_each(reader, take, &look);
	if (r < 0)
		return r;
	t->looks++;
	return forget_light(t);
}

static int by_pid(const void *a, const void *b)
{
	const struct task *ta = &((const struct task_span *)a)->last, *tb = &((const struct task_span *)b)->last;

	if (ta->pid != tb->pid)
		return ta->pid < tb->pid ? -1 : 1;
	/* Two processes may have had one pid within the window: the older one first. */
	return ta->tid != tb->tid ? (ta->tid < tb->tid ? -1 : 1) :
				    (ta->start_ns > tb->start_ns) - (ta->start_ns < tb->start_ns);
}

static bool ordered(const task_span_vec *spans)
{
	for (size_t i = 1; i < spans->n; i++)
		if (by_pid(&spans->v[i - 1], &spans->v[i]) > 0)
			return false;
	return true;
}

/* A member of struct process_span as the sum over threads of a counter of struct task. */
struct sum {
	size_t process, thread;
	size_t dead; /* where the kernel keeps the sum of threads that have ended; NO_DEAD: nowhere */
};

#define NO_DEAD SIZE_MAX
#define SUM(member, dead) { offsetof(struct process_span, member), offsetof(struct task, member), dead }
#define DEAD(member) offsetof(struct task, member)

static const struct sum sums[] = {
	SUM(user_ns, DEAD(dead_user_ns)),
	SUM(system_ns, DEAD(dead_system_ns)),
	SUM(wait_ns, NO_DEAD),
	SUM(voluntary_switches, DEAD(dead_voluntary_switches)),
	SUM(involuntary_switches, DEAD(dead_involuntary_switches)),
	SUM(minor_faults, DEAD(dead_minor_faults)),
	SUM(major_faults, DEAD(dead_major_faults)),
	/* The kernel's sum of dead threads also takes in the children that were waited for: a shell
	 * would pass for the writer of what its dd wrote. */
	SUM(read_bytes, NO_DEAD),
	SUM(write_bytes, NO_DEAD),
	SUM(block_delay_ns, NO_DEAD),
};

static uint64_t member(const struct task *t, size_t offset)
{
	return *(const uint64_t *)((const char *)t + offset);
}

/* Adds `after - before` to *total. A missing part makes the whole sum missing: half a sum
 * would be an invented value. */
static void add(reading *why_missing, int64_t *total, uint64_t before, uint64_t after)
{
	if (!reading_ok(after) || !reading_ok(before))
		*why_missing = reading_ok(after) ? before : after;
	else
		*total += (int64_t)(after - before);
}

/* Threads alive at the end count with what they did in the window. A thread that ended is
 * whole in the sum of the dead, so what it had before the window is taken off; where no such
 * sum is kept, its span up to its last look counts. */
static reading sum_threads(const struct sum *sum, const struct task_span *spans, size_t n,
			   const struct task_span *leader)
{
	bool dead_kept = sum->dead != NO_DEAD && (leader->last.flags & TASK_IS_LEADER) && !leader->gone &&
			 reading_ok(member(&leader->last, sum->dead));
	reading why_missing = 0;
	int64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t before = member(&spans[i].first, sum->thread);
		bool in_dead = dead_kept && spans[i].gone;

		add(&why_missing, &total, before, in_dead ? 0 : member(&spans[i].last, sum->thread));
	}
	if (dead_kept)
		add(&why_missing, &total, member(&leader->first, sum->dead), member(&leader->last, sum->dead));
	if (why_missing)
		return why_missing;
	return total > 0 ? (uint64_t)total : 0; /* a thread may die between two reads of one look */
}

static void count_looks(const struct task_span *s, struct process_span *p)
{
	p->threads++;
	p->looks += s->looks;
	p->running += s->running;
	p->blocked += s->blocked;
	p->iowait += s->iowait;
}

static reading resident(const struct task *t)
{
	return reading_sum(t->anon_bytes, reading_sum(t->file_bytes, t->shmem_bytes));
}

static void describe(const struct task_span *leader, struct process_span *p)
{
	const struct task *b = &leader->last;

	p->pid = b->pid;
	p->ppid = b->ppid;
	p->uid = b->uid;
	memcpy(p->comm, b->comm, sizeof p->comm);
	p->kernel_thread = b->flags & TASK_IS_KERNEL_THREAD;
	p->born = leader->born;
	p->gone = leader->gone;
	p->rss_bytes = resident(b);
	p->rss_before_bytes = resident(&leader->first);
	p->swap_bytes = b->swap_bytes;
	p->fd_count = b->fd_count;
	p->fd_limit = b->fd_limit;
	memcpy(p->cgroup, b->cgroup, sizeof p->cgroup);
	p->net_ns = b->net_ns;
	p->start_ns = b->start_ns;
}

static void fold_process(const task_span_vec *all, size_t first, size_t n, struct process_span *p)
{
	const struct task_span *spans = &all->v[first], *leader = spans;

	p->first_thread = first;
	for (size_t i = 0; i < n; i++) {
		if (spans[i].last.flags & TASK_IS_LEADER)
			leader = &spans[i];
		count_looks(&spans[i], p);
	}
	describe(leader, p);
	for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
		*(reading *)((char *)p + sums[i].process) = sum_threads(&sums[i], spans, n, leader);
	p->cpu_ns = reading_sum(p->user_ns, p->system_ns);
}

int task_history_fold(struct task_history *t)
{
	if (!ordered(&t->spans)) {
		qsort(t->spans.v, t->spans.n, sizeof t->spans.v[0], by_pid);
		int r = reindex(t);
		if (r < 0)
			return r;
	}
	t->processes.n = 0;
	for (size_t i = 0, n; i < t->spans.n; i += n) {
		struct process_span *p = vec_push(&t->processes);

		if (!p)
			return -ENOMEM;
		for (n = 1; i + n < t->spans.n && t->spans.v[i + n].last.pid == t->spans.v[i].last.pid; n++)
			;
		fold_process(&t->spans, i, n, p);
	}
	return 0;
}
