/* Swap: devices and files (/proc/swaps), compressed memory devices (/sys/block/zram*), and the
 * compressed cache before them (zswap).
 *
 * Since: zram mm_stat 4.1; zswap 3.11, Zswap and Zswapped in meminfo 5.19.
 * Privilege: none. Units: kB in /proc/swaps, bytes here.
 * Cost: one small file; for each zram device three more. */
#ifndef OSPREY_SOURCE_MEMORY_SWAP_H
#define OSPREY_SOURCE_MEMORY_SWAP_H

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

struct swap_device {
	char name[256]; /* path of the device or file, raw */
	char type[16];	/* "partition", "file" */
	reading total_bytes, used_bytes;
	int64_t priority; /* the highest is filled first */
};
typedef VEC(struct swap_device) swap_vec;

/* A kernel without swap in use gives the heading alone: 0 and no device. -EBADMSG, -ENOMEM. */
int swaps_parse(struct span text, swap_vec *ret) __attribute__((warn_unused_result));
int swaps_read(struct host *h, struct buf *scratch, swap_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));

/* In the order of mm_stat's columns; huge_pages came later. */
#define ZRAM_FIELDS(FIELD)                                                                            \
	FIELD(2080, stored_bytes, "orig_data_size", BYTES, GAUGE, "data stored, before compression")  \
	FIELD(2081, compressed_bytes, "compr_data_size", BYTES, GAUGE, "the same compressed")         \
	FIELD(2082, memory_bytes, "mem_used_total", BYTES, GAUGE, "memory it takes, with its overhead") \
	FIELD(2083, limit_bytes, "mem_limit", BYTES, GAUGE, "memory it may take; 0: any")             \
	FIELD(2084, peak_bytes, "mem_used_max", BYTES, GAUGE, "memory it took at most")               \
	FIELD(2085, same_pages, "same_pages", PAGES, GAUGE, "pages of one value, which take none")    \
	FIELD(2086, compacted_pages, "pages_compacted", PAGES, COUNTER, "pages freed by compaction")  \
	FIELD(2087, huge_pages, "huge_pages", PAGES, GAUGE, "pages that do not compress")

struct zram {
	char name[32];	/* "zram0" */
	char algorithm[32];
	reading disk_bytes; /* disksize: what it pretends to be */
	ZRAM_FIELDS(FIELD_MEMBER)
};
typedef VEC(struct zram) zram_vec;

extern const struct field zram_fields[];
extern const size_t zram_nfields;

/* mm_stat; false when it is none. Columns that the kernel lacks become absent. */
bool zram_stat_parse(struct span text, struct zram *ret);
/* Devices that are set up (disksize above 0). 0 or -ENOMEM; no /sys/block: absent. */
int zrams_read(struct host *h, struct buf *scratch, zram_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));

struct zswap {
	enum presence presence;
	bool enabled;
	char compressor[32];
	reading max_pool_pct;
};

/* /sys/module/zswap/parameters/. What is in it stands in meminfo. */
void zswap_read(struct host *h, struct buf *scratch, struct zswap *ret);

#endif
