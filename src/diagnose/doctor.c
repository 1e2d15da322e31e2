#include "diagnose/doctor.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "diagnose/where.h"
#include "source/process/task.h"

/* Below this one scheduling tick or one late counter update decides every rate. */
#define SHORTEST_S 0.15

/* When a condition was first named, in looks without a gap: one that came and went was not
 * known yet. */
struct naming {
	const struct condition *condition;
	double after_s;
	bool in_this_look;
};
typedef VEC(struct naming) naming_vec;

static struct naming *naming_of(naming_vec *names, const struct condition *c)
{
	vec_each(n, names)
		if (n->condition == c)
			return n;
	return NULL;
}

static int note_names(naming_vec *names, double after_s, struct diagnosis *d)
{
	vec_each(n, names)
		n->in_this_look = false;
	vec_each(f, &d->findings) {
		struct naming *n = naming_of(names, f->condition);

		if (!n) {
			n = vec_push(names);
			if (!n)
				return -ENOMEM;
			*n = (struct naming){ f->condition, after_s, true };
		}
		n->in_this_look = true;
		f->named_after_s = n->after_s;
	}
	size_t kept = 0;
	vec_each(n, names)
		if (n->in_this_look)
			names->v[kept++] = *n;
	names->n = kept;
	return 0;
}

static void add_command(struct host *h, struct actor *a)
{
	if (a->pid <= 0 || !a->kind)
		return;
	if (task_command_line(h, a->pid, a->command, sizeof a->command) < 0)
		a->command[0] = '\0';
}

static void add_commands(struct host *h, struct diagnosis *d)
{
	vec_each(f, &d->findings) {
		add_command(h, &f->culprit);
		add_command(h, &f->victim);
	}
}

/* What the header of a report shows, kept after the sampler is gone. */
static void describe(const struct window *w, struct doctor_report *ret)
{
	ret->topology = *w->topology;
	ret->abilities = *w->abilities;
	ret->from = w->from;
	ret->to = w->to;
	ret->seconds = w->seconds;
	ret->counters = *window_last_tick(w);
	ret->processes = ret->tasks = 0;
	for (size_t i = 0; i < w->nprocesses; i++)
		ret->processes += !w->processes[i].gone;
	for (size_t i = 0; i < w->ntasks; i++)
		ret->tasks += !w->tasks[i].gone;
}

static int examine(struct sampler *s, const struct condition *const *conditions, size_t n,
		   const struct doctor_options *o, naming_vec *names, struct doctor_report *ret)
{
	struct window w;
	int r = sampler_window(s, &w);

	if (r == 0)
		r = diagnose(conditions, n, &w, &ret->diagnosis);
	if (r == 0)
		r = note_names(names, w.seconds, &ret->diagnosis);
	if (r == 0)
		describe(&w, ret);
	if (r == 0 && o->observe)
		o->observe(o->observe_arg, &w);
	return r;
}

static bool interrupted(const struct doctor_options *o)
{
	return o->interrupted && *o->interrupted;
}

/* A judgement costs as much as a look on a host of many tasks. The first seconds are judged as they
 * come, for whoever waits; later the window must have grown by half to be worth it. */
static bool worth_judging(double seconds, double judged_at_s)
{
	return seconds < 3.5 || seconds > judged_at_s * 3 / 2;
}

/* A signal that is no wish to end (a resized terminal) only costs an early look. An
 * interruption ends with a last look at once: what was seen until then is told. */
static int watch(struct host *h, struct sampler *s, struct where *where, const struct condition *const *conditions,
		 size_t n, const struct doctor_options *o, struct doctor_report *ret)
{
	uint64_t from_ns = host_time(h).mono_ns, end_ns = from_ns + o->window_ns;
	double judged_at_s = 0;
	naming_vec names = { 0 };
	bool over = false;
	int r = 0;

	while (!over && r == 0) {
		bool last = interrupted(o);

		r = sampler_step(s, last ? host_time(h).mono_ns + 1 : end_ns);
		where_pump(where);
		over = r == 0 || last || (r == -EINTR && interrupted(o));
		r = r == -EINTR || r > 0 ? 0 : r;
		double seconds = (double)(host_time(h).mono_ns - from_ns) / 1e9;
		if (r < 0 || !sampler_looked(s) || !(over || worth_judging(seconds, judged_at_s)))
			continue;
		judged_at_s = seconds;
		r = examine(s, conditions, n, o, &names, ret);
		if (r == 0 && !over)
			where_follow(where, &ret->diagnosis);
		if (r == 0 && o->progress)
			o->progress(o->progress_arg, ret->seconds, &ret->diagnosis);
	}
	vec_free(&names);
	return r;
}

static double cpu_ms(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

int doctor_run(struct host *h, const struct condition *const *conditions, size_t n,
	       const struct doctor_options *options, struct doctor_report *ret, struct note *note)
{
	struct sampler *s;
	struct rusage before, after;

	memset(ret, 0, sizeof *ret);
	getrusage(RUSAGE_SELF, &before);
	struct sampler_options sampler_options = { .no_bpf = options->no_bpf };
	struct where *where = NULL;
	int r = sampler_new(h, &sampler_options, &s, note);
	if (r < 0)
		return r;
	r = where_new(h, options->no_bpf, &where);
	if (r == 0)
		r = watch(h, s, where, conditions, n, options, ret);
	if (r == 0 && ret->seconds < SHORTEST_S)
		r = note_set(note, -ENODATA, host_is_live(h) ? "ended before there was anything to judge by" :
					     "the capture holds a single moment: rates need two");
	else if (r < 0)
		note_set(note, r, "cannot sample this host: %s", strerror(-r));
	if (r == 0) {
		where_tell(where, &ret->diagnosis);
		add_commands(h, &ret->diagnosis);
	}
	where_free(where);
	sampler_free(s);
	getrusage(RUSAGE_SELF, &after);
	ret->cost.cpu_ms = cpu_ms(&after) - cpu_ms(&before);
	ret->cost.peak_rss_kib = (uint64_t)after.ru_maxrss;
	return r;
}

void doctor_report_deinit(struct doctor_report *r)
{
	diagnosis_deinit(&r->diagnosis);
}
