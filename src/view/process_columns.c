/* The columns of a process. Getters of texts that the kernel is asked for on demand change the row's
 * own cache, so rows are not const in truth. */
#include <stdio.h>

#include "view/process_view.h"

#define ROW ((struct process_row *)(uintptr_t)row)
#define GET(name, value) \
	static struct cell get_##name(const void *row) { return value; }

GET(pid, cell_reading((uint64_t)ROW->pid))
GET(tid, cell_reading((uint64_t)ROW->tid))
GET(ppid, cell_reading((uint64_t)ROW->ppid))
GET(user, cell_text(process_row_user(ROW)))
GET(uid, ROW->uid == UINT32_MAX ? cell_reading(READING_ABSENT) : cell_reading(ROW->uid))
GET(state, cell_span((struct span){ &ROW->state, 1 }))
GET(threads, cell_reading(ROW->threads))
GET(nice, cell_real(ROW->nice))
GET(cpu_pct, cell_real(process_row_cpu_pct(ROW)))
GET(user_pct, cell_share(ROW->growth.user_ns, ROW->seconds * 1e9))
GET(system_pct, cell_share(ROW->growth.system_ns, ROW->seconds * 1e9))
GET(wait_pct, cell_share(ROW->growth.wait_ns, ROW->seconds * 1e9))
GET(cpu_ns, cell_reading(reading_sum(ROW->total.user_ns, ROW->total.system_ns)))
GET(user_ns, cell_reading(ROW->total.user_ns))
GET(system_ns, cell_reading(ROW->total.system_ns))
GET(wait_ns, cell_reading(ROW->total.wait_ns))
GET(block_delay_ns, cell_reading(ROW->total.block_delay_ns))
GET(rss, cell_reading(ROW->rss_bytes))
GET(virtual, cell_reading(ROW->virtual_bytes))
GET(shared, cell_reading(ROW->shmem_bytes))
GET(swap, cell_reading(ROW->swap_bytes))
GET(pss, cell_reading(process_row_pss(ROW)))
GET(read, cell_reading(ROW->total.read_bytes))
GET(write, cell_reading(ROW->total.write_bytes))
GET(read_rate, cell_rate(ROW->growth.read_bytes, ROW->seconds))
GET(write_rate, cell_rate(ROW->growth.write_bytes, ROW->seconds))
GET(minor, cell_reading(ROW->total.minor_faults))
GET(major, cell_reading(ROW->total.major_faults))
GET(fault_rate, cell_rate(ROW->growth.minor_faults, ROW->seconds))
GET(major_rate, cell_rate(ROW->growth.major_faults, ROW->seconds))
GET(voluntary, cell_reading(ROW->total.voluntary_switches))
GET(involuntary, cell_reading(ROW->total.involuntary_switches))
GET(voluntary_rate, cell_rate(ROW->growth.voluntary_switches, ROW->seconds))
GET(involuntary_rate, cell_rate(ROW->growth.involuntary_switches, ROW->seconds))
GET(fds, cell_reading(ROW->fd_count))
GET(fd_limit, cell_reading(ROW->fd_limit))
GET(fd_pct, reading_ok(ROW->fd_limit) ? cell_share(ROW->fd_count, (double)ROW->fd_limit) : cell_reading(ROW->fd_limit))
GET(last_cpu, cell_reading((uint64_t)ROW->last_cpu))
GET(cgroup, cell_text(process_row_cgroup(ROW)))
GET(unit, cell_text(process_row_unit(ROW)))
GET(command, cell_span(process_row_command(ROW)))
GET(name, cell_span((struct span){ ROW->comm, strnlen(ROW->comm, sizeof ROW->comm) }))

/* As top and chrt tell it: 20 + nice for ordinary tasks, -1 - rt_priority for real-time ones. */
static struct cell get_priority(const void *row)
{
	bool real_time = ROW->policy == 1 || ROW->policy == 2;

	return cell_real(ROW->policy == 6 ? -101 : real_time ? -1.0 - ROW->rt_priority : 20.0 + ROW->nice);
}

static struct cell get_policy(const void *row)
{
	static const char *const names[] = { "other", "fifo", "rr", "batch", "iso", "idle", "deadline", "ext" };

	return cell_text(ROW->policy < sizeof names / sizeof names[0] ? names[ROW->policy] : "?");
}

static struct cell get_memory_pct(const void *row)
{
	reading total = process_table_memory(ROW->table);

	return reading_ok(total) ? cell_share(ROW->rss_bytes, (double)total) : cell_reading(total);
}

static struct cell get_start(const void *row)
{
	return cell_reading(process_row_start_real_ns(ROW));
}

static struct cell get_age(const void *row)
{
	return cell_reading(process_row_age_ns(ROW));
}

static struct cell get_tty(const void *row)
{
	/* The text must outlive the call: sorting holds one of each row. */
	return cell_text(process_row_tty(ROW));
}

#define STAT "/proc/PID/stat"
#define STATUS "/proc/PID/status"
#define SCHEDSTAT "/proc/PID/schedstat"
#define IO "/proc/PID/io"
static const struct column process_columns[] = {
	COLUMN(1050, pid, "PID", COUNT, LABEL, get_pid, 0, STAT " 1", "process id"),
	COLUMN(1051, tid, "TID", COUNT, LABEL, get_tid, 0, STAT " 1", "thread id; that of the process but with --threads"),
	COLUMN(1052, ppid, "PPID", COUNT, LABEL, get_ppid, 5, STAT " 4", "process id of the parent"),
	COLUMN(1053, user, "USER", TEXT, LABEL, get_user, 2, STATUS " Uid, /etc/passwd", "effective user"),
	COLUMN(1054, uid, "UID", COUNT, LABEL, get_uid, 2, STATUS " Uid", "effective user id"),
	COLUMN(1055, state, "S", TEXT, LABEL, get_state, 0, STAT " 3",
	       "R runs or may run, S sleeps, D waits and cannot be disturbed, T stopped, t traced, Z zombie, I idle"),
	COLUMN(1056, threads, "THR", COUNT, GAUGE, get_threads, 5, STAT " 20", "threads"),
	COLUMN(1057, nice, "NI", COUNT, LABEL, get_nice, 4, STAT " 19", "nice value, -20 to 19"),
	COLUMN(1058, priority, "PRI", COUNT, LABEL, get_priority, 7, STAT " 18",
	       "20 + nice; real-time: -1 - priority; deadline: -101"),
	COLUMN(1059, policy, "POLICY", TEXT, LABEL, get_policy, 6, STAT " 41", "scheduling policy"),
	COLUMN(1060, cpu_pct, "CPU%", PCT, RATE, get_cpu_pct, 0, SCHEDSTAT " 1", "CPU time, of one CPU; over its life or the interval"),
	COLUMN(1061, user_pct, "USR%", PCT, RATE, get_user_pct, 6, STAT " 14", "the part of it in user code"),
	COLUMN(1062, system_pct, "SYS%", PCT, RATE, get_system_pct, 6, STAT " 15", "the part of it in the kernel"),
	COLUMN(1063, wait_pct, "WAIT%", PCT, RATE, get_wait_pct, 4, SCHEDSTAT " 2", "time it was runnable and waited for a CPU"),
	COLUMN(1064, cpu_ns, "TIME", NS, COUNTER, get_cpu_ns, 1, SCHEDSTAT " 1", "CPU time since its start, threads that ended included"),
	COLUMN(1065, user_ns, "UTIME", NS, COUNTER, get_user_ns, 5, STAT " 14", "CPU time in user code"),
	COLUMN(1066, system_ns, "STIME", NS, COUNTER, get_system_ns, 5, STAT " 15", "CPU time in the kernel"),
	COLUMN(1067, wait_ns, "WAIT", NS, COUNTER, get_wait_ns, 3, SCHEDSTAT " 2", "run-queue delay of its live threads: runnable, without a CPU"),
	COLUMN(1068, rss_bytes, "RSS", BYTES, GAUGE, get_rss, 0, STATUS " VmRSS", "resident memory, shared pages counted whole"),
	COLUMN(1069, memory_pct, "MEM%", PCT, GAUGE, get_memory_pct, 3, STATUS " VmRSS", "resident memory, of the host's"),
	COLUMN(1070, virtual_bytes, "VSZ", BYTES, GAUGE, get_virtual, 6, STAT " 23", "address space, used or not"),
	COLUMN(1071, shared_bytes, "SHR", BYTES, GAUGE, get_shared, 6, STATUS " RssFile, RssShmem", "resident pages that others may share"),
	COLUMN(1072, swap_bytes, "SWAP", BYTES, GAUGE, get_swap, 4, STATUS " VmSwap", "swapped out"),
	COLUMN_COSTLY(1073, pss_bytes, "PSS", BYTES, GAUGE, get_pss, 1, "/proc/PID/smaps_rollup",
		      "resident memory, shared pages divided by those who share them; takes milliseconds a GiB"),
	COLUMN(1074, read_bytes, "READ", BYTES, COUNTER, get_read, 4, IO " read_bytes", "bytes it caused to be read from block devices"),
	COLUMN(1075, write_bytes, "WRITE", BYTES, COUNTER, get_write, 4, IO " write_bytes", "bytes it caused to be written"),
	COLUMN(1076, read_bytes_per_s, "READ/s", BYTES_PER_S, RATE, get_read_rate, 3, IO " read_bytes", "the same a second"),
	COLUMN(1077, write_bytes_per_s, "WRITE/s", BYTES_PER_S, RATE, get_write_rate, 3, IO " write_bytes", "the same a second"),
	COLUMN(1078, block_delay_ns, "IODELAY", NS, COUNTER, get_block_delay_ns, 5, STAT " 42",
	       "waited for block I/O (needs kernel.task_delayacct=1 before it starts)"),
	COLUMN(1079, minor_faults, "MINFLT", COUNT, COUNTER, get_minor, 7, STAT " 10", "page faults served from memory"),
	COLUMN(1080, major_faults, "MAJFLT", COUNT, COUNTER, get_major, 5, STAT " 12", "page faults that read from disk or swap"),
	COLUMN(1081, minor_faults_per_s, "MINFLT/s", PER_S, RATE, get_fault_rate, 6, STAT " 10", "the same a second"),
	COLUMN(1082, major_faults_per_s, "MAJFLT/s", PER_S, RATE, get_major_rate, 5, STAT " 12", "the same a second"),
	COLUMN(1083, voluntary_switches, "VCSW", COUNT, COUNTER, get_voluntary, 6, STATUS " voluntary_ctxt_switches", "times it went to sleep"),
	COLUMN(1084, involuntary_switches, "ICSW", COUNT, COUNTER, get_involuntary, 6, STATUS " nonvoluntary_ctxt_switches",
	       "times it was taken off its CPU"),
	COLUMN(1085, voluntary_switches_per_s, "VCSW/s", PER_S, RATE, get_voluntary_rate, 6, STATUS, "times a second it went to sleep"),
	COLUMN(1086, involuntary_switches_per_s, "ICSW/s", PER_S, RATE, get_involuntary_rate, 6, STATUS,
	       "times a second it was taken off its CPU"),
	COLUMN(1087, fds, "FDS", COUNT, GAUGE, get_fds, 6, "/proc/PID/fd", "open file descriptors"),
	COLUMN(1088, fd_limit, "FDLIMIT", COUNT, GAUGE, get_fd_limit, 7, "/proc/PID/limits", "soft limit of open files"),
	COLUMN(1089, fd_pct, "FD%", PCT, GAUGE, get_fd_pct, 6, "/proc/PID/fd", "open files, of their limit"),
	COLUMN(1090, last_cpu, "CPU", COUNT, LABEL, get_last_cpu, 6, STAT " 39", "CPU it last ran on"),
	COLUMN(1091, start, "START", TIME, LABEL, get_start, 5, STAT " 22", "when it started"),
	COLUMN(1092, age_ns, "AGE", NS, GAUGE, get_age, 5, STAT " 22", "how long ago that was"),
	COLUMN(1093, tty, "TTY", TEXT, LABEL, get_tty, 6, STAT " 7", "controlling terminal"),
	COLUMN_ELASTIC(1094, unit, "UNIT", TEXT, LABEL, get_unit, 3, "/proc/PID/cgroup", "service, scope or container it belongs to"),
	COLUMN_ELASTIC(1095, cgroup, "CGROUP", TEXT, LABEL, get_cgroup, 5, "/proc/PID/cgroup", "path of its cgroup"),
	COLUMN(1096, name, "NAME", TEXT, LABEL, get_name, 1, "/proc/PID/comm", "its own name, 15 bytes"),
	COLUMN_ELASTIC(1097, command, "COMMAND", TEXT, LABEL, get_command, 0, "/proc/PID/cmdline",
		       "arguments; [name] of kernel threads and of those that have none"),
};

const struct entity entity_process = {
	.name = "process",
	.help = "a process, or a thread with --threads",
	COLUMNS(process_columns),
	.shown = "pid,ppid,user,state,threads,policy,priority,nice,cpu_pct,cpu_ns,wait_ns,memory_pct,rss_bytes,swap_bytes,"
		 "read_bytes,write_bytes,block_delay_ns,major_faults,start,tty,unit,command",
	.sort = "pid",
};
