/* How many bytes go by until the next sample: draws from the exponential distribution, in whole numbers.
 *
 * An allocation of s bytes that uses up the draw is sampled, so each is with probability 1 - exp(-s / mean),
 * whatever came before it: the distribution has no memory. That holds for one counter a CPU as for one a
 * thread. Pure; for BPF and user space.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef OSPREY_DIG_LEAK_LEAK_DRAW_BPF_H
#define OSPREY_DIG_LEAK_LEAK_DRAW_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

#define LEAK_DRAW_BITS 16	  /* of the fraction of a logarithm */
#define LEAK_LN2_FIXED 45426	  /* ln 2 in 1/65536 */

/* -log2(x / 2^32) in 1/65536, for x > 0: the place of the highest bit, then a bit of the fraction with each
 * squaring. */
static inline __attribute__((always_inline)) uint64_t leak_minus_log2(uint32_t x)
{
	uint64_t high = 0, m = x;

	for (int step = 16; step; step >>= 1) {
		if (m >> (high + step))
			high += step;
	}
	uint64_t fraction = 0;
	m <<= 31 - high; /* 1 to 2, in 1/2^31 */
	for (int i = 0; i < LEAK_DRAW_BITS; i++) {
		m = m * m >> 31;
		fraction <<= 1;
		if (m >> 32) {
			m >>= 1;
			fraction |= 1;
		}
	}
	return ((32 - high) << LEAK_DRAW_BITS) - fraction;
}

/* At least 1. `random`: 32 bits, evenly spread. Means above 2^42 would overflow. */
static inline __attribute__((always_inline)) uint64_t leak_draw(uint64_t mean, uint32_t random)
{
	uint64_t nats = leak_minus_log2(random ? random : 1) * LEAK_LN2_FIXED >> LEAK_DRAW_BITS;

	return (mean * nats >> LEAK_DRAW_BITS) + 1;
}

#endif
