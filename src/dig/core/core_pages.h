/* Which pages of a range are there, and which were written since they were last protected.
 *
 * /proc/PID/pagemap: entries since 2.6.25 (8 bytes a page, ~20 ns each); the PAGEMAP_SCAN ioctl since 6.7 (~3 ns a page,
 * protects as it goes). Formats: Documentation/admin-guide/mm/pagemap.rst. The descriptor stays with the memory it was
 * opened for, also across an exec of the target. */
#ifndef OSPREY_DIG_CORE_CORE_PAGES_H
#define OSPREY_DIG_CORE_CORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CORE_PAGE_WRITTEN = 1 << 1,
	CORE_PAGE_PRESENT = 1 << 3,
	CORE_PAGE_SWAPPED = 1 << 4,
};

struct core_pages {
	int pagemap;
	bool can_scan;
	bool finds_touched; /* core_pages_touched says what it should */
	uint64_t *entries;	     /* of pagemap */
	struct core_region *regions; /* of a scan */
};

/* -errno of open. */
int core_pages_init(struct core_pages *p, int pid) __attribute__((warn_unused_result));
void core_pages_deinit(struct core_pages *p);

/* A run of pages of the same kind; below 0 ends the walk and is what the walk returns. */
typedef int core_pages_each(void *arg, uint64_t start, uint64_t end, unsigned kind);

/* Pages that are in memory or in swap. `kind` is PRESENT, SWAPPED or both. */
int core_pages_present(struct core_pages *p, uint64_t start, uint64_t end, core_pages_each *each, void *arg)
	__attribute__((warn_unused_result));
/* Written pages, and protects each of them again before `each` hears of it. -EPERM: not registered for it. Needs
 * can_scan. */
int core_pages_protect(struct core_pages *p, uint64_t start, uint64_t end, core_pages_each *each, void *arg)
	__attribute__((warn_unused_result));
/* All pages that are there, WRITTEN where they were written; nothing is protected. `registered`: -EPERM as above. */
int core_pages_written(struct core_pages *p, uint64_t start, uint64_t end, bool registered, core_pages_each *each,
		       void *arg) __attribute__((warn_unused_result));
/* Pages that were written since they were protected, or are absent now and have a page table; three times as fast as
 * core_pages_written. `kind` is WRITTEN. -EPERM: not registered for it. Needs finds_touched. */
int core_pages_touched(struct core_pages *p, uint64_t start, uint64_t end, core_pages_each *each, void *arg)
	__attribute__((warn_unused_result));

#endif
