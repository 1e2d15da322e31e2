/* The right word closest to a wrong one, for the hint behind an error. */
#ifndef OSPREY_BASE_CLOSEST_H
#define OSPREY_BASE_CLOSEST_H

#include <stddef.h>

struct closest {
	const char *word; /* NULL before the first offer */
	size_t distance;
};

/* Insertions, deletions, substitutions and swaps of neighbours that lead from a to b. Of
 * long words the first 63 characters count. */
size_t edit_distance(const char *a, const char *b);

/* Keeps `candidate` when it is closer to `wrong` than what was offered before. A candidate
 * that begins with `wrong` is closest of all. */
void closest_offer(struct closest *c, const char *wrong, const char *candidate);

#endif
