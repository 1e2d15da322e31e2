/* From JSON into a struct and back; and what a mistake is told as. Built in two steps, with the descriptors in between:
 *
 *	cc -g -c rt_json.c $(pkg-config --cflags osprey-rt) && osprey-rt-types -o types.c rt_json.o
 *	cc rt_json.o types.c $(pkg-config --cflags --libs osprey-rt)
 */
#include <osprey/rt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
	char *name;
	double price;
};
RT_REFLECT(struct item, (name, required), (price, min = 0));

struct order {
	unsigned long id;
	struct item *items;
	unsigned nitems;
};
RT_REFLECT(struct order, (id, required), (items, count = nitems));

static int take(const char *text)
{
	struct rt_problem problem;
	struct order order;
	char *again;
	size_t n;

	if (rt_json_decode(RT_TYPE(struct order), text, strlen(text), NULL, &order, &problem) < 0)
		return printf("%u:%u: %s: %s\n", problem.line, problem.column, problem.path, problem.reason);
	if (rt_json_encode_text(RT_TYPE(struct order), &order, NULL, NULL, &again, &n, &problem) == 0) {
		puts(again);
		free(again);
	}
	rt_clear(RT_TYPE(struct order), &order, NULL);
	return 0;
}

int main(void)
{
	take("{\"items\": [{\"name\": \"tea\", \"price\": 4.50}], \"id\": 7}");
	take("{\"id\": 8,\n \"items\": [{\"name\": \"tea\", \"price\": \"4.50\"}]}");
	return 0;
}
