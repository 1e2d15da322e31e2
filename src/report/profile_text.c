#include <math.h>
#include <string.h>

#include "base/units.h"
#include "report/profile.h"

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Stacks that do not reach the outermost frame, and why; a part that would be told as 0 % is "under 1 %". */
static int put_part(struct buf *out, const char *before, uint64_t part, uint64_t whole, const char *what)
{
	if (part == 0)
		return 0;
	return percent(part, whole) < 1 ? buf_printf(out, "%sunder 1 %% %s", before, what) :
					  buf_printf(out, "%s%.0f %% %s", before, percent(part, whole), what);
}

static int put_stacks(const struct profile_result *r, struct buf *out)
{
	uint64_t users = r->whole + r->early;
	int error = 0;

	if (users == 0)
		return 0;
	if (r->early == 0)
		return buf_printf(out, " All user stacks are whole.");
	error = put_part(out, " ", r->early, users, "of the user stacks end early (");
	struct { uint64_t n; const char *what; } why[] = {
		{ r->unknown, "not known yet when they were taken" },
		{ r->no_rule, "code without unwind rules" },
		{ r->no_memory, "stack not in memory" },
		{ r->full, "deeper than 127 frames" },
	};
	bool first = true;
	for (size_t i = 0; error == 0 && i < sizeof why / sizeof why[0]; i++) {
		if (why[i].n == 0)
			continue;
		error = buf_printf(out, "%s%s: %llu", first ? "" : ", ", why[i].what, (unsigned long long)why[i].n);
		first = false;
	}
	return error < 0 ? error : buf_printf(out, ").");
}

int profile_proof(const struct profile_result *r, const struct profile_options *o, struct buf *out)
{
	double seconds = (double)r->wall_ns / 1e9;
	int error = buf_printf(out, "%s samples of %s in %s", number_text((double)r->samples).text, o->event->name,
			       duration_text(round(seconds * 10) / 10).text);

	if (error == 0 && r->period_ns && r->wall_ns)
		error = buf_printf(out, ", %u a second: %.2f CPUs busy on average of %u.", o->rate_hz,
				   (double)r->samples * (double)r->period_ns / (double)r->wall_ns, r->ncpus);
	else if (error == 0)
		error = buf_printf(out, ".");
	if (error == 0)
		error = buf_printf(out, " Lost: %llu.", (unsigned long long)r->lost);
	if (error == 0)
		error = put_stacks(r, out);
	if (error == 0)
		error = put_part(out, " ", r->guessed, r->samples, "hold frames found by frame pointer alone.");
	if (error == 0)
		error = put_part(out, " ", r->unnamed, r->samples, "are of processes that ended before they could be read.");
	if (error == 0 && r->files_left_out)
		error = buf_printf(out, " %zu files were too many for the kernel's tables and were walked by frame pointer.",
				   r->files_left_out);
	if (error == 0 && r->kernel_why)
		error = buf_printf(out, " Kernel functions have no names: %s.", r->kernel_why);
	return error;
}

/* A timer's interrupt that is due while they are off comes when they are on again. */
int profile_blind_spot(const struct call_tree *t, struct buf *ret)
{
	static const char *const places[] = {
		"pvm_irq_enable", "native_irq_enable", "_raw_spin_unlock_irqrestore", "_raw_spin_unlock_irq",
		"finish_task_switch.isra.0", "finish_task_switch", "__do_softirq", "handle_softirqs", "pv_native_irq_enable",
	};
	uint64_t there = 0;

	vec_each(n, &t->node)
		for (size_t i = 0; n->frame != CALL_NONE && i < sizeof places / sizeof places[0]; i++)
			if (n->self && t->frame.v[n->frame].kind == CALL_KERNEL &&
			    strcmp(t->frame.v[n->frame].function, places[i]) == 0)
				there += n->self;
	double share = percent(there, call_tree_total(t));
	return share < 5 ? 0 :
			   buf_printf(ret, " %.0f %% was met where the kernel turned interrupts on: the clock cannot look while they "
				      "are off, so that is the time of what ran before.", share);
}

void profile_json(struct json *j, const void *result)
{
	const struct profile_result *r = result;

	json_u64(j, "samples", r->samples);
	json_u64(j, "lost", r->lost);
	json_u64(j, "idle", r->idle);
	json_u64(j, "cpus", r->ncpus);
	json_object(j, "user_stacks");
	json_u64(j, "whole", r->whole);
	json_u64(j, "early", r->early);
	json_u64(j, "unknown", r->unknown);
	json_u64(j, "no_rule", r->no_rule);
	json_u64(j, "no_memory", r->no_memory);
	json_u64(j, "full", r->full);
	json_u64(j, "guessed", r->guessed);
	json_u64(j, "unnamed", r->unnamed);
	json_end(j);
	json_u64(j, "stacks", r->stacks);
	json_u64(j, "processes", r->processes);
	json_u64(j, "files", r->files);
	json_u64(j, "rows", r->rows);
	json_u64(j, "bytes_moved", r->bytes_moved);
}
