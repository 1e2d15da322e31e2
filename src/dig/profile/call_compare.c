#include "dig/profile/call_compare.h"

#include <errno.h>

#include "base/cleanup.h"

/* What both kinds of profile can know of a frame. */
static int comparable(struct call_tree *t, const struct call_frame *f, struct buf *label, uint32_t *ret)
{
	struct call_frame own = { .function = "", .module = "", .kind = f->kind == CALL_GROUP ? CALL_GROUP : CALL_USER };

	buf_clear(label);
	int r = call_frame_label(f, label);
	if (r < 0)
		return r;
	struct span name = buf_span(label), digits;
	if (f->kind == CALL_GROUP && name.n && name.p[name.n - 1] == ']') {
		struct span whole = name;

		whole.n--;
		uint64_t pid;
		if (span_until_last(&whole, '[', &digits) && span_u64(digits, &pid))
			name = span_trim(whole);
	}
	if ((r = call_tree_name(t, name, &own.function)) < 0)
		return r;
	return call_tree_frame(t, &own, ret);
}

static int pour(struct call_tree *t, const struct call_tree *from, bool before)
{
	cleanup(buf_deinit) struct buf label = { 0 };
	VEC(uint32_t) to = { 0 }, frame = { 0 };
	int r = vec_reserve(&to, from->node.n);

	if (r == 0)
		r = vec_reserve(&frame, from->frame.n + 1);
	for (size_t i = 0; r == 0 && i < from->frame.n; i++)
		r = comparable(t, &from->frame.v[i], &label, &frame.v[i]);
	for (size_t i = 0; r == 0 && i < from->node.n; i++) {
		const struct call_node *n = &from->node.v[i];

		to.v[i] = CALL_ROOT;
		if (i != CALL_ROOT)
			r = call_tree_child(t, to.v[n->parent], frame.v[n->frame], &to.v[i]);
		if (r == 0 && before)
			t->node.v[to.v[i]].before_self += n->self;
		else if (r == 0)
			t->node.v[to.v[i]].self += n->self;
	}
	vec_free(&to);
	vec_free(&frame);
	return r;
}

int call_compare(const struct call_tree *now, const struct call_tree *before, struct call_tree *ret)
{
	struct call_tree t;
	int r = call_tree_init(&t, now->unit);

	if (r == 0)
		r = pour(&t, now, false);
	if (r == 0)
		r = pour(&t, before, true);
	if (r == 0)
		r = call_tree_sum(&t);
	if (r < 0)
		call_tree_deinit(&t);
	else
		*ret = t;
	return r;
}

double call_growth(uint64_t now, uint64_t total_now, uint64_t before, uint64_t total_before)
{
	double share = total_now ? (double)now / (double)total_now : 0;

	return share - (total_before ? (double)before / (double)total_before : 0);
}
