/* From the callers to the heap that serves them. */
#include <errno.h>
#include <string.h>

#include "heap/heap_debug.h"
#include "heap/heap_fault.h"
#include "heap/heap_thread.h"
#include "heap/huge.h"
#include "heap/mapping.h"

void *heap_malloc_aligned(size_t alignment, size_t size)
{
	if (size > PTRDIFF_MAX)
		return NULL;
	struct heap *h = heap_of_thread();
	if (h)
		return heap_take_aligned(h, alignment, size);
	if (heap_debugged)
		return heap_debug_take(alignment, size);
	h = heap_common_take();
	if (!h)
		return NULL;
	void *block = heap_take_aligned(h, alignment, size);
	heap_common_give();
	return block;
}

void *heap_malloc_slow(size_t size)
{
	struct heap *h = size <= PTRDIFF_MAX ? heap_of_thread() : NULL;

	return h ? heap_take(h, size) : heap_malloc_aligned(16, size);
}

void heap_free_slow(void *block)
{
	if (heap_debugged)
		heap_debug_give(block);
	else
		heap_give(heap_self(), block);
}

void *heap_zalloc(size_t n, size_t size)
{
	size_t bytes;
	bool zero = false;
	void *block;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	if (bytes > HEAP_MEDIUM_MAX && heap_of_thread())
		block = heap_take_large(bytes, &zero);
	else
		block = heap_malloc(bytes);
	return block && !zero ? memset(block, 0, bytes) : block;
}

size_t heap_block_usable(const void *block)
{
	if (heap_debugged)
		return heap_debug_usable(block);
	if (!segment_known(segment_of(block)))
		heap_fault(block, "not a block of this heap");
	return heap_usable(block);
}

static void *move(void *block, size_t has, size_t size)
{
	void *to = heap_malloc(size);

	if (to) {
		memcpy(to, block, has < size ? has : size);
		heap_free(block);
	}
	return to;
}

void *heap_realloc(void *block, size_t size)
{
	if (!block)
		return heap_malloc(size);
	size_t has = heap_block_usable(block);
	if (size > PTRDIFF_MAX)
		return NULL;
	if (heap_debugged)
		return move(block, has, size);
	if (heap_resize(block, size))
		return block;
	struct segment *s = segment_of(block);
	void *to = s->huge_bytes && size > HEAP_LARGE_MAX ? huge_resize(s, size) : NULL;
	return to ? to : move(block, has, size);
}

size_t heap_purge(void)
{
	struct heap *h = heap_of_thread();

	if (h)
		heap_collect(h);
	heap_collect_left();
	return segments_purge();
}

void heap_rest(void)
{
	struct heap *h = heap_self();
	uint32_t rests = atomic_load_explicit(&segments.rests, memory_order_relaxed);

	if (h == &heap_none || h == &heap_ended || h->rests_seen == rests)
		return;
	h->rests_seen = rests;
	heap_collect(h);
}

void heap_rest_all(void)
{
	heap_collect_left();
	atomic_fetch_add_explicit(&segments.rests, 1, memory_order_relaxed);
}
