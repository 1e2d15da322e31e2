/* A scenario: a fault whose cause is known, made on this host within bounds, and undone.
 *
 * A scenario runs as a tree of processes that cannot outlive the lab:
 *
 *   runner (osprey lab run) - the guardian - the scenario's first process - its workers
 *
 * The first process is pid 1 of a new pid namespace, with its own mount namespace; when it
 * dies the kernel kills all workers. It gets SIGKILL when the guardian dies (PDEATHSIG). The
 * guardian is in its own session, holds the undo journal, and starts undoing when the
 * runner's end of a pipe closes, however the runner died. Each change that outlives a process
 * (a cgroup, a mount, a loop device, a sysctl) is written to the journal before it is made.
 *
 * `set_up` and `run` are called in the first process, as root. set_up makes what is needed
 * by the lab_… functions below; run starts workers with lab_spawn, labels the culprit, calls
 * lab_ready, and returns; the first process then reaps its children until it is killed. run may
 * instead keep working after lab_ready; it then reaps for itself. A run that returns without
 * lab_ready has failed.
 *
 * set_up still runs in the host's mount namespace, run in one of its own (a copy, with the
 * /proc of its pid namespace): so lab_mount works in set_up alone, and what it mounted is
 * seen at the same path from everywhere.
 *
 * Pids within the tree are those of the inner pid namespace. That is also true of what programs
 * keep in memory: the owner word of a mutex holds the *inner* thread id, as in any container.
 *
 * Bounds: processes by a pids cgroup, file sizes and private memory of each process by
 * RLIMIT_FSIZE and RLIMIT_DATA, memory of all by the guardian (ten times a second), time by the
 * guardian (60 s unless the runner asked for another limit).
 */
#ifndef OSPREY_LAB_SCENARIO_H
#define OSPREY_LAB_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/note.h"
#include "sample/window.h"

struct lab;

enum strength { STRENGTH_WEAK, STRENGTH_MEDIUM, STRENGTH_STRONG };

enum lab_need {
	LAB_CPU_CGROUP = 1,
	LAB_MEMORY_CGROUP = 2,
	LAB_IO_CGROUP = 4,
	LAB_PIDS_CGROUP = 8,
	LAB_NET_NS = 16, /* the scenario then starts in a network namespace of its own, lo up */
	LAB_ZRAM = 32,
	LAB_LOOP = 64,
	LAB_DISK = 128, /* a real disk under the scratch directory: no tmpfs, no overlay on it */
	LAB_NFTABLES = 256,
};

struct scenario {
	const char *name;      /* the condition's id, or "healthy_…" for a negative */
	const char *summary;   /* one line: what is done to the host */
	const char *moves;     /* the counters that move, for people */
	unsigned needs;	       /* enum lab_need; not met: the scenario is refused with the reason */
	uint64_t memory_bytes; /* bounds, <= 2 GiB, <= 1 GiB, <= 5000 */
	uint64_t disk_bytes;
	unsigned processes;
	int (*set_up)(struct lab *lab, struct note *note); /* nullable */
	int (*run)(struct lab *lab, struct note *note);
	/* Whether the fault's own counters moved over the window: a case counts only then.
	 * Pure; nullable for negatives. `note` says what was seen. */
	bool (*moved)(const struct window *w, struct note *note);
};

/* ---- for set_up and run ---- */

enum strength lab_strength(const struct lab *lab);
/* The value for the strength. */
uint64_t lab_pick(const struct lab *lab, uint64_t weak, uint64_t medium, uint64_t strong);
unsigned lab_cpus(const struct lab *lab);

/* Starts a worker: forks, names it `comm`, runs fn(lab, arg), exits. Its pid in the
 * scenario's pid namespace, or -errno. A negative result of fn is told to the person who
 * watches. Workers of the first process are killed when it dies; the OOM killer takes workers
 * before anything else on the host. */
pid_t lab_spawn(struct lab *lab, const char *comm, int (*fn)(struct lab *lab, void *arg), void *arg)
	__attribute__((warn_unused_result));
/* The same, and waits until the worker calls lab_at_work: what it does is then in force. A
 * negative result has the reason in the note (-ECHILD: it ended before). */
pid_t lab_spawn_at_work(struct lab *lab, const char *comm, int (*fn)(struct lab *lab, void *arg),
			void *arg, struct note *note) __attribute__((warn_unused_result));
/* Called by a worker, once; nothing happens in one that nobody waits for. */
void lab_at_work(struct lab *lab);
/* Says that all is under way. Call once, when the fault is in force. */
void lab_ready(struct lab *lab);
/* A line about progress for the person who watches ("filling: 40 MiB of 64"). */
void lab_say(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Labels: who is the culprit. Several labels: any of them is right. */
/* The calling process; called within the worker (the kernel translates its pid). It needs no
 * file descriptor and no memory, and may reach the runner after lab_ready has. */
void lab_label_self(struct lab *lab);
/* kind: ACTOR_… of diagnose/finding.h ("cgroup", "disk", "mount", "socket", "interface"). */
void lab_label_name(struct lab *lab, const char *kind, const char *name);

/* A cgroup of the scenario's own (one a scenario), in every hierarchy that has the controllers asked for (v2 or
 * v1, whichever has them). Workers are put in by lab_cgroup_enter, called within them. The
 * path below the controller's mount is in *ret_path (what the doctor names). */
int lab_cgroup(struct lab *lab, unsigned controllers /* enum cgroup_controller */, char *ret_path,
	       size_t size, struct note *note) __attribute__((warn_unused_result));
int lab_cgroup_enter(struct lab *lab, struct note *note) __attribute__((warn_unused_result));
int lab_cgroup_cpu_quota(struct lab *lab, uint64_t quota_us, uint64_t period_us, struct note *note)
	__attribute__((warn_unused_result));
/* The limit holds for memory and swap together, so that nothing can escape into swap, unless
 * the scenario made swap by lab_zram_swap before: then for memory alone. */
int lab_cgroup_memory_limit(struct lab *lab, uint64_t bytes, struct note *note)
	__attribute__((warn_unused_result));
int lab_cgroup_pids_limit(struct lab *lab, uint64_t pids, struct note *note)
	__attribute__((warn_unused_result));
/* Bytes a second of a whole disk, as lab_scratch_disk names it; 0: no limit. */
int lab_cgroup_io_limit(struct lab *lab, uint32_t major, uint32_t minor, uint64_t read_bytes_per_s,
			uint64_t write_bytes_per_s, struct note *note) __attribute__((warn_unused_result));

/* A directory of the scenario's own on a real disk (when LAB_DISK), removed with all in it.
 * NULL: none could be made. */
const char *lab_scratch(struct lab *lab);
/* The disk under the scratch directory. -ENODEV: none. */
int lab_scratch_disk(struct lab *lab, char *ret_name, size_t size, uint32_t *ret_major, uint32_t *ret_minor)
	__attribute__((warn_unused_result));
/* Writes `text` to a file of /proc/sys or /sys; the old value is in the journal first.
 * -EBUSY: another lab holds that file. With LAB_NET_NS, /proc/sys/net is the scenario's own. */
int lab_write(struct lab *lab, const char *path, const char *text, struct note *note)
	__attribute__((warn_unused_result));
/* A zram device of `bytes` as swap with priority. Undone by swapoff + reset. */
int lab_zram_swap(struct lab *lab, uint64_t bytes, struct note *note) __attribute__((warn_unused_result));
/* A filesystem of `bytes` mounted at *ret_mount (in the scratch directory) in the *host's* mount
 * namespace, so that the doctor sees it; type "tmpfs" or "ext4" (on a loop device). In set_up
 * alone. */
int lab_mount(struct lab *lab, const char *type, uint64_t bytes, char *ret_mount, size_t size,
	      struct note *note) __attribute__((warn_unused_result));
/* Runs a program and waits: for nft, mkfs. -ENOENT: no such program; -EIO with the note (what it
 * wrote to stderr) when it fails. */
int lab_command(struct lab *lab, struct note *note, const char *const argv[])
	__attribute__((warn_unused_result));

#endif
