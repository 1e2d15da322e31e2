#include "base/cleanup.h"
#include "base/json.h"
#include "report/flame.h"

static int put_frames(struct json *j, const struct call_tree *t)
{
	cleanup(buf_deinit) struct buf label = { 0 };
	int r = 0;

	json_array(j, "frames");
	vec_each(f, &t->frame) {
		buf_clear(&label);
		if ((r = call_frame_label(f, &label)) < 0)
			break;
		json_object(j, NULL);
		json_span(j, "name", buf_span(&label));
		if (f->file[0] || f->module[0])
			json_string(j, "file", f->file[0] ? f->file : f->module);
		if (f->file[0] && f->line)
			json_u64(j, "line", f->line);
		json_end(j);
	}
	json_end(j);
	return r;
}

static int put_samples(struct json *j, const struct call_tree *t, bool weights)
{
	call_stack stack = { 0 };
	int r = 0;

	json_array(j, weights ? "weights" : "samples");
	for (uint32_t n = CALL_ROOT; r == 0 && n != CALL_NONE; n = call_tree_next(t, CALL_ROOT, n, NULL)) {
		if (t->node.v[n].self == 0)
			continue;
		if (weights) {
			json_u64(j, NULL, t->node.v[n].self);
			continue;
		}
		if ((r = call_tree_stack(t, n, &stack)) < 0)
			break;
		json_array(j, NULL);
		vec_each(frame, &stack)
			json_u64(j, NULL, *frame);
		json_end(j);
	}
	json_end(j);
	vec_free(&stack);
	return r;
}

static const char *unit_of(enum call_unit u)
{
	return u == CALL_NANOSECONDS ? "nanoseconds" : u == CALL_BYTES ? "bytes" : "none";
}

int flame_speedscope(const struct flame *f, struct buf *ret)
{
	struct json j = { .out = ret, .compact = true };

	json_object(&j, NULL);
	json_string(&j, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_string(&j, "exporter", "osprey " OSPREY_VERSION);
	json_string(&j, "name", f->title);
	json_object(&j, "shared");
	int r = put_frames(&j, f->tree);
	json_end(&j);
	json_array(&j, "profiles");
	json_object(&j, NULL);
	json_string(&j, "type", "sampled");
	json_string(&j, "name", f->title);
	json_string(&j, "unit", unit_of(f->tree->unit));
	json_u64(&j, "startValue", 0);
	json_u64(&j, "endValue", call_tree_total(f->tree));
	if (r == 0)
		r = put_samples(&j, f->tree, false);
	if (r == 0)
		r = put_samples(&j, f->tree, true);
	json_end(&j);
	json_end(&j);
	json_end(&j);
	int finished = json_finish(&j);
	return r < 0 ? r : finished;
}
