/* Counters of the kernel (perf_event_open) for a list of events on a target, added up.
 *
 * Targets: threads, with all that they will start (inherit: new threads and processes, to any depth); whole
 * CPUs; a cgroup on all CPUs (PERF_FLAG_PID_CGROUP, CONFIG_CGROUP_PERF). Groups of events are kept together: the
 * PMU runs all of a group or none of it, so that ratios within it are true. When there are more groups than
 * counters, the kernel lets them take turns and tells for how long each has run: values are scaled by
 * enabled / running, and running_pct says so.
 *
 * CPUs with cores of two kinds (cpu_core and cpu_atom) count hardware events on both, and add up.
 *
 * Since: 4.14 is assumed, nothing newer. Privilege: own tasks to perf_event_paranoid 2 (user space alone at 2);
 * others, CPUs and cgroups: CAP_PERFMON (5.8; CAP_SYS_ADMIN before) or paranoid < 1.
 * Cost: software events ~20 ns where they occur and ~1 us a switch of a counted task; opening ~2 us for each event
 * and thread or CPU, and one descriptor each: the soft limit of descriptors is raised to the hard one.
 * The kernel tells hardware that is not there by ENOENT or EOPNOTSUPP: the event then carries the reason
 * in words, and the others are counted all the same. */
#ifndef OSPREY_DIG_COUNT_COUNT_SET_H
#define OSPREY_DIG_COUNT_COUNT_SET_H

#include <sys/types.h>

#include "base/note.h"
#include "base/reading.h"
#include "dig/count/count_event.h"

/* One event's counts so far, over the whole target. */
struct count_value {
	reading count;	   /* as counted; absent: not measurable */
	uint64_t enabled_ns; /* summed over threads or CPUs */
	uint64_t running_ns;
};

/* Between two looks, scaled. NaN: not measurable, or its turn never came. */
double count_value_scaled(const struct count_value *v);
/* For how much of the time it was really counted; 100 unless the PMU took turns. NaN: not at all known. */
double count_value_running_pct(const struct count_value *v);
struct count_value count_value_delta(const struct count_value *before, const struct count_value *after);

struct count_set;

/* `events` must live as long as the set; those that cannot be counted keep their reason in the set. -ENOMEM. */
int count_set_new(const struct count_event *events, size_t n, struct count_set **ret) __attribute__((warn_unused_result));
void count_set_free(struct count_set *s);

/* All threads of a process, until a look finds none that is new. Those that start while they are looked for are
 * counted once as far as 10 ms, the grain of start times, can tell; *ret_unsure counts the others.
 * -ESRCH: it is gone; -EPERM, -EACCES, -EMFILE with the note; 0: each event is counted or has its reason. */
int count_set_add_process(struct count_set *s, pid_t pid, unsigned *ret_unsure, struct note *note)
	__attribute__((warn_unused_result));
/* A child of ours that has not called exec yet. */
int count_set_add_child(struct count_set *s, pid_t pid, struct note *note) __attribute__((warn_unused_result));
/* Every CPU that is online; `cgroup_fd` -1, or a directory of cgroup2 or of v1's perf_event hierarchy. */
int count_set_add_cpus(struct count_set *s, int cgroup_fd, struct note *note) __attribute__((warn_unused_result));

/* Starts, stops all that this process has opened. */
void count_set_enable(void);
void count_set_disable(void);
/* `ret`: one for each event. 0 or -errno. */
int count_set_read(const struct count_set *s, struct count_value *ret) __attribute__((warn_unused_result));

/* Why an event cannot be counted, for people ("needs a hardware PMU (this is a virtual machine without
 * one)"); NULL: it is counted. */
const char *count_set_why(const struct count_set *s, size_t event);
/* Only user space is counted, since perf_event_paranoid allows no more. */
bool count_set_only_user(const struct count_set *s);

#endif
