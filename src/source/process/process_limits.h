/* /proc/PID/limits: every resource limit of a process, soft and hard.
 * Privilege: since 2.6.31 anybody may read it. Format: proc_pid_limits(5). Durations are ns, sizes bytes. */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_LIMITS_H
#define OSPREY_SOURCE_PROCESS_PROCESS_LIMITS_H

#include "base/field.h"
#include "base/span.h"

/* LIMIT(name, "kernel's row", unit, scale to base units, "prlimit's option", "what happens at its end") */
#define PROCESS_LIMITS(LIMIT)                                                                             \
	LIMIT(cpu, "Max cpu time", NS, 1000000000, "cpu", "SIGXCPU, then SIGKILL at the hard limit")      \
	LIMIT(fsize, "Max file size", BYTES, 1, "fsize", "SIGXFSZ, EFBIG \"File too large\"")             \
	LIMIT(data, "Max data size", BYTES, 1, "data", "ENOMEM \"Cannot allocate memory\" from brk and mmap") \
	LIMIT(stack, "Max stack size", BYTES, 1, "stack", "SIGSEGV where the stack would grow")           \
	LIMIT(core, "Max core file size", BYTES, 1, "core", "the core is cut, or not written")            \
	LIMIT(rss, "Max resident set", BYTES, 1, "rss", "nothing: Linux ignores it")                      \
	LIMIT(nproc, "Max processes", COUNT, 1, "nproc", "EAGAIN \"Resource temporarily unavailable\" from fork and clone") \
	LIMIT(nofile, "Max open files", COUNT, 1, "nofile", "EMFILE \"Too many open files\"")             \
	LIMIT(memlock, "Max locked memory", BYTES, 1, "memlock", "ENOMEM from mlock, EAGAIN from mmap(MAP_LOCKED)") \
	LIMIT(as, "Max address space", BYTES, 1, "as", "ENOMEM \"Cannot allocate memory\" from mmap; SIGSEGV for the stack") \
	LIMIT(locks, "Max file locks", COUNT, 1, "locks", "nothing: Linux ignores it")                    \
	LIMIT(sigpending, "Max pending signals", COUNT, 1, "sigpending", "EAGAIN from sigqueue and timer_create; signals are lost") \
	LIMIT(msgqueue, "Max msgqueue size", BYTES, 1, "msgqueue", "EMFILE from mq_open")                 \
	LIMIT(nice, "Max nice priority", COUNT, 1, "nice", "EACCES from setpriority")                     \
	LIMIT(rtprio, "Max realtime priority", COUNT, 1, "rtprio", "EPERM from sched_setscheduler")       \
	LIMIT(rttime, "Max realtime timeout", NS, 1000, "rttime", "SIGXCPU, then SIGKILL at the hard limit")

enum process_limit_kind {
#define LIMIT_KIND(name, row, unit, scale, option, at_end) PROCESS_LIMIT_##name,
	PROCESS_LIMITS(LIMIT_KIND)
#undef LIMIT_KIND
	PROCESS_LIMIT_COUNT
};

/* Larger than any limit in use, smaller than the missing readings. */
#define PROCESS_UNLIMITED (UINT64_MAX / 2)

struct process_limits {
	enum presence presence;
	reading soft[PROCESS_LIMIT_COUNT], hard[PROCESS_LIMIT_COUNT];
};

struct process_limit_about {
	const char *name; /* "nofile" */
	const char *row;  /* "Max open files" */
	enum field_unit unit;
	uint64_t scale;
	const char *at_end;
};
extern const struct process_limit_about process_limit_about[PROCESS_LIMIT_COUNT];

void process_limits_parse(struct span text, struct process_limits *ret);
void process_limits_missing(reading why, struct process_limits *ret);

#endif
