/* Where allocations come from: equal stacks are one site. Pure. */
#ifndef OSPREY_DIG_LEAK_LEAK_SITE_H
#define OSPREY_DIG_LEAK_LEAK_SITE_H

#include "base/map.h"
#include "base/vec.h"
#include "dig/unwind/unwind.h"

struct leak_site {
	struct unwind_frame *frames; /* innermost first: who called the allocator */
	size_t nframes;
	enum unwind_end end;
};

struct leak_sites {
	VEC(struct leak_site) site;
	struct map by_hash;
};

void leak_sites_deinit(struct leak_sites *s);
/* The site with just these return addresses and that end; made when there is none yet. -ENOMEM. */
int leak_site_of(struct leak_sites *s, const struct unwind_frame *frames, size_t n, enum unwind_end end, uint32_t *ret)
	__attribute__((warn_unused_result));

#endif
