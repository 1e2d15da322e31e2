#include "dig/memory/malloc_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Distances in struct malloc_state, from its bins on. */
enum {
	BINS = 127,
	BINS_BYTES = BINS * 16,
	FAST_BINS = 10,
	WORDS_BEFORE = 12, /* fastbinsY[10], top, last_remainder */
	TOP_BEFORE = 16,
	NEXT_BEHIND = BINS_BYTES + 16, /* binmap[4] */
	ATTACHED_BEHIND = NEXT_BEHIND + 16,
	SYSTEM_BEHIND = NEXT_BEHIND + 24,
	PEAK_BEHIND = NEXT_BEHIND + 32,
	HEAD_BYTES = WORDS_BEFORE * 8 + PEAK_BEHIND + 8,
};
#define RANGE_MAX (16u << 20) /* .data and .bss of one file that are looked through */
#define READ_AGAIN 8
#define SIZE_FLAGS 7

/* An arena from its fast bins to max_system_mem. */
struct arena_head {
	unsigned char bytes[HEAD_BYTES];
};

static uint64_t word(const void *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof w);
	return w;
}

static uint64_t behind(const struct arena_head *h, size_t at)
{
	return word(h->bytes + WORDS_BEFORE * 8 + at);
}

static uint64_t top_of(const struct arena_head *h)
{
	return word(h->bytes + WORDS_BEFORE * 8 - TOP_BEFORE);
}

static int read_head(const struct heap_memory *m, uint64_t bins, struct arena_head *ret)
{
	if (bins < WORDS_BEFORE * 8)
		return -EFAULT;
	return m->read(m->arg, bins - WORDS_BEFORE * 8, ret->bytes, sizeof ret->bytes);
}

/* A bin that is empty points at where its own two words would be in a block: 16 before them. */
static bool points_at_itself(const unsigned char *pair, uint64_t address)
{
	return word(pair) == address - 16 && word(pair + 8) == address - 16;
}

static bool looks_like_arena(const struct arena_head *h, uint64_t bins)
{
	const unsigned char *pair = h->bytes + WORDS_BEFORE * 8;
	unsigned empty = 0;

	for (unsigned i = 0; i < BINS; i++, pair += 16) {
		if (points_at_itself(pair, bins + i * 16))
			empty++;
		else if (word(pair) == 0 || word(pair + 8) == 0 || word(pair) % 16 || word(pair + 8) % 16)
			return false;
	}
	return empty >= 8 && top_of(h) != 0 && top_of(h) % 16 == 0 && behind(h, NEXT_BEHIND) % 8 == 0 &&
	       behind(h, SYSTEM_BEHIND) <= behind(h, PEAK_BEHIND);
}

/* ---- sums of one arena ---- */

struct walk {
	const struct heap_memory *memory;
	uint64_t blocks_left;
	/* Blocks of the arena's own size at most: what is more was torn. */
	uint64_t system_bytes;
	struct heap_arena *arena;
};

/* prev_size, size, fd, bk */
static int read_block(struct walk *w, uint64_t at, uint64_t *ret)
{
	if (at % 16 != 0)
		return -EAGAIN;
	if (w->blocks_left == 0)
		return -E2BIG;
	w->blocks_left--;
	int r = w->memory->read(w->memory->arg, at, ret, 32);
	if (r < 0)
		return r == -EFAULT ? -EAGAIN : r;
	ret[1] &= ~(uint64_t)SIZE_FLAGS;
	return ret[1] < 32 || ret[1] > w->system_bytes ? -EAGAIN : 0;
}

static int walk_bin(struct walk *w, const struct arena_head *h, uint64_t bins, unsigned i)
{
	uint64_t anchor = bins + i * 16 - 16, before = anchor;
	uint64_t at = behind(h, i * 16);

	while (at != anchor) {
		uint64_t block[4];
		int r = read_block(w, at, block);

		if (r < 0)
			return r;
		if (block[3] != before || w->arena->binned_bytes + block[1] > w->system_bytes)
			return -EAGAIN;
		w->arena->binned_bytes += block[1];
		w->arena->blocks++;
		if (block[1] > w->arena->largest_bytes)
			w->arena->largest_bytes = block[1];
		before = at;
		at = block[2];
	}
	return 0;
}

/* Since 2.32 a link is stored as link ^ (where it is stored >> 12). A plain one is a multiple of 16 and is mapped;
 * where both could be, the encoded one wins only when the plain one is not a block. */
static uint64_t fast_next(struct walk *w, uint64_t at, uint64_t stored)
{
	uint64_t plain[4], decoded = stored ^ ((at + 16) >> 12);

	if (stored == 0 || decoded == 0)
		return 0;
	if (decoded % 16 != 0)
		return stored;
	if (stored % 16 != 0 || w->memory->read(w->memory->arg, stored, plain, sizeof plain) < 0)
		return decoded;
	return stored;
}

static int walk_fast(struct walk *w, uint64_t at, uint64_t size)
{
	while (at != 0) {
		uint64_t block[4];
		int r = read_block(w, at, block);

		if (r < 0)
			return r;
		/* All blocks of a fast bin are of one size; the list of blocks that were freed twice is endless. */
		if (block[1] != size || w->arena->fast_bytes + size > w->system_bytes)
			return -EAGAIN;
		w->arena->fast_bytes += size;
		w->arena->blocks++;
		at = fast_next(w, at, block[2]);
	}
	return 0;
}

static int walk_arena(struct walk *w, const struct arena_head *h, uint64_t bins)
{
	uint64_t top[4];
	int r = read_block(w, top_of(h), top);

	if (r < 0)
		return r;
	w->arena->top_bytes = top[1];
	for (unsigned i = 0; r == 0 && i < FAST_BINS; i++)
		r = walk_fast(w, word(h->bytes + i * 8), 32 + i * 16);
	for (unsigned i = 0; r == 0 && i < BINS; i++)
		r = walk_bin(w, h, bins, i);
	return r;
}

static void of_head(const struct arena_head *h, struct heap_arena *a)
{
	a->system_bytes = behind(h, SYSTEM_BEHIND);
	a->peak_bytes = behind(h, PEAK_BEHIND);
	a->attached = behind(h, ATTACHED_BEHIND);
	a->top_bytes = a->binned_bytes = a->blocks = a->largest_bytes = a->fast_bytes = a->free_bytes = 0;
	a->torn = a->cut = a->moving = false;
}

/* One walk. -EAGAIN: it came upon what is no free block. */
static int walk_once(const struct heap_memory *m, uint64_t bins, uint64_t *blocks_left, struct heap_arena *a)
{
	struct arena_head head, after;
	int r = read_head(m, bins, &head);

	if (r < 0)
		return r;
	of_head(&head, a);
	struct walk w = { m, *blocks_left, a->system_bytes, a };
	r = walk_arena(&w, &head, bins);
	*blocks_left = w.blocks_left;
	if (r < 0 && r != -E2BIG)
		return r;
	a->cut = r == -E2BIG;
	a->free_bytes = a->top_bytes + a->binned_bytes + a->fast_bytes;
	if (a->free_bytes > a->system_bytes)
		return -EAGAIN;
	a->moving = read_head(m, bins, &after) < 0 || memcmp(&head, &after, sizeof head) != 0;
	return 0;
}

/* -EFAULT and the like: the arena is gone with its process. */
static int read_arena(const struct heap_memory *m, uint64_t bins, uint64_t *blocks_left, struct heap_arena *a)
{
	struct heap_arena found = *a;
	bool walked = false;

	for (unsigned i = 0; i < READ_AGAIN; i++) {
		int r = walk_once(m, bins, blocks_left, a);

		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == 0 && (!a->moving || a->cut))
			return 0;
		if (r == 0) {
			found = *a;
			walked = true;
		}
	}
	if (walked) {
		*a = found;
		return 0;
	}
	a->top_bytes = a->binned_bytes = a->blocks = a->largest_bytes = a->fast_bytes = a->free_bytes = 0;
	a->torn = true;
	return 0;
}

/* ---- finding them ---- */

/* The ring of arenas, from the main one; `lead`: bytes of malloc_state before the bins. -ENOENT: it does not close. */
static int follow_ring(const struct heap_memory *m, uint64_t main_bins, uint64_t lead, struct malloc_heap *h)
{
	uint64_t bins = main_bins;

	h->arenas.n = 0;
	do {
		struct arena_head head;
		struct heap_arena *a;

		if (h->arenas.n == HEAP_ARENAS_MAX || read_head(m, bins, &head) < 0 || !looks_like_arena(&head, bins))
			return -ENOENT;
		a = vec_push(&h->arenas);
		if (!a)
			return -ENOMEM;
		a->address = bins - lead;
		a->main = bins == main_bins;
		bins = behind(&head, NEXT_BEHIND) + lead;
	} while (bins != main_bins);
	return 0;
}

/* Before the bins stand mutex and flags, and since 2.27 have_fastchunks. */
static const uint64_t leads[] = { 0x70, 0x68 };
#define LEADS (sizeof leads / sizeof leads[0])

static int try_bins(const struct heap_memory *m, uint64_t bins, uint64_t *ret_lead, struct malloc_heap *h)
{
	for (size_t i = 0; i < LEADS; i++) {
		int r = follow_ring(m, bins, leads[i], h);

		if (r != -ENOENT) {
			*ret_lead = leads[i];
			return r;
		}
	}
	return -ENOENT;
}

/* The first empty bin in the bytes may be any of the 127. */
static int try_from_empty(const struct heap_memory *m, uint64_t address, uint64_t *ret_lead, struct malloc_heap *h)
{
	for (uint64_t i = 0; i < BINS; i++) {
		struct arena_head head;
		uint64_t bins = address - i * 16;

		if (address < i * 16 || read_head(m, bins, &head) < 0 || !looks_like_arena(&head, bins))
			continue;
		int r = try_bins(m, bins, ret_lead, h);
		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static int search_range(const struct heap_memory *m, struct heap_range range, uint64_t *ret_lead, struct malloc_heap *h)
{
	if (range.end <= range.start || range.start % 16)
		return -ENOENT;
	size_t n = range.end - range.start > RANGE_MAX ? RANGE_MAX : range.end - range.start;
	unsigned char *bytes = malloc(n);
	if (!bytes)
		return -ENOMEM;
	int r = m->read(m->arg, range.start, bytes, n);
	/* Behind a run of empty bins that is no arena lies another candidate: at most so many are tried. */
	unsigned tries = 64;

	for (size_t at = 0; r == 0 && at + 16 <= n; at += 8) {
		if (!points_at_itself(bytes + at, range.start + at))
			continue;
		r = try_from_empty(m, range.start + at, ret_lead, h);
		if (r != -ENOENT || --tries == 0)
			break;
		r = 0;
		at += 8;
	}
	free(bytes);
	return r == 0 && h->arenas.n == 0 ? -ENOENT : r;
}

static void add(struct heap_arena *sum, const struct heap_arena *a)
{
	sum->system_bytes += a->system_bytes;
	sum->peak_bytes += a->peak_bytes;
	sum->free_bytes += a->free_bytes;
	sum->top_bytes += a->top_bytes;
	sum->binned_bytes += a->binned_bytes;
	sum->fast_bytes += a->fast_bytes;
	sum->blocks += a->blocks;
	sum->attached += a->attached;
	if (a->largest_bytes > sum->largest_bytes)
		sum->largest_bytes = a->largest_bytes;
	sum->moving |= a->moving;
	sum->torn |= a->torn;
	sum->cut |= a->cut;
}

void malloc_heap_deinit(struct malloc_heap *h)
{
	vec_free(&h->arenas);
}

int malloc_heap_read(const struct heap_memory *memory, const struct heap_range *ranges, size_t n,
		     struct malloc_heap *ret)
{
	struct malloc_heap h = { .arenas = { 0 } };
	uint64_t blocks_left = HEAP_BLOCKS_MAX, lead = 0;
	int r = -ENOENT, denied = 0;
	bool read_any = false;

	for (size_t i = 0; i < n && r != 0 && r != -ENOMEM; i++) {
		h.arenas.n = 0;
		r = search_range(memory, ranges[i], &lead, &h);
		if (r == 0 || r == -ENOENT)
			read_any = true;
		else if (r != -ENOMEM)
			denied = r;
	}
	if (r != 0 && r != -ENOMEM)
		r = read_any || !denied ? -ENOENT : denied;
	for (size_t i = 0; r == 0 && i < h.arenas.n; i++) {
		r = read_arena(memory, h.arenas.v[i].address + lead, &blocks_left, &h.arenas.v[i]);
		if (r == 0)
			add(&h.total, &h.arenas.v[i]);
	}
	if (r < 0) {
		malloc_heap_deinit(&h);
		return r;
	}
	malloc_heap_deinit(ret);
	*ret = h;
	return 0;
}
