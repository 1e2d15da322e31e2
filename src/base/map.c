#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct map_slot {
	uint64_t key; /* 0: empty */
	uint32_t value;
};

static size_t home(const struct map *m, uint64_t key)
{
	/* Fibonacci hashing: pids are dense and low, so multiply and take high bits. */
	return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (m->capacity - 1);
}

void map_deinit(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

void map_clear(struct map *m)
{
	if (m->n)
		memset(m->slots, 0, m->capacity * sizeof *m->slots);
	m->n = 0;
}

static struct map_slot *find(const struct map *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->slots[i].key && m->slots[i].key != key)
		i = (i + 1) & (m->capacity - 1);
	return &m->slots[i];
}

uint32_t map_get(const struct map *m, uint64_t key)
{
	if (m->capacity == 0)
		return MAP_NONE;
	const struct map_slot *slot = find(m, key);
	return slot->key ? slot->value : MAP_NONE;
}

static int grow(struct map *m)
{
	struct map bigger = { .capacity = m->capacity ? m->capacity * 2 : 64 };

	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->capacity; i++)
		if (m->slots[i].key)
			*find(&bigger, m->slots[i].key) = m->slots[i];
	bigger.n = m->n;
	free(m->slots);
	*m = bigger;
	return 0;
}

int map_set(struct map *m, uint64_t key, uint32_t value)
{
	assert(key != 0);
	if (m->n * 4 >= m->capacity * 3) {
		int r = grow(m);
		if (r < 0)
			return r;
	}
	struct map_slot *slot = find(m, key);
	if (!slot->key)
		m->n++;
	*slot = (struct map_slot){ key, value };
	return 0;
}

/* Whoever stands behind the hole, and would be looked for from before it, moves into it. */
void map_remove(struct map *m, uint64_t key)
{
	if (m->capacity == 0)
		return;
	size_t mask = m->capacity - 1, hole = (size_t)(find(m, key) - m->slots);
	if (!m->slots[hole].key)
		return;
	for (size_t i = (hole + 1) & mask; m->slots[i].key; i = (i + 1) & mask) {
		/* How far from its home, and how far from the hole. */
		if (((i - home(m, m->slots[i].key)) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole].key = 0;
	m->n--;
}

uint64_t map_hash(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h ? h : 1;
}
