#include "dig/trace/trace_stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"
#include "dig/symbol/symbol.h"

struct trace_stacks {
	struct image_store *images;
	struct symbolizer *symbols;
	struct map by_pid; /* position in space */
	VEC(struct known_space {
		struct address_space *space; /* NULL: the process had ended */
	}) space;
	VEC(struct trace_frame) frame;
};

int trace_stacks_new(struct trace_stacks **ret)
{
	struct trace_stacks *s = calloc(1, sizeof *s);
	int r = s ? image_store_new(&s->images) : -ENOMEM;

	if (r == 0)
		r = symbolizer_new(&(struct symbolizer_options){ .no_lines = true }, &s->symbols);
	if (r < 0) {
		trace_stacks_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void trace_stacks_free(struct trace_stacks *s)
{
	if (!s)
		return;
	vec_each(known, &s->space)
		address_space_free(known->space);
	vec_free(&s->space);
	vec_free(&s->frame);
	map_deinit(&s->by_pid);
	symbolizer_free(s->symbols);
	image_store_free(s->images);
	free(s);
}

static struct address_space *space_of(struct trace_stacks *s, int pid)
{
	uint32_t at = map_get(&s->by_pid, (uint64_t)pid + 1);

	if (at != MAP_NONE)
		return s->space.v[at].space;
	struct known_space *known = vec_push(&s->space);
	if (!known)
		return NULL;
	if (address_space_of_process(s->images, pid, &known->space, NULL) < 0)
		known->space = NULL;
	if (map_set(&s->by_pid, (uint64_t)pid + 1, (uint32_t)(s->space.n - 1)) < 0) {
		address_space_free(known->space);
		s->space.n--;
		return NULL;
	}
	return known->space;
}

/* exec has put another program there: what is known of the old one is wrong. */
static void forget(struct trace_stacks *s, int pid)
{
	uint32_t at = map_get(&s->by_pid, (uint64_t)pid + 1);

	if (at == MAP_NONE)
		return;
	address_space_free(s->space.v[at].space);
	s->space.v[at].space = NULL;
	map_remove(&s->by_pid, (uint64_t)pid + 1);
}

static void add(struct trace_stacks *s, const struct symbol *symbol, uint64_t address, bool kernel)
{
	struct trace_frame *f = vec_push(&s->frame);

	if (!f)
		return;
	*f = (struct trace_frame){ symbol ? symbol->function : "", symbol ? symbol->module : "", symbol ? symbol->offset : 0, address,
				   kernel, symbol && symbol->inlined };
}

static void add_user(struct trace_stacks *s, struct address_space *space, uint64_t address, bool innermost)
{
	const struct symbol *symbol;
	struct place place;
	size_t n;

	if (space && !address_space_find(space, address, &place) && address_space_refresh(space) < 0)
		space = NULL;
	if (!space || symbolize(s->symbols, space, address, innermost, &symbol, &n) < 0) {
		add(s, NULL, address, false);
		return;
	}
	for (size_t i = 0; i < n; i++)
		add(s, &symbol[i], address, false);
}

size_t trace_stacks_frames(struct trace_stacks *s, const struct trace_event *e, const struct trace_frame **ret)
{
	const struct symbol *symbol;
	struct address_space *space;

	s->frame.n = 0;
	if (e->call && (syscall_capture(e->record->call).flags & CALL_EXECUTES))
		forget(s, e->record->pid);
	for (unsigned kernel = 1; kernel < 2; kernel--)
		for (unsigned i = 0; i < e->nparts; i++) {
			if (e->part[i].argument != (kernel ? PART_KERNEL_STACK : PART_USER_STACK))
				continue;
			space = kernel ? NULL : space_of(s, e->record->pid);
			for (size_t at = 0; at + 8 <= e->part[i].bytes.n; at += 8) {
				uint64_t address;

				memcpy(&address, e->part[i].bytes.p + at, sizeof address);
				if (!kernel)
					add_user(s, space, address, at == 0);
				else if (symbolize_kernel(s->symbols, address, &symbol) == 0)
					add(s, symbol, address, true);
			}
		}
	*ret = s->frame.v;
	return s->frame.n;
}
