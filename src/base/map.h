/* Hash map from a nonzero 64-bit key to a 32-bit index, open addressing. The
 * values are usually positions in a vec. map_clear keeps the storage. */
#ifndef OSPREY_BASE_MAP_H
#define OSPREY_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
	struct map_slot *slots;
	size_t n;
	size_t capacity; /* power of two, or 0 */
};

#define MAP_NONE UINT32_MAX

void map_deinit(struct map *m);
void map_clear(struct map *m);
/* The value, or MAP_NONE. */
uint32_t map_get(const struct map *m, uint64_t key);
/* Inserts or replaces. 0 or -ENOMEM. */
int map_set(struct map *m, uint64_t key, uint32_t value) __attribute__((warn_unused_result));
/* Without the key: nothing happens. */
void map_remove(struct map *m, uint64_t key);

/* FNV-1a, never 0: turns a name into a key. */
uint64_t map_hash(const void *data, size_t n);

#endif
