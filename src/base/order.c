#include "base/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BITS 11
#define BUCKETS (1u << BITS)
#define HUGE_PAGE (2u << 20)

static void pass(const uint64_t *key, size_t n, unsigned shift, const uint32_t *from, uint32_t *to)
{
	uint32_t start[BUCKETS] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		start[key[i] >> shift & (BUCKETS - 1)]++;
	for (size_t i = 0; i < BUCKETS; i++) {
		uint32_t here = start[i];
		start[i] = sum;
		sum += here;
	}
	for (size_t i = 0; i < n; i++)
		to[start[key[from[i]] >> shift & (BUCKETS - 1)]++] = from[i];
}

int order_of(const uint64_t *key, size_t n, uint32_t *ret)
{
	uint64_t all = 0;
	uint32_t *other;

	for (size_t i = 0; i < n; i++) {
		all |= key[i];
		ret[i] = (uint32_t)i;
	}
	if (n < 2)
		return 0;
	other = malloc(n * sizeof *other);
	if (!other)
		return -ENOMEM;
	for (unsigned shift = 0; shift < 64 && all >> shift; shift += BITS) {
		pass(key, n, shift, ret, other);
		memcpy(ret, other, n * sizeof *ret);
	}
	free(other);
	return 0;
}

void memory_will_fill(void *p, size_t bytes)
{
	uintptr_t from = ((uintptr_t)p + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
	uintptr_t to = ((uintptr_t)p + bytes) & ~(uintptr_t)(HUGE_PAGE - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}
