/* Huge pages: pools that an administrator reserved (hugetlbfs), and transparent ones.
 *
 * /sys/kernel/mm/hugepages/hugepages-NkB/ for the host, and where there are several nodes
 * /sys/devices/system/node/nodeN/hugepages/… for each (which lacks reserved and overcommit).
 * Transparent: /sys/kernel/mm/transparent_hugepage/. How much memory is in transparent huge pages
 * stands in meminfo (AnonHugePages, ShmemHugePages, FileHugePages).
 * Since: 2.6.38 (THP). Privilege: none. Units: pages of page_bytes. Cost: five small files a pool. */
#ifndef OSPREY_SOURCE_MEMORY_HUGE_PAGE_H
#define OSPREY_SOURCE_MEMORY_HUGE_PAGE_H

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* The kernel names are those of the files. */
#define HUGE_POOL_FIELDS(FIELD)                                                                       \
	FIELD(2050, pages, "nr_hugepages", COUNT, GAUGE, "huge pages in the pool, surplus included")  \
	FIELD(2051, free, "free_hugepages", COUNT, GAUGE, "of those, pages that nobody uses")         \
	FIELD(2052, reserved, "resv_hugepages", COUNT, GAUGE, "free ones that are promised already")  \
	FIELD(2053, surplus, "surplus_hugepages", COUNT, GAUGE, "pages beyond what was set up")       \
	FIELD(2054, overcommit, "nr_overcommit_hugepages", COUNT, GAUGE, "how many surplus pages may be")

struct huge_pool {
	int32_t node; /* -1: the host */
	uint64_t page_bytes;
	HUGE_POOL_FIELDS(FIELD_MEMBER)
};
typedef VEC(struct huge_pool) huge_pool_vec;

extern const struct field huge_pool_fields[];
extern const size_t huge_pool_nfields;

struct thp {
	enum presence presence;
	/* The word that is chosen: "always", "madvise", "never"…; "" when not known. */
	char enabled[16], defrag[16], shmem[16];
	reading page_bytes;	 /* hpage_pmd_size */
	reading khugepaged_defrag, pages_collapsed, full_scans;
};

/* "hugepages-2048kB" -> 2097152 */
bool huge_pool_name_parse(struct span name, uint64_t *ret_bytes);
/* "always [madvise] never" -> "madvise"; false when none is chosen. */
bool sys_choice_parse(struct span text, char *ret, size_t size);

/* The host's pools, then those of each node when there are several. 0 or -ENOMEM. */
int huge_pools_read(struct host *h, struct buf *scratch, huge_pool_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));
void thp_read(struct host *h, struct buf *scratch, struct thp *ret);

#endif
