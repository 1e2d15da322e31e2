/* The records that all codecs read and write, and how each is measured. */
#ifndef RT_BENCH_RECORDS_H
#define RT_BENCH_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <osprey/rt/reflect.h>

struct item {
	char *name;
	double price;
	uint32_t amount;
	bool gift;
};
RT_REFLECT(struct item);

struct order {
	uint64_t id;
	char *customer;
	char *street;
	struct item *items;
	size_t nitems;
	double total;
	int64_t created_ns;
	bool paid;
};
RT_REFLECT(struct order, (items, count = nitems));

struct orders {
	struct order *orders;
	size_t norders;
};
RT_REFLECT(struct orders, (orders, count = norders));

/* Of one codec: into `ret`, which is zero; into a text of malloc. Both abort at any failure. */
struct codec {
	const char *name;
	void (*decode)(const char *text, size_t n, struct orders *ret);
	void (*encode)(const struct orders *o, char **ret, size_t *ret_n);
};

/* The other one in this program: their libraries have names in common. */
extern const struct codec peer;

static inline void need(bool fine)
{
	if (!fine)
		abort();
}

static inline char *text_of(const char *s)
{
	char *p = s ? strdup(s) : NULL;

	need(p);
	return p;
}

static inline void *room(size_t n, size_t bytes)
{
	void *p = calloc(n ? n : 1, bytes);

	need(p);
	return p;
}

#endif
