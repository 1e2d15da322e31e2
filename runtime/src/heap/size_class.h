/* Sizes of blocks: multiples of 16 to 128, then four to each doubling, so at most a fifth of a block is
 * waste. */
#ifndef RT_HEAP_SIZE_CLASS_H
#define RT_HEAP_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

enum {
	HEAP_CLASSES = 44,
	HEAP_DIRECT_MAX = 1024,		/* bytes: up to here a heap is asked by the size itself */
	HEAP_SMALL_MAX = 8 << 10,	/* bytes: up to here a page is one slice */
	HEAP_MEDIUM_MAX = 64 << 10,	/* bytes: up to here one of HEAP_MEDIUM_SLICES */
	HEAP_LARGE_MAX = 1 << 20,	/* bytes: up to here a block has slices of its own, above a mapping */
	HEAP_MEDIUM_SLICES = 8,
};

/* Of sizes up to HEAP_MEDIUM_MAX. */
static inline unsigned size_class_of(size_t size)
{
	if (size <= 128)
		return size ? (unsigned)(size - 1) >> 4 : 0;
	unsigned s = (unsigned)size - 1;
	unsigned e = 31 - (unsigned)__builtin_clz(s);
	return 8 + (e - 7) * 4 + ((s >> (e - 2)) & 3);
}

static inline uint32_t size_class_bytes(unsigned size_class)
{
	if (size_class < 8)
		return (size_class + 1) << 4;
	unsigned e = 7 + (size_class - 8) / 4;
	return (1u << e) + (((size_class & 3) + 1) << (e - 2));
}

#endif
