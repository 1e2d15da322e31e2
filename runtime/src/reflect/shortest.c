/* R. Giulietti, "The Schubfach way to render doubles" (2020): at the power of ten just below the width of the
 * interval that rounds to the number there are at most two candidates, at the next one at most one. Products
 * by powers of ten of 128 bits, rounded to odd, tell exactly which candidates are inside. */
#include "reflect/shortest.h"

#include <pthread.h>

#define LEAST (-292)
#define MOST 324
#define WORDS 36	/* of 32 bits: 10^324 has 1077 bits, and 2^1151 / 10^292 still has more than 128 */

struct power {
	uint64_t high, low;
};

/* 10^LEAST to 10^MOST, as their 128 highest bits, rounded up. Made when they are first needed: in 10 KiB of
 * memory that most programs, or at least their files, then do without. */
static struct power powers[MOST - LEAST + 1];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static bool bit(const uint32_t *words, int at)
{
	return at >= 0 && words[at / 32] >> at % 32 & 1;
}

static struct power highest_bits(const uint32_t *words)
{
	unsigned __int128 v = 0;
	int top = WORDS * 32 - 1;
	bool rest = false;

	while (!bit(words, top))
		top--;
	for (int i = 0; i < 128; i++)
		v = v << 1 | bit(words, top - i);
	for (int i = top - 128; i >= 0 && !rest; i--)
		rest = bit(words, i);
	v += rest;
	return (struct power){ (uint64_t)(v >> 64), (uint64_t)v };
}

static void powers_make(void)
{
	uint32_t up[WORDS] = { 1 }, down[WORDS] = { [WORDS - 1] = UINT32_C(1) << 31 };

	for (int e = 0; e <= MOST; e++) {
		uint64_t carry = 0;
		powers[e - LEAST] = highest_bits(up);
		for (int i = 0; i < WORDS; i++) {
			carry += (uint64_t)up[i] * 10;
			up[i] = (uint32_t)carry;
			carry >>= 32;
		}
	}
	/* Dividing what was rounded down by ten, and rounding down, is the same as dividing at once. What is
	 * left over is never 0. */
	for (int e = -1; e >= LEAST; e--) {
		uint64_t rest = 0;
		for (int i = WORDS; i-- > 0;) {
			rest = rest << 32 | down[i];
			down[i] = (uint32_t)(rest / 10);
			rest %= 10;
		}
		down[0] |= 1;
		powers[e - LEAST] = highest_bits(down);
		down[0] &= ~UINT32_C(1);
	}
}

static uint64_t times_odd(struct power g, uint64_t c)
{
	unsigned __int128 x = (unsigned __int128)g.low * c;
	unsigned __int128 y = (unsigned __int128)g.high * c + (uint64_t)(x >> 64);

	return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

static struct shortest stripped(uint64_t digits, int exponent)
{
	if (digits % 100000000 == 0) {
		digits /= 100000000;
		exponent += 8;
	}
	while (digits % 10 == 0) {
		digits /= 10;
		exponent++;
	}
	return (struct shortest){ digits, exponent };
}

struct shortest shortest_decimal(uint64_t c, int q, bool edge)
{
	pthread_once(&made, powers_make);
	/* floor(log10 of 2^q, or of 3/4 2^q) and floor(log2 of 10^-k), exact in these ranges. */
	int k = (q * 1262611 - (edge ? 524031 : 0)) >> 22;
	int h = q + ((-k * 1741647) >> 19) + 1;
	struct power g = powers[-k - LEAST];
	bool open = c & 1;
	uint64_t middle = times_odd(g, (4 * c) << h);
	uint64_t low = times_odd(g, (4 * c - (edge ? 1 : 2)) << h) + open, high = times_odd(g, (4 * c + 2) << h) - open;
	uint64_t s = middle / 4;

	if (s >= 10) {
		uint64_t tens = s / 10;
		bool below = low <= 40 * tens, above = 40 * tens + 40 <= high;
		if (below != above)
			return stripped(tens + above, k + 1);
	}
	bool below = low <= 4 * s, above = 4 * s + 4 <= high;
	if (below != above)
		return stripped(s + above, k);
	uint64_t half = 4 * s + 2;
	return stripped(s + (middle > half || (middle == half && s & 1)), k);
}
