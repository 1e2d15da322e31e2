/* Disks: /proc/diskstats, with what /sys/block says of each.
 * Privilege: none. Since: flush columns 5.5, discard 4.18. Cost: one file, ~1 us a device.
 * Units: sectors of 512 bytes and ms in the kernel, bytes and ns here. Partitions are
 * left out (their I/O is in their disk), as are ram and unused loop devices; device-mapper
 * and md devices are kept and marked as stacked. Source: Documentation/admin-guide/iostats.rst. */
#ifndef OSPREY_SOURCE_STORAGE_DISK_H
#define OSPREY_SOURCE_STORAGE_DISK_H

#include <stdbool.h>

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* In the kernel's column order. */
#define DISK_FIELDS(FIELD)                                                                 \
	FIELD(400, reads, "reads", COUNT, COUNTER, "reads completed")                      \
	FIELD(401, reads_merged, "reads_merged", COUNT, COUNTER, "reads merged")           \
	FIELD(402, read_bytes, "sectors_read", BYTES, COUNTER, "bytes read")               \
	FIELD(403, read_ns, "read_ms", NS, COUNTER, "time spent by all reads, queue included") \
	FIELD(404, writes, "writes", COUNT, COUNTER, "writes completed")                   \
	FIELD(405, writes_merged, "writes_merged", COUNT, COUNTER, "writes merged")        \
	FIELD(406, write_bytes, "sectors_written", BYTES, COUNTER, "bytes written")        \
	FIELD(407, write_ns, "write_ms", NS, COUNTER, "time spent by all writes, queue included") \
	FIELD(408, in_flight, "in_flight", COUNT, GAUGE, "requests in the queue and the device now") \
	FIELD(409, busy_ns, "io_ms", NS, COUNTER, "time with at least one request in flight") \
	FIELD(410, queue_ns, "weighted_ms", NS, COUNTER, "requests in flight integrated over time") \
	FIELD(411, discards, "discards", COUNT, COUNTER, "discards completed")             \
	FIELD(412, discards_merged, "discards_merged", COUNT, COUNTER, "discards merged")  \
	FIELD(413, discard_bytes, "sectors_discarded", BYTES, COUNTER, "bytes discarded")  \
	FIELD(414, discard_ns, "discard_ms", NS, COUNTER, "time spent by discards")        \
	FIELD(415, flushes, "flushes", COUNT, COUNTER, "flush requests completed")         \
	FIELD(416, flush_ns, "flush_ms", NS, COUNTER, "time spent by flushes")

struct disk {
	uint32_t major, minor;
	char name[32];
	bool rotational, stacked; /* from /sys/block; false when unknown */
	reading queue_requests;	  /* queue/nr_requests */
	DISK_FIELDS(FIELD_MEMBER)
};
typedef VEC(struct disk) disk_vec;

extern const struct field disk_fields[];
extern const size_t disk_nfields;

/* One line; -EBADMSG when it is none. */
int disk_parse(struct span line, struct disk *ret) __attribute__((warn_unused_result));
/* Whole disks that did I/O since boot, from the whole text. */
int disks_parse(struct span text, disk_vec *ret) __attribute__((warn_unused_result));
/* The same with their queues. 0 or -ENOMEM; absence of the file is in *ret_presence. */
int disks_read(struct host *h, struct buf *scratch, disk_vec *ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));

#endif
