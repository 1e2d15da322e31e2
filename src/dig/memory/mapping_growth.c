#include "dig/memory/mapping_growth.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_MAX_BYTES (64ull << 20) /* glibc aligns the heaps of an arena so */
#define BLOCKS_MAX 4096

double memory_taken_bytes(const struct memory_part *m)
{
	double swapped = reading_value(m->swap_bytes);

	if (m->mappings == 0)
		return 0;
	return reading_value(m->resident_bytes) + (isnan(swapped) ? 0 : swapped);
}

/* ---- which mappings of the two looks are one ---- */

struct piece {
	const struct memory_mapping *mapping;
	struct span name;
	double taken;
	bool now;
};
typedef VEC(struct piece) piece_vec;

static int compare_names(const struct piece *a, const struct piece *b)
{
	size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
	int order = n ? memcmp(a->name.p, b->name.p, n) : 0;

	if (order == 0)
		order = (a->name.n > b->name.n) - (a->name.n < b->name.n);
	return a->mapping->kind != b->mapping->kind ? (int)a->mapping->kind - (int)b->mapping->kind : order;
}

static int compare_pieces(const void *x, const void *y)
{
	const struct piece *a = x, *b = y;
	int order = compare_names(a, b);

	if (order)
		return order;
	return (a->mapping->start > b->mapping->start) - (a->mapping->start < b->mapping->start);
}

/* What takes nothing is left out: the untouched rest behind an arena would tie it to what stands next. */
static int add_pieces(const struct process_memory *m, bool now, piece_vec *to)
{
	if (m->source != MEMORY_FROM_SMAPS)
		return -ENODATA;
	vec_each(at, &m->mappings) {
		double taken = memory_taken_bytes(&at->part);

		if (isnan(taken) || taken == 0)
			continue;
		struct piece *p = vec_push(to);
		if (!p)
			return -ENOMEM;
		*p = (struct piece){ at, memory_mapping_name(m, at), taken, now };
	}
	return 0;
}

/* The row of the pieces from `first` on that are one; how many these are. */
static size_t join(const struct piece *first, size_t n, struct mapping_growth *ret)
{
	struct mapping_growth g = { .kind = first->mapping->kind, .name = first->name };
	uint64_t reach = first->mapping->end;
	size_t i = 0;

	for (; i < n && compare_names(first, &first[i]) == 0 && (i == 0 || first[i].mapping->start < reach); i++) {
		const struct piece *p = &first[i];

		if (p->mapping->end > reach)
			reach = p->mapping->end;
		g.bytes += p->now ? p->taken : -p->taken;
		if (!p->now)
			continue;
		if (g.now_bytes == 0)
			g.start = p->mapping->start;
		g.end = p->mapping->end;
		g.now_bytes += p->taken;
	}
	if (g.now_bytes == 0) {
		g.start = first->mapping->start;
		g.end = reach;
	}
	*ret = g;
	return i;
}

static int by_growth(const void *a, const void *b)
{
	const struct mapping_growth *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->start > y->start) - (x->start < y->start);
}

int mapping_growths_make(const struct process_memory *before, const struct process_memory *now, mapping_growths *ret)
{
	mapping_growths made = { 0 };
	piece_vec pieces = { 0 };
	struct mapping_growth g;
	int r = add_pieces(before, false, &pieces);

	if (r == 0)
		r = add_pieces(now, true, &pieces);
	if (r == 0 && pieces.n)
		qsort(pieces.v, pieces.n, sizeof *pieces.v, compare_pieces);
	for (size_t i = 0; r == 0 && i < pieces.n;) {
		i += join(&pieces.v[i], pieces.n - i, &g);
		if (g.bytes == 0)
			continue;
		struct mapping_growth *added = vec_push(&made);
		if (added)
			*added = g;
		else
			r = -ENOMEM;
	}
	vec_free(&pieces);
	if (r < 0) {
		vec_free(&made);
		return r;
	}
	if (made.n)
		qsort(made.v, made.n, sizeof *made.v, by_growth);
	vec_free(ret);
	*ret = made;
	return 0;
}

static uint64_t end_of_stack(const struct process_memory *m)
{
	vec_each(at, &m->mappings) {
		if (at->kind == MEMORY_STACK)
			return at->end;
	}
	return 0;
}

bool memory_was_replaced(const struct process_memory *before, const struct process_memory *now)
{
	uint64_t was = end_of_stack(before), is = end_of_stack(now);

	return was && is && was != is;
}

/* ---- what they are for ---- */

static void find_threads(const stack_pointers *pointers, struct mapping_growth *g)
{
	size_t low = 0, high = pointers->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pointers->v[middle].address < g->start)
			low = middle + 1;
		else
			high = middle;
	}
	for (const struct stack_pointer *p; low < pointers->n && (p = &pointers->v[low])->address < g->end; low++) {
		if (g->use.threads++ == 0) {
			g->use.tid = p->tid;
			memcpy(g->use.comm, p->comm, sizeof g->use.comm);
		}
	}
}

/* Each heap of an arena but the main one's begins with the arena's address. */
static uint64_t arena_of(const struct heap_memory *memory, const struct malloc_heap *heap, uint64_t start)
{
	uint64_t arena;

	if (start % HEAP_MAX_BYTES != 0 || memory->read(memory->arg, start, &arena, sizeof arena) < 0)
		return 0;
	vec_each(a, &heap->arenas) {
		if (!a->main && a->address == arena)
			return arena;
	}
	return 0;
}

/* A large block is a mapping of its own, which the kernel melts with those beside it: its size stands at its front,
 * with the bit of those that are mapped and no other. Only when they fill the mapping they are taken for what they
 * seem. 0: they are not. */
static unsigned large_blocks(const struct heap_memory *memory, uint64_t start, uint64_t end)
{
	unsigned n = 0;
	uint64_t head[2];

	while (start < end) {
		if (n == BLOCKS_MAX || memory->read(memory->arg, start, head, sizeof head) < 0)
			return 0;
		uint64_t size = head[1] & ~7ull;
		if ((head[1] & 7) != 2 || head[0] != 0 || size == 0 || size % 4096 != 0 || size > end - start)
			return 0;
		start += size;
		n++;
	}
	return n;
}

void mapping_uses_find(const struct heap_memory *memory, const struct malloc_heap *heap,
		       const stack_pointers *pointers, mapping_growths *growths)
{
	vec_each(g, growths) {
		if (g->kind != MEMORY_ANONYMOUS || g->now_bytes == 0)
			continue;
		find_threads(pointers, g);
		if (!heap || g->use.threads)
			continue;
		g->use.arena = arena_of(memory, heap, g->start);
		if (!g->use.arena)
			g->use.blocks = large_blocks(memory, g->start, g->end);
	}
}
