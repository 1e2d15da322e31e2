/* The memory of another process, or of a core file, and the files that are mapped there. */
#ifndef TYPES_TARGET_H
#define TYPES_TARGET_H

#include <stddef.h>
#include <stdint.h>

struct target_mapping {
	uint64_t start, end, offset;
	const char *path;
};

struct target_segment {
	uint64_t start, bytes, offset;	/* of a core: where in the file */
};

struct target {
	int pid;			/* 0: a core */
	int core;			/* its descriptor */
	struct target_mapping *mappings;
	size_t nmappings;
	struct target_segment *segments;
	size_t nsegments;
};

/* Both end the program with a message if it cannot be read. Processes: as the caller may ptrace. */
void target_process(int pid, struct target *ret);
void target_core(const char *path, struct target *ret);

/* 0, -EFAULT. What a core leaves out of mapped files is read from these, if they are there. As an
 * rt_reader. */
int target_read(void *target, uint64_t address, void *ret, size_t bytes);

#endif
