/* The heap as a program's malloc: libospreymalloc. What C, POSIX and glibc say of these functions; errno is
 * ENOMEM where they say so, and left alone otherwise, free included. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/heap_debug.h"
#include "heap/heap_thread.h"
#include "heap/heap_walk.h"

#define PUBLIC __attribute__((visibility("default")))

static inline void *or_enomem(void *block)
{
	if (__builtin_expect(!block, 0))
		errno = ENOMEM;
	return block;
}

__attribute__((noinline)) static void *malloc_slow(size_t size)
{
	return or_enomem(heap_malloc_slow(size));
}

PUBLIC void *malloc(size_t size)
{
	void *block = heap_malloc_fast(size);

	return __builtin_expect(block != NULL, 1) ? block : malloc_slow(size);
}

PUBLIC void free(void *block)
{
	heap_free(block);
}

PUBLIC void *calloc(size_t n, size_t size)
{
	return or_enomem(heap_zalloc(n, size));
}

PUBLIC void *realloc(void *block, size_t size)
{
	if (block && size == 0) {
		heap_free(block);
		return NULL;
	}
	return or_enomem(heap_realloc(block, size));
}

PUBLIC void *reallocarray(void *block, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, bytes);
}

static bool power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

static void *aligned(size_t alignment, size_t size)
{
	return heap_malloc_aligned(alignment < 16 ? 16 : alignment, size);
}

PUBLIC int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
	if (!power_of_two(alignment) || alignment % sizeof(void *))
		return EINVAL;
	void *block = aligned(alignment, size);
	if (!block)
		return ENOMEM;
	*ret_block = block;
	return 0;
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size)
{
	if (!power_of_two(alignment)) {
		errno = EINVAL;
		return NULL;
	}
	return or_enomem(aligned(alignment, size));
}

/* As glibc does: what is no power of two is rounded up to one. */
PUBLIC void *memalign(size_t alignment, size_t size)
{
	size_t rounded = 16;

	while (rounded < alignment && rounded <= PTRDIFF_MAX / 2)
		rounded *= 2;
	if (rounded < alignment) {
		errno = EINVAL;
		return NULL;
	}
	return or_enomem(aligned(rounded, size));
}

PUBLIC void *valloc(size_t size)
{
	return or_enomem(aligned((size_t)sysconf(_SC_PAGESIZE), size));
}

PUBLIC void *pvalloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded;

	if (__builtin_add_overflow(size, page - 1, &rounded)) {
		errno = ENOMEM;
		return NULL;
	}
	rounded = size ? rounded & ~(page - 1) : page;
	return or_enomem(aligned(page, rounded));
}

PUBLIC size_t malloc_usable_size(void *block)
{
	return block ? heap_block_usable(block) : 0;
}

PUBLIC int malloc_trim(size_t pad)
{
	(void)pad;
	return heap_purge() > 0;
}

PUBLIC struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 info = { 0 };
	uint64_t live, blocks, unused;

	heap_tell_all(heap_self());
	heap_sum(&live, &blocks, &unused);
	info.arena = segments.mapped_bytes - segments.huge_bytes + segments.kept_bytes;
	info.hblks = segments.huge_blocks;
	info.hblkhd = segments.huge_bytes;
	info.uordblks = live;
	info.fordblks = unused + ((uint64_t)segments.dirty_slices << SLICE_SHIFT) + segments.kept_bytes;
	return info;
}
