/* The table of all tasks, taken in one go.
 *
 * Two readers fill the same records, and a test holds them equal:
 * - a BPF task iterator (5.8+ with BTF; CAP_BPF + CAP_PERFMON, or root): one read for all,
 *   ~0.3 us a task;
 * - /proc (any kernel): four or more files a task, ~20 us a task; works without privilege,
 *   then io, fd count and syscall of other users' tasks are READING_DENIED.
 *
 * A task that vanishes between two reads is left out; a record is never half of one
 * task and half of another (pid and start time are compared before and after). */
#ifndef OSPREY_SOURCE_PROCESS_TASK_H
#define OSPREY_SOURCE_PROCESS_TASK_H

#include "base/note.h"
#include "base/reading.h"
#include "base/vec.h"
#include "kernel/host.h"
#include "source/process/task.bpf.h"

typedef VEC(struct task) task_vec;

/* BPF_OFTEN: see task_reader_new_often; as the kind of a reader it is BPF. */
enum task_reader_kind { TASK_READER_BPF, TASK_READER_PROC, TASK_READER_BPF_OFTEN };

struct task_reader;

/* Takes BPF where it works and the host is not textual, else /proc. `note` says why not
 * BPF. Never fails but for memory. */
int task_reader_new(struct host *h, struct task_reader **ret, struct note *note)
	__attribute__((warn_unused_result));
/* The same for who looks every second for long: takes twice as long to load, and where the kernel can
 * (6.7, first pid namespace) a look costs half. Memory and what others may change of a sleeping task (its
 * nice value, its cgroup) are then up to 32 looks old; tasks come in no order. */
int task_reader_new_often(struct host *h, struct task_reader **ret, struct note *note)
	__attribute__((warn_unused_result));
int task_reader_new_of_kind(struct host *h, enum task_reader_kind kind, struct task_reader **ret,
			    struct note *note) __attribute__((warn_unused_result));
void task_reader_free(struct task_reader *r);

/* What a reader is to tell besides pid, state, memory and CPU time of processes; all of it unless said. */
enum task_need {
	TASK_NEED_THREADS = 1,	 /* a record for each thread; without: of processes of one thread alone it is whole */
	TASK_NEED_IO = 2,
	TASK_NEED_SWITCHES = 4,	 /* of kernel threads */
	TASK_NEED_FDS = 8,	 /* count and limit */
	TASK_NEED_WAITS = 16,	 /* system calls of blocked tasks, TASK_IN_IOWAIT */
	TASK_NEED_CGROUPS = 32,
	TASK_NEED_NET_NS = 64,
};
/* What is not needed may be READING_ABSENT (or 0), where leaving it out saves work: from /proc on a live
 * host. Without THREADS what dead threads did is in the record's own members, and CPU time comes in steps
 * of 10 ms. To be said before the first table is taken. */
void task_reader_needs(struct task_reader *r, unsigned needs);
enum task_reader_kind task_reader_kind(const struct task_reader *r);

/* Calls `each` for every task, all threads of a process after another or not (the
 * iterator walks pids in order, so threads may stand apart). `each` must not keep the
 * pointer. Allocates nothing once its buffers have grown.
 * 0, -errno (nothing could be read), or what `each` returned below 0. */
int task_reader_each(struct task_reader *r, int (*each)(const struct task *t, void *arg), void *arg)
	__attribute__((warn_unused_result));

/* Within `each`: whether the task handed out is as it was at the last look of this reader. */
enum task_motion {
	TASK_MOVED,	   /* or it is not known (always, from /proc) */
	TASK_RESTS,	   /* but for its resident and swapped bytes */
	TASK_RESTS_WHOLLY, /* those were not asked for */
};
enum task_motion task_reader_rests(const struct task_reader *r);
/* No look takes anything from the one before, and nothing is kept for the next: for who looks once. Of ten
 * thousand tasks that saves 5 MB, and the time to touch them. To be said before the first look. */
void task_reader_forget(struct task_reader *r);
/* The next look takes nothing from the last one: for who has just changed a task (its nice value,
 * its CPUs) and wants to see it. */
void task_reader_reread(struct task_reader *r);

/* Single parsers of the /proc reader; pure. They fill their part of *ret. */
int task_stat_parse(struct span text, struct task *ret) __attribute__((warn_unused_result));
void task_status_parse(struct span text, struct task *ret);
void task_schedstat_parse(struct span text, struct task *ret);
void task_io_parse(struct span text, struct task *ret);
void task_syscall_parse(struct span text, struct task *ret);
void task_limits_parse(struct span text, struct task *ret);
void task_statm_parse(struct span text, uint64_t page_bytes, struct task *ret);
/* All members missing for the reason given. */
void task_missing(reading why, struct task *ret);

/* Details that are read for few tasks, when a finding names them. */
/* Command line for people: arguments joined by blanks, unprintable bytes as \xNN, cut
 * at `size`; "[comm]" for kernel threads. Bounded: never hangs on a held mmap_lock. */
int task_command_line(struct host *h, int pid, char *ret, size_t size) __attribute__((warn_unused_result));
/* Kernel stack, innermost first, "fn+0x1/0x2" a line; needs root. */
int task_kernel_stack(struct host *h, int pid, int tid, struct buf *ret) __attribute__((warn_unused_result));
int task_wchan(struct host *h, int pid, int tid, char *ret, size_t size) __attribute__((warn_unused_result));

#endif
