/* Maps whose size is known when they are made: BPF_MAP_SIZE(s_->maps.ring, bytes) in the set-up of BPF_LOAD, of skeletons of
 * both kinds. Where it cannot be set, the map keeps the size that its program gives it. */
#ifndef OSPREY_KERNEL_BPF_MAP_SIZE_H
#define OSPREY_KERNEL_BPF_MAP_SIZE_H

#include <errno.h>

#include <bpf/libbpf.h>
/* The kernel's loader of light skeletons, as bpftool prints them, describes its maps there; warnings are of its code. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <bpf/skel_internal.h>
#pragma GCC diagnostic pop

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
