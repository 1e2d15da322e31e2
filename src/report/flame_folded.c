#include <errno.h>

#include "base/cleanup.h"
#include "report/flame.h"

/* A label in a form that neither parts the line nor the stack. */
static int put_label(const struct call_frame *f, struct buf *label, struct buf *ret)
{
	buf_clear(label);
	int r = call_frame_label(f, label);
	size_t from = ret->n;

	if (r == 0)
		r = text_safe(buf_span(label), true, ret);
	for (size_t i = from; r == 0 && i < ret->n; i++)
		if (ret->data[i] == ';')
			ret->data[i] = ':';
	if (r < 0)
		return r;
	switch (f->kind) {
	case CALL_KERNEL:
		return buf_append(ret, "_[k]", 4);
	case CALL_JIT:
		return buf_append(ret, "_[j]", 4);
	default:
		return f->inlined ? buf_append(ret, "_[i]", 4) : 0;
	}
}

static int put_stack(const struct call_tree *t, const call_stack *stack, struct buf *label, struct buf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < stack->n; i++) {
		if (i)
			r = buf_append(ret, ";", 1);
		if (r == 0)
			r = put_label(&t->frame.v[stack->v[i]], label, ret);
	}
	return r == 0 && stack->n == 0 ? buf_append(ret, "[unknown]", 9) : r;
}

int flame_folded(const struct flame *f, struct buf *ret)
{
	cleanup(buf_deinit) struct buf label = { 0 };
	const struct call_tree *t = f->tree;
	call_stack stack = { 0 };
	int r = 0;

	for (uint32_t n = CALL_ROOT; r == 0 && n != CALL_NONE; n = call_tree_next(t, CALL_ROOT, n, NULL)) {
		if (t->node.v[n].self == 0)
			continue;
		if ((r = call_tree_stack(t, n, &stack)) == 0 && (r = put_stack(t, &stack, &label, ret)) == 0)
			r = buf_printf(ret, " %llu\n", (unsigned long long)t->node.v[n].self);
	}
	vec_free(&stack);
	return r;
}
