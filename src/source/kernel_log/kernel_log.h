/* The kernel log: /dev/kmsg, decoded into events.
 * Since: 3.5. Privilege: CAP_SYSLOG when kernel.dmesg_restrict = 1 (Debian's default).
 * Records before the start of the window are history. Format:
 * Documentation/ABI/testing/dev-kmsg: "priority,sequence,usec,flags;text\n continuation". */
#ifndef OSPREY_SOURCE_KERNEL_LOG_KERNEL_LOG_H
#define OSPREY_SOURCE_KERNEL_LOG_KERNEL_LOG_H

#include "base/note.h"
#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

enum kernel_event_kind {
	KERNEL_OOM_KILL, /* "Memory cgroup out of memory: Killed process 123 (x)…", "Out of memory: Killed…" */
	KERNEL_HUNG_TASK,
	KERNEL_SOFT_LOCKUP,
	KERNEL_HARD_LOCKUP,
	KERNEL_RCU_STALL,
	KERNEL_IO_ERROR,
	KERNEL_FS_READONLY,
	KERNEL_RT_THROTTLED,
	KERNEL_TABLE_FULL, /* conntrack, neighbour, "possible SYN flooding" */
	KERNEL_OTHER,
};

struct kernel_event {
	enum kernel_event_kind kind;
	uint64_t sequence;
	uint64_t mono_ns; /* the log's clock: close to CLOCK_MONOTONIC, without suspend */
	int32_t pid;	  /* victim or subject; 0: none */
	char comm[16];
	char cgroup[256]; /* OOM: the cgroup whose limit it was; "" : the host */
	reading anon_bytes; /* OOM: what the victim held */
	char text[160];
};
typedef VEC(struct kernel_event) kernel_event_vec;

struct kernel_log;

/* Opens at the end of the log: history is not read. Never fails but for memory;
 * *ret_presence tells. */
int kernel_log_new(struct host *h, struct kernel_log **ret, enum presence *ret_presence)
	__attribute__((warn_unused_result));
void kernel_log_free(struct kernel_log *log);
/* Appends what came since the last call; KERNEL_OTHER is left out. Never blocks. At most
 * 256 events are kept in *ret. Lines that belong together (the constraint line and the
 * "Killed process" line of an OOM) are joined across calls. 0 or -ENOMEM. */
int kernel_log_read(struct kernel_log *log, kernel_event_vec *ret) __attribute__((warn_unused_result));
/* One record of /dev/kmsg into `event`; carries an OOM's cgroup from its constraint line
 * to its kill line in *pending. False: a record that is no event. Pure. */
bool kernel_log_parse(struct span record, struct kernel_event *pending, struct kernel_event *ret);

#endif
