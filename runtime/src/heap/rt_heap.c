#include <osprey/rt/heap.h>

#include <string.h>

#include "heap/heap_debug.h"
#include "heap/heap_thread.h"
#include "heap/heap_walk.h"

RT_API void *rt_malloc(size_t size)
{
	return heap_malloc(size);
}

RT_API void rt_free(void *block)
{
	heap_free(block);
}

RT_API void *rt_calloc(size_t n, size_t size)
{
	return heap_zalloc(n, size);
}

RT_API void *rt_realloc(void *block, size_t size)
{
	return heap_realloc(block, size);
}

RT_API void *rt_aligned(size_t alignment, size_t size)
{
	if (alignment == 0 || (alignment & (alignment - 1)))
		return NULL;
	return heap_malloc_aligned(alignment < 16 ? 16 : alignment, size);
}

RT_API size_t rt_usable(const void *block)
{
	return block ? heap_block_usable(block) : 0;
}

RT_API size_t rt_heap_purge(void)
{
	return heap_purge();
}

RT_API void rt_heap_decay(uint32_t ms)
{
	atomic_store_explicit(&segments.decay_ms, ms, memory_order_relaxed);
	atomic_store_explicit(&segments.next_purge_ms, 1, memory_order_relaxed);
}

RT_API void rt_heap_stats(struct rt_heap_stats *ret_stats)
{
	struct rt_heap_stats stats = { 0 };

	heap_tell_all(heap_self());
	heap_sum(&stats.live_bytes, &stats.live_blocks, &stats.free_bytes);
	heap_lock(&segments.lock);
	stats.mapped_bytes = segments.mapped_bytes + segments.kept_bytes;
	stats.huge_bytes = segments.huge_bytes;
	stats.huge_blocks = segments.huge_blocks;
	stats.kept_bytes = ((uint64_t)segments.dirty_slices << SLICE_SHIFT) + segments.kept_bytes;
	stats.purged_bytes = segments.purged_bytes;
	heap_unlock(&segments.lock);
	uint64_t gone_bytes, gone_blocks;
	heap_debug_quarantined(&gone_bytes, &gone_blocks);
	stats.live_bytes += stats.huge_bytes - gone_bytes;
	stats.live_blocks += stats.huge_blocks - gone_blocks;
	heap_count(&stats.threads, &stats.left_heaps);
	*ret_stats = stats;
}

RT_API bool rt_heap_block(const void *address, void **ret_block, size_t *ret_size)
{
	struct heap_found found;

	if (!heap_found_at(address, &found))
		return false;
	if (heap_debugged)
		return heap_debug_within(found.block, ret_block, ret_size);
	*ret_block = found.block;
	*ret_size = found.bytes;
	return true;
}

struct visiting {
	void (*visit)(void *block, size_t size, void *arg);
	void *arg;
};

static void visit_one(const struct heap_found *found, void *arg)
{
	struct visiting *v = arg;
	void *block = found->block;
	size_t size = found->bytes;

	if (!heap_debugged || heap_debug_within(found->block, &block, &size))
		v->visit(block, size, v->arg);
}

RT_API void rt_heap_walk(void (*visit)(void *block, size_t size, void *arg), void *arg)
{
	heap_walk(visit_one, &(struct visiting){ visit, arg });
}
