/* /proc/slabinfo: the kernel's object caches.
 *
 * Format 2.1 (2.6.24 and later): "name active num objsize objperslab pagesperslab : tunables … :
 * slabdata active_slabs num_slabs shared". Under SLUB active_objs counts the objects of per-CPU
 * slabs as active, so it is an upper bound.
 * Whether a cache can shrink is not in it: /sys/kernel/slab/NAME/reclaim_account tells (SLUB).
 * Privilege: root for both. Units: pages become bytes by the page size of the host.
 * Cost: one file, ~250 us for 240 caches: the kernel walks the partial slabs of every cache under its lock, so it
 * is for views, not for the sampler. reclaim_account: 3 system calls a cache, ~10 us. */
#ifndef OSPREY_SOURCE_MEMORY_SLAB_H
#define OSPREY_SOURCE_MEMORY_SLAB_H

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* In the kernel's column order; tunables are passed over. */
#define SLAB_FIELDS(FIELD)                                                                   \
	FIELD(2000, active_objects, "active_objs", COUNT, GAUGE, "objects in use")           \
	FIELD(2001, objects, "num_objs", COUNT, GAUGE, "objects there is room for")          \
	FIELD(2002, object_bytes, "objsize", BYTES, GAUGE, "one object, with its padding")   \
	FIELD(2003, objects_per_slab, "objperslab", COUNT, GAUGE, "objects in one slab")     \
	FIELD(2004, pages_per_slab, "pagesperslab", PAGES, GAUGE, "size of one slab")        \
	FIELD(2005, active_slabs, "active_slabs", COUNT, GAUGE, "slabs with objects in use") \
	FIELD(2006, slabs, "num_slabs", COUNT, GAUGE, "slabs")

struct slab {
	char name[64];
	SLAB_FIELDS(FIELD_MEMBER)
};
typedef VEC(struct slab) slab_vec;

extern const struct field slab_fields[];
extern const size_t slab_nfields;

/* Lines that are damaged are left out. 0; -EBADMSG: no slabinfo 2.x; -ENOMEM. */
int slabs_parse(struct span text, slab_vec *ret) __attribute__((warn_unused_result));
/* 0 or -ENOMEM; absence of the file is in *ret_presence. */
int slabs_read(struct host *h, struct buf *scratch, slab_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));
/* 1: its memory is given back under pressure; 0: not; or why that is not known. */
reading slab_reclaimable_read(struct host *h, const char *name, struct buf *scratch);

#endif
