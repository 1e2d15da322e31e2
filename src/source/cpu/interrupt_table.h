/* /proc/interrupts and /proc/softirqs with the count of each CPU, and where lines may go
 * (/proc/irq/N/…). For views; the sampler keeps to interrupts.h, which sums.
 *
 * The columns of /proc/interrupts are CPUs that are online, those of /proc/softirqs all that may be.
 * ERR and MIS have one count for the whole machine and none by CPU.
 * Privilege: none (the counts). Cost: the kernel writes lines x CPUs numbers; 64 CPUs and 500 lines:
 * ~1 ms and 260 kB here. Affinity: two small files a line. */
#ifndef OSPREY_SOURCE_CPU_INTERRUPT_TABLE_H
#define OSPREY_SOURCE_CPU_INTERRUPT_TABLE_H

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

struct interrupt_line {
	char line[16];	 /* "24", "LOC", "NET_RX" */
	char device[64]; /* "virtio0-req.0", "Local timer interrupts"; "" for softirqs */
	bool numbered;	 /* a device's line, with a directory in /proc/irq */
	bool by_cpu;
	size_t first;	 /* of its counts, one for each CPU of the table; when by_cpu */
	reading total;
};

struct interrupt_table {
	VEC(uint32_t) cpus; /* numbers, in the order of the columns */
	VEC(struct interrupt_line) lines;
	VEC(uint64_t) counts;
};

void interrupt_table_deinit(struct interrupt_table *t);
/* Lines that are damaged, or cut at the end of the text, are left out. 0; -EBADMSG: no heading;
 * -ENOMEM. */
int interrupt_table_parse(struct span text, struct interrupt_table *ret) __attribute__((warn_unused_result));
int interrupt_table_read(struct host *h, const char *path, struct buf *scratch, struct interrupt_table *ret,
			 enum presence *ret_presence) __attribute__((warn_unused_result));
/* Count of the i-th column; absent when the line has none by CPU. */
reading interrupt_count(const struct interrupt_table *t, const struct interrupt_line *line, size_t i);
/* The line of that name; sought at `hint` first. NULL: there is none. */
const struct interrupt_line *interrupt_find(const struct interrupt_table *t, const char *line, size_t hint);

struct irq_affinity {
	char allowed[64];   /* smp_affinity_list: "0-3,8"; "": not known */
	char effective[64]; /* effective_affinity_list, since 4.13: where it really goes */
};

void irq_affinity_read(struct host *h, const char *line, struct buf *scratch, struct irq_affinity *ret);

#endif
