/* /proc/interrupts and /proc/softirqs: how often each line fired, summed over CPUs, with the
 * busiest CPU. Privilege: none. Cost: grows with lines x CPUs; once a second at most. */
#ifndef OSPREY_SOURCE_CPU_INTERRUPTS_H
#define OSPREY_SOURCE_CPU_INTERRUPTS_H

#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"

struct interrupt {
	char line[16];	      /* "24", "LOC", "NET_RX" */
	char device[48];      /* "virtio0-req.0", "Local timer interrupts"; "" for softirqs */
	reading total;
	uint32_t busiest_cpu; /* column of the largest count */
	reading busiest;
};
typedef VEC(struct interrupt) interrupt_vec;

/* The name the driver gave, of what stands behind the counts of a numbered line. */
struct span interrupt_device(struct span rest);

int interrupts_parse(struct span text, interrupt_vec *ret) __attribute__((warn_unused_result));
int interrupts_read(struct host *h, const char *path, struct buf *scratch, interrupt_vec *ret,
		    enum presence *ret_presence) __attribute__((warn_unused_result));

#endif
