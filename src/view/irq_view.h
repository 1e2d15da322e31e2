/* Interrupts and soft interrupts, by line and by CPU, as rates: what mpstat -I and /proc/interrupts
 * show. Reads /proc/interrupts, /proc/softirqs, and for numbered lines /proc/irq/N/…affinity_list.
 * Privilege: none. Cost: ~100 us here, ~2 ms with 64 CPUs and 500 lines.
 *
 * The kernel's counters of one line on one CPU are 32 bits wide and wrap: a growth over one wrap is
 * told right, an average since boot is too low when one has wrapped. */
#ifndef OSPREY_VIEW_IRQ_VIEW_H
#define OSPREY_VIEW_IRQ_VIEW_H

#include "source/cpu/interrupt_table.h"
#include "view/view.h"

extern const struct view view_irq;

#define IRQ_MANY_CPUS 32 /* beyond it their table is shown on request only */

struct irq_view_options {
	bool all; /* lines that did not fire too */
};

struct irq_row {
	const struct interrupt_table *table; /* of this look */
	const struct interrupt_line *line;
	const uint64_t *growth; /* one for each CPU of the table; when line->by_cpu */
	bool soft;
	uint64_t total;	  /* growth of all CPUs */
	size_t busiest;	  /* position in the table's CPUs */
	uint32_t cpus_hit; /* that saw it at all in this time */
	double seconds;
	struct irq_affinity affinity;
	char by_cpu[200]; /* "0:12.1 1:400" */
};

/* One CPU. */
struct irq_cpu_row {
	uint32_t cpu;
	reading hard, soft; /* growth */
	double all_hard, all_soft; /* of all CPUs */
	const struct irq_row *top_hard, *top_soft; /* the line that fired most here; NULL: none */
	double seconds;
};

/* Hard and soft together, as far as they could be read. */
uint64_t irq_cpu_total(const struct irq_cpu_row *cpu);

struct irq_overview {
	double hard_per_s, soft_per_s; /* NaN: could not be read */
	size_t cpus;
	const struct irq_row *top_hard, *top_soft;
	const struct irq_cpu_row *busiest; /* of hard and soft together; NULL: none fired */
};
struct irq_overview irq_overview(void *state);

/* The device of a numbered line, else the line's own name. */
const char *irq_line_name(const struct irq_row *r);

/* Growth of one 32-bit counter. */
uint64_t irq_growth(uint64_t before, uint64_t now);

extern const struct entity entity_interrupt, entity_interrupt_cpu, entity_interrupt_count;

#endif
