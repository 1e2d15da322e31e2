#include <stdio.h>

#include "report/offcpu.h"

static void put_stack(struct json *j, const char *key, const struct call_tree *t, uint32_t node)
{
	call_stack stack = { 0 };
	int r = node == CALL_NONE ? 0 : call_tree_stack(t, node, &stack);

	if (r < 0)
		j->error = j->error ? j->error : r;
	json_array(j, key);
	for (size_t i = stack.n; i > 0; i--) {
		const struct call_frame *f = &t->frame.v[stack.v[i - 1]];

		if (f->kind == CALL_GROUP)
			continue;
		json_object(j, NULL);
		json_string(j, "function", f->function[0] ? f->function : NULL);
		json_string(j, "module", f->module[0] ? f->module : NULL);
		json_bool(j, "kernel", f->kind == CALL_KERNEL);
		if (f->line) {
			json_string(j, "file", f->file);
			json_u64(j, "line", f->line);
		}
		json_end(j);
	}
	json_end(j);
	vec_free(&stack);
}

static void put_waker(struct json *j, const struct offcpu_rows *rows, const struct offcpu_waker *k)
{
	static const char *const kinds[] = { "task", "interrupt", "still_blocked", "unknown" };

	json_object(j, NULL);
	json_string(j, "kind", kinds[k->kind]);
	if (k->kind == OFFCPU_BY_TASK) {
		json_u64(j, "pid", k->pid);
		json_string(j, "name", k->process);
	}
	if (k->kind == OFFCPU_BY_INTERRUPT)
		json_string(j, "device", k->device);
	json_u64(j, "total_ns", k->total_ns);
	json_u64(j, "count", k->count);
	put_stack(j, "stack", &rows->wakers, k->node);
	json_end(j);
}

static void put_wait(struct json *j, const struct offcpu_report *r, const struct offcpu_wait *w)
{
	const char state[] = { w->state, '\0' };

	json_object(j, NULL);
	json_u64(j, "pid", w->pid);
	json_string(j, "process", w->process);
	if (r->request->by_thread) {
		json_u64(j, "tid", w->tid);
		json_string(j, "thread", w->comm);
	}
	json_bool(j, "kernel_thread", w->kernel_thread);
	json_string(j, "state", state);
	json_string(j, "waits_for", w->words);
	json_string(j, "call", w->call);
	json_bool(j, "by_trade", w->by_trade);
	json_u64(j, "total_ns", w->total_ns);
	json_u64(j, "queued_ns", w->queued_ns);
	json_u64(j, "count", w->count);
	json_u64(j, "max_ns", w->max_ns);
	json_u64(j, "still_blocked", w->still);
	put_stack(j, "stack", &r->result->rows.waits, w->node);
	json_array(j, "wakers");
	vec_each(k, &w->waker)
		put_waker(j, &r->result->rows, k);
	json_end(j);
	json_end(j);
}

void offcpu_flame_json(struct json *j, const void *arg)
{
	const struct offcpu_result *r = arg;

	json_u64(j, "waits", r->counts.waits);
	json_u64(j, "lost", r->counts.lost);
	json_u64(j, "lost_ns", r->counts.lost_ns);
	json_u64(j, "wakers_lost", r->counts.wakers_lost);
	json_object(j, "user_stacks");
	json_u64(j, "whole", r->counts.ends[PROFILE_END_WHOLE]);
	json_u64(j, "unknown", r->counts.ends[PROFILE_END_UNKNOWN]);
	json_u64(j, "no_rule", r->counts.ends[PROFILE_END_NO_RULE]);
	json_u64(j, "no_memory", r->counts.ends[PROFILE_END_NO_MEMORY]);
	json_u64(j, "full", r->counts.ends[PROFILE_END_FULL]);
	json_u64(j, "unnamed", r->unnamed);
	json_end(j);
	json_u64(j, "stacks", r->stacks);
	json_u64(j, "stack_cpu_ns", r->counts.spent_ns);
}

int offcpu_json(const struct offcpu_report *r, struct buf *ret)
{
	const struct offcpu_rows *rows = &r->result->rows;
	struct offcpu_total work = offcpu_rows_total(rows, false), trade = offcpu_rows_total(rows, true);
	struct json j = { .out = ret };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.offcpu/1");
	json_string(&j, "target", r->target);
	json_u64(&j, "start_ns", r->result->real_ns);
	json_u64(&j, "elapsed_ns", r->result->wall_ns);
	json_u64(&j, "min_ns", r->request->min_ns);
	json_u64(&j, "blocked_ns", work.total_ns);
	json_u64(&j, "queued_ns", work.queued_ns);
	json_u64(&j, "by_trade_ns", trade.total_ns);
	offcpu_flame_json(&j, r->result);
	json_array(&j, "rows");
	for (size_t i = 0; i < rows->wait.n && i < r->top; i++)
		put_wait(&j, r, &rows->wait.v[i]);
	json_end(&j);
	json_u64(&j, "rows_left_out", rows->wait.n > r->top ? rows->wait.n - r->top : 0);
	json_end(&j);
	return json_finish(&j);
}
