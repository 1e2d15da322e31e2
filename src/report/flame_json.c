#include "base/cleanup.h"
#include "base/json.h"
#include "report/flame.h"

static const char *const kinds[] = { "user", "kernel", "go", "jit", "group" };

static void put_name(struct json *j, const char *key, const char *name)
{
	if (name[0])
		json_string(j, key, name);
	else
		json_null(j, key);
}

static void put_frames(struct json *j, const struct call_tree *t)
{
	json_array(j, "frames");
	vec_each(f, &t->frame) {
		json_object(j, NULL);
		put_name(j, "function", f->function);
		put_name(j, f->kind == CALL_GROUP ? "group" : "module", f->module);
		json_string(j, "kind", kinds[f->kind]);
		if (f->file[0])
			json_string(j, "file", f->file);
		if (f->line)
			json_u64(j, "line", f->line);
		if (f->inlined)
			json_bool(j, "inlined", true);
		json_end(j);
	}
	json_end(j);
}

static int put_functions(struct json *j, const struct flame *f)
{
	call_functions functions = { 0 };
	int r = call_tree_functions(f->tree, &functions);

	json_array(j, "functions");
	vec_each(at, &functions) {
		const struct call_frame *frame = &f->tree->frame.v[at->frame];

		json_object(j, NULL);
		put_name(j, "function", frame->function);
		put_name(j, "module", frame->module);
		json_u64(j, "self", at->self);
		json_u64(j, "total", at->total);
		if (f->compared) {
			json_u64(j, "before_self", at->before_self);
			json_u64(j, "before_total", at->before_total);
		}
		json_end(j);
	}
	json_end(j);
	vec_free(&functions);
	return r;
}

static int put_stacks(struct json *j, const struct flame *f)
{
	const struct call_tree *t = f->tree;
	call_stack stack = { 0 };
	int r = 0;

	json_array(j, "stacks");
	for (uint32_t n = CALL_ROOT; r == 0 && n != CALL_NONE; n = call_tree_next(t, CALL_ROOT, n, NULL)) {
		const struct call_node *node = &t->node.v[n];

		if ((node->self == 0 && node->before_self == 0) || (r = call_tree_stack(t, n, &stack)) < 0)
			continue;
		json_object(j, NULL);
		json_u64(j, "weight", node->self);
		if (f->compared)
			json_u64(j, "before", node->before_self);
		json_array(j, "frames");
		vec_each(frame, &stack)
			json_u64(j, NULL, *frame);
		json_end(j);
		json_end(j);
	}
	json_end(j);
	vec_free(&stack);
	return r;
}

int flame_json(const struct flame *f, struct buf *ret)
{
	struct json j = { .out = ret, .compact = true };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.profile/1");
	json_string(&j, "title", f->title);
	json_string(&j, "unit", call_unit_name(f->tree->unit));
	json_string(&j, "event", f->event);
	if (f->period_ns)
		json_double(&j, "rate_hz", 1e9 / (double)f->period_ns);
	if (f->duration_ns)
		json_double(&j, "seconds", (double)f->duration_ns / 1e9);
	json_u64(&j, "total", call_tree_total(f->tree));
	if (f->compared)
		json_u64(&j, "before_total", f->tree->node.v[CALL_ROOT].before_total);
	if (f->proof)
		json_string(&j, "note", f->proof);
	if (f->put_more)
		f->put_more(&j, f->more);
	put_frames(&j, f->tree);
	int r = put_functions(&j, f);
	if (r == 0)
		r = put_stacks(&j, f);
	json_end(&j);
	int finished = json_finish(&j);
	return r < 0 ? r : finished;
}
