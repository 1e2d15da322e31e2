/* Playing the cases of a score. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/baseline.h"
#include "lab/score.h"

#define FOREIGN_CPUS 0.5
#define DISTURBED_TIMES 3
/* Replays in all: a host that is never quiet shall not be scored for hours. */
#define REPLAYS(n) (4 + (n) / 4)
#define SETTLE_NS (500 * NS_PER_MS)
#define BACKGROUND_SETTLE_NS (1500 * NS_PER_MS)
#define CALM_NS (2 * NS_PER_S)
#define AFTER_SETTLE_NS (1500 * NS_PER_MS)
#define AFTER_NS (3 * NS_PER_S)

struct play {
	const struct score_options *o;
	struct host *host;
	struct score_case *c;
	size_t i, n; /* for progress */
	struct lab_run *background, *fault[2];
	bool knows_usual;
	struct baseline usual;
};

static bool interrupted(const struct score_options *o)
{
	return o->interrupted && *o->interrupted;
}

static void doing(const struct play *p, const char *what)
{
	if (p->o->progress)
		p->o->progress(p->o->progress_arg, p->c, p->i, p->n, what);
}

static void rest(const struct play *p, uint64_t ns)
{
	uint64_t end = clock_mono_ns() + ns;

	while (!interrupted(p->o) && clock_sleep_until(end) == -EINTR)
		;
}

static int reject(struct score_case *c, enum score_state state, const char *why)
{
	c->state = state;
	snprintf(c->why, sizeof c->why, "%s", why);
	return -ECANCELED;
}

/* ---- what happens ---- */

static int start(struct play *p, const struct scenario *s, enum strength strength, struct lab_run **ret)
{
	const struct lab_options how = { .strength = strength, .interrupted = p->o->interrupted };
	struct note note = { "" };
	int r = lab_possible(s, &note);

	if (r < 0)
		return reject(p->c, SCORE_IMPOSSIBLE, note.text);
	r = lab_start_with(s, &how, ret, &note);
	return r < 0 ? reject(p->c, SCORE_FAILED, note.text[0] ? note.text : strerror(-r)) : 0;
}

static int start_background(struct play *p)
{
	int r;

	if (!p->c->background)
		return 0;
	doing(p, "starting the background");
	r = start(p, p->c->background, STRENGTH_MEDIUM, &p->background);
	if (r == 0)
		rest(p, BACKGROUND_SETTLE_NS);
	return r;
}

/* What is usual here without the fault, for the second baseline. */
static void learn(struct play *p)
{
	const struct sampler_options how = { .no_bpf = p->o->no_bpf };
	struct sampler *s;
	struct window w;

	if (p->o->quick || p->c->kind != SCORE_FAULT)
		return;
	doing(p, "before the fault");
	if (sampler_new(p->host, &how, &s, NULL) < 0)
		return;
	uint64_t end = clock_mono_ns() + CALM_NS;
	int r;

	while ((r = sampler_step(s, end)) > 0 || (r == -EINTR && !interrupted(p->o)))
		;
	if (r == 0 && sampler_window(s, &w) == 0) {
		baseline_learn(&w, &p->usual);
		p->knows_usual = true;
	}
	sampler_free(s);
}

static int start_faults(struct play *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->c->nfaults; i++) {
		doing(p, "starting the fault");
		r = start(p, p->c->fault[i].condition->scenario, p->c->strength, &p->fault[i]);
	}
	if (r == 0)
		rest(p, SETTLE_NS);
	return r;
}

/* Ours and the lab's are this process and what descends from it. */
static bool is_ours(const struct window *w, const struct process_span *p)
{
	for (int steps = 0; p && steps < 32; steps++) {
		if (p->pid == getpid())
			return true;
		p = window_process(w, p->ppid);
	}
	return false;
}

static void note_foreign(const struct window *w, struct score_case *c)
{
	double most = 0;

	c->foreign_cpus = 0;
	for (size_t i = 0; i < w->nprocesses; i++) {
		const struct process_span *p = &w->processes[i];
		double cpus = window_rate(w, p->cpu_ns) / 1e9;

		if (isnan(cpus) || p->kernel_thread || is_ours(w, p))
			continue;
		c->foreign_cpus += cpus;
		if (cpus > most) {
			most = cpus;
			memcpy(c->foreign, p->comm, sizeof c->foreign);
		}
	}
}

/* Each look of the doctor comes by here; the last one stands. */
static void observe(void *arg, const struct window *w)
{
	struct play *p = arg;

	for (size_t i = 0; i < p->c->nfaults; i++) {
		struct score_fault *f = &p->c->fault[i];
		const struct scenario *s = f->condition->scenario;
		struct note note = { "" };

		f->moved = s->moved && s->moved(w, &note);
		memcpy(f->seen, note.text, sizeof f->seen);
	}
	note_foreign(w, p->c);
	p->c->pressure = baseline_pressure(w);
	p->c->deviation_judged = p->knows_usual;
	p->c->deviation = p->knows_usual ? baseline_deviation(&p->usual, w) : NULL;
}

static int diagnose_now(struct play *p, uint64_t window_ns, bool observed, struct doctor_report *ret)
{
	const struct doctor_options how = { .window_ns = window_ns,
					    .no_bpf = p->o->no_bpf,
					    .interrupted = p->o->interrupted,
					    .observe = observed ? observe : NULL,
					    .observe_arg = p };
	struct note note = { "" };
	int r = doctor_run(p->host, p->o->conditions, p->o->nconditions, &how, ret, &note);

	if (r == 0 && interrupted(p->o))
		r = -EINTR;
	return r < 0 ? reject(p->c, SCORE_FAILED, note.text[0] ? note.text : strerror(-r)) : 0;
}

static void judge_faults(struct play *p, const struct diagnosis *d)
{
	for (size_t i = 0; i < p->c->nfaults; i++) {
		size_t n;
		const struct lab_label *labels = lab_run_labels(p->fault[i], &n);

		score_judge(d, labels, n, &p->c->fault[i]);
	}
}

static bool all_alive(struct play *p)
{
	struct note note = { "" };

	for (size_t i = 0; i < p->c->nfaults; i++)
		if (!lab_run_alive(p->fault[i], &note)) {
			reject(p->c, SCORE_FAILED, note.text);
			return false;
		}
	return true;
}

static void settle_state(struct score_case *c)
{
	c->state = SCORE_COUNTED;
	if (c->foreign_cpus > FOREIGN_CPUS) {
		char why[96];

		snprintf(why, sizeof why, "others used %.1f CPUs meanwhile, most of it %.15s", c->foreign_cpus,
			 c->foreign);
		reject(c, SCORE_DISTURBED, why);
		return;
	}
	for (size_t i = 0; i < c->nfaults; i++)
		if (!c->fault[i].moved)
			reject(c, SCORE_UNMOVED, c->fault[i].seen);
}

static int watch(struct play *p)
{
	struct doctor_report report;
	struct score_case *c = p->c;
	int r;

	doing(p, "the doctor watches");
	r = diagnose_now(p, p->o->window_ns, true, &report);
	if (r == 0 && all_alive(p)) {
		judge_faults(p, &report.diagnosis);
		c->first = report.diagnosis.nroots && report.diagnosis.findings.v[0].severity > SEVERITY_NOTE ?
				   report.diagnosis.findings.v[0].condition :
				   NULL;
		if (c->kind == SCORE_HEALTHY)
			c->false_findings =
				score_count_alarms(&report.diagnosis, c->false_names, sizeof c->false_names);
		c->cpu_ms = report.cost.cpu_ms;
		c->window_s = report.seconds;
		settle_state(c);
	}
	doctor_report_deinit(&report);
	return r;
}

static int stop(struct play *p, struct lab_run **run)
{
	struct note note = { "" };
	int r = *run ? lab_stop(*run, &note) : 0;

	*run = NULL;
	if (r < 0 && p->c->state == SCORE_COUNTED)
		return reject(p->c, SCORE_FAILED, note.text);
	return r;
}

/* What is left when the fault is undone, on the background that goes on. */
static void look_after(struct play *p)
{
	struct doctor_report report;
	struct score_case *c = p->c;

	if (p->o->quick || c->kind != SCORE_FAULT || c->state != SCORE_COUNTED)
		return;
	doing(p, "after the undo");
	rest(p, AFTER_SETTLE_NS);
	if (diagnose_now(p, AFTER_NS, false, &report) == 0) {
		c->after_judged = true;
		c->after_findings = score_count_alarms(&report.diagnosis, c->after_names, sizeof c->after_names);
	}
	doctor_report_deinit(&report);
}

static void play_case(struct play *p)
{
	int r = start_background(p);

	if (r == 0)
		learn(p);
	if (r == 0)
		r = start_faults(p);
	if (r == 0)
		r = watch(p);
	doing(p, "undoing");
	for (size_t i = 0; i < 2; i++)
		if (stop(p, &p->fault[i]) < 0)
			r = -ECANCELED;
	if (r == 0)
		look_after(p);
	(void)stop(p, &p->background);
}

/* The plan's part of a case, for another try. */
static struct score_case planned_again(const struct score_case *c)
{
	struct score_case fresh = { .kind = c->kind, .strength = c->strength, .background = c->background,
				    .nfaults = c->nfaults };

	for (size_t i = 0; i < c->nfaults; i++)
		fresh.fault[i] = (struct score_fault){ .condition = c->fault[i].condition, .named_after_s = NAN };
	return fresh;
}

static void play_until_undisturbed(struct play *p, size_t *replays)
{
	for (int times = 1;; times++) {
		play_case(p);
		if (p->c->state != SCORE_DISTURBED || times == DISTURBED_TIMES || *replays == 0 || interrupted(p->o))
			break;
		(*replays)--;
		*p->c = planned_again(p->c);
	}
	if (interrupted(p->o))
		*p->c = planned_again(p->c);
	else
		doing(p, NULL);
}

int score_run(const struct score_options *o, score_case_vec *cases, struct note *note)
{
	size_t replays = REPLAYS(cases->n);
	struct host *h;
	unsigned pairs = 0;
	int r = host_open_live("/", &h, note);

	if (r < 0)
		return r;
	for (size_t i = 0; i < cases->n && !interrupted(o); i++) {
		struct play p = { .o = o, .host = h, .c = &cases->v[i], .i = i, .n = cases->n };

		/* Pairs that do not count are replaced by others, within reason. */
		if (o->pairs && (pairs == o->pairs || i == 3 * (size_t)o->pairs))
			break;
		play_until_undisturbed(&p, &replays);
		pairs += p.c->state == SCORE_COUNTED;
	}
	host_free(h);
	return 0;
}
