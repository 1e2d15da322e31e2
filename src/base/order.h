/* The order of many numbers: by radix, so that a million take some ms, where qsort takes a second to move what they stand for. */
#ifndef OSPREY_BASE_ORDER_H
#define OSPREY_BASE_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* uint64_t, so many bytes apart. */
struct order_keys {
	const void *first;
	size_t stride;
};

/* The places of `n` keys (fewer than 2^32), the smallest key first, equal ones as they stood: room for n in `ret`. -ENOMEM.
 * Keys that differ in more bits than 64 less those of n are left to qsort. */
int order_of(struct order_keys keys, size_t n, uint32_t *ret) __attribute__((warn_unused_result));

#endif
