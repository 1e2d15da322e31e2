#include "heap/huge.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "heap/mapping.h"

#define KEPT_MOST_EACH ((size_t)32 << 20)
#define KEPT_MOST ((size_t)64 << 20)

static void huge_link(struct segment *s)
{
	heap_lock(&segments.lock);
	s->previous_huge = NULL;
	s->next_huge = segments.huge;
	if (segments.huge)
		segments.huge->previous_huge = s;
	segments.huge = s;
	segments.huge_blocks++;
	segments.huge_bytes += s->huge_bytes;
	segments.mapped_bytes += s->mapped_bytes;
	heap_unlock(&segments.lock);
	segment_register(s, s->mapped_bytes);
}

static void huge_unlink(struct segment *s)
{
	segment_unregister(s, s->mapped_bytes);
	heap_lock(&segments.lock);
	if (s->next_huge)
		s->next_huge->previous_huge = s->previous_huge;
	if (s->previous_huge)
		s->previous_huge->next_huge = s->next_huge;
	else
		segments.huge = s->next_huge;
	segments.huge_blocks--;
	segments.huge_bytes -= s->huge_bytes;
	segments.mapped_bytes -= s->mapped_bytes;
	heap_unlock(&segments.lock);
}

/* Never 0, which would be no huge block. */
static size_t huge_rounded(size_t size)
{
	if (size == 0)
		size = 1;
	return (size + 4095) & ~(size_t)4095;
}

static void *huge_make(struct segment *s, size_t mapped, size_t offset)
{
	s->huge_bytes = mapped - offset;
	s->huge_offset = offset;
	s->mapped_bytes = mapped;
	huge_link(s);
	return (char *)s + offset;
}

/* Of those that are kept the smallest that serves, and is not twice what is needed. */
static struct segment *kept_take(size_t mapped)
{
	struct segment **best = NULL, *s = NULL;

	if (atomic_load_explicit(&segments.kept_bytes, memory_order_relaxed) == 0)
		return NULL;
	heap_lock(&segments.lock);
	for (struct segment **at = &segments.kept; *at; at = &(*at)->next_huge)
		if ((*at)->mapped_bytes >= mapped && (*at)->mapped_bytes / 2 <= mapped &&
		    (!best || (*at)->mapped_bytes < (*best)->mapped_bytes))
			best = at;
	if (best) {
		s = *best;
		*best = s->next_huge;
		segments.kept_bytes -= s->mapped_bytes;
	}
	heap_unlock(&segments.lock);
	return s;
}

static bool kept_put(struct segment *s)
{
	bool kept = false;

	heap_lock(&segments.lock);
	if (s->mapped_bytes <= KEPT_MOST_EACH && segments.kept_bytes + s->mapped_bytes <= KEPT_MOST) {
		s->freed = atomic_load_explicit(&segments.purges, memory_order_relaxed);
		s->next_huge = segments.kept;
		segments.kept = s;
		segments.kept_bytes += s->mapped_bytes;
		kept = true;
	}
	heap_unlock(&segments.lock);
	return kept;
}

size_t huge_purge(uint32_t before)
{
	size_t bytes = 0;

	for (struct segment **at = &segments.kept, *s; (s = *at);) {
		if (before && (int32_t)(s->freed - before) >= 0) {
			at = &s->next_huge;
			continue;
		}
		*at = s->next_huge;
		bytes += s->mapped_bytes;
		segments.kept_bytes -= s->mapped_bytes;
		segments.purged_bytes += s->mapped_bytes;
		mapping_give(s, s->mapped_bytes);
	}
	return bytes;
}

/* Aligned by more than a segment: looked for within a larger mapping. */
static void *huge_aligned(size_t bytes, size_t alignment)
{
	size_t mapped = bytes + 2 * alignment;
	char *p = mapping_take(mapped);

	if (!p)
		return NULL;
	char *block = (char *)(((uintptr_t)p + 2 * alignment - 1) & ~(alignment - 1));
	char *front = block - SEGMENT_BYTES;
	mapping_give(p, (size_t)(front - p));
	mapping_give(block + bytes, (size_t)(p + mapped - block) - bytes);
	return huge_make((struct segment *)front, SEGMENT_BYTES + bytes, SEGMENT_BYTES);
}

static void *huge_map(size_t bytes, size_t alignment)
{
	/* From a multiple of SEGMENT_BYTES on, the first multiple of the alignment that leaves room in
	 * front. */
	size_t offset = alignment > SLICE_BYTES ? alignment : SLICE_BYTES;

	if (alignment > SEGMENT_BYTES)
		return huge_aligned(bytes, alignment);
	struct segment *s = mapping_take(bytes + offset);
	return s ? huge_make(s, bytes + offset, offset) : NULL;
}

void *huge_take(size_t size, size_t alignment, bool *ret_zero)
{
	size_t bytes = huge_rounded(size);

	if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX / 4 || bytes + 2 * alignment + SLICE_BYTES > PTRDIFF_MAX)
		return NULL;
	struct segment *s = alignment <= SLICE_BYTES ? kept_take(bytes + SLICE_BYTES) : NULL;
	*ret_zero = !s;
	segments_purge_in_time();
	if (s)
		return huge_make(s, s->mapped_bytes, SLICE_BYTES);
	void *block = huge_map(bytes, alignment);
	if (!block && segments_purge() > 0)
		block = huge_map(bytes, alignment);
	return block;
}

void huge_give(struct segment *s)
{
	huge_unlink(s);
	if (!kept_put(s))
		mapping_give(s, s->mapped_bytes);
}

/* Memory that is there is copied to in less time than new one takes. */
static bool huge_into_kept(struct segment *s, size_t bytes, void **ret_block)
{
	struct segment *to = kept_take(bytes + SLICE_BYTES);

	if (!to)
		return false;
	*ret_block = memcpy(huge_make(to, to->mapped_bytes, SLICE_BYTES), (char *)s + s->huge_offset, s->huge_bytes);
	huge_give(s);
	return true;
}

/* The kernel moves the memory without copying it. */
static struct segment *huge_move(struct segment *s, size_t mapped)
{
	int kept = errno;
	void *to = mremap(s, s->mapped_bytes, mapped, 0);

	if (to == MAP_FAILED && mapped > s->mapped_bytes && (to = mapping_take(mapped)))
		if (mremap(s, s->mapped_bytes, mapped, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
			mapping_give(to, mapped);
			to = MAP_FAILED;
		}
	errno = kept;
	return to == MAP_FAILED ? NULL : to;
}

void *huge_resize(struct segment *s, size_t size)
{
	size_t bytes = huge_rounded(size);
	void *block;

	if (size > PTRDIFF_MAX || bytes + s->huge_offset > PTRDIFF_MAX)
		return NULL;
	if (size > s->huge_bytes && huge_into_kept(s, bytes, &block))
		return block;
	huge_unlink(s);
	struct segment *to = huge_move(s, bytes + s->huge_offset);
	bool moved = to != NULL;
	if (!moved) {
		to = s;
	} else {
		to->huge_bytes = bytes;
		to->mapped_bytes = bytes + to->huge_offset;
	}
	huge_link(to);
	return moved ? (char *)to + to->huge_offset : NULL;
}
