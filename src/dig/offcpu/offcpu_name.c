#include "dig/offcpu/offcpu_name.h"

#include <errno.h>
#include <stdlib.h>

#include "dig/symbol/symbol.h"

struct namer {
	struct profile_spaces *spaces;
	struct symbolizer *symbols;
	bool kernel; /* a frame of the kernel was met */
};

static int push(struct call_tree *t, const struct call_frame *f, call_stack *ret)
{
	uint32_t *slot = vec_push(ret);

	return slot ? call_tree_frame(t, f, slot) : -ENOMEM;
}

static int push_kernel(struct namer *n, struct call_tree *t, uint64_t pc, call_stack *ret)
{
	const struct symbol *s;
	int r = symbolize_kernel(n->symbols, pc, &s);

	if (r < 0)
		return r;
	n->kernel = true;
	return push(t, &(struct call_frame){ .function = s->function, .module = s->module, .kind = CALL_KERNEL }, ret);
}

static int push_user(struct namer *n, struct call_tree *t, struct address_space *a, uint64_t entry, call_stack *ret)
{
	const struct symbol *s;
	size_t count;
	int r = symbolize(n->symbols, a, entry & PROFILE_ADDRESS, entry & PROFILE_EXACT, &s, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct call_frame f = { .function = s[i].function, .module = s[i].module, .file = s[i].file,
					.line = s[i].line, .inlined = s[i].inlined };

		if (strcmp(s[i].module, "[jit]") == 0)
			f.kind = CALL_JIT;
		r = push(t, &f, ret);
	}
	return r;
}

/* Frames into *frames, which the side points to. */
static int name_side(struct namer *n, struct call_tree *t, const struct profile_stack *s, call_stack *frames,
		     struct offcpu_side *ret, bool *ret_gone)
{
	static const struct call_frame gone = { .function = "[not readable]", .module = "" };
	struct profile_space *space = s->nuser ? profile_spaces_find(n->spaces, (int)s->tgid, s->layout) : NULL;
	int r = 0;

	frames->n = 0;
	for (size_t i = 0; r == 0 && i < s->nkernel; i++)
		r = push_kernel(n, t, s->pc[i], frames);
	size_t nkernel = frames->n;
	for (size_t i = 0; r == 0 && space && i < s->nuser; i++)
		r = push_user(n, t, space->space, s->pc[s->nkernel + i], frames);
	*ret_gone = s->nuser && !space;
	if (r == 0 && *ret_gone)
		r = push(t, &gone, frames);
	*ret = (struct offcpu_side){
		.pid = s->tgid, .tid = s->tid, .process = s->process, .comm = s->comm, .state = (char)s->state,
		.kernel_thread = s->kernel_thread, .frame = frames->v, .nkernel = nkernel, .nuser = frames->n - nkernel,
	};
	return r;
}

static int add(struct namer *n, const struct offcpu_pair *p, call_stack *waits, call_stack *wakers, struct offcpu_result *ret)
{
	struct offcpu_side wait, waker;
	bool gone = false, waker_gone;
	int r = name_side(n, &ret->rows.waits, p->wait, waits, &wait, &gone);

	if (r == 0 && p->waker)
		r = name_side(n, &ret->rows.wakers, p->waker, wakers, &waker, &waker_gone);
	ret->unnamed += gone ? p->sum.count : 0;
	return r < 0 ? r : offcpu_rows_add(&ret->rows, &wait, p->kind, p->waker ? &waker : NULL, &p->sum);
}

/* One question for all in place of one for each. */
static int name_kernel(struct namer *n, const offcpu_pair_vec *pairs)
{
	VEC(uint64_t) pcs = { 0 };
	int r = 0;

	vec_each(p, pairs)
		for (int side = 0; side < 2 && r == 0; side++) {
			const struct profile_stack *s = side ? p->waker : p->wait;

			for (size_t i = 0; s && i < s->nkernel && r == 0; i++) {
				uint64_t *slot = vec_push(&pcs);
				if (slot)
					*slot = s->pc[i];
				else
					r = -ENOMEM;
			}
		}
	if (r == 0 && pcs.n)
		r = symbolize_kernel_many(n->symbols, pcs.v, pcs.n);
	vec_free(&pcs);
	return r;
}

int offcpu_name_all(struct profile_spaces *spaces, const offcpu_pair_vec *pairs, bool crowd, struct offcpu_result *ret)
{
	struct namer n = { .spaces = spaces };
	call_stack waits = { 0 }, wakers = { 0 };
	int r = symbolizer_new(&(struct symbolizer_options){ 0 }, &n.symbols);

	if (r < 0)
		return r;
	r = name_kernel(&n, pairs);
	vec_each(p, pairs)
		if (r == 0)
			r = add(&n, p, &waits, &wakers, ret);
	if (r == 0)
		r = offcpu_rows_sort(&ret->rows, crowd);
	ret->kernel_why = n.kernel && symbolizer_kernel_why(n.symbols) ? "needs root, or CAP_SYSLOG" : NULL;
	vec_free(&waits);
	vec_free(&wakers);
	symbolizer_free(n.symbols);
	return r;
}
