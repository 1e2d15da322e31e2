/* Zones of memory: /proc/zoneinfo (free pages, watermarks, size) and /proc/buddyinfo (free blocks
 * by order).
 *
 * A zone is what an allocation takes pages from. Below `low` kswapd reclaims in the background,
 * until `high`; below `min` an allocating task must reclaim itself, and only what is urgent gets
 * pages. An allocation that would rather have a higher zone keeps away from the `protection` of a
 * lower one as well.
 *
 * Unusable free space at an order: the share of the free memory that stands in blocks too small for
 * it (0: any free page serves; 1: none). Mel Gorman's index, as in the kernel's
 * mm/vmstat.c (debugfs extfrag/unusable_index).
 *
 * Since: managed 3.8; boost, promo and cma came later, what a kernel lacks is absent.
 * Privilege: none.
 * Units: pages. Cost: zoneinfo ~50 us, it grows with zones x CPUs; buddyinfo ~10 us, under each
 * zone's lock. Source: Documentation/filesystems/proc.rst, mm/page_alloc.c. */
#ifndef OSPREY_SOURCE_MEMORY_ZONE_H
#define OSPREY_SOURCE_MEMORY_ZONE_H

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* In the kernel's line order. */
#define ZONE_FIELDS(FIELD)                                                                    \
	FIELD(2020, free, "free", PAGES, GAUGE, "free pages")                                 \
	FIELD(2021, boost, "boost", PAGES, GAUGE, "what min, low, high are raised by for now") \
	FIELD(2022, min, "min", PAGES, GAUGE, "below it allocating tasks reclaim themselves") \
	FIELD(2023, low, "low", PAGES, GAUGE, "below it kswapd reclaims")                     \
	FIELD(2024, high, "high", PAGES, GAUGE, "up to it kswapd reclaims")                   \
	FIELD(2025, promo, "promo", PAGES, GAUGE, "up to it pages are promoted to this node") \
	FIELD(2026, spanned, "spanned", PAGES, GAUGE, "first to last page, holes included")   \
	FIELD(2027, present, "present", PAGES, GAUGE, "pages that exist")                     \
	FIELD(2028, managed, "managed", PAGES, GAUGE, "pages that can be allocated")          \
	FIELD(2029, cma, "cma", PAGES, GAUGE, "pages of contiguous-memory areas")

#define ZONE_MAX_PROTECTION 8 /* MAX_NR_ZONES is at most 6 */

struct zone {
	uint32_t node;
	char name[16];
	ZONE_FIELDS(FIELD_MEMBER)
	reading per_cpu; /* free pages that CPUs keep for themselves, not in `free` */
	uint64_t protection[ZONE_MAX_PROTECTION]; /* from allocations that prefer zone i */
	uint32_t nprotection;
};
typedef VEC(struct zone) zone_vec;

extern const struct field zone_fields[];
extern const size_t zone_nfields;

/* 0; -EBADMSG: no zone in it; -ENOMEM. */
int zones_parse(struct span text, zone_vec *ret) __attribute__((warn_unused_result));
int zones_read(struct host *h, struct buf *scratch, zone_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));

#define BUDDY_MAX_ORDERS 16 /* MAX_ORDER + 1: 11 with 4 KiB pages, 14 at most */

/* Free blocks of one zone: block[k] of 2^k pages each. */
struct buddy {
	uint32_t node;
	char zone[16];
	uint64_t block[BUDDY_MAX_ORDERS];
	uint32_t orders;
};
typedef VEC(struct buddy) buddy_vec;

int buddies_parse(struct span text, buddy_vec *ret) __attribute__((warn_unused_result));
int buddies_read(struct host *h, struct buf *scratch, buddy_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));
/* Pages in all blocks; the parser has seen to it that they fit. */
uint64_t buddy_pages(const struct buddy *b);
/* Share of the free pages (0 to 1) that cannot serve an allocation of 2^order pages; NaN when none
 * is free. */
double buddy_unusable(const struct buddy *b, unsigned order);

#endif
