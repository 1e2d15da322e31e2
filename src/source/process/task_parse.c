/* The files of /proc/PID and /proc/PID/task/TID, parsed. Formats: proc(5) and
 * fs/proc/{array,base}.c of the kernel. */
#include <errno.h>

#include "source/process/task.h"

#define NS_PER_TICK UINT64_C(10000000) /* USER_HZ is 100 on every architecture we build for */
#define KERNEL_THREAD_FLAG 0x00200000u /* PF_KTHREAD */

void task_missing(reading why, struct task *ret)
{
	*ret = (struct task){ .syscall = -1, .uid = UINT32_MAX };
	for (size_t at = offsetof(struct task, user_ns); at < offsetof(struct task, cgroup);
	     at += sizeof(reading))
		*(reading *)(void *)((char *)ret + at) = why;
}

static reading scaled(uint64_t v, uint64_t scale)
{
	return __builtin_mul_overflow(v, scale, &v) || !reading_ok(v) ? READING_MALFORMED : v;
}

/* The columns of stat that follow the name; the number is the column's in proc(5). */
enum stat_column {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_TTY = 7,
	STAT_FLAGS = 9,
	STAT_MINOR = 10,
	STAT_CHILDREN_MINOR = 11,
	STAT_MAJOR = 12,
	STAT_USER = 14,
	STAT_SYSTEM = 15,
	STAT_CHILDREN_USER = 16,
	STAT_CHILDREN_SYSTEM = 17,
	STAT_NICE = 19,
	STAT_THREADS = 20,
	STAT_START = 22,
	STAT_VIRTUAL = 23,
	STAT_CPU = 39,
	STAT_RT_PRIORITY = 40,
	STAT_POLICY = 41,
	STAT_BLOCK_DELAY = 42,
	STAT_COLUMNS = 43,
};

/* Every column as a number, negative ones as their two's complement. Columns that
 * do not fit (or that an old kernel lacks) are READING_ABSENT; false when one up to
 * the start time is no number, for then there is no telling which task this is. */
static bool stat_columns(struct span line, uint64_t *columns)
{
	struct span word;
	int64_t v;

	for (int i = STAT_PPID; i < STAT_COLUMNS; i++)
		columns[i] = READING_ABSENT;
	for (int i = STAT_PPID; i < STAT_COLUMNS; i++) {
		if (!span_word(&line, &word))
			return i > STAT_START;
		if (span_u64(word, &columns[i]))
			continue;
		if (span_i64(word, &v))
			columns[i] = (uint64_t)v;
		else if (i <= STAT_START)
			return false;
		else
			columns[i] = READING_MALFORMED;
	}
	return true;
}

/* Names of workqueue threads carry what they work on ("kworker/0:1-events"); the
 * kernel's own comm does not. Rescuers ("kworker/R-nfsiod") have a dash of their own. */
static void copy_comm(struct span comm, bool kernel_thread, struct task *ret)
{
	if (kernel_thread && span_starts(comm, "kworker/") && !span_starts(comm, "kworker/R-")) {
		size_t n = sizeof "kworker/" - 1;

		while (n < comm.n && comm.p[n] != '-' && comm.p[n] != '+')
			n++;
		comm.n = n;
	}
	memset(ret->comm, 0, sizeof ret->comm);
	span_copy(comm, ret->comm, sizeof ret->comm);
}

static bool plausible_stat(const uint64_t *columns, uint64_t pid)
{
	return pid > 0 && pid <= INT32_MAX && columns[STAT_PPID] <= INT32_MAX &&
	       columns[STAT_START] < UINT64_MAX / NS_PER_TICK;
}

static void take_stat(const uint64_t *columns, struct task *ret)
{
	ret->ppid = (int32_t)columns[STAT_PPID];
	ret->tty = (uint32_t)columns[STAT_TTY];
	ret->nice = (int8_t)(int64_t)columns[STAT_NICE];
	ret->start_ns = columns[STAT_START] * NS_PER_TICK;
	ret->minor_faults = columns[STAT_MINOR];
	ret->major_faults = columns[STAT_MAJOR];
	ret->children_minor_faults = columns[STAT_CHILDREN_MINOR];
	ret->user_ns = scaled(columns[STAT_USER], NS_PER_TICK);
	ret->system_ns = scaled(columns[STAT_SYSTEM], NS_PER_TICK);
	ret->children_user_ns = scaled(columns[STAT_CHILDREN_USER], NS_PER_TICK);
	ret->children_system_ns = scaled(columns[STAT_CHILDREN_SYSTEM], NS_PER_TICK);
	ret->threads = columns[STAT_THREADS];
	ret->virtual_bytes = columns[STAT_VIRTUAL];
	ret->last_cpu = reading_ok(columns[STAT_CPU]) ? (int32_t)columns[STAT_CPU] : 0;
	ret->rt_priority = reading_ok(columns[STAT_RT_PRIORITY]) ? (uint32_t)columns[STAT_RT_PRIORITY] : 0;
	ret->policy = reading_ok(columns[STAT_POLICY]) ? (uint8_t)columns[STAT_POLICY] : 0;
	ret->block_delay_ns = reading_ok(columns[STAT_BLOCK_DELAY]) ?
				      scaled(columns[STAT_BLOCK_DELAY], NS_PER_TICK) :
				      columns[STAT_BLOCK_DELAY];
}

/* "123 (name) S 1 …": the name may itself hold ") R 1 (" and newlines, so it ends at
 * the last parenthesis. */
int task_stat_parse(struct span text, struct task *ret)
{
	uint64_t columns[STAT_COLUMNS], pid;
	struct span rest = text, numbers, before, state;

	if (!span_until_last(&rest, ')', &numbers) || !span_until(&rest, '(', &before))
		return -EBADMSG;
	if (!span_u64(span_trim(before), &pid) || !span_word(&numbers, &state) || state.n != 1)
		return -EBADMSG;
	if (!stat_columns(span_trim(numbers), columns) || !plausible_stat(columns, pid))
		return -EBADMSG;
	bool kernel_thread = columns[STAT_FLAGS] & KERNEL_THREAD_FLAG;
	ret->tid = (int32_t)pid;
	ret->state = state.p[0];
	ret->flags = (uint8_t)((ret->flags & ~TASK_IS_KERNEL_THREAD) |
			       (kernel_thread ? TASK_IS_KERNEL_THREAD : 0));
	copy_comm(rest, kernel_thread, ret);
	take_stat(columns, ret);
	return 0;
}

struct status_row {
	const char *name;
	size_t offset;
	uint64_t scale;
};

/* In the kernel's order. */
static const struct status_row status_rows[] = {
	{ "VmSize:", offsetof(struct task, virtual_bytes), 1024 },
	{ "RssAnon:", offsetof(struct task, anon_bytes), 1024 }, /* 4.5+, as the next two */
	{ "RssFile:", offsetof(struct task, file_bytes), 1024 },
	{ "RssShmem:", offsetof(struct task, shmem_bytes), 1024 },
	{ "VmSwap:", offsetof(struct task, swap_bytes), 1024 },
	{ "Threads:", offsetof(struct task, threads), 1 },
	{ "voluntary_ctxt_switches:", offsetof(struct task, voluntary_switches), 1 },
	{ "nonvoluntary_ctxt_switches:", offsetof(struct task, involuntary_switches), 1 },
};
#define STATUS_ROWS (sizeof status_rows / sizeof status_rows[0])

static reading next_reading(struct span *line, uint64_t scale)
{
	uint64_t v;

	return span_next_u64(line, &v) ? scaled(v, scale) : READING_MALFORMED;
}

/* The row is sought from `*hint` on: most lines of status are none of ours, and one
 * comparison is all they cost. */
static void status_line(struct span line, size_t *hint, struct task *ret)
{
	struct span name, rest = line;

	if (*hint == STATUS_ROWS || !span_word(&rest, &name))
		return;
	for (size_t i = *hint; i < STATUS_ROWS; i++) {
		const struct status_row *row = &status_rows[i];

		if (row->name[0] != name.p[0] || !span_is(name, row->name))
			continue;
		*(reading *)(void *)((char *)ret + row->offset) = next_reading(&rest, row->scale);
		*hint = i + 1;
		return;
	}
}

static void status_pid_or_uid(struct span line, struct task *ret)
{
	struct span name;
	uint64_t real, v;

	if (!span_word(&line, &name))
		return;
	if (span_is(name, "Tgid:") && span_next_u64(&line, &v) && v <= INT32_MAX)
		ret->pid = (int32_t)v;
	else if (span_is(name, "Uid:") && span_next_u64(&line, &real) && span_next_u64(&line, &v) &&
		 v <= UINT32_MAX)
		ret->uid = (uint32_t)v;
}

/* The kernel escapes newlines of the name here, so no line can be forged. */
void task_status_parse(struct span text, struct task *ret)
{
	struct span line;
	size_t hint = 0;

	for (size_t i = 0; i < STATUS_ROWS; i++)
		*(reading *)(void *)((char *)ret + status_rows[i].offset) = READING_ABSENT;
	while (span_line(&text, &line)) {
		if (line.n && (line.p[0] == 'T' || line.p[0] == 'U'))
			status_pid_or_uid(line, ret);
		status_line(line, &hint, ret);
	}
}

/* "run_ns wait_ns runs" */
void task_schedstat_parse(struct span text, struct task *ret)
{
	struct span line;

	ret->flags &= (uint8_t)~TASK_HAS_WAIT_NS;
	ret->run_ns = ret->wait_ns = ret->runs = READING_MALFORMED;
	if (!span_line(&text, &line))
		return;
	ret->run_ns = next_reading(&line, 1);
	ret->wait_ns = next_reading(&line, 1);
	ret->runs = next_reading(&line, 1);
	if (reading_ok(ret->wait_ns))
		ret->flags |= TASK_HAS_WAIT_NS;
}

void task_io_parse(struct span text, struct task *ret)
{
	struct span line, name;

	ret->read_bytes = ret->write_bytes = READING_ABSENT;
	while (span_line(&text, &line)) {
		if (!span_word(&line, &name))
			continue;
		if (span_is(name, "read_bytes:"))
			ret->read_bytes = next_reading(&line, 1);
		else if (span_is(name, "write_bytes:"))
			ret->write_bytes = next_reading(&line, 1);
	}
}

/* "running", "-1 0xsp 0xpc" (blocked outside of a system call) or
 * "202 0xarg0 … 0xarg5 0xsp 0xpc". */
void task_syscall_parse(struct span text, struct task *ret)
{
	uint64_t arguments[4];
	struct span line, word;
	int64_t number;

	ret->flags &= (uint8_t)~TASK_HAS_SYSCALL;
	ret->syscall = -1;
	if (!span_line(&text, &line) || !span_next_i64(&line, &number))
		return;
	if (number < 0 || number > INT32_MAX)
		return;
	for (size_t i = 0; i < 4; i++)
		if (!span_word(&line, &word) || !span_hex(word, &arguments[i]))
			return;
	ret->syscall = (int32_t)number;
	memcpy(ret->argument, arguments, sizeof arguments);
	ret->flags |= TASK_HAS_SYSCALL;
}

/* "Max open files            1024                 1048576              files" */
void task_limits_parse(struct span text, struct task *ret)
{
	static const char name[] = "Max open files";
	struct span line, word;
	uint64_t v;

	ret->fd_limit = READING_ABSENT;
	while (span_line(&text, &line)) {
		if (!span_starts(line, name))
			continue;
		line.p += sizeof name - 1;
		line.n -= sizeof name - 1;
		ret->fd_limit = READING_MALFORMED;
		if (!span_word(&line, &word))
			return;
		if (span_u64(word, &v) && reading_ok(v))
			ret->fd_limit = v;
		else if (span_is(word, "unlimited"))
			ret->fd_limit = INT64_MAX;
		return;
	}
}

/* "size resident shared …" in pages. Shared pages are those of files and of shared
 * memory together: they go to file_bytes, and shmem_bytes stays missing. */
void task_statm_parse(struct span text, uint64_t page_bytes, struct task *ret)
{
	struct span line;

	ret->virtual_bytes = ret->anon_bytes = ret->file_bytes = READING_MALFORMED;
	ret->shmem_bytes = READING_ABSENT;
	if (!span_line(&text, &line))
		return;
	ret->virtual_bytes = next_reading(&line, page_bytes);
	reading resident = next_reading(&line, page_bytes);
	ret->file_bytes = next_reading(&line, page_bytes);
	ret->anon_bytes = reading_delta(ret->file_bytes, resident);
}
