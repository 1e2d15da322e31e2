#include "report/lock.h"
#include "report/stack.h"

static void json_tid(struct json *j, const char *key, int tid)
{
	if (tid)
		json_i64(j, key, tid);
	else
		json_null(j, key);
}

static void put_now(struct json *j, const struct lock_report *report)
{
	json_array(j, "locks");
	vec_each(l, &report->now->locks) {
		json_object(j, NULL);
		json_string(j, "kind", lock_kind_word(l->kind));
		json_bool(j, "in_turns", lock_kind_contends(l->kind));
		json_address(j, "address", l->address);
		json_tid(j, "owner", l->owner_tid);
		if (l->kind == LOCK_RWLOCK)
			json_u64(j, "readers", l->readers);
		json_array(j, "waiters");
		for (size_t i = 0; i < l->nwaiters; i++)
			json_i64(j, NULL, report->stacks->threads.v[l->waiter[i]].tid);
		json_end(j);
		json_end(j);
	}
	json_end(j);
	json_array(j, "deadlocks");
	vec_each(c, &report->now->cycles) {
		json_array(j, NULL);
		for (size_t i = 0; i < c->n; i++) {
			json_object(j, NULL);
			json_i64(j, "tid", report->stacks->threads.v[c->thread[i]].tid);
			json_address(j, "waits_for", report->now->locks.v[c->lock[i]].address);
			json_end(j);
		}
		json_end(j);
	}
	json_end(j);
}

static void put_window(struct json *j, const struct lock_report *report)
{
	const struct lock_watch_result *w = report->window;
	struct stack_report frames = { .stacks = report->stacks, .symbolizer = report->symbolizer };

	json_object(j, "window");
	json_u64(j, "window_ns", w->window_ns);
	json_u64(j, "looks", w->looks);
	json_u64(j, "look_cost_ns", w->look_cost_ns);
	json_u64(j, "waits_not_told", w->lost);
	json_array(j, "locks");
	vec_each(l, &w->locks) {
		json_object(j, NULL);
		json_string(j, "kind", lock_kind_word(l->kind));
		json_bool(j, "in_turns", lock_kind_contends(l->kind));
		json_address(j, "address", l->address);
		json_u64(j, "waits", l->waits);
		json_u64(j, "wait_ns", l->wait_ns);
		json_u64(j, "longest_ns", l->longest_ns);
		json_u64(j, "seen_waiting", l->looks);
		json_array(j, "owners");
		vec_each(o, &l->owners) {
			json_object(j, NULL);
			json_i64(j, "tid", o->tid);
			json_u64(j, "seen", o->looks);
			json_end(j);
		}
		json_end(j);
		json_array(j, "places");
		vec_each(p, &l->places) {
			json_object(j, NULL);
			json_u64(j, "seen", p->looks);
			stack_frames_json(j, "frames", &frames, &p->stack);
			json_end(j);
		}
		json_end(j);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

int lock_json(struct buf *ret, const struct lock_report *report)
{
	struct json j = { .out = ret };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.locks/1");
	json_i64(&j, "pid", report->stacks->pid);
	json_bool(&j, "ended", report->ended);
	json_string(&j, "name", report->stacks->comm);
	json_u64(&j, "waiting", report->now->waiting);
	put_now(&j, report);
	if (report->window)
		put_window(&j, report);
	else
		json_string(&j, "why_no_window", report->why_no_window);
	json_end(&j);
	return json_finish(&j);
}
