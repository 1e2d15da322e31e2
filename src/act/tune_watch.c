#include "act/tune_watch.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "conditions/conditions.h"

struct watching {
	struct tune_result *result;
	bool forwarding, guess;
	int error;
};

/* Rules run several times over a growing window; the last one counts. */
static void on_window(void *arg, const struct window *w)
{
	struct watching *g = arg;

	if (g->error < 0)
		return;
	g->error = tune_window(w, g->result);
	if (g->guess)
		tune_guess_roles(w, g->forwarding, &g->result->roles);
}

/* ---- what the doctor found ---- */

static void take_findings(const struct diagnosis *d, struct tune_result *ret)
{
	struct tune_evidence *e = &ret->seen;
	static const char *const ids[] = { "memory_pressure", "swap_thrash", "oom_kill", "disk_saturated", "cpu_saturated",
					   "tcp_retransmits" };
	bool *const found[] = { &e->memory_pressure, &e->swap_thrash, &e->oom_kill, &e->disk_saturated, &e->cpu_saturated,
				&e->tcp_retransmits };

	vec_each(f, &d->findings) {
		if (f->severity <= SEVERITY_NOTE)
			continue;
		for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
			if (strcmp(f->condition->id, ids[i]) == 0)
				*found[i] = true;
		if (strcmp(f->condition->id, "disk_saturated") != 0)
			continue;
		/* The disk is in the source of the evidence: "/proc/diskstats vda". */
		vec_each(disk, &ret->disks)
			for (size_t i = 0; i < f->nevidence; i++) {
				const char *blank = strrchr(f->evidence[i].source, ' ');
				if (blank && strcmp(blank + 1, disk->name) == 0)
					disk->saturated = true;
			}
	}
}

static void take_worst_disk(struct tune_result *ret)
{
	struct tune_evidence *e = &ret->seen;

	e->worst_disk_busy = NAN;
	vec_each(d, &ret->disks)
		if (d->saturated && !(d->busy <= e->worst_disk_busy)) {
			e->worst_disk_busy = d->busy;
			snprintf(e->worst_disk, sizeof e->worst_disk, "%s", d->name);
		}
}

/* ---- values ---- */

static void read_values(struct host *h, struct tune_place *p, struct buf *scratch)
{
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		const struct tunable *t = &tunables[i];
		bool here = p->scope == t->scope || (p->scope == SCOPE_HOST && t->scope == SCOPE_NET);

		if (here)
			tune_value_read(h, t, p->disk.name, p->scope == SCOPE_NET ? p->net.pid : 0, scratch, &p->value[i]);
		else
			p->value[i] = (struct tune_value){ .error = -ENODATA };
	}
}

static int add_place(struct host *h, enum tunable_scope scope, const struct tune_net *net, const struct tune_disk *disk,
		     struct buf *scratch, struct tune_result *ret)
{
	struct tune_place *p = vec_push(&ret->places);

	if (!p)
		return -ENOMEM;
	p->scope = scope;
	if (net)
		p->net = *net;
	if (disk)
		p->disk = *disk;
	read_values(h, p, scratch);
	return 0;
}

static int read_places(struct host *h, struct buf *scratch, struct tune_result *ret)
{
	struct tune_net own = { .proc = "/proc", .rtt_s = NAN };
	int r = add_place(h, SCOPE_HOST, ret->nets.n ? &ret->nets.v[0] : &own, NULL, scratch, ret);

	for (size_t i = 1; i < ret->nets.n && r == 0; i++)
		r = add_place(h, SCOPE_NET, &ret->nets.v[i], NULL, scratch, ret);
	vec_each(d, &ret->disks)
		if (r == 0)
			r = add_place(h, SCOPE_DISK, NULL, d, scratch, ret);
	return r;
}

/* ---- advice ---- */

static bool has(const struct tune_place *p, const struct tunable *t)
{
	return p->scope == t->scope || (p->scope == SCOPE_HOST && t->scope == SCOPE_NET);
}

static int advise_all(struct tune_result *ret)
{
	for (size_t t = 0; t < TUNABLE_COUNT; t++)
		for (size_t p = 0; p < ret->places.n; p++) {
			const struct tune_place *place = &ret->places.v[p];
			struct tune_item *i;

			if (!has(place, &tunables[t]))
				continue;
			i = vec_push(&ret->items);
			if (!i)
				return -ENOMEM;
			i->tunable = &tunables[t];
			i->place = p;
			tune_advise(&(struct tune_case){ .tunable = &tunables[t], .value = &place->value[t],
							 .values = place->value, .seen = &ret->seen,
							 .net = place->scope == SCOPE_DISK ? NULL : &place->net,
							 .disk = place->scope == SCOPE_DISK ? &place->disk : NULL },
				    &i->advice);
		}
	return 0;
}

/* ---- all of it ---- */

static int tell_pid(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h;
	(void)key;
	(void)arg;
	return buf_printf(ret, "%d\n", getpid());
}

/* Of the osprey that looks, or that looked when the capture was taken. */
static int32_t own_pid(struct host *h, struct buf *scratch)
{
	uint64_t pid;

	if (host_fetch(h, "self_pid", tell_pid, NULL, scratch) < 0 || !span_u64(span_trim(buf_span(scratch)), &pid))
		return 0;
	return (int32_t)pid;
}

static void read_users(struct host *h, struct buf *scratch, struct tune_evidence *e)
{
	inotify_use_read(h, scratch, &e->inotify_instances, &e->inotify_watches);
	if (e->map_user.pid)
		e->map_user.value = reading_value(map_count_read(h, e->map_user.pid, scratch));
}

int tune_watch(struct host *h, const struct tune_options *options, struct tune_result *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct tune_snapshot before, after;
	struct doctor_report report = { 0 };
	struct watching watching = { .result = ret, .guess = !options->role };
	size_t n;
	const struct condition *const *conditions = conditions_all(&n);

	memset(ret, 0, sizeof *ret);
	ret->self = own_pid(h, &scratch);
	tune_snapshot_read(h, &scratch, &before);
	watching.forwarding = before.forwarding == 1;
	struct doctor_options doctor = {
		.window_ns = options->window_ns, .no_bpf = options->no_bpf, .interrupted = options->interrupted,
		.progress = options->progress, .progress_arg = options->progress_arg,
		.observe = on_window, .observe_arg = &watching,
	};
	int r = doctor_run(h, conditions, n, &doctor, &report, note);
	if (r == 0 && watching.error < 0)
		r = note_set(note, watching.error, "out of memory");
	if (r == 0) {
		ret->topology = report.topology;
		ret->root = report.abilities.root;
		ret->live = host_is_live(h);
		ret->seen.page_bytes = (double)sysconf(_SC_PAGESIZE);
		take_findings(&report.diagnosis, ret);
		take_worst_disk(ret);
		tune_snapshot_read(h, &scratch, &after);
		tune_growth(&before, &after, &ret->seen);
		read_users(h, &scratch, &ret->seen);
		if (options->role)
			ret->roles = (struct tune_roles){ .first = *options->role, .given = true,
							  .all = *options->role == ROLE_GENERAL ? ROLE_ANY : *options->role };
		r = read_places(h, &scratch, ret);
		if (r == 0)
			r = advise_all(ret);
		if (r < 0)
			note_set(note, r, "out of memory");
	}
	doctor_report_deinit(&report);
	return r;
}

void tune_result_deinit(struct tune_result *r)
{
	vec_free(&r->places);
	vec_free(&r->items);
	vec_free(&r->nets);
	vec_free(&r->disks);
}
