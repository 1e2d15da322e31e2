#include "heap/mapping.h"

#include <errno.h>
#include <sys/mman.h>

#include "heap/segment.h"

/* 48 bits of address, the most that the kernel gives unasked. */
#define SEGMENTS_POSSIBLE (UINT64_C(1) << (48 - SEGMENT_SHIFT))
/* So often in a row a mapping is placed below the one before; then the kernel is asked where there is
 * room. */
#define PLACED_IN_A_ROW 64

/* Both untouched, so without memory, but for where the heap lies. */
static _Atomic uint64_t known[SEGMENTS_POSSIBLE / 64];
static _Atomic uint64_t begins[SEGMENTS_POSSIBLE / 64];
static _Atomic uintptr_t lowest_mapped;
static _Atomic uint32_t placed;

static void *map(void *at, size_t bytes, int flags)
{
	int kept = errno;
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	errno = kept;
	return p == MAP_FAILED ? NULL : p;
}

void mapping_give(void *p, size_t bytes)
{
	int kept = errno;

	if (bytes)
		munmap(p, bytes);
	errno = kept;
}

static size_t whole_segments(size_t bytes)
{
	return (bytes + SEGMENT_BYTES - 1) & ~((size_t)SEGMENT_BYTES - 1);
}

static void *map_anywhere(size_t bytes)
{
	char *p = map(NULL, bytes + SEGMENT_BYTES, 0);

	if (!p)
		return NULL;
	char *aligned = (char *)whole_segments((uintptr_t)p);
	mapping_give(p, (size_t)(aligned - p));
	mapping_give(aligned + bytes, (size_t)(p + SEGMENT_BYTES - aligned));
	return aligned;
}

void *mapping_take(size_t bytes)
{
	uintptr_t lowest = atomic_load_explicit(&lowest_mapped, memory_order_relaxed);
	size_t room = whole_segments(bytes);
	char *p = NULL;

	if (lowest > room + SEGMENT_BYTES &&
	    atomic_fetch_add_explicit(&placed, 1, memory_order_relaxed) % PLACED_IN_A_ROW != PLACED_IN_A_ROW - 1)
		p = map((void *)(lowest - room), bytes, MAP_FIXED_NOREPLACE);
	/* A kernel before 4.17 takes the address for a wish. */
	if (p && (uintptr_t)p % SEGMENT_BYTES) {
		mapping_give(p, bytes);
		p = NULL;
	}
	if (!p)
		p = map_anywhere(bytes);
	if (p)
		atomic_store_explicit(&lowest_mapped, (uintptr_t)p, memory_order_relaxed);
	return p;
}

static void set_bits(_Atomic uint64_t *bits, const void *from, size_t bytes, bool on)
{
	uint64_t i = (uintptr_t)from >> SEGMENT_SHIFT, end = i + whole_segments(bytes) / SEGMENT_BYTES;

	for (; i < end; i++) {
		uint64_t bit = UINT64_C(1) << (i % 64);
		if (on)
			atomic_fetch_or_explicit(&bits[i / 64], bit, memory_order_relaxed);
		else
			atomic_fetch_and_explicit(&bits[i / 64], ~bit, memory_order_relaxed);
	}
}

void segment_register(struct segment *s, size_t bytes)
{
	set_bits(begins, s, 1, true);
	set_bits(known, s, bytes, true);
}

void segment_unregister(struct segment *s, size_t bytes)
{
	set_bits(known, s, bytes, false);
	set_bits(begins, s, 1, false);
	if (atomic_load_explicit(&lowest_mapped, memory_order_relaxed) == (uintptr_t)s)
		atomic_store_explicit(&lowest_mapped, (uintptr_t)s + whole_segments(bytes), memory_order_relaxed);
}

static bool bit_of(const _Atomic uint64_t *bits, uint64_t i)
{
	return atomic_load_explicit(&bits[i / 64], memory_order_relaxed) >> (i % 64) & 1;
}

bool segment_known(const struct segment *s)
{
	uint64_t i = (uintptr_t)s >> SEGMENT_SHIFT;

	return i < SEGMENTS_POSSIBLE && bit_of(begins, i);
}

struct segment *segment_around(const void *address)
{
	uint64_t i = (uintptr_t)address >> SEGMENT_SHIFT;

	if (i >= SEGMENTS_POSSIBLE || !bit_of(known, i))
		return NULL;
	for (uint64_t mask = ~UINT64_C(0) >> (63 - i % 64); ; mask = ~UINT64_C(0)) {
		uint64_t word = atomic_load_explicit(&begins[i / 64], memory_order_relaxed) & mask;
		if (word)
			return (struct segment *)(uintptr_t)(((i & ~UINT64_C(63)) + 63 - (unsigned)__builtin_clzll(word)) << SEGMENT_SHIFT);
		if (i < 64)
			return NULL;
		i = (i & ~UINT64_C(63)) - 1;
	}
}

#define MOST_FOREVER 256

static struct {
	_Atomic uintptr_t from, to;
} forever[MOST_FOREVER];
static _Atomic uint32_t nforever;

void *segments_forever(size_t size)
{
	char *p = map(NULL, size, 0);
	uint32_t i = p ? atomic_fetch_add(&nforever, 1) : MOST_FOREVER;

	if (i < MOST_FOREVER) {
		atomic_store(&forever[i].to, (uintptr_t)(p + size));
		atomic_store(&forever[i].from, (uintptr_t)p);
	}
	return p;
}

bool segments_forever_holds(const void *address)
{
	uint32_t n = atomic_load(&nforever);
	uintptr_t at = (uintptr_t)address;

	for (uint32_t i = 0; i < n && i < MOST_FOREVER; i++)
		if (atomic_load(&forever[i].from) && at >= forever[i].from && at < forever[i].to)
			return true;
	return false;
}
