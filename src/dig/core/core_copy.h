/* Memory of a process into the core: read in batches into a buffer, from there into the file.
 *
 * process_vm_readv (3.2), many ranges in a call; it copies at most 0x7ffff000 bytes and ends early at the first page it
 * cannot have, so each call asks for less than that, and goes on behind such a page. Mappings without read permission
 * are read by /proc/PID/mem, as a debugger is let. Pages that cannot be read at all (a file that was cut, poisoned
 * memory) stay holes and are counted.
 *
 * While the target runs, a window of the buffer is filled and written over and over: memory is read once, and
 * goes into the file while it is in the CPU's cache. While the target stands, ranges are only read;
 * core_copy_flush writes when it goes on again. Only when the buffer is full is it written earlier. */
#ifndef OSPREY_DIG_CORE_CORE_COPY_H
#define OSPREY_DIG_CORE_CORE_COPY_H

#include <sys/uio.h>

#include "base/vec.h"
#include "dig/core/core_file.h"

#define CORE_COPY_BATCH 1024	/* as many as the kernel takes */
#define CORE_COPY_WINDOW (1 << 20) /* small enough to be written from the CPU's cache */

struct core_piece {
	uint64_t address;
	size_t at, n; /* in the buffer */
	bool fresh;
};

struct core_copier {
	int pid;
	int memory; /* /proc/PID/mem; -1: not to be had */
	struct core_file *file;
	char *buffer;
	size_t size, used;
	size_t limit; /* of what is used before it is written; at most `size` */
	VEC(struct core_piece) piece;
	struct iovec ahead[CORE_COPY_BATCH]; /* to be read in the next call */
	size_t nahead, ahead_bytes;
	bool ahead_fresh;
	uint64_t copied_bytes, unreadable_bytes;
	/* Called a few times a second while much is copied; below 0 ends it. */
	int (*beat)(void *arg);
	void *arg;
};

/* `size`: of the buffer, bytes; its pages are made now. -ENOMEM. */
int core_copier_init(struct core_copier *c, struct core_file *file, size_t size) __attribute__((warn_unused_result));
void core_copier_deinit(struct core_copier *c);
/* Whose memory: the target's, or its copy's. Nothing may be waiting to be read. */
int core_copier_from(struct core_copier *c, int pid) __attribute__((warn_unused_result));

/* Whole pages. `fresh`: they were never written to the file. `forced`: the mapping is not readable. -ESRCH: the process
 * is gone; -errno of the file; what `beat` returned. */
int core_copy(struct core_copier *c, uint64_t start, uint64_t end, bool fresh, bool forced)
	__attribute__((warn_unused_result));
/* Reads what was only noted; to be called before the target goes on. */
int core_copy_read(struct core_copier *c) __attribute__((warn_unused_result));
int core_copy_flush(struct core_copier *c) __attribute__((warn_unused_result));
/* From now on it is written whenever so much has been read; SIZE_MAX: when the buffer is full. */
void core_copy_limit(struct core_copier *c, size_t bytes);

#endif
