#include "base/closest.h"

#include <string.h>

#define LONGEST 63

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;
	return ab < c ? ab : c;
}

/* Optimal string alignment: three rows of the distance matrix suffice. */
size_t edit_distance(const char *a, const char *b)
{
	size_t row[3][LONGEST + 1], na = strnlen(a, LONGEST), nb = strnlen(b, LONGEST);

	for (size_t j = 0; j <= nb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *now = row[i % 3], *before = row[(i + 2) % 3], *swap = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			now[j] = least(before[j] + 1, now[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], swap[j - 2] + 1, now[j]);
		}
	}
	return row[na % 3][nb];
}

void closest_offer(struct closest *c, const char *wrong, const char *candidate)
{
	size_t distance = wrong[0] && strncmp(candidate, wrong, strlen(wrong)) == 0 ?
				  0 :
				  edit_distance(wrong, candidate);

	if (!c->word || distance < c->distance)
		*c = (struct closest){ candidate, distance };
}
