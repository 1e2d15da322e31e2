/* /proc/stat: where the CPUs' time went, and how many switches and forks there were.
 *
 * Since: 2.6.33 (all fields). Privilege: none. Cost: one file, ~40 us + 0.3 us a CPU,
 * more with thousands of interrupt lines.
 * Units: the kernel writes ticks of 1/100 s (USER_HZ); stored in ns.
 * guest time is also in user, guest_nice in nice: never add them twice.
 * Errors: a short or empty file leaves fields READING_ABSENT or READING_MALFORMED. */
#ifndef OSPREY_SOURCE_CPU_CPU_STAT_H
#define OSPREY_SOURCE_CPU_CPU_STAT_H

#include "base/field.h"
#include "base/vec.h"
#include "kernel/host.h"

/* In the kernel's column order. */
#define CPU_TIME_FIELDS(FIELD)                                                        \
	FIELD(100, user_ns, "user", NS, COUNTER, "running user code, nice <= 0")      \
	FIELD(101, nice_ns, "nice", NS, COUNTER, "running user code, nice > 0")       \
	FIELD(102, system_ns, "system", NS, COUNTER, "running kernel code")           \
	FIELD(103, idle_ns, "idle", NS, COUNTER, "idle without pending disk I/O")     \
	FIELD(104, iowait_ns, "iowait", NS, COUNTER, "idle while a task that last ran here waited for I/O") \
	FIELD(105, irq_ns, "irq", NS, COUNTER, "in hardware interrupts")              \
	FIELD(106, softirq_ns, "softirq", NS, COUNTER, "in soft interrupts")          \
	FIELD(107, steal_ns, "steal", NS, COUNTER, "taken by the hypervisor")         \
	FIELD(108, guest_ns, "guest", NS, COUNTER, "running guests (part of user)")   \
	FIELD(109, guest_nice_ns, "guest_nice", NS, COUNTER, "running niced guests (part of nice)")

struct cpu_times {
	CPU_TIME_FIELDS(FIELD_MEMBER)
};

#define CPU_STAT_FIELDS(FIELD)                                                          \
	FIELD(120, context_switches, "ctxt", COUNT, COUNTER, "context switches")        \
	FIELD(121, boot_time_s, "btime", COUNT, GAUGE, "boot, seconds since the epoch") \
	FIELD(122, forks, "processes", COUNT, COUNTER, "processes and threads created") \
	FIELD(123, running, "procs_running", COUNT, GAUGE, "tasks running or runnable") \
	FIELD(124, blocked, "procs_blocked", COUNT, GAUGE, "tasks waiting for disk I/O")

struct cpu_stat {
	enum presence presence;
	struct cpu_times total;
	CPU_STAT_FIELDS(FIELD_MEMBER)
};

/* Times of one CPU; `cpu` is its number, offline CPUs do not occur. */
struct cpu_line {
	uint32_t cpu;
	struct cpu_times times;
};
typedef VEC(struct cpu_line) cpu_line_vec;

extern const struct field cpu_time_fields[];
extern const size_t cpu_time_nfields;
extern const struct field cpu_stat_fields[];
extern const size_t cpu_stat_nfields;

/* `ret_cpus` is nullable: the totals alone are cheaper. -ENOMEM only for it. */
int cpu_stat_parse(struct span text, struct cpu_stat *ret, cpu_line_vec *ret_cpus)
	__attribute__((warn_unused_result));
/* *ret always says what happened in `presence`. */
int cpu_stat_read(struct host *h, struct buf *scratch, struct cpu_stat *ret, cpu_line_vec *ret_cpus)
	__attribute__((warn_unused_result));

/* Everything that is neither idle nor iowait; guest is not counted twice. */
reading cpu_times_busy_ns(const struct cpu_times *t);
reading cpu_times_total_ns(const struct cpu_times *t);

#endif
