/* What the memory of one process is made of: its mappings by kind, and the files that are mapped.
 *
 * Reads /proc/PID/smaps (2.6.14), or smaps_rollup (4.14) with maps where smaps does not answer in
 * time, or maps alone. Privilege: the same user or CAP_SYS_PTRACE. Never stops the process, but the kernel
 * holds its mmap_lock for reading while it walks page tables: ~4 ms a GiB of 4 KiB pages, in
 * pieces; a process that holds the lock itself makes it wait: hence bounded. Format:
 * proc_pid_smaps(5). PSS: each page divided by the number of processes that map it. */
#ifndef OSPREY_SOURCE_PROCESS_PROCESS_MEMORY_H
#define OSPREY_SOURCE_PROCESS_PROCESS_MEMORY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/reading.h"
#include "base/span.h"
#include "base/vec.h"
#include "source/process/proc_dir.h"

enum memory_kind {
	MEMORY_TEXT,	  /* executable pages of files */
	MEMORY_FILE,	  /* other pages of files */
	MEMORY_HEAP,	  /* what brk gave */
	MEMORY_STACK,	  /* of the first thread; those of others are anonymous */
	MEMORY_ANONYMOUS, /* what mmap gave: large allocations, arenas, thread stacks */
	MEMORY_SHARED,	  /* shared memory: /dev/shm, memfd, System V */
	MEMORY_DEVICE,	  /* of drivers */
	MEMORY_KERNEL,	  /* vdso, vvar: given by the kernel */
	MEMORY_KINDS,
};

struct memory_part {
	reading mappings, size_bytes, resident_bytes, proportional_bytes;
	reading private_dirty_bytes, swap_bytes, locked_bytes, huge_bytes;
};

struct memory_file {
	size_t path_at, path_n; /* in process_memory.paths */
	struct memory_part part;
	bool executable, deleted;
};

/* One mapping; its name as the kernel has it: a path, "[heap]", "[anon:NAME]"; "": none. */
struct memory_mapping {
	uint64_t start, end;
	enum memory_kind kind;
	size_t name_at, name_n; /* in process_memory.paths */
	struct memory_part part;
};

enum memory_source { MEMORY_FROM_SMAPS, MEMORY_FROM_ROLLUP, MEMORY_FROM_MAPS };

struct process_memory {
	int error; /* 0, or why there is none */
	enum memory_source source;
	struct memory_part kind[MEMORY_KINDS];
	struct memory_part total;
	VEC(struct memory_file) files; /* largest resident first; all of them */
	bool each; /* set by the caller: fill `mappings` too, ~100 bytes each */
	VEC(struct memory_mapping) mappings; /* by address; figures are absent where smaps was not read */
	struct buf paths;
	struct map seen; /* while parsing */
};

void process_memory_deinit(struct process_memory *m);
struct span memory_file_path(const struct process_memory *m, const struct memory_file *f);
struct span memory_mapping_name(const struct process_memory *m, const struct memory_mapping *at);

/* smaps or maps: pure. Refills *ret. 0, -EBADMSG (no mapping in it), -ENOMEM. */
int process_memory_parse(struct span text, struct process_memory *ret) __attribute__((warn_unused_result));
/* smaps_rollup. */
void memory_rollup_parse(struct span text, struct memory_part *ret);
const char *memory_kind_name(enum memory_kind kind);	/* "heap" */
const char *memory_kind_meaning(enum memory_kind kind); /* "what brk gave: small allocations" */

/* Failure is told by ret->error, but for -ENOMEM. A process without memory (kernel
 * thread, zombie) has 0 mappings. */
int process_memory_read(struct proc_dir *d, struct buf *scratch, unsigned timeout_ms, struct process_memory *ret)
	__attribute__((warn_unused_result));

#endif
