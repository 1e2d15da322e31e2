/* The mappings of a process: /proc/PID/maps, parsed.
 *
 * Takes the target's mmap_lock for reading (waits 2 s at most, then -ETIMEDOUT). Privilege: the same user or
 * CAP_SYS_PTRACE. Cost: ~50 us and 1 us a mapping. Format: proc_pid_maps(5). Since: 2.6. */
#ifndef OSPREY_DIG_IMAGE_MEMORY_MAP_H
#define OSPREY_DIG_IMAGE_MEMORY_MAP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/vec.h"

enum { MAPPING_READ = 1, MAPPING_WRITE = 2, MAPPING_EXECUTE = 4, MAPPING_SHARED = 8 };

struct mapping {
	uint64_t start, end; /* end is the first byte behind it */
	uint64_t offset;     /* in the file, bytes */
	uint64_t inode;	     /* 0: no file */
	uint32_t device_major, device_minor;
	uint8_t flags; /* MAPPING_… */
	bool deleted;  /* " (deleted)" stood behind the name, and was cut off */
	/* The path, "[heap]", "[vdso]", "[anon:NAME]"…; "": none. \012 is a newline again. In `names` of the map. */
	const char *name;
};

struct memory_map {
	VEC(struct mapping) mapping; /* by address, none overlaps another */
	struct buf names;
};

void memory_map_deinit(struct memory_map *m);
/* Pure. -EBADMSG: a line is none of maps, or they are not in order; -ENOMEM. *ret is replaced on success. */
int memory_map_parse(struct span text, struct memory_map *ret) __attribute__((warn_unused_result));
/* Of a live process. -ESRCH, -EACCES, -ETIMEDOUT (500 ms). An empty map (kernel thread, zombie) is 0. */
int memory_map_read(int pid, struct memory_map *ret) __attribute__((warn_unused_result));
/* The mapping that covers the address; NULL: none. Binary search. */
const struct mapping *memory_map_find(const struct memory_map *m, uint64_t address);

#endif
