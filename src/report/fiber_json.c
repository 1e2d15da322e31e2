#include <errno.h>

#include "dig/image/core_dump.h"
#include "report/fiber.h"

static const struct fiber_list *list_of(const struct fiber_report *report)
{
	return &report->fibers->all;
}

static void put_fact(struct json *j, const struct fiber_fact *f)
{
	if (f->role == INSPECT_FLAG)
		json_bool(j, f->name, f->value != 0);
	else if (f->role == INSPECT_FD)
		json_i64(j, f->name, (int)f->value);
	else
		json_u64(j, f->name, f->value);
}

static void put_object(struct json *j, const char *key, const struct fiber_report *report, const struct fiber_object *o,
		       bool is_case)
{
	const char *variable = NULL;
	uint64_t offset = 0;

	if (variable_at(report->stack.stacks->space, o->address, &variable, &offset) == -ENOMEM)
		j->error = -ENOMEM;
	json_object(j, key);
	json_string(j, "kind", o->what);
	json_address(j, "address", o->address);
	json_string(j, "variable", variable);
	if (variable)
		json_u64(j, "offset", offset);
	if (is_case)
		json_bool(j, "sends", o->sends);
	json_object(j, "facts");
	for (unsigned i = 0; i < o->nfacts; i++)
		put_fact(j, &o->fact[i]);
	json_end(j);
	for (unsigned i = 0; i < o->nfacts; i++) {
		char words[256] = "";
		if (o->fact[i].role != INSPECT_FD)
			continue;
		fd_words_append(&report->fibers->words, (int)o->fact[i].value, words, sizeof words);
		json_string(j, "leads_to", words[0] ? words + 2 : NULL);
	}
	json_end(j);
}

#define CASES_MAX 64
static void put_cases(struct json *j, const struct fiber_report *report, const struct fiber_row *f)
{
	const struct inspect_wait *w = fiber_wait_of(list_of(report), f);
	struct fiber_object o[CASES_MAX];
	uint64_t all;

	if (!w || !w->cases)
		return;
	size_t n = fiber_cases_read(report->stack.stacks->space, list_of(report), f, o, CASES_MAX, &all);
	json_u64(j, "case_count", all);
	json_array(j, "cases");
	for (size_t i = 0; i < n; i++)
		put_object(j, NULL, report, &o[i], true);
	json_end(j);
}

static void put_fiber(struct json *j, const struct fiber_report *report, const struct fiber_row *f, const struct fiber_object *o)
{
	const struct fiber_list *l = list_of(report);
	const struct fiber_running *running = fiber_running_of(l, f);
	const char *name = fiber_name(l, f);

	json_object(j, NULL);
	json_u64(j, "id", f->id);
	json_string(j, "name", name[0] ? name : NULL);
	json_u64(j, "creator", fiber_origin_of(l, f)->creator);
	json_reading(j, "age_ns", f->age_ns);
	json_reading(j, "state_ns", f->state_ns);
	json_u64(j, "turns", f->turns);
	json_bool(j, "cancelled", f->cancelled);
	json_bool(j, "cold", f->cold);
	if (running) {
		json_i64(j, "tid", l->threads.v[running->thread].tid);
		json_bool(j, "blocked", l->threads.v[running->thread].blocked);
	}
	if (o->what)
		put_object(j, "object", report, o, false);
	else
		json_null(j, "object");
	put_cases(j, report, f);
	json_end(j);
}

static void put_fibers(struct json *j, const struct fiber_report *report, const struct equal_group *g)
{
	const struct fiber_list *l = list_of(report);
	struct fiber_object o[FIBER_OBJECTS];

	json_array(j, "fibers");
	for (size_t i = 0; i < g->n; i += FIBER_OBJECTS) {
		size_t n = g->n - i < FIBER_OBJECTS ? g->n - i : FIBER_OBJECTS;
		fiber_objects_of(report->stack.stacks->space, l, g->member + i, n, o);
		for (size_t k = 0; k < n; k++)
			put_fiber(j, report, &l->fiber.v[g->member[i + k]], &o[k]);
		if (report->drain && j->error == 0)
			j->error = report->drain(report->arg);
		if (j->error < 0)
			break;
	}
	json_end(j);
}

static void put_place(struct json *j, const char *key, const struct fiber_report *report, uint64_t pc, bool exact)
{
	struct unwind_frame frame = { .pc = pc, .exact = exact };
	struct thread_stack one = { .frames = &frame, .nframes = pc != 0 };

	stack_frames_json(j, key, &report->stack, &one);
}

static void put_group(struct json *j, const struct fiber_report *report, const struct equal_group *g)
{
	const struct fiber_list *l = list_of(report);
	const struct fiber_row *f = &l->fiber.v[g->member[0]];
	const struct inspect_wait *w = fiber_wait_of(l, f);
	struct thread_stack frames = { 0 };
	bool public;

	json_object(j, NULL);
	json_string(j, "state", fiber_state_words(l, f));
	json_string(j, "wait", w ? w->name : NULL);
	json_bool(j, "torn", f->torn);
	json_u64(j, "count", g->n);
	put_fibers(j, report, g);
	if (fiber_frames(report, f, true, &frames, &public) < 0)
		j->error = -ENOMEM;
	stack_frames_json(j, "frames", &report->stack, &frames);
	json_string(j, "ends", frames.nframes ? unwind_end_words(frames.end) : NULL);
	put_place(j, "starts_in", report, fiber_origin_of(l, f)->function, true);
	put_place(j, "made_in", report, fiber_origin_of(l, f)->created_at, false);
	json_end(j);
}

static void put_counts(struct json *j, const struct fiber_stacks *f)
{
	json_object(j, "states");
	for (unsigned i = 0; i < f->root->nstates; i++)
		if (f->root->state[i].standing != INSPECT_FREE)
			json_u64(j, f->root->state[i].name, f->all.by_standing[f->root->state[i].standing]);
	json_end(j);
	json_object(j, "waits");
	for (unsigned i = 0; i < f->root->nwaits; i++)
		if (f->all.by_wait[i])
			json_u64(j, f->root->wait[i].name, f->all.by_wait[i]);
	json_end(j);
}

static void put_threads(struct json *j, const struct fiber_list *l)
{
	json_array(j, "threads");
	vec_each(t, &l->threads) {
		json_object(j, NULL);
		json_i64(j, "tid", t->tid);
		if (t->processor >= 0)
			json_i64(j, "processor", t->processor);
		else
			json_null(j, "processor");
		json_bool(j, "blocked", t->blocked);
		json_end(j);
	}
	json_end(j);
}

static void put_deadlocks(struct json *j, const struct fiber_stacks *f)
{
	json_bool(j, "deadlock_suspected", f->deadlocks.all);
	json_array(j, "deadlocks");
	vec_each(ring, &f->deadlocks.ring) {
		json_array(j, NULL);
		for (size_t i = 0; i < ring->n; i++)
			json_u64(j, NULL, f->all.fiber.v[f->deadlocks.member.v[ring->first + i]].id);
		json_end(j);
	}
	json_end(j);
}

void fiber_json(struct json *j, const char *key, const struct fiber_report *report)
{
	const struct process_stacks *s = report->stack.stacks;
	const struct fiber_stacks *f = report->fibers;

	json_object(j, key);
	if (!key) {
		json_string(j, "schema", "osprey.fibers/1");
		json_i64(j, "pid", s->core ? s->core->pid : s->pid);
		json_string(j, "name", s->comm);
	}
	json_u64(j, "count", f->all.fiber.n);
	json_u64(j, "shown", f->shown);
	put_counts(j, f);
	json_u64(j, "cold", f->all.cold);
	if (f->longest != SIZE_MAX)
		json_u64(j, "longest_waiting", f->all.fiber.v[f->longest].id);
	else
		json_null(j, "longest_waiting");
	put_deadlocks(j, f);
	json_u64(j, "processors", f->all.processors);
	json_u64(j, "timers", f->all.timers);
	put_threads(j, &f->all);
	json_u64(j, "torn", f->all.torn);
	json_u64(j, "ended_meanwhile", f->all.gone);
	json_u64(j, "unread", f->all.unread);
	json_bool(j, "clock_known", !f->all.own_clock);
	json_array(j, "stacks");
	vec_each(g, &f->equal.groups)
		if (j->error == 0)
			put_group(j, report, g);
	json_end(j);
	json_end(j);
}
