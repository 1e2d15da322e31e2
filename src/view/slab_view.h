/* Slab: the kernel's object caches, as slabtop shows them. Reads /proc/slabinfo, and for each cache once
 * whether it can shrink. Privilege: root. Cost: ~0.5 ms; at the first look ~2 ms. */
#ifndef OSPREY_VIEW_SLAB_VIEW_H
#define OSPREY_VIEW_SLAB_VIEW_H

#include "source/memory/meminfo.h"
#include "source/memory/slab.h"
#include "view/view.h"

extern const struct view view_slab;

struct slab_view_options {
	bool all; /* caches that hold nothing too */
};

struct slab_row {
	struct slab slab;
	reading bytes;	    /* its slabs */
	reading reclaimable; /* slab_reclaimable_read */
	double total_bytes; /* of all caches */
	double byte_growth, object_growth; /* a second; NaN at the first look */
};

/* For the command's first words. */
struct slab_overview {
	const struct slab_row *largest, *fastest; /* NULL: none, nothing grew */
	double bytes;		 /* of all caches */
	double reclaimable_bytes; /* NaN: not known */
	double wasted_bytes;	 /* room for objects that is unused */
	size_t caches;
};
struct slab_overview slab_overview(void *state);

extern const struct entity entity_slab;

#endif
