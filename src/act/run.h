/* Running a program: bounded, measured, and gone when its time is over.
 *
 * Two processes stand between the caller and the program:
 *
 *	front (the caller)  →  keeper  →  program  →  …
 *
 * The keeper starts the program, adopts what the program's descendants leave behind
 * (PR_SET_CHILD_SUBREAPER: whoever double-forks and calls setsid becomes the keeper's child), counts,
 * and ends all of it when a bound is reached. It has no child exactly when no descendant is left, which
 * the kernel tells by ECHILD without a race. The front forwards signals and stops with the program.
 * Each watches the other: when the front is killed by SIGKILL, the keeper kills the program and all below
 * it; when the keeper is, the front does (one that has stopped with its program, once it is continued). Only when both are killed at the same moment may
 * something survive: not the program itself (PR_SET_PDEATHSIG), and not what is in a cgroup made for
 * it, for the next run removes that; but processes that it left without a cgroup.
 *
 * The program is in the caller's process group, so that the terminal's signals and its foreground are as
 * without osprey; the keeper is in a group of its own, so that kill -9 of the group leaves it.
 *
 * Privilege: none but what the settings themselves need. Kernel: 5.3 (pidfd) for signals that cannot
 * hit a process of the same number; without it a pid is looked at before it is signalled.
 * Overhead: two forks, one without copying; no look at /proc unless a bound is reached, a CPU
 * timeout is watched, or the program ends. */
#ifndef OSPREY_ACT_RUN_H
#define OSPREY_ACT_RUN_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "act/identity.h"
#include "act/words.h"
#include "base/note.h"
#include "base/reading.h"
#include "source/cgroup/cgroup.h"

/* Exit codes of `run` itself, as of timeout(1) and env(1). */
enum {
	RUN_TIMED_OUT = 124,
	RUN_FAILED = 125,	  /* osprey could not: a limit was refused, no memory… */
	RUN_NOT_EXECUTABLE = 126, /* found, and cannot be executed */
	RUN_NOT_FOUND = 127,
};

#define RUN_MAX_IO_LIMITS 8

struct run_io_limit {
	uint32_t major, minor;
	/* 0: not given; SIZE_UNLIMITED: none */
	uint64_t read_bytes, write_bytes, reads, writes; /* a second */
};

/* A cgroup made for the program. 0 means not given, but for swap. */
struct run_group_wish {
	bool wanted;
	uint64_t cpu_quota_us; /* in RUN_CPU_PERIOD_US */
	uint64_t memory_bytes, memory_high_bytes;
	bool has_swap;
	uint64_t swap_bytes;
	uint64_t pids;
	struct run_io_limit io[RUN_MAX_IO_LIMITS];
	size_t nio;
};
#define RUN_CPU_PERIOD_US 100000

/* What becomes of processes that outlive the program they descend from. What is waited for is ended by a signal
 * that asks the caller to end: no other way would be left than KILL. */
enum run_leftover { RUN_LEAVE, RUN_WAIT, RUN_END };

/* Of osprey's own start, and to be found by the program as if osprey had not been. */
struct run_inherited {
	sigset_t mask;
	bool ignored_pipe, ignored_child;
	bool has_nofile;
	struct rlimit nofile;
	bool closed[3]; /* descriptors 0, 1, 2 were not open */
};

struct run_spec {
	char **argv;	 /* argv[0] is looked up in the program's PATH; argv[-1] may be overwritten */
	char **environment;
	const char *directory; /* NULL: here */
	const struct identity *identity; /* NULL: as the caller */
	uint64_t timeout_ns, cpu_timeout_ns; /* 0: none */
	uint64_t grace_ns;
	int end_signal; /* sent first */
	enum run_leftover leftover;
	struct rlimit_wish limits[RLIMIT_KINDS];
	size_t nlimits;
	bool has_nice, has_schedule, has_cpus, has_io_priority;
	int nice, io_priority;
	struct schedule schedule;
	struct cpu_list cpus;
	struct run_group_wish group;
	int in, out, err;   /* descriptors it gets; -1: the caller's */
	bool stops_caller; /* when it is stopped the front stops too, for the shell's job control */
	struct run_inherited inherited;
};

enum run_timeout { RUN_NO_TIMEOUT, RUN_WALL_TIMEOUT, RUN_CPU_TIMEOUT };

#define RUN_MAX_NAMED 4

/* What is known at the end. Lies in memory that keeper and front share. */
struct run_result {
	volatile pid_t pid; /* 0: not started */
	volatile bool program_ended; /* others may still be waited for */
	bool ended;	    /* the keeper has filled this in */
	int exit_code;	    /* what the caller shall exit with */
	int signal;	    /* that ended the program; 0 */
	bool dumped_core;
	enum run_timeout timeout;
	struct note failed; /* why it did not start; "" */
	struct note warning; /* of what went wrong later; "" */

	uint64_t wall_ns, user_ns, system_ns;
	uint64_t watched_ns; /* until what outlived it had ended too: what the CPU time was used in */
	uint64_t cpu_seen_ns; /* what the watch over a CPU timeout counted: also of what nobody waits for */
	uint64_t peak_bytes; /* resident, of the largest process */
	bool peak_is_bound;  /* no more than that: osprey's own start was as large */
	uint64_t minor_faults, major_faults, voluntary_switches, involuntary_switches;
	/* Of the program and all that it or the keeper waited for. */
	reading read_bytes, written_bytes;     /* to storage */
	reading read_call_bytes, write_call_bytes; /* through read, write and their like */

	unsigned nleft;	 /* still running, left alone */
	unsigned nended; /* ended after the program: what outlived it */
	struct run_named {
		pid_t pid;
		char comm[16];
	} named[RUN_MAX_NAMED]; /* the first of them */

	char group_path[192]; /* "": no cgroup was made */
	struct cgroup group;  /* at the end; controllers: those it had */
	reading memory_peak_bytes;
};

/* ---- one program (run_front.c) ---- */

/* What the calling process does with signals, before anything is started: blocks them. */
void run_front_begin(struct run_inherited *inherited);

/* Starts, waits, forwards. The program's end, and why it did not start, are in *ret. 0; -errno when
 * not even the keeper could be started. `ret_interrupted`: a signal that asked the caller to end
 * came meanwhile (0: none). */
int run_program(const struct run_spec *spec, struct run_result *ret, int *ret_interrupted, struct note *note)
	__attribute__((warn_unused_result));

/* INT, TERM, HUP, QUIT. */
bool run_asks_to_end(int number);

/* Ends the caller by the signal that ended its program, without a core file of its own: a shell tells a
 * command that died of Ctrl-C from one that took it and went on, and only then leaves its loop. Returns when the
 * signal does not end a process. */
void run_die_of(int number);

/* ---- keeper ---- */

/* In a forked child: keeps one program and fills *result. */
_Noreturn void run_keeper(const struct run_spec *spec, struct run_result *result, pid_t front);

/* What the front tells a keeper: end what you keep, first with the signal of its spec. */
#define RUN_SIGNAL_END (SIGRTMAX - 1)
/* The front died. */
#define RUN_SIGNAL_ALONE SIGRTMAX

/* ---- from clone to exec (run_start.c) ---- */

/* Starts the program with all settings in force. `group_fds`: cgroup.procs to enter. `front_group`: its
 * process group. The pid, or -errno with the note; *ret_exit_code is then 125, 126 or 127. *ret_floor_bytes: exec hands
 * the peak of the memory that it replaces, here osprey's own, down to the program's ru_maxrss: what is not above this
 * says no more than that. */
pid_t run_start(const struct run_spec *spec, const int *group_fds, size_t ngroup_fds, pid_t front_group,
		uint64_t *ret_floor_bytes, int *ret_exit_code, struct note *note) __attribute__((warn_unused_result));

#endif
