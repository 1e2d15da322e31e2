/* Maps whose size is known when they are made: BPF_MAP_SIZE(s_->maps.ring, bytes) in the set-up of BPF_LOAD, of skeletons of
 * both kinds. Where it cannot be set, the map keeps the size that its program gives it. Included after the skeleton. */
#ifndef OSPREY_KERNEL_BPF_MAP_SIZE_H
#define OSPREY_KERNEL_BPF_MAP_SIZE_H

#include <bpf/libbpf.h>

static inline void bpf_map_size_light(struct bpf_map_desc *map, size_t entries)
{
	map->max_entries = (unsigned)entries;
}

static inline void bpf_map_size_full(struct bpf_map **map, size_t entries)
{
	if (bpf_map__set_max_entries(*map, (unsigned)entries) < 0)
		return;
}

#define BPF_MAP_SIZE(map, entries) \
	_Generic(&(map), struct bpf_map_desc *: bpf_map_size_light, struct bpf_map **: bpf_map_size_full)(&(map), entries)

#endif
