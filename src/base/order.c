#include "base/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/huge_pages.h"

#define BITS 11
#define BUCKETS (1u << BITS)

/* A key and its place in one word. */
static void pass(const uint64_t *from, size_t n, unsigned shift, uint64_t *to)
{
	uint32_t start[BUCKETS] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		start[from[i] >> shift & (BUCKETS - 1)]++;
	for (size_t i = 0; i < BUCKETS; i++) {
		uint32_t here = start[i];
		start[i] = sum;
		sum += here;
	}
	for (size_t i = 0; i < n; i++)
		to[start[from[i] >> shift & (BUCKETS - 1)]++] = from[i];
}

static unsigned bits_of(uint64_t number)
{
	return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

static uint64_t key_at(struct order_keys k, size_t i)
{
	uint64_t key;

	memcpy(&key, (const char *)k.first + i * k.stride, sizeof key);
	return key;
}

static int order_by_radix(struct order_keys k, size_t n, unsigned key_bits, uint32_t *ret)
{
	unsigned place_bits = bits_of(n - 1);
	uint64_t *room = malloc(2 * n * sizeof *room), *from = room, *to = room + n;
	uint64_t mask = key_bits == 64 ? UINT64_MAX : (1ull << key_bits) - 1;

	if (!room)
		return -ENOMEM;
	memory_will_fill(room, 2 * n * sizeof *room);
	for (size_t i = 0; i < n; i++)
		from[i] = (key_at(k, i) & mask) << place_bits | i;
	for (unsigned shift = place_bits; shift < place_bits + key_bits; shift += BITS) {
		pass(from, n, shift, to);
		uint64_t *swap = from;
		from = to;
		to = swap;
	}
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint32_t)(from[i] & ((1ull << place_bits) - 1));
	free(room);
	return 0;
}

static int by_key(const void *a, const void *b, void *arg)
{
	const uint32_t *x = a, *y = b;
	const struct order_keys *k = arg;
	uint64_t first = key_at(*k, *x), second = key_at(*k, *y);

	if (first != second)
		return first < second ? -1 : 1;
	return (*x > *y) - (*x < *y);
}

int order_of(struct order_keys k, size_t n, uint32_t *ret)
{
	uint64_t differ = 0;

	for (size_t i = 0; i < n; i++) {
		differ |= key_at(k, i) ^ key_at(k, 0);
		ret[i] = (uint32_t)i;
	}
	/* What all have in common need not be looked at. */
	if (n > 1 && bits_of(differ) + bits_of(n - 1) <= 64)
		return order_by_radix(k, n, bits_of(differ), ret);
	if (n > 1)
		qsort_r(ret, n, sizeof *ret, by_key, &k);
	return 0;
}
