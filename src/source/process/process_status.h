/* /proc/PID/status whole: ids, memory, signal masks, capabilities. Where task.h takes a few rows of
 * it for every task, this takes all of them for one.
 *
 * Privilege: none (hidepid apart). Reads no mmap_lock: answers at once. Since: 2.6; of newer rows
 * (RssAnon 4.5, NoNewPrivs 4.10, Seccomp_filters 5.9, NSpid 4.1) an older kernel has none: then they
 * are READING_ABSENT. Format: proc_pid_status(5). Context switches are those of one thread. */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_STATUS_H
#define OSPREY_SOURCE_PROCESS_PROCESS_STATUS_H

#include <stdbool.h>

#include "base/field.h"
#include "base/span.h"

/* In the kernel's order. */
#define PROCESS_STATUS_FIELDS(FIELD)                                                                      \
	FIELD(2800, thread_group, "Tgid", COUNT, GAUGE, "process the thread belongs to")                  \
	FIELD(2801, parent, "PPid", COUNT, GAUGE, "parent process")                                       \
	FIELD(2802, tracer, "TracerPid", COUNT, GAUGE, "process that traces this one; 0: none")           \
	FIELD(2803, fd_slots, "FDSize", COUNT, GAUGE, "slots of the descriptor table")                    \
	FIELD(2804, kernel_thread, "Kthread", COUNT, GAUGE, "1: a thread of the kernel")                  \
	FIELD(2805, virtual_peak_bytes, "VmPeak", BYTES, GAUGE, "largest address space so far")           \
	FIELD(2806, virtual_bytes, "VmSize", BYTES, GAUGE, "address space")                               \
	FIELD(2807, locked_bytes, "VmLck", BYTES, GAUGE, "locked by mlock")                               \
	FIELD(2808, pinned_bytes, "VmPin", BYTES, GAUGE, "pinned by drivers")                             \
	FIELD(2809, resident_peak_bytes, "VmHWM", BYTES, GAUGE, "largest resident size so far")           \
	FIELD(2810, resident_bytes, "VmRSS", BYTES, GAUGE, "resident in memory")                          \
	FIELD(2811, anon_bytes, "RssAnon", BYTES, GAUGE, "resident, of no file")                          \
	FIELD(2812, file_bytes, "RssFile", BYTES, GAUGE, "resident, of mapped files")                     \
	FIELD(2813, shmem_bytes, "RssShmem", BYTES, GAUGE, "resident, shared memory and tmpfs")           \
	FIELD(2814, data_bytes, "VmData", BYTES, GAUGE, "private writable address space")                 \
	FIELD(2815, stack_bytes, "VmStk", BYTES, GAUGE, "stack of the first thread")                      \
	FIELD(2816, text_bytes, "VmExe", BYTES, GAUGE, "code of the program")                             \
	FIELD(2817, library_bytes, "VmLib", BYTES, GAUGE, "code of its libraries")                        \
	FIELD(2818, page_table_bytes, "VmPTE", BYTES, GAUGE, "page tables")                               \
	FIELD(2819, swap_bytes, "VmSwap", BYTES, GAUGE, "swapped out")                                    \
	FIELD(2820, hugetlb_bytes, "HugetlbPages", BYTES, GAUGE, "reserved huge pages in use")            \
	FIELD(2821, core_dumping, "CoreDumping", COUNT, GAUGE, "1: writes its core at this moment")       \
	FIELD(2822, huge_pages_allowed, "THP_enabled", COUNT, GAUGE, "1: may have transparent huge pages") \
	FIELD(2823, threads, "Threads", COUNT, GAUGE, "threads")                                          \
	FIELD(2824, no_new_privs, "NoNewPrivs", COUNT, GAUGE, "1: execve gains no privilege")             \
	FIELD(2825, seccomp, "Seccomp", COUNT, GAUGE, "0: none, 1: strict, 2: filters")                   \
	FIELD(2826, seccomp_filters, "Seccomp_filters", COUNT, GAUGE, "filters on system calls")          \
	FIELD(2827, voluntary_switches, "voluntary_ctxt_switches", COUNT, COUNTER, "gave the CPU up")     \
	FIELD(2828, involuntary_switches, "nonvoluntary_ctxt_switches", COUNT, COUNTER, "the CPU was taken")

/* Bit i is signal i + 1, or capability i. */
struct process_masks {
	uint64_t pending, shared_pending, blocked, ignored, caught;
	uint64_t inheritable, permitted, effective, bounding, ambient;
};

#define PROCESS_GROUPS 64

struct process_status {
	enum presence presence;
	PROCESS_STATUS_FIELDS(FIELD_MEMBER)
	char name[64]; /* newlines and backslashes are escaped by the kernel */
	char state;
	reading umask;
	reading uid[4], gid[4]; /* real, effective, saved, filesystem */
	uint32_t groups[PROCESS_GROUPS];
	size_t ngroups;		/* all of them; the array has the first */
	reading signals_queued, signals_limit; /* of the user */
	reading inner_pid;	/* in its own pid namespace */
	unsigned pid_namespaces; /* 1: it lives in ours; 0: not known */
	bool has_masks;
	struct process_masks masks;
	char cpus_allowed[192], nodes_allowed[96]; /* "0-3,8" */
};

extern const struct field process_status_fields[];
extern const size_t process_status_nfields;

/* Pure. */
void process_status_parse(struct span text, struct process_status *ret);
void process_status_missing(reading why, struct process_status *ret);

/* "HUP", "RTMIN+3"; into `ret` of at least 16 bytes. Signals 1 to 64. */
void signal_name(unsigned number, char *ret, size_t size);
/* "net_admin"; NULL beyond those known. */
const char *capability_name(unsigned number);
#define CAPABILITIES_KNOWN 41

#endif
