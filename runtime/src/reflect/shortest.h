/* The shortest decimal that reads as a given binary number. */
#ifndef RT_REFLECT_SHORTEST_H
#define RT_REFLECT_SHORTEST_H

#include <stdbool.h>
#include <stdint.h>

struct shortest {
	uint64_t digits;	/* at most 17 of them; not ending in 0, but for 0 itself */
	int exponent;		/* of ten */
};

/* Of c * 2^q, c > 0, whose neighbours are c - 1 and c + 1 times 2^q; `edge`: the one below is half as far,
 * for c is the least of its binade. c has up to 53 bits, q is -1074 to 971. Of two shortest ones the closer
 * one; ties of reading go to the even. */
struct shortest shortest_decimal(uint64_t c, int q, bool edge);

#endif
