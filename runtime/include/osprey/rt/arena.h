/* Arenas: memory of a request, taken block by block and given back all at once.
 *
 * A block costs a few instructions and no header. An arena is used by one fiber (or plain thread) at a time
 * and does no locking; fibers that work on one request at a time have one each, which may all belong to the
 * request's scope. Nothing blocks, nothing is a cancellation point. Anywhere, but rt_arena_of_scope.
 *
 * Sizes are bytes. Blocks are aligned by 16, and not zeroed but where it says so. NULL: no memory, or over
 * `most_bytes`; the arena stays as it was.
 *
 * Under AddressSanitizer (the program is built with it, the library need not be) what was not given out, or
 * was given back by reset and rewind, is poisoned, and each block has a zone of poison behind it. With
 * RT_ARENA_GUARD the same is done as far as it goes without. */
#ifndef OSPREY_RT_ARENA_H
#define OSPREY_RT_ARENA_H

#include <stdarg.h>

#include <osprey/rt/scope.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The fields are the library's. */
struct rt_arena {
	char *at, *end;		/* free, of the newest chunk; equal when each block is to be looked after */
};

enum {
	/* For debugging. Reset and free make memory inaccessible instead of using it again (up to 64 MiB of
	 * it are remembered, the oldest goes first): who touches it faults. Rewind fills with 0xdb. A write
	 * behind the end of a block ends the process with a line when the block is given back. Each chunk
	 * costs system calls. */
	RT_ARENA_GUARD = 1,
};

struct rt_arena_options {
	size_t first_bytes;	/* taken at once; 0: 4 KiB. Chunks double from there, up to 256 KiB */
	size_t most_bytes;	/* of all chunks; 0: no limit */
	unsigned flags;
};

/* `options` may be NULL. -ENOMEM; -EINVAL: flags that there are not. */
RT_API int rt_arena_new(const struct rt_arena_options *options, struct rt_arena **ret);

/* NULL is fine. Not for an arena of a scope. */
RT_API void rt_arena_free(struct rt_arena *a);

/* An arena that rt_scope_close frees, once the scope's fibers have ended. By the opening fiber, or one of the
 * scope's. Fiber. */
RT_API int rt_arena_of_scope(struct rt_scope *s, const struct rt_arena_options *options, struct rt_arena **ret);

RT_API void *rt_arena_alloc_slow(struct rt_arena *a, size_t bytes, size_t align);

/* `bytes` may be 0. */
static inline void *rt_arena_alloc(struct rt_arena *a, size_t bytes)
{
	char *at = a->at;

	/* What does not fit with its rounding is the slow one's, which also sees to sizes whose rounding
	 * overflows. */
	if (__builtin_expect(bytes > (size_t)(a->end - at), 0))
		return rt_arena_alloc_slow(a, bytes, 16);
	/* Chunks end at a multiple of 16: so does what fits. */
	a->at = at + ((bytes + 15) & ~(size_t)15);
	return at;
}

/* Zeroed, of n things. */
RT_API void *rt_arena_zalloc(struct rt_arena *a, size_t n, size_t bytes_each);

/* `align` is a power of two. */
RT_API void *rt_arena_alloc_aligned(struct rt_arena *a, size_t bytes, size_t align);

RT_API void *rt_arena_memdup(struct rt_arena *a, const void *from, size_t bytes);
RT_API char *rt_arena_strdup(struct rt_arena *a, const char *s);
RT_API char *rt_arena_strndup(struct rt_arena *a, const char *s, size_t most);
RT_API char *rt_arena_printf(struct rt_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
RT_API char *rt_arena_vprintf(struct rt_arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* How far it is filled; to go back to. */
struct rt_arena_mark {
	void *chunk;
	char *at;
	void *large, *last;
};
RT_API struct rt_arena_mark rt_arena_mark(const struct rt_arena *a);

/* Gives back what was taken since the mark. Marks are gone back to in the reverse order; a mark behind one
 * gone back to, or from before a reset, ends the process with a line where that is seen. */
RT_API void rt_arena_rewind(struct rt_arena *a, struct rt_arena_mark mark);

/* Gives back all blocks. Keeps the biggest chunk, so that an arena that serves one request after the other
 * soon asks nobody. */
RT_API void rt_arena_reset(struct rt_arena *a);

struct rt_arena_state {
	size_t chunk_bytes;	/* taken from the system's allocator, large blocks too */
	size_t chunks;
};
RT_API void rt_arena_look(const struct rt_arena *a, struct rt_arena_state *ret);

#ifdef __cplusplus
}
#endif
#endif
