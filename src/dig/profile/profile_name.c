#include "dig/profile/profile_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dig/profile/profile_bpf.bpf.h"
#include "dig/symbol/symbol.h"

int profile_stack_keep(struct profile_kept_stack *k, const struct profile_stack *s)
{
	size_t size = (size_t)(s->nkernel + s->nuser) * sizeof s->pc[0];

	*k = (struct profile_kept_stack){
		.id_b = s->id.b, .layout = s->layout, .tgid = s->tgid, .tid = s->tid, .nkernel = s->nkernel, .nuser = s->nuser,
		.end = s->end, .kernel_thread = s->kernel_thread,
	};
	memcpy(k->comm, s->comm, sizeof k->comm);
	memcpy(k->process, s->process, sizeof k->process);
	k->comm[sizeof k->comm - 1] = k->process[sizeof k->process - 1] = '\0';
	if (!(k->pc = malloc(size ? size : 1)))
		return -ENOMEM;
	memcpy(k->pc, s->pc, size);
	return 0;
}

struct namer {
	const struct profile_options *o;
	struct profile_spaces *spaces;
	struct symbolizer *symbols;
	struct call_tree *tree;
	call_stack frames; /* of the stack at hand, innermost first */
	uint64_t unnamed;
	bool kernel; /* a frame of the kernel was met */
};

static int push(struct namer *n, const struct call_frame *f)
{
	uint32_t *slot = vec_push(&n->frames);

	return slot ? call_tree_frame(n->tree, f, slot) : -ENOMEM;
}

static int push_kernel(struct namer *n, uint64_t pc)
{
	const struct symbol *s;
	int r = symbolize_kernel(n->symbols, pc, &s);

	if (r < 0)
		return r;
	struct call_frame f = { .function = s->function, .module = s->module, .kind = CALL_KERNEL };
	n->kernel = true;
	return push(n, &f);
}

/* Go's own table stands in each of its programs, stripped or not. */
static bool is_go(struct address_space *a, uint64_t pc)
{
	struct place place;

	return address_space_find(a, pc, &place) && place.image && place.image->elf &&
	       elf_image_find(place.image->elf, ".gopclntab");
}

static int push_user(struct namer *n, struct address_space *a, uint64_t entry)
{
	uint64_t pc = entry & PROFILE_ADDRESS;
	const struct symbol *s;
	size_t count;
	int r = symbolize(n->symbols, a, pc, entry & PROFILE_EXACT, &s, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct call_frame f = { .function = s[i].function, .module = s[i].module, .file = s[i].file,
					.line = s[i].line, .inlined = s[i].inlined };

		if (strcmp(s[i].module, "[jit]") == 0)
			f.kind = CALL_JIT;
		else if (is_go(a, pc))
			f.kind = CALL_GO;
		r = push(n, &f);
	}
	return r;
}

static int push_user_frames(struct namer *n, const struct profile_kept_stack *k)
{
	static const struct call_frame gone = { .function = "[process ended]", .module = "" };
	struct profile_space *space = k->nuser ? profile_spaces_find(n->spaces, (int)k->tgid, k->layout) : NULL;
	int r = 0;

	if (k->nuser && !space) {
		n->unnamed += k->count;
		return push(n, &gone);
	}
	for (size_t i = 0; r == 0 && i < k->nuser; i++)
		r = push_user(n, space->space, k->pc[k->nkernel + i]);
	return r;
}

static int push_group(struct namer *n, const struct profile_kept_stack *k)
{
	struct profile_space *space = NULL;
	struct call_frame f = { .kind = CALL_GROUP };
	char text[64];
	int r = 0;

	switch (n->o->by) {
	case PROFILE_BY_NOTHING:
		return 0;
	case PROFILE_BY_THREAD:
		snprintf(text, sizeof text, "%s [%u]", k->comm, k->tid);
		f.function = text;
		f.module = "thread";
		if ((r = push(n, &f)) < 0)
			return r;
		break;
	case PROFILE_BY_CGROUP:
		space = profile_spaces_find(n->spaces, (int)k->tgid, k->layout);
		f.function = space && space->cgroup[0] ? space->cgroup : k->kernel_thread ? "[kernel threads]" : "[unknown cgroup]";
		f.module = "cgroup";
		return push(n, &f);
	case PROFILE_BY_COMMAND:
		f.function = k->process;
		f.module = "command";
		return push(n, &f);
	case PROFILE_BY_PROCESS:
		break;
	}
	snprintf(text, sizeof text, "%s [%u]", k->process, k->tgid);
	f.function = text;
	f.module = "process";
	return push(n, &f);
}

static int add(struct namer *n, const struct profile_kept_stack *k)
{
	uint32_t node;
	int r = 0;

	n->frames.n = 0;
	for (size_t i = 0; r == 0 && i < k->nkernel; i++)
		r = push_kernel(n, k->pc[i]);
	if (r == 0)
		r = push_user_frames(n, k);
	if (r == 0)
		r = push_group(n, k);
	for (size_t i = 0; i < n->frames.n / 2; i++) {
		uint32_t swap = n->frames.v[i];

		n->frames.v[i] = n->frames.v[n->frames.n - 1 - i];
		n->frames.v[n->frames.n - 1 - i] = swap;
	}
	return r < 0 ? r : call_tree_add(n->tree, n->frames.v, n->frames.n, k->count, &node);
}

int profile_name_all(const struct profile_options *o, struct profile_spaces *spaces, const profile_stack_vec *stacks,
		     struct call_tree *ret, struct profile_result *ret_result)
{
	struct call_tree tree;
	struct namer n = { .o = o, .spaces = spaces, .tree = &tree };
	int r = symbolizer_new(&(struct symbolizer_options){ 0 }, &n.symbols);

	if (r < 0)
		return r;
	r = call_tree_init(&tree, CALL_SAMPLES);
	tree.by_line = o->lines;
	vec_each(k, stacks)
		if (r == 0 && k->count)
			r = add(&n, k);
	if (r == 0)
		r = call_tree_sum(&tree);
	if (r == 0) {
		ret_result->unnamed = n.unnamed;
		ret_result->kernel_why = n.kernel && symbolizer_kernel_why(n.symbols) ? "needs root, or CAP_SYSLOG" : NULL;
		*ret = tree;
	} else {
		call_tree_deinit(&tree);
	}
	vec_free(&n.frames);
	symbolizer_free(n.symbols);
	return r;
}
