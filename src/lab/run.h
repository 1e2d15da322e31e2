/* Running scenarios, and undoing what they leave. */
#ifndef OSPREY_LAB_RUN_H
#define OSPREY_LAB_RUN_H

#include "base/buf.h"
#include "lab/scenario.h"

struct lab_label {
	char kind[16];
	int32_t pid; /* in the pid namespace of the caller of lab_start; 0: none */
	char comm[16];
	char name[256];
};

struct lab_run;

struct lab_options {
	enum strength strength;
	unsigned limit_s; /* the guardian ends the scenario then, start included; 0: 60 */
	void (*say)(const char *line); /* progress lines, called from within lab_… calls; nullable */
	const volatile int *interrupted; /* nonzero: give up starting, -EINTR; nullable */
};

/* Whether this host has what the scenario needs and the caller the privilege. -EPERM,
 * -EOPNOTSUPP, -ENOSPC with the reason. Changes nothing. */
int lab_possible(const struct scenario *s, struct note *note) __attribute__((warn_unused_result));

/* What the scenario takes and makes, for people: "up to 4 processes, 64 MiB of memory, a cgroup
 * (cpu)". */
int scenario_touches(const struct scenario *s, struct buf *ret_line) __attribute__((warn_unused_result));

/* Starts a scenario; returns when its fault is in force (lab_ready). On failure everything
 * is undone and `note` says why; besides the errors of lab_possible: -ETIME (the limit passed),
 * -EINTR, and what the scenario returned. */
int lab_start_with(const struct scenario *s, const struct lab_options *options, struct lab_run **ret,
		   struct note *note) __attribute__((warn_unused_result));
/* The same with the default limit. `say` is nullable. */
int lab_start(const struct scenario *s, enum strength strength, void (*say)(const char *line),
	      struct lab_run **ret, struct note *note) __attribute__((warn_unused_result));
/* False when the scenario has ended by itself, by a bound or with its guardian; `note` says why. */
bool lab_run_alive(struct lab_run *run, struct note *note) __attribute__((warn_unused_result));
/* "osprey-lab-PID": names its cgroups and its scratch directory. */
const char *lab_run_id(const struct lab_run *run);
/* What came so far: workers label themselves when they are scheduled. */
const struct lab_label *lab_run_labels(struct lab_run *run, size_t *ret_n);
/* Stops it, waits until the guardian has undone everything, frees. -ETIMEDOUT, -ETIME (a bound
 * had ended it), or what the guardian could not undo, with the note. A guardian that was killed
 * is no error as long as its journal could be undone here. */
int lab_stop(struct lab_run *run, struct note *note) __attribute__((warn_unused_result));

/* Undoes what journals without a living guardian still hold, and removes scratch directories
 * and cgroups that no journal speaks of (a reboot loses the journals). *ret_undone counts
 * entries. Labs that run are left alone. */
int lab_clean(unsigned *ret_undone, struct note *note) __attribute__((warn_unused_result));

/* What the host looks like to somebody who fears residue: processes of the lab, cgroups,
 * mounts, loop and zram devices, swap areas, files, and all tunables of /proc/sys, the block
 * layer and cgroup roots. Namespaces live by the processes and mounts in them, and are not
 * listed apart. What living labs hold is left out: it is no residue. Cost: ~50 ms. */
struct residue;
int residue_take(struct residue **ret) __attribute__((warn_unused_result));
void residue_free(struct residue *r);
/* What was looked at: "1052 tunables, 21 mounts, …". */
int residue_summary(const struct residue *r, struct buf *ret_line) __attribute__((warn_unused_result));
/* Differences, one a line; 0 when there are none, else how many. -errno. */
int residue_compare(const struct residue *before, const struct residue *after, struct buf *ret_lines)
	__attribute__((warn_unused_result));

#endif
