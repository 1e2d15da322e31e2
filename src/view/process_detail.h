/* One process in full: what `osprey pid` tells, and what a screen shows of the process under the cursor.
 *
 * Read in sections, so that a screen asks only for what it shows. Nothing here stops the process, nothing
 * waits for its mmap_lock (what would is left behind after its time), and all is read through one
 * directory held open, so that a pid that is used again cannot mix two processes. Missing things carry
 * their reason: an `error` of -EACCES, -ETIMEDOUT…, or a reading.
 *
 * Cost on a small process: ~2 ms for all sections; threads ~50 us each, descriptors ~5 us each, the
 * other ends of pipes and sockets up to 200 ms on a host of many thousand descriptors
 * (PROCESS_PEERS apart), memory ~4 ms a GiB. */
#ifndef OSPREY_VIEW_PROCESS_DETAIL_H
#define OSPREY_VIEW_PROCESS_DETAIL_H

#include "source/process/fd_holders.h"
#include "source/process/mutex.h"
#include "source/process/process_cgroup.h"
#include "source/process/process_fd.h"
#include "source/process/process_limits.h"
#include "source/process/process_memory.h"
#include "source/process/process_socket.h"
#include "source/process/process_stat.h"
#include "source/process/process_status.h"
#include "source/process/task.h"

/* SECTION(NAME, "word") in the order in which they are shown. */
#define PROCESS_SECTIONS(SECTION)     \
	SECTION(IDENTITY, "identity") \
	SECTION(STATE, "state")       \
	SECTION(COUNTERS, "counters") \
	SECTION(MEMORY, "memory")     \
	SECTION(FDS, "fds")           \
	SECTION(THREADS, "threads")   \
	SECTION(CHILDREN, "children") \
	SECTION(LIMITS, "limits")     \
	SECTION(CGROUPS, "cgroups")   \
	SECTION(NAMESPACES, "namespaces") \
	SECTION(SECURITY, "security") \
	SECTION(SCHEDULING, "scheduling") \
	SECTION(SIGNALS, "signals")   \
	SECTION(ENVIRONMENT, "environment")

enum process_section_bit {
#define SECTION_BIT(name, word) PROCESS_BIT_##name,
	PROCESS_SECTIONS(SECTION_BIT)
#undef SECTION_BIT
	PROCESS_SECTION_COUNT,
};
enum process_section {
#define SECTION_FLAG(name, word) PROCESS_##name = 1u << PROCESS_BIT_##name,
	PROCESS_SECTIONS(SECTION_FLAG)
#undef SECTION_FLAG
	/* Who has the other end of its pipes and sockets: a search through all processes. */
	PROCESS_PEERS = 1u << 30,
	/* All but the environment, which holds secrets. */
	PROCESS_ALL = ((1u << PROCESS_SECTION_COUNT) - 1) | PROCESS_PEERS,
	PROCESS_DEFAULT = PROCESS_ALL & ~PROCESS_ENVIRONMENT,
};
extern const char *const process_section_names[PROCESS_SECTION_COUNT + 1]; /* NULL behind the last */

/* A text of the host, raw; or why there is none. */
struct process_text {
	int error;
	struct buf text;
};

struct process_relative {
	int32_t pid;
	char state;
	char comm[64];
};
typedef VEC(struct process_relative) process_relative_vec;

struct process_thread {
	struct task task;
	char wchan[64]; /* kernel function it sleeps in; "" running or not known */
	/* growth over the interval, when there is one; else absent */
	reading run_growth_ns, wait_growth_ns;
	struct mutex_wait mutex; /* owner_tid 0: it waits for none that could be read */
};

#define PROCESS_NAMESPACE_KINDS 8
struct process_namespace {
	const char *name; /* "net" */
	uint64_t inode;	  /* 0: not known */
	uint64_t ours, of_init;
};

/* Sums over all threads that live, and where the kernel keeps them those that have ended. */
#define PROCESS_DETAIL_COUNTERS(COUNTER)                                                  \
	COUNTER(user_ns)                                                                  \
	COUNTER(system_ns)                                                                \
	COUNTER(minor_faults)                                                             \
	COUNTER(major_faults)                                                             \
	COUNTER(voluntary_switches)   /* of live threads, as the next four */             \
	COUNTER(involuntary_switches)                                                     \
	COUNTER(run_delay_ns)	      /* runnable, waiting for a CPU */                   \
	COUNTER(run_count)	      /* times put on a CPU */                            \
	COUNTER(block_delay_ns)	      /* waiting for block I/O; absent while it is not counted */ \
	COUNTER(read_chars_bytes)                                                         \
	COUNTER(write_chars_bytes)                                                        \
	COUNTER(read_calls)                                                               \
	COUNTER(write_calls)                                                              \
	COUNTER(read_bytes)                                                               \
	COUNTER(write_bytes)                                                              \
	COUNTER(cancelled_bytes)

struct process_totals {
#define COUNTER(name) reading name;
	PROCESS_DETAIL_COUNTERS(COUNTER)
#undef COUNTER
};

struct process_detail {
	int32_t pid;
	int32_t asked; /* the id that was asked for; another than pid: a thread of it */
	char asked_comm[16];
	unsigned sections; /* that were read */
	struct host_time at;
	uint64_t page_bytes;

	/* always */
	struct task task; /* of the first thread; `pid`, `uid`… */
	struct process_stat stat;
	struct process_status status;
	char comm[64];

	/* IDENTITY */
	struct process_text command; /* arguments, each ended by NUL */
	struct process_text exe, cwd, root;
	process_relative_vec ancestors; /* parent first, up to the first process */
	char terminal[32];
	reading login_uid; /* of the audit session; absent: none */

	/* STATE */
	char wchan[64];
	int wait_error; /* why it is not known what it waits in; 0 */
	struct buf kernel_stack; /* a function a line, innermost first; empty when it needs root */
	char tracer_comm[64];
	struct mutex_wait mutex;
	char mutex_owner_comm[16];
	reading syscall_fd; /* the descriptor it waits on; absent: none */
	struct process_text syscall_target; /* where that points */

	/* COUNTERS */
	struct process_totals totals;
	double interval_s; /* 0: no rates */
	struct process_totals growth; /* over the interval */
	bool delays_counted; /* kernel.task_delayacct */
	struct process_statm statm; /* and MEMORY */

	/* MEMORY */
	struct process_memory memory;

	/* FDS; LIMITS reads their number */
	struct process_fds fds;
	process_socket_vec sockets; /* by inode */
	fd_holder_vec holders;	    /* other ends of pipes, sockets */
	bool holders_complete;

	/* THREADS, and for COUNTERS */
	VEC(struct process_thread) threads; /* by thread id */
	int threads_error;
	size_t threads_left_out;

	process_relative_vec children;
	bool children_known;

	/* LIMITS */
	struct process_limits limits;
	reading limit_used[PROCESS_LIMIT_COUNT];
	bool nproc_exempt; /* root and CAP_SYS_RESOURCE pass it */

	/* CGROUPS */
	struct process_text cgroup; /* /proc/PID/cgroup */
	process_cgroup_vec cgroups;

	struct process_namespace namespaces[PROCESS_NAMESPACE_KINDS];
	size_t nnamespaces;
	int namespaces_error;

	/* SCHEDULING */
	reading oom_score, oom_score_adj; /* the second + 1000, so that it is a number */
	reading timer_slack_ns;
	char autogroup[64]; /* "/autogroup-12 nice 0"; "" none */
	reading io_priority; /* class << 13 | level, as ioprio_get */

	struct process_text environment; /* entries, each ended by NUL */
};

struct process_detail_options {
	unsigned sections;
	/* 0: no rates. Counts from the host's time: host_tick before, when that is not of now. */
	uint64_t interval_ns;
};

/* Reads the process (or the process of the thread) `pid`. *ret is zeroed or of an earlier reading.
 * 0; -ESRCH: there is none, or it ended while it was read (`note` says which); -EINTR; -ENOMEM;
 * other failures of /proc itself. */
int process_detail_read(struct host *h, int pid, const struct process_detail_options *options,
			struct process_detail *ret, struct note *note) __attribute__((warn_unused_result));
void process_detail_deinit(struct process_detail *d);

/* The socket behind a descriptor; NULL when it was not looked up. */
const struct process_socket *process_detail_socket(const struct process_detail *d, const struct process_fd *fd);
/* Holders of the other end: of a pipe those that have it open the other way, of a socket those of its
 * peer. Walks on from *at (0 at first); NULL: no more. */
const struct fd_holder *process_detail_peer(const struct process_detail *d, const struct process_fd *fd, size_t *at);
/* What the first thread does, in a sentence without a full stop: "sleeping in futex: waits for a
 * mutex that thread 12 worker holds". */
int process_state_sentence(const struct process_detail *d, struct buf *ret) __attribute__((warn_unused_result));
/* The same for any thread, shorter: "futex: waits for a lock". */
int process_thread_sentence(const struct task *t, const char *wchan, struct buf *ret) __attribute__((warn_unused_result));
/* Use of a limit in percent; NaN where either is not known or there is no limit. */
double process_limit_used_pct(const struct process_detail *d, enum process_limit_kind kind);

#endif
