/* Events: what the lines of the kernel log tell, decoded. kinds.def lists the kinds. */
#ifndef OSPREY_SOURCE_KERNEL_LOG_EVENT_H
#define OSPREY_SOURCE_KERNEL_LOG_EVENT_H

#include <stdbool.h>

#include "base/reading.h"
#include "base/vec.h"

/* In the doctor's words. */
enum log_severity { LOG_NOTE, LOG_RISK, LOG_WARNING, LOG_CRITICAL };

enum log_kind {
#define KIND(name, id, severity, title) LOG_##name,
#include "source/kernel_log/kinds.def"
#undef KIND
	LOG_KINDS
};

struct log_kind_of {
	const char *id, *title;
	enum log_severity severity;
};
extern const struct log_kind_of log_kinds[LOG_KINDS];
const char *log_severity_name(enum log_severity severity); /* "note", "risk", "warning", "critical" */

#define LOG_OOM_TASKS 10
#define LOG_FRAMES 6

enum log_constraint {
	LOG_CONSTRAINT_UNKNOWN, /* the kernel's line about it was suppressed */
	LOG_CONSTRAINT_HOST,
	LOG_CONSTRAINT_CGROUP,
	LOG_CONSTRAINT_CPUSET,
	LOG_CONSTRAINT_MEMORY_POLICY,
};

struct log_oom_task {
	int32_t pid;
	char comm[16];
	uint64_t rss_bytes, swap_bytes, pgtables_bytes, total_vm_bytes;
	int32_t score_adj;
};

/* An OOM kill. The readings are absent where the kernel did not tell (a kill of a cgroup has no
 * figures of the host, and most lines are rate-limited). */
struct log_oom {
	enum log_constraint constraint;
	char trigger[16];     /* who asked for memory when there was none */
	int32_t trigger_pid;
	char gfp[64];	      /* "GFP_KERNEL|__GFP_ZERO" */
	reading order;	      /* 2^order pages in one piece */
	char limit_cgroup[256]; /* whose limit it was; "": the host */
	char task_cgroup[256];  /* in which the victim lived */
	char cpuset[128];
	bool group;		/* killed with the rest of its cgroup (memory.oom.group) */
	/* the cgroup */
	reading usage_bytes, limit_bytes, failures, swap_usage_bytes, swap_limit_bytes;
	reading cgroup_anon_bytes, cgroup_file_bytes, cgroup_shmem_bytes, cgroup_slab_bytes;
	/* the host */
	reading free_bytes, anon_bytes, file_bytes, shmem_bytes, slab_bytes, unreclaimable_slab_bytes,
		pgtables_bytes, ram_bytes, swap_free_bytes, swap_total_bytes;
	/* the victim */
	reading victim_vm_bytes, victim_anon_bytes, victim_file_bytes, victim_shmem_bytes,
		victim_swap_bytes, victim_pgtables_bytes;
	int32_t victim_score_adj;
	/* who held memory: the largest by rss and swap, and the sum of all */
	struct log_oom_task tasks[LOG_OOM_TASKS];
	size_t ntasks; /* in `tasks` */
	uint64_t all_tasks, all_rss_bytes, all_swap_bytes;
};

/* A process that broke. */
struct log_fault {
	reading address;  /* of what was accessed; absent: the kernel does not tell */
	uint64_t ip, sp;
	reading error;	  /* of the page fault (x86) */
	char module[64];  /* file the instruction was in, without its directory; "": none */
	uint64_t base, size; /* of the mapping */
	reading file_offset; /* of the instruction in the file, 6.4 and later */
	char exe[256];	  /* whole path, when audit told */
	unsigned char code[64]; /* around the instruction */
	size_t code_length, code_ip; /* bytes known; which of them is at ip */
};

struct log_stack {
	char frame[LOG_FRAMES][64]; /* functions, innermost first, without the scheduler's own */
	size_t n;
};

struct log_event {
	enum log_kind kind;
	enum log_severity severity;
	uint64_t first_sequence, last_sequence;
	reading log_ns, last_log_ns; /* of the first and the last line */
	uint8_t level;
	bool good;	   /* the good end of what was bad: link up, server responds again */
	int32_t pid;	   /* whom it befell; 0: none */
	int32_t cpu;	   /* -1: none */
	char comm[32];
	char object[256];  /* device, filesystem, interface, cgroup, server: what it befell */
	char detail[160];  /* operation, reason, whatever else the line says */
	char where[96];	   /* function of the kernel */
	char taint[24];	   /* "G        W" as the kernel writes it, blanks left out; "": not tainted, or not told */
	reading number;	   /* sector, seconds, port, bytes: as the kind has it */
	char text[256];	   /* the line that tells it, unescaped, cut */
	struct log_oom *oom; /* owned; of OOM_KILL */
	struct log_fault *fault; /* owned; of SEGFAULT and TRAP */
	struct log_stack *stack; /* owned; where the kernel was */
};
typedef VEC(struct log_event) log_event_vec;

void log_event_deinit(struct log_event *e);
/* Frees the events too. */
void log_events_free(log_event_vec *events);

#endif
