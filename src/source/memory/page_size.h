/* The size of a page of the host. The kernel counts in pages in many files (zoneinfo, buddyinfo,
 * slabinfo, vmstat) and has no file that tells how large one is: it is asked under the key
 * "page_bytes", so that a capture has it. Captures that lack it are taken for hosts with the page
 * size of this machine. Privilege: none. Cost: none. */
#ifndef OSPREY_SOURCE_MEMORY_PAGE_SIZE_H
#define OSPREY_SOURCE_MEMORY_PAGE_SIZE_H

#include "base/reading.h"
#include "kernel/host.h"

/* A power of two. */
uint64_t page_bytes_read(struct host *h, struct buf *scratch);

/* `pages` in bytes; missing stays missing, what does not fit is malformed. */
reading pages_in_bytes(reading pages, uint64_t page_bytes);

#endif
