/* What people write for sizes, limits, priorities, CPUs and signals, for all commands that
 * act on processes. Pure; only what the words mean, not whether this host allows it.
 *
 * Each returns 0 or -EINVAL, -ERANGE with the note saying which word is wrong and what
 * would be right; *ret is then untouched. */
#ifndef OSPREY_ACT_WORDS_H
#define OSPREY_ACT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/note.h"
#include "base/span.h"

#define SIZE_UNLIMITED UINT64_MAX

/* "4096", "64K", "512M", "1.5GiB" (K, KB and KiB are 1024); "max", "unlimited", "infinity". */
int size_parse(struct span text, uint64_t *ret_bytes, struct note *note) __attribute__((warn_unused_result));

/* ---- resource limits: getrlimit(2), prlimit(1) ---- */

enum rlimit_unit { RLIMIT_IN_BYTES, RLIMIT_IN_COUNTS, RLIMIT_IN_SECONDS, RLIMIT_IN_US };

struct rlimit_kind {
	const char *name; /* "nofile" */
	int resource;	  /* RLIMIT_NOFILE */
	enum rlimit_unit unit;
	const char *what; /* "open files" */
};

#define RLIMIT_KINDS 16
extern const struct rlimit_kind rlimit_kinds[RLIMIT_KINDS]; /* all that Linux has, by resource number */

/* NULL: no limit is called so; RLIMIT_NOFILE and NOFILE are nofile. */
const struct rlimit_kind *rlimit_find(struct span name);

/* A part that was left out is to stay as it is. */
struct rlimit_wish {
	const struct rlimit_kind *kind;
	bool has_soft, has_hard;
	uint64_t soft, hard; /* in the kernel's unit of that limit; SIZE_UNLIMITED */
};

/* "nofile=1024", which sets both; "nofile=1024:4096", "nofile=1024:", "nofile=:4096", "as=2G",
 * "cpu=1m" (seconds, or a duration), "core=unlimited". */
int rlimit_parse(struct span text, struct rlimit_wish *ret, struct note *note)
	__attribute__((warn_unused_result));

/* ---- CPUs ---- */

#define CPU_LIST_MAX 8192 /* the most that a kernel of today can be built for */

struct cpu_list {
	unsigned long bits[CPU_LIST_MAX / (8 * sizeof(unsigned long))];
};

static inline bool cpu_list_has(const struct cpu_list *l, unsigned cpu)
{
	return l->bits[cpu / (8 * sizeof(long))] >> cpu % (8 * sizeof(long)) & 1;
}

/* "0-3,8", "0-6:2" (every second), as taskset -c takes. */
int cpu_list_parse(struct span text, struct cpu_list *ret, struct note *note) __attribute__((warn_unused_result));
/* Appends "0-3,8". */
int cpu_list_text(const struct cpu_list *l, struct buf *ret) __attribute__((warn_unused_result));

/* ---- scheduling ---- */

struct schedule {
	int policy;	   /* SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR */
	int priority;	   /* 1 to 99 of the last two, else 0 */
};

/* "other", "batch", "idle", "fifo:10", "rr:1" */
int schedule_parse(struct span text, struct schedule *ret, struct note *note) __attribute__((warn_unused_result));

/* "10", "-5", "+3": -20 to 19. */
int nice_parse(struct span text, int *ret, struct note *note) __attribute__((warn_unused_result));

/* ioprio_set(2): "realtime:4", "best-effort:0", "idle", "none"; without a level it is 4. The
 * kernel's number. */
int io_priority_parse(struct span text, int *ret, struct note *note) __attribute__((warn_unused_result));

/* ---- signals ---- */

/* "TERM", "SIGTERM", "term", "15", "RTMIN+3", "RTMAX-1" */
int signal_parse(struct span text, int *ret, struct note *note) __attribute__((warn_unused_result));
/* "TERM", "RTMIN+3"; "signal 99" of one that does not exist. */
struct signal_text {
	char text[16];
} signal_text(int number);

#endif
