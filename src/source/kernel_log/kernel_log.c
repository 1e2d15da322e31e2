#include "source/kernel_log/kernel_log.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "source/kernel_log/ring.h"
#include "source/kernel_log/scan.h"

#define MAX_BYTES_PER_READ (1 << 20) /* a log that is flooded must not hold us */
#define MAX_EVENTS 256

struct kernel_log {
	struct log_ring *ring; /* NULL: not to be had */
	struct buf text;
	struct kernel_event pending;
};

int kernel_log_new(struct host *h, struct kernel_log **ret, enum presence *ret_presence)
{
	struct kernel_log *log = calloc(1, sizeof *log);

	if (!log)
		return -ENOMEM;
	int r = log_ring_new(h, LOG_START_NOW, &log->ring, NULL);
	if (r == -ENOMEM) {
		kernel_log_free(log);
		return r;
	}
	*ret_presence = presence_from_errno(r);
	*ret = log;
	return 0;
}

void kernel_log_free(struct kernel_log *log)
{
	if (!log)
		return;
	log_ring_free(log->ring);
	buf_deinit(&log->text);
	free(log);
}

static int parse_records(struct kernel_log *log, kernel_event_vec *ret)
{
	struct span text = buf_span(&log->text), record;

	while (span_until(&text, '\0', &record)) {
		struct kernel_event event;

		if (!kernel_log_parse(record, &log->pending, &event) || event.kind == KERNEL_OTHER)
			continue;
		if (ret->n >= MAX_EVENTS)
			continue; /* but go on: the constraint line of the next OOM kill */
		struct kernel_event *kept = vec_push(ret);
		if (!kept)
			return -ENOMEM;
		*kept = event;
	}
	return 0;
}

int kernel_log_read(struct kernel_log *log, kernel_event_vec *ret)
{
	if (!log->ring)
		return 0;
	int r = log_ring_read(log->ring, MAX_BYTES_PER_READ, &log->text);
	/* No answer is no event: a capture in which this tick had no look at the log, or something
	 * else in the log's place. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return parse_records(log, ret);
}

/* ---- decoding ---- */

/* "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,
 *  oom_memcg=/a,task_memcg=/a/b,task=stress,pid=1,uid=0" (5.0 and later). A kill for want of
 * memory on the host says "global_oom" in place of oom_memcg. */
static void parse_constraint(struct span text, struct kernel_event *pending)
{
	struct span pid, rest;
	const char *end;

	*pending = (struct kernel_event){ 0 };
	if (!scan_past(&text, ",oom_memcg="))
		return;
	rest = text;
	end = memmem(text.p, text.n, ",task_memcg=", strlen(",task_memcg="));
	if (end)
		text.n = (size_t)(end - text.p);
	scan_copy(text, pending->cgroup, sizeof pending->cgroup);
	if (scan_before_last(rest, ",uid=", &rest) && span_until_last(&rest, '=', &pid))
		(void)!scan_pid(pid, &pending->pid);
}

#define ANY_PID (-1)

/* "Tasks in /a are going to be killed due to memory.oom.group set": the first is already
 * killed, the others follow at once and have no constraint line. */
static bool parse_group(struct span text, uint64_t mono_ns, struct kernel_event *pending)
{
	struct span cgroup;

	if (!span_starts(text, "Tasks in ") || !scan_past(&text, "Tasks in ") ||
	    !scan_before_last(text, " are going to be killed due to memory.oom.group set", &cgroup))
		return false;
	if (!pending->cgroup[0])
		scan_copy(cgroup, pending->cgroup, sizeof pending->cgroup);
	pending->pid = ANY_PID;
	pending->mono_ns = mono_ns;
	return true;
}

/* The kernel limits how often it writes a constraint line, but not the kill lines: a kill
 * must not get the cgroup of an earlier one. */
static bool belongs(const struct kernel_event *pending, const struct kernel_event *kill)
{
	if (pending->pid == ANY_PID)
		return kill->mono_ns - pending->mono_ns < NS_PER_S;
	return pending->pid == kill->pid;
}

/* "Task in /a killed as a result of limit of /b" (before 5.0). */
static void parse_limit_of(struct span text, uint64_t mono_ns, struct kernel_event *pending)
{
	if (!scan_past(&text, " killed as a result of limit of "))
		return;
	*pending = (struct kernel_event){ .pid = ANY_PID, .mono_ns = mono_ns };
	scan_copy(span_trim(text), pending->cgroup, sizeof pending->cgroup);
}

static void parse_anon(struct span text, struct kernel_event *ret)
{
	uint64_t kib;
	struct span digits;

	/* 4.5 and later write anon-rss:…kB, file-rss:…kB, shmem-rss:…kB */
	if (scan_past(&text, "anon-rss:") && span_until(&text, 'k', &digits) && span_u64(digits, &kib) &&
	    kib < UINT64_MAX / 2048)
		ret->anon_bytes = kib * 1024;
}

/* "Memory cgroup out of memory: Killed process 123 (stress) total-vm:…kB, anon-rss:…kB, …" */
static bool parse_killed(struct span text, struct kernel_event *pending, struct kernel_event *ret)
{
	bool of_cgroup = span_starts(text, "Memory cgroup out of memory");
	bool of_host = span_starts(text, "Out of memory");
	struct span pid, comm, figures;

	if (!scan_past(&text, "Killed process ") || !span_until(&text, ' ', &pid))
		return false;
	if (!scan_pid(pid, &ret->pid) || !span_starts(text, "("))
		return false;
	text = (struct span){ text.p + 1, text.n - 1 };
	if (!scan_before_last(text, ") total-vm:", &comm) && !scan_before_last(text, ")", &comm))
		return false;
	scan_copy(comm, ret->comm, sizeof ret->comm);
	figures = (struct span){ text.p + comm.n, text.n - comm.n };
	parse_anon(figures, ret);
	/* Kernels before 5.2 say only "Killed process": then the constraint line decides. */
	if (!belongs(pending, ret))
		*pending = (struct kernel_event){ 0 };
	else if (of_cgroup || !of_host)
		memcpy(ret->cgroup, pending->cgroup, sizeof ret->cgroup);
	ret->kind = KERNEL_OOM_KILL;
	return true;
}

/* "INFO: task kworker/0:1:123 blocked for more than 120 seconds." */
static bool parse_hung(struct span text, struct kernel_event *ret)
{
	struct span subject, pid;

	if (!scan_past(&text, "INFO: task ") || !scan_before_last(text, " blocked for more than ", &subject))
		return false;
	if (span_until_last(&subject, ':', &pid) && scan_pid(pid, &ret->pid))
		scan_copy(subject, ret->comm, sizeof ret->comm);
	ret->kind = KERNEL_HUNG_TASK;
	return true;
}

/* "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [comm:123]" */
static bool parse_soft_lockup(struct span text, struct kernel_event *ret)
{
	struct span subject, pid;

	if (!scan_past(&text, "BUG: soft lockup - CPU#"))
		return false;
	if (scan_past(&text, "! [") && scan_before_last(text, "]", &subject) &&
	    span_until_last(&subject, ':', &pid) && scan_pid(pid, &ret->pid))
		scan_copy(subject, ret->comm, sizeof ret->comm);
	ret->kind = KERNEL_SOFT_LOCKUP;
	return true;
}

/* Kinds that one phrase of the kernel's decides. */
static enum kernel_event_kind kind_by_phrase(struct span text)
{
	static const struct {
		const char *phrase;
		enum kernel_event_kind kind;
	} phrases[] = {
		{ "hard LOCKUP on cpu", KERNEL_HARD_LOCKUP },
		{ "self-detected stall on CPU", KERNEL_RCU_STALL },
		{ "detected stalls on CPUs/tasks", KERNEL_RCU_STALL },
		{ "detected expedited stalls on CPUs/tasks", KERNEL_RCU_STALL },
		{ "Buffer I/O error on ", KERNEL_IO_ERROR },
		{ "I/O error, dev ", KERNEL_IO_ERROR },
		{ "critical medium error, dev ", KERNEL_IO_ERROR },
		{ "critical target error, dev ", KERNEL_IO_ERROR },
		{ "Remounting filesystem read-only", KERNEL_FS_READONLY },
		{ "RT throttling activated", KERNEL_RT_THROTTLED },
		{ "conntrack: table full", KERNEL_TABLE_FULL },
		{ "neighbor table overflow", KERNEL_TABLE_FULL },
		{ "neighbour table overflow", KERNEL_TABLE_FULL },
		{ "possible SYN flooding on port", KERNEL_TABLE_FULL },
		{ "Possible SYN flooding on port", KERNEL_TABLE_FULL },
	};

	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (scan_contains(text, phrases[i].phrase))
			return phrases[i].kind;
	return KERNEL_OTHER;
}

/* "priority,sequence,usec,flags[,more]": false unless the kernel itself wrote the record. Its
 * facility is 0; what processes write to /dev/kmsg is never let through as that. */
static bool parse_head(struct span head, struct kernel_event *ret)
{
	struct span field;
	uint64_t priority, us;

	if (!span_until(&head, ',', &field) || !span_u64(field, &priority) || priority > 7)
		return false;
	if (!span_until(&head, ',', &field) || !span_u64(field, &ret->sequence))
		return false;
	if (!span_until(&head, ',', &field))
		field = head;
	if (!span_u64(field, &us) || __builtin_mul_overflow(us, UINT64_C(1000), &us))
		return false;
	ret->mono_ns = us;
	return true;
}

bool kernel_log_parse(struct span record, struct kernel_event *pending, struct kernel_event *ret)
{
	struct kernel_event event = { .kind = KERNEL_OTHER, .anon_bytes = READING_ABSENT };
	struct span head, text;

	if (!span_until(&record, ';', &head) || !parse_head(head, &event) || !span_line(&record, &text))
		return false;
	if (span_starts(text, "oom-kill:constraint=")) {
		parse_constraint(text, pending);
		return false;
	}
	if (span_starts(text, "Task in ")) {
		parse_limit_of(text, event.mono_ns, pending);
		return false;
	}
	if (parse_group(text, event.mono_ns, pending))
		return false;
	if (!parse_killed(text, pending, &event) && !parse_hung(text, &event) &&
	    !parse_soft_lockup(text, &event))
		event.kind = kind_by_phrase(text);
	scan_copy(text, event.text, sizeof event.text);
	*ret = event;
	return event.kind != KERNEL_OTHER;
}
