/* The heap of a hostile process: any bytes as the memory that arenas are looked for in, and as mappings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dig/memory/malloc_heap.h"
#include "dig/memory/process_heap.h"

#define BASE 0x10000u

struct bytes {
	const uint8_t *p;
	size_t n;
};

static int read_bytes(void *arg, uint64_t address, void *to, size_t n)
{
	const struct bytes *b = arg;

	if (address < BASE || address - BASE > b->n || n > b->n - (address - BASE))
		return -EFAULT;
	memcpy(to, b->p + (address - BASE), n);
	return 0;
}

/* An arena, all of whose bins are empty, is what random bytes never make: it is there, and the input is put over it
 * as pairs of a position and a word. */
static void damaged(const uint8_t *data, size_t size)
{
	static uint64_t words[1024];
	struct bytes bytes = { (const uint8_t *)words, sizeof words };
	struct heap_range range = { BASE, BASE + sizeof words };
	struct malloc_heap h = { 0 };

	memset(words, 0, sizeof words);
	for (unsigned i = 0; i < 127; i++)
		words[14 + 2 * i] = words[15 + 2 * i] = BASE + 0x70 + i * 16 - 16;
	words[12] = BASE + 600 * 8;
	words[270] = BASE;
	words[273] = 4096;
	words[274] = 8192;
	words[601] = 1024;
	for (; size >= 4; data += 4, size -= 4)
		words[(data[0] | data[1] << 8) % 1024] = data[3] & 1 ? BASE + data[2] * 32u : data[2] * 16u;
	if (malloc_heap_read(&(struct heap_memory){ read_bytes, &bytes }, &range, 1, &h) == 0) {
		vec_each(a, &h.arenas)
			if (!a->torn && a->free_bytes > a->system_bytes)
				abort();
	}
	malloc_heap_deinit(&h);
}

static void raw(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data, size };
	struct heap_range range = { BASE, BASE + (size & ~(size_t)15) };
	struct malloc_heap h = { 0 };

	(void)!malloc_heap_read(&(struct heap_memory){ read_bytes, &bytes }, &range, 1, &h);
	malloc_heap_deinit(&h);
}

static void mappings(const uint8_t *data, size_t size)
{
	struct memory_map map = { 0 };
	heap_ranges ranges = { 0 };

	if (memory_map_parse((struct span){ (const char *)data, size }, &map) == 0 && heap_ranges_of(&map, &ranges) == 0) {
		vec_each(r, &ranges)
			if (r->start >= r->end)
				abort();
	}
	vec_free(&ranges);
	memory_map_deinit(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0: damaged(data + 1, size - 1); break;
	case 1: raw(data + 1, size - 1); break;
	default: mappings(data + 1, size - 1);
	}
	return 0;
}
