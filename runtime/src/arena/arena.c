/* The functions of osprey/rt/arena.h. */
#include "osprey/rt/arena.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena/guarded.h"
#include "misuse.h"

#define FIRST_BYTES ((size_t)4 << 10)
#define MOST_CHUNK_BYTES ((size_t)256 << 10)
#define MOST_BLOCK_BYTES (SIZE_MAX / 4)
#define ZONE 16		/* behind each block, when blocks are looked after */
#define ZONE_BYTE 0xa5
#define REWOUND_BYTE 0xdb

/* The program's, if it was built with AddressSanitizer. */
extern void __asan_poison_memory_region(void const volatile *p, size_t bytes) __attribute__((weak));
extern void __asan_unpoison_memory_region(void const volatile *p, size_t bytes) __attribute__((weak));

struct chunk {
	struct chunk *older;
	char *end;
} __attribute__((aligned(16)));

/* A block that has its memory to itself. */
struct large {
	struct large *older;
	size_t bytes;		/* of all */
} __attribute__((aligned(16)));

/* Before each block, with RT_ARENA_GUARD. */
struct block {
	struct block *older;
	size_t bytes;
} __attribute__((aligned(16)));

struct arena {
	struct rt_arena public;		/* first */
	bool guard, careful;		/* careful: guard or poison */
	char *limit;			/* public.end, or where it would be */
	struct chunk *chunk;		/* the newest; NULL: none */
	struct large *large;
	struct block *last;
	size_t next_bytes, first_bytes;	/* of chunks */
	size_t total, chunks, most;
	struct rt_at_close at_close;
	struct chunk first;		/* its memory lies behind, unless `guard`; last */
};

static struct arena *arena_of(const struct rt_arena *a)
{
	return (struct arena *)(uintptr_t)a;
}

static void poison(void *p, size_t bytes)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(p, bytes);
}

static void unpoison(void *p, size_t bytes)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(p, bytes);
}

static char *align_up(char *p, size_t align)
{
	return p + (-(uintptr_t)p & (align - 1));
}

static size_t rounded(size_t bytes)
{
	return (bytes + 15) & ~(size_t)15;
}

/* -- memory of chunks */

static void *get(struct arena *a, size_t bytes)
{
	if (bytes > a->most - a->total)
		return NULL;
	void *p = a->guard ? guarded_get(bytes) : malloc(bytes);
	if (!p)
		return NULL;
	a->total += bytes;
	a->chunks++;
	return p;
}

static void put(struct arena *a, void *p, size_t bytes)
{
	unpoison(p, bytes);
	a->total -= bytes;
	a->chunks--;
	if (a->guard)
		guarded_put(p, bytes);
	else
		free(p);
}

/* `c` is filled from `at` on. */
static void use(struct arena *a, struct chunk *c, char *at)
{
	static char nothing[16] __attribute__((aligned(16)));

	a->chunk = c;
	a->limit = c ? c->end : nothing;
	a->public.at = c ? at : nothing;
	a->public.end = a->careful ? a->public.at : a->limit;
	if (c)
		poison(at, (size_t)(c->end - at));
}

static int chunk_new(struct arena *a, size_t least)
{
	size_t enough = rounded(least + sizeof(struct chunk)), bytes = a->next_bytes > enough ? a->next_bytes : enough;
	struct chunk *c = get(a, bytes);

	if (!c)
		return -ENOMEM;
	c->older = a->chunk;
	c->end = (char *)c + bytes;
	use(a, c, (char *)(c + 1));
	if (a->next_bytes < MOST_CHUNK_BYTES)
		a->next_bytes *= 2;
	return 0;
}

static void chunk_put(struct arena *a, struct chunk *c)
{
	if (c != &a->first)
		put(a, c, (size_t)(c->end - (char *)c));
}

/* -- making and freeing */

int rt_arena_new(const struct rt_arena_options *options, struct rt_arena **ret)
{
	struct rt_arena_options o = options ? *options : (struct rt_arena_options){ 0 };
	size_t first = o.first_bytes < MOST_BLOCK_BYTES ? rounded(o.first_bytes) : MOST_BLOCK_BYTES;
	bool guard = o.flags & RT_ARENA_GUARD;

	if (o.flags & ~(unsigned)RT_ARENA_GUARD)
		return -EINVAL;
	if (first < 2 * sizeof(struct arena))
		first = first ? 2 * sizeof(struct arena) : FIRST_BYTES;
	if (o.most_bytes && first > o.most_bytes)
		return -ENOMEM;
	size_t bytes = guard ? sizeof(struct arena) : first;
	struct arena *a = malloc(bytes);
	if (!a)
		return -ENOMEM;
	*a = (struct arena){ .guard = guard, .careful = guard || __asan_poison_memory_region, .next_bytes = guard ? first : 2 * first,
			     .most = o.most_bytes ? o.most_bytes : SIZE_MAX, .total = guard ? 0 : bytes, .chunks = !guard };
	a->first_bytes = a->next_bytes;
	a->first.end = (char *)a + bytes;
	use(a, guard ? NULL : &a->first, (char *)(&a->first + 1));
	*ret = &a->public;
	return 0;
}

/* Down to `until`: whether somebody wrote behind them. */
static void check_blocks(struct arena *a, struct block *until)
{
	while (a->last != until) {
		struct block *b = a->last;
		if (!b)
			misuse("rt_arena: rewound to a mark that is not in the arena any more");
		const unsigned char *behind = (const unsigned char *)(b + 1) + b->bytes;
		for (int i = 0; i < ZONE; i++)
			if (behind[i] != ZONE_BYTE)
				misuse("rt_arena: written behind the end of a block of %zu bytes at %p", b->bytes, (void *)(b + 1));
		a->last = b->older;
	}
}

static void put_large(struct arena *a, struct large *until)
{
	while (a->large != until) {
		struct large *l = a->large;
		if (!l)
			misuse("rt_arena: rewound to a mark that is not in the arena any more");
		a->large = l->older;
		put(a, l, l->bytes);
	}
}

static void put_chunks(struct arena *a, struct chunk *until)
{
	while (a->chunk != until) {
		struct chunk *c = a->chunk;
		if (!c)
			misuse("rt_arena: rewound to a mark that is not in the arena any more");
		a->chunk = c->older;
		chunk_put(a, c);
	}
}

void rt_arena_free(struct rt_arena *public)
{
	struct arena *a = arena_of(public);

	if (!a)
		return;
	check_blocks(a, NULL);
	put_large(a, NULL);
	put_chunks(a, NULL);
	if (!a->guard)
		unpoison(a, (size_t)(a->first.end - (char *)a));
	free(a);
}

static void free_at_close(void *arg)
{
	rt_arena_free(arg);
}

int rt_arena_of_scope(struct rt_scope *s, const struct rt_arena_options *options, struct rt_arena **ret)
{
	int r = rt_arena_new(options, ret);

	if (r < 0)
		return r;
	struct arena *a = arena_of(*ret);
	a->at_close = (struct rt_at_close){ .function = free_at_close, .arg = a };
	rt_scope_at_close(s, &a->at_close);
	return 0;
}

/* -- blocks */

/* Room for what lies around a block. */
static size_t around(const struct arena *a)
{
	return a->guard ? sizeof(struct block) + ZONE : a->careful ? ZONE : 0;
}

/* The block within from..limit, made ready for use; NULL: it does not fit. */
static char *place(struct arena *a, char *from, char *limit, size_t bytes, size_t align, char **ret_end)
{
	size_t before = a->guard ? sizeof(struct block) : 0, behind = around(a) - before;

	char *p = align_up(from + before, align);
	size_t room = (size_t)(limit - from), skipped = (size_t)(p - from);
	if (skipped > room || bytes + behind > room - skipped)
		return NULL;
	char *end = align_up(p + bytes + behind, 16);
	unpoison(p - before, bytes + before + (a->guard ? behind : 0));
	if (a->guard) {
		struct block *b = (struct block *)(void *)p - 1;
		*b = (struct block){ a->last, bytes };
		memset(p + bytes, ZONE_BYTE, ZONE);
		a->last = b;
	}
	*ret_end = end;
	return p;
}

static void *alloc_large(struct arena *a, size_t bytes, size_t align)
{
	size_t all = rounded(sizeof(struct large) + around(a) + align + bytes);
	struct large *l = get(a, all);
	char *end;

	if (!l)
		return NULL;
	*l = (struct large){ a->large, all };
	a->large = l;
	poison(l + 1, all - sizeof *l);
	return place(a, (char *)(l + 1), (char *)l + all, bytes, align, &end);
}

void *rt_arena_alloc_slow(struct rt_arena *public, size_t bytes, size_t align)
{
	struct arena *a = arena_of(public);
	char *end, *p;

	if (bytes > MOST_BLOCK_BYTES || align > MOST_BLOCK_BYTES)
		return NULL;
	p = place(a, a->public.at, a->limit, bytes, align, &end);
	if (!p) {
		size_t needed = bytes + align + around(a);
		if (needed > a->next_bytes / 4)
			return alloc_large(a, bytes, align);
		if (chunk_new(a, needed) < 0)
			return NULL;
		p = place(a, a->public.at, a->limit, bytes, align, &end);
	}
	a->public.at = end;
	if (a->careful)
		a->public.end = end;
	return p;
}

void *rt_arena_alloc_aligned(struct rt_arena *a, size_t bytes, size_t align)
{
	if (align == 0 || (align & (align - 1)))
		misuse("rt_arena_alloc_aligned: %zu is no power of two", align);
	return rt_arena_alloc_slow(a, bytes, align < 16 ? 16 : align);
}

void *rt_arena_zalloc(struct rt_arena *a, size_t n, size_t bytes_each)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, bytes_each, &bytes))
		return NULL;
	void *p = rt_arena_alloc(a, bytes);
	return p ? memset(p, 0, bytes) : NULL;
}

void *rt_arena_memdup(struct rt_arena *a, const void *from, size_t bytes)
{
	void *p = rt_arena_alloc(a, bytes);

	return p && bytes ? memcpy(p, from, bytes) : p;
}

char *rt_arena_strdup(struct rt_arena *a, const char *s)
{
	return rt_arena_memdup(a, s, strlen(s) + 1);
}

char *rt_arena_strndup(struct rt_arena *a, const char *s, size_t most)
{
	size_t n = strnlen(s, most);
	char *p = rt_arena_alloc(a, n + 1);

	if (p) {
		memcpy(p, s, n);
		p[n] = '\0';
	}
	return p;
}

char *rt_arena_vprintf(struct rt_arena *a, const char *format, va_list args)
{
	size_t room = (size_t)(a->end - a->at);
	va_list again;

	/* It is written where it will lie, if it fits. */
	va_copy(again, args);
	int n = vsnprintf(room ? a->at : NULL, room, format, args);
	char *p = n < 0 ? NULL : rt_arena_alloc(a, (size_t)n + 1);
	if (p && (size_t)n >= room)
		vsnprintf(p, (size_t)n + 1, format, again);
	va_end(again);
	return p;
}

char *rt_arena_printf(struct rt_arena *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *p = rt_arena_vprintf(a, format, args);
	va_end(args);
	return p;
}

/* -- giving back */

struct rt_arena_mark rt_arena_mark(const struct rt_arena *public)
{
	struct arena *a = arena_of(public);

	return (struct rt_arena_mark){ a->chunk, public->at, a->large, a->last };
}

void rt_arena_rewind(struct rt_arena *public, struct rt_arena_mark mark)
{
	struct arena *a = arena_of(public);
	char *filled = a->public.at;
	bool same = a->chunk == mark.chunk;

	check_blocks(a, mark.last);
	put_large(a, mark.large);
	put_chunks(a, mark.chunk);
	struct chunk *c = mark.chunk;
	if (c && ((same && mark.at > filled) || mark.at < (char *)(c + 1) || mark.at > c->end))
		misuse("rt_arena_rewind: the mark is behind what is in use");
	if (a->guard && c) {
		unpoison(mark.at, (size_t)(c->end - mark.at));
		memset(mark.at, REWOUND_BYTE, (size_t)((same ? filled : c->end) - mark.at));
	}
	use(a, c, mark.at);
}

void rt_arena_reset(struct rt_arena *public)
{
	struct arena *a = arena_of(public);
	struct chunk *kept = a->guard ? NULL : a->chunk;

	check_blocks(a, NULL);
	put_large(a, NULL);
	if (kept) {
		a->chunk = kept->older;
		kept->older = NULL;
	}
	put_chunks(a, NULL);
	if (a->guard)
		a->next_bytes = a->first_bytes;
	use(a, kept, kept ? (char *)(kept + 1) : NULL);
}

void rt_arena_look(const struct rt_arena *public, struct rt_arena_state *ret)
{
	struct arena *a = arena_of(public);

	*ret = (struct rt_arena_state){ a->total, a->chunks };
}
