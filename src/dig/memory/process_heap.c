#include "dig/memory/process_heap.h"

#include <errno.h>

#include "dig/image/target_memory.h"

#define MAP_LOOKS 6

static bool may_hold_data(const struct mapping *m)
{
	return m->inode != 0 && m->flags & MAPPING_WRITE && m->flags & MAPPING_READ && !(m->flags & MAPPING_SHARED);
}

int heap_ranges_of(const struct memory_map *map, heap_ranges *ret)
{
	ret->n = 0;
	vec_each(m, &map->mapping) {
		struct heap_range *last = ret->n ? &ret->v[ret->n - 1] : NULL;
		bool bss = m->inode == 0 && m->name[0] == '\0' && m->flags & MAPPING_WRITE && last &&
			   last->end == m->start;

		if (bss) {
			last->end = m->end;
		} else if (may_hold_data(m)) {
			struct heap_range *range = vec_push(ret);

			if (!range)
				return -ENOMEM;
			*range = (struct heap_range){ m->start, m->end };
		}
	}
	return 0;
}

static int read_process(void *arg, uint64_t address, void *to, size_t n)
{
	return target_memory_read(*(const int *)arg, address, to, n);
}

int process_heap_read(int pid, struct malloc_heap *ret)
{
	struct heap_memory memory = { read_process, &pid };
	struct memory_map map = { 0 };
	heap_ranges ranges = { 0 };
	int r = -ETIMEDOUT;

	/* Each look at the mappings is given half a second. */
	for (unsigned n = 0; n < MAP_LOOKS && r == -ETIMEDOUT; n++)
		r = memory_map_read(pid, &map);
	if (r >= 0)
		r = heap_ranges_of(&map, &ranges);
	if (r >= 0)
		r = malloc_heap_read(&memory, ranges.v, ranges.n, ret);
	vec_free(&ranges);
	memory_map_deinit(&map);
	return r;
}
