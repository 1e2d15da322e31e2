#include "act/process_attribute.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"
#include "source/process/process_status.h"

#define IOPRIO_WHO_PROCESS 1
#define POLICY_DEADLINE 6
#define POLICY_EXT 7
#define CAPABILITY_SYS_NICE 23
#define CAPABILITY_SYS_RESOURCE 24

/* sched_setattr(2), first version: what a deadline is said with. */
struct kernel_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

static int fail(struct note *note, int r, const char *needs)
{
	if (r == -EPERM || r == -EACCES)
		return note_set(note, r, "not permitted: needs %s", needs);
	if (r == -ESRCH)
		return note_set(note, r, "it has ended");
	return note_set(note, r, "%s", strerror(-r));
}

/* ---- nice ---- */

static int nice_read(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note)
{
	(void)a, (void)pid;
	errno = 0;
	int nice = getpriority(PRIO_PROCESS, (id_t)tid);

	return nice == -1 && errno ? fail(note, -errno, "CAP_SYS_NICE") : buf_printf(ret, "%d", nice);
}

static int nice_write(const struct process_attribute *a, int pid, int tid, const char *text, struct note *note)
{
	int nice, r = nice_parse(span_from(text), &nice, note);

	(void)a, (void)pid;
	if (r < 0)
		return r;
	return setpriority(PRIO_PROCESS, (id_t)tid, nice) == 0 ? 0 :
		fail(note, -errno, errno == EPERM ? "CAP_SYS_NICE, for it belongs to another user" :
			"CAP_SYS_NICE (root): RLIMIT_NICE does not let it go so low");
}

const struct process_attribute attribute_nice = { "nice", "nice", true, 0, nice_read, nice_write };

/* ---- policy ---- */

static const char *const policy_names[] = {
	[SCHED_OTHER] = "other", [SCHED_FIFO] = "fifo", [SCHED_RR] = "rr",
	[SCHED_BATCH] = "batch", [SCHED_IDLE] = "idle", [POLICY_EXT] = "ext",
};

static int deadline_read(int tid, struct buf *ret, struct note *note)
{
	struct kernel_sched_attr attr = { .size = sizeof attr };

	if (syscall(SYS_sched_getattr, tid, &attr, sizeof attr, 0) < 0)
		return fail(note, -errno, "CAP_SYS_NICE");
	return buf_printf(ret, "deadline:%" PRIu64 ":%" PRIu64 ":%" PRIu64, attr.runtime_ns, attr.deadline_ns,
			  attr.period_ns);
}

static int policy_read(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note)
{
	struct sched_param param = { 0 };
	int flags = sched_getscheduler(tid), policy = flags & ~SCHED_RESET_ON_FORK, r;

	(void)a, (void)pid;
	if (flags < 0 || sched_getparam(tid, &param) < 0)
		return fail(note, -errno, "CAP_SYS_NICE");
	if (policy == POLICY_DEADLINE)
		r = deadline_read(tid, ret, note);
	else if (policy > POLICY_EXT || !policy_names[policy])
		r = buf_printf(ret, "policy-%d", policy);
	else if (param.sched_priority)
		r = buf_printf(ret, "%s:%d", policy_names[policy], param.sched_priority);
	else
		r = buf_printf(ret, "%s", policy_names[policy]);
	return r == 0 && flags & SCHED_RESET_ON_FORK ? buf_append(ret, "+reset", 6) : r;
}

static int deadline_write(int tid, struct span text, bool reset, struct note *note)
{
	struct kernel_sched_attr attr = { .size = sizeof attr, .policy = POLICY_DEADLINE, .flags = reset };
	struct span word;

	if (!span_until(&text, ':', &word) || !span_until(&text, ':', &word) ||
	    !span_u64(word, &attr.runtime_ns) || !span_until(&text, ':', &word) ||
	    !span_u64(word, &attr.deadline_ns) || !span_u64(text, &attr.period_ns))
		return note_set(note, -EINVAL, "that is no deadline");
	return syscall(SYS_sched_setattr, tid, &attr, 0) < 0 ? fail(note, -errno, "CAP_SYS_NICE (root)") : 0;
}

/* sched_setscheduler leaves the nice value alone, which sched_setattr would set. */
static int policy_write(const struct process_attribute *a, int pid, int tid, const char *text, struct note *note)
{
	struct span rest = span_from(text), word;
	struct schedule schedule = { 0 };
	bool reset = span_until(&rest, '+', &word);
	struct sched_param param;
	int r = 0;

	(void)a, (void)pid;
	if (!reset)
		word = rest;
	if (span_starts(word, "deadline:"))
		return deadline_write(tid, word, reset, note);
	if (span_is(word, "ext"))
		schedule.policy = POLICY_EXT;
	else
		r = schedule_parse(word, &schedule, note);
	if (r < 0)
		return r;
	param.sched_priority = schedule.priority;
	if (sched_setscheduler(tid, schedule.policy | (reset ? SCHED_RESET_ON_FORK : 0), &param) == 0)
		return 0;
	if (errno == EPERM && (schedule.policy == SCHED_FIFO || schedule.policy == SCHED_RR) && geteuid() == 0)
		return note_set(note, -EPERM,
				"not permitted: needs CAP_SYS_NICE; with CONFIG_RT_GROUP_SCHED also a cgroup "
				"that has cpu.rt_runtime_us");
	return fail(note, -errno, "CAP_SYS_NICE (root), or RLIMIT_RTPRIO for fifo and rr");
}

const struct process_attribute attribute_policy = { "policy", "scheduling policy", true,
						    0,	      policy_read,	   policy_write };

/* ---- I/O ---- */

static int io_read(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note)
{
	static const char *const names[] = { "none", "realtime", "best-effort", "idle" };
	long value = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
	unsigned class = (unsigned)value >> 13 & 7;

	(void)a, (void)pid;
	if (value < 0)
		return fail(note, -errno, "CAP_SYS_NICE");
	if (class > 3)
		return buf_printf(ret, "class-%u", class);
	if (class == 1 || class == 2)
		return buf_printf(ret, "%s:%ld", names[class], value & 7);
	return buf_printf(ret, "%s", names[class]);
}

static int io_write(const struct process_attribute *a, int pid, int tid, const char *text, struct note *note)
{
	int value, r = io_priority_parse(span_from(text), &value, note);

	(void)a, (void)pid;
	if (r < 0)
		return r;
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, value) == 0 ? 0 :
		fail(note, -errno, "CAP_SYS_NICE (root): for realtime, and for processes of other users");
}

const struct process_attribute attribute_io = { "io", "I/O class", true, 0, io_read, io_write };

/* ---- CPUs ---- */

static int cpus_read(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note)
{
	struct cpu_list list = { 0 };

	(void)a, (void)pid;
	if (syscall(SYS_sched_getaffinity, tid, sizeof list.bits, list.bits) < 0)
		return fail(note, -errno, "CAP_SYS_NICE");
	return cpu_list_text(&list, ret);
}

static int cpus_write(const struct process_attribute *a, int pid, int tid, const char *text, struct note *note)
{
	struct cpu_list list;
	int r = cpu_list_parse(span_from(text), &list, note);

	(void)a, (void)pid;
	if (r < 0)
		return r;
	if (syscall(SYS_sched_setaffinity, tid, sizeof list.bits, list.bits) == 0)
		return 0;
	if (errno == EINVAL)
		return note_set(
			note, -EINVAL,
			"none of the CPUs %s is online and in its cpuset, or it is a kernel thread that "
			"is bound to its CPU",
			text);
	return fail(note, -errno, "CAP_SYS_NICE (root), for it belongs to another user");
}

const struct process_attribute attribute_cpus = { "cpus", "CPUs", true, 0, cpus_read, cpus_write };

/* ---- files of /proc ---- */

static int number_read(const char *path, struct span (*find)(struct span), struct buf *ret, struct note *note)
{
	char text[128];
	ssize_t n = file_read(path, text, sizeof text);
	struct span value;
	int64_t number;

	if (n < 0)
		return n == -ENOENT || n == -ESRCH ? note_set(note, -ESRCH, "%s: %s", path, strerror((int)-n)) :
						     note_set(note, (int)n, "%s: %s", path, strerror((int)-n));
	value = (struct span){ text, (size_t)n };
	if (find)
		value = find(value);
	if (!span_i64(value, &number))
		return note_set(note, -EOPNOTSUPP, "%s holds no number", path);
	return buf_printf(ret, "%" PRId64, number);
}

static int oom_read(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note)
{
	char path[48];

	(void)a, (void)tid;
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	return number_read(path, NULL, ret, note);
}

static int oom_write(const struct process_attribute *a, int pid, int tid, const char *text, struct note *note)
{
	char path[48];
	int r;

	(void)a, (void)tid;
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	r = file_write(path, text);
	r = r == -ENOENT ? -ESRCH : r;
	return r < 0 ? fail(note, r, r == -EACCES ? "CAP_SYS_RESOURCE (root) to go below what it began with" :
						   "CAP_SYS_RESOURCE (root)") : 0;
}

const struct process_attribute attribute_oom_score_adj = { "oom_score_adj", "oom_score_adj", false, 0,
							   oom_read,	    oom_write };

/* "/autogroup-26 nice 0" */
static struct span last_word(struct span text)
{
	struct span word = { "", 0 };

	while (span_word(&text, &word))
		;
	return word;
}

static int autogroup_read(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note)
{
	char path[48];
	int r;

	(void)a, (void)tid;
	snprintf(path, sizeof path, "/proc/%d/autogroup", pid);
	r = number_read(path, last_word, ret, note);
	/* The file is missing without CONFIG_SCHED_AUTOGROUP, and empty where no autogroup is. */
	if ((r == -ESRCH && getpgid(pid) >= 0) || r == -EOPNOTSUPP)
		return note_set(note, -EOPNOTSUPP, "this kernel has no autogroups");
	return r;
}

static int autogroup_write(const struct process_attribute *a, int pid, int tid, const char *text,
			   struct note *note)
{
	char path[48];
	int r;

	(void)a, (void)tid;
	snprintf(path, sizeof path, "/proc/%d/autogroup", pid);
	r = file_write(path, text);
	if (r == -EAGAIN)
		return note_set(
			note, r,
			"autogroups change ten times a second at most without CAP_SYS_ADMIN; try again");
	return r < 0 ? fail(note, r == -ENOENT ? -ESRCH : r, "CAP_SYS_NICE (root), or RLIMIT_NICE") : 0;
}

const struct process_attribute attribute_autogroup = {
	"autogroup", "nice of the autogroup", false, 0, autogroup_read, autogroup_write
};

/* ---- limits ---- */

static int value_text(uint64_t value, struct buf *ret)
{
	return value == SIZE_UNLIMITED ? buf_printf(ret, "unlimited") : buf_printf(ret, "%" PRIu64, value);
}

int rlimit_value_text(uint64_t soft, uint64_t hard, struct buf *ret)
{
	int r = value_text(soft, ret);

	r = r < 0 ? r : buf_append(ret, ":", 1);
	return r < 0 ? r : value_text(hard, ret);
}

static int limit_read(const struct process_attribute *a, int pid, int tid, struct buf *ret, struct note *note)
{
	struct rlimit limit;

	(void)tid;
	if (prlimit(pid, (enum __rlimit_resource)a->argument, NULL, &limit) < 0)
		return fail(note, -errno, "CAP_SYS_RESOURCE (root), for it belongs to another user");
	return rlimit_value_text(limit.rlim_cur, limit.rlim_max, ret);
}

static bool value_parse(struct span text, rlim_t *ret)
{
	uint64_t value;

	if (span_is(text, "unlimited")) {
		*ret = RLIM_INFINITY;
		return true;
	}
	if (!span_u64(text, &value))
		return false;
	*ret = value;
	return true;
}

static int limit_write(const struct process_attribute *a, int pid, int tid, const char *text, struct note *note)
{
	struct span rest = span_from(text), soft;
	struct rlimit limit;

	(void)tid;
	if (!span_until(&rest, ':', &soft) || !value_parse(soft, &limit.rlim_cur) ||
	    !value_parse(rest, &limit.rlim_max))
		return note_set(note, -EINVAL, "'%s' is no limit", text);
	if (prlimit(pid, (enum __rlimit_resource)a->argument, &limit, NULL) == 0)
		return 0;
	if (errno == EINVAL)
		return note_set(note, -EINVAL, "the soft limit of %s is above the hard one", text);
	if (errno == EPERM && a->argument == RLIMIT_NOFILE)
		return fail(note, -errno,
			    "CAP_SYS_RESOURCE (root); and nofile cannot go above /proc/sys/fs/nr_open");
	return fail(note, -errno,
		    "CAP_SYS_RESOURCE (root): to raise a hard limit, or for another user's process");
}

const struct process_attribute *attribute_of_rlimit(const struct rlimit_kind *kind)
{
	static struct process_attribute attributes[RLIMIT_KINDS];
	static char names[RLIMIT_KINDS][32], what[RLIMIT_KINDS][32];
	size_t i = (size_t)(kind - rlimit_kinds);

	if (!attributes[i].name) {
		snprintf(names[i], sizeof names[i], "limit.%s", kind->name);
		snprintf(what[i], sizeof what[i], "limit %s", kind->name);
		attributes[i] = (struct process_attribute){
			.name = names[i],
			.what = what[i],
			.argument = kind->resource,
			.read = limit_read,
			.write = limit_write,
		};
	}
	return &attributes[i];
}

static bool has_capability(unsigned number)
{
	struct process_status status;
	char text[4096];
	ssize_t n = file_read("/proc/self/status", text, sizeof text);

	process_status_parse((struct span){ text, n > 0 ? (size_t)n : 0 }, &status);
	return !status.has_masks || status.masks.effective >> number & 1;
}

static bool hard_is_lowered(const char *before, const char *after)
{
	struct span a = span_from(before), b = span_from(after), soft;
	rlim_t hard_before, hard_after;

	return span_until(&a, ':', &soft) && span_until(&b, ':', &soft) && value_parse(a, &hard_before) &&
	       value_parse(b, &hard_after) && hard_after < hard_before;
}

const char *attribute_one_way(const struct process_attribute *a, const char *before, const char *after)
{
	struct rlimit floor = { 0, 0 };
	int from, to;

	if (a->read == limit_read)
		return hard_is_lowered(before, after) && !has_capability(CAPABILITY_SYS_RESOURCE)
			       ? "CAP_SYS_RESOURCE"
			       : NULL;
	if ((a != &attribute_nice && a != &attribute_autogroup) ||
	    nice_parse(span_from(before), &from, NULL) < 0 || nice_parse(span_from(after), &to, NULL) < 0 ||
	    to <= from || has_capability(CAPABILITY_SYS_NICE))
		return NULL;
	(void)!getrlimit(RLIMIT_NICE, &floor);
	return floor.rlim_cur != RLIM_INFINITY && (rlim_t)(20 - from) > floor.rlim_cur ? "CAP_SYS_NICE" : NULL;
}

const struct process_attribute *attribute_find(const char *name)
{
	static const struct process_attribute *const all[] = { &attribute_nice, &attribute_policy, &attribute_io,
		&attribute_cpus, &attribute_oom_score_adj, &attribute_autogroup };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	for (size_t i = 0; i < RLIMIT_KINDS; i++) {
		const struct process_attribute *a = attribute_of_rlimit(&rlimit_kinds[i]);

		if (strcmp(a->name, name) == 0)
			return a;
	}
	return NULL;
}
