#include "report/goroutine.h"

static void put_group(struct json *j, const struct stack_report *report, const struct goroutine_stacks *g,
		      const struct equal_group *group)
{
	const struct goroutine *first = &g->all.goroutine.v[group->member[0]];
	const char *creator = first->created_pc ? go_function_name(g->runtime, first->created_pc) : "";
	struct thread_stack frames = { .frames = g->all.frame.v + first->first, .nframes = first->nframes };

	json_object(j, NULL);
	json_string(j, "status", go_status_words(first->status));
	json_string(j, "wait_reason", first->wait_reason[0] ? first->wait_reason : NULL);
	json_string(j, "made_by", creator[0] ? creator : NULL);
	json_bool(j, "system", first->system);
	json_array(j, "goroutines");
	for (size_t i = 0; i < group->n; i++) {
		const struct goroutine *r = &g->all.goroutine.v[group->member[i]];
		json_object(j, NULL);
		json_u64(j, "id", r->id);
		json_reading(j, "wait_ns", r->wait_ns);
		json_bool(j, "torn", r->torn);
		json_end(j);
	}
	json_end(j);
	stack_frames_json(j, "frames", report, &frames);
	json_end(j);
}

void goroutine_json(struct json *j, const char *key, const struct stack_report *report,
		    const struct goroutine_stacks *g)
{
	json_object(j, key);
	json_string(j, "version", g->runtime->version);
	json_u64(j, "count", g->all.goroutine.n);
	json_u64(j, "system", g->system);
	json_u64(j, "unread", g->all.unread);
	json_array(j, "stacks");
	vec_each(group, &g->equal.groups)
		put_group(j, report, g, group);
	json_end(j);
	json_end(j);
}
