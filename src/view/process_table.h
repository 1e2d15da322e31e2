/* The table of processes (or threads) for ps and top: kept from look to look, so that growth is
 * known, and what is dear to ask (command lines, names of users and cgroups) is asked once.
 *
 * Reads the tasks by task.h (BPF or /proc), /etc/passwd, and for what is asked by name
 * /proc/PID/cmdline, /proc/PID/cgroup, /proc/PID/smaps_rollup. Cost: that of a look at all tasks,
 * and ~0.1 us a task; ~10 us a command line. */
#ifndef OSPREY_VIEW_PROCESS_TABLE_H
#define OSPREY_VIEW_PROCESS_TABLE_H

#include "base/map.h"
#include "source/process/task.h"
#include "view/view.h"

/* Counters of a process: threads alive and dead, as /proc/PID tells them. */
#define PROCESS_COUNTERS(COUNTER)                           \
	COUNTER(user_ns, dead_user_ns)                      \
	COUNTER(system_ns, dead_system_ns)                  \
	COUNTER(minor_faults, dead_minor_faults)            \
	COUNTER(major_faults, dead_major_faults)            \
	/* with those of children that were waited for, as in /proc/PID/io */ \
	COUNTER(read_bytes, dead_read_bytes)                \
	COUNTER(write_bytes, dead_write_bytes)              \
	COUNTER(voluntary_switches, dead_voluntary_switches) \
	COUNTER(involuntary_switches, dead_involuntary_switches)
/* Those of which the kernel keeps no sum for threads that have ended: of live ones. */
#define PROCESS_LIVE_COUNTERS(COUNTER) \
	COUNTER(wait_ns)               \
	COUNTER(block_delay_ns)

struct process_counters {
#define COUNTER(name, ...) reading name;
	PROCESS_COUNTERS(COUNTER)
	PROCESS_LIVE_COUNTERS(COUNTER)
#undef COUNTER
};

struct process_table;

struct process_row {
	struct process_table *table;
	int32_t pid, ppid, tid; /* tid == pid but in a table of threads */
	uint32_t uid;
	/* What is touched at each look stands together. */
	uint64_t look; /* the last look that saw it */
	reading threads;
	char state;
	bool still; /* it slept since the look before: growth is 0, and nothing but its memory can have changed */
	uint8_t flags; /* enum task_flags */
	uint8_t policy;
	int8_t nice;
	uint32_t rt_priority;
	int32_t last_cpu;
	uint32_t tty;
	char comm[16];
	uint64_t start_ns; /* CLOCK_BOOTTIME */
	reading virtual_bytes, rss_bytes, shmem_bytes, swap_bytes;
	reading fd_count, fd_limit;
	uint64_t cgroup[TASK_CGROUP_COUNT], net_ns;
	struct process_counters total, growth; /* growth since the look before; from 0 for who was born since */
	double seconds; /* what growth is over; the age where there was no look before */

	/* asked when wanted */
	struct span command; /* owned by the table; arguments parted by blanks; "[comm]" where there are none */
	bool command_known;
	reading pss_bytes;
	uint64_t pss_look;
	const char *branch; /* of a tree, before the command; "" */
	uint32_t depth;
	bool kept;
};
typedef VEC(struct process_row) process_row_vec;

struct process_table_options {
	bool threads; /* a row for each thread */
	bool no_bpf;
	bool often;   /* looks will come every second for long: see task_reader_new_often */
	/* BPF takes 16 ms to load and then 1 us a task, /proc nothing and ~50 us: a single look at few
	 * tasks is cheaper by /proc. */
	bool one_look;
	unsigned needs; /* enum task_need; 0: all */
};

int process_table_new(struct host *h, const struct process_table_options *options, struct process_table **ret,
		      struct note *note) __attribute__((warn_unused_result));
void process_table_free(struct process_table *t);
/* Takes the table now. Rows move: pointers of the look before are no longer good. 0 or -errno. */
int process_table_look(struct process_table *t) __attribute__((warn_unused_result));
/* The next look takes nothing for granted: after who looks has changed a process himself. */
void process_table_reread(struct process_table *t);
/* Unordered. */
process_row_vec *process_table_rows(struct process_table *t);
/* What growth is over: the time since the look before, at the first look each process's own life. */
const struct view_span *process_table_span(const struct process_table *t);
/* Memory of the host, from meminfo; asked once. */
reading process_table_memory(struct process_table *t);
/* Room for a text that lives until the next look; NULL: no memory. */
char *process_table_text(struct process_table *t, size_t size);
enum task_reader_kind process_table_kind(const struct process_table *t);

/* Of all rows that have none yet, in a few threads that a hanging process cannot hold up. */
int process_table_commands(struct process_table *t) __attribute__((warn_unused_result));
/* Of some rows of one table, for screens; reorders the array. */
int process_rows_commands(struct process_row **rows, size_t n) __attribute__((warn_unused_result));
/* Of one row. Never hangs. */
struct span process_row_command(struct process_row *row);
/* "postgres"; the number where /etc/passwd does not know it. Lives as long as the table. */
const char *process_row_user(struct process_row *row);
/* Path of its cgroup below the hierarchy that says most; "" when unknown. */
const char *process_row_cgroup(struct process_row *row);
/* Who runs it, from the path: "nginx.service", "docker 3f2a…", "pod …"; "" none. */
const char *process_row_unit(struct process_row *row);
/* Proportional share of memory (smaps_rollup, 4.14): walks all its pages, milliseconds a GiB. */
reading process_row_pss(struct process_row *row);
/* "pts/3", "tty1", "" for none. Lives as long as the table. */
const char *process_row_tty(struct process_row *row);
/* When it started, in ns since 1970; how long it has lived. */
uint64_t process_row_start_real_ns(const struct process_row *row);
uint64_t process_row_age_ns(const struct process_row *row);
/* CPU time over the time that growth is over, in percent of one CPU. */
double process_row_cpu_pct(const struct process_row *row);

#endif
