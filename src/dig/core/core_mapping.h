/* The mappings of a process as a core sees them: what they are, and how much of each belongs into it.
 *
 * /proc/PID/smaps (flags and what is resident; since 3.8, walks the page tables, ~10 ms a resident GiB of small
 * pages, under the target's mmap_lock for reading) or /proc/PID/maps (the layout alone, ~1 us a mapping). The same
 * user or CAP_SYS_PTRACE. Format: proc_pid_smaps(5). Numbers are bytes. */
#ifndef OSPREY_DIG_CORE_CORE_MAPPING_H
#define OSPREY_DIG_CORE_CORE_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

enum {
	CORE_READ = 1 << 0,
	CORE_WRITE = 1 << 1,
	CORE_EXECUTE = 1 << 2,
	CORE_SHARED = 1 << 3,
	/* From smaps alone, as VmFlags says them. */
	CORE_DONT_DUMP = 1 << 4, /* dd: MADV_DONTDUMP */
	CORE_IO = 1 << 5,	 /* io, pf: devices */
	CORE_HUGETLB = 1 << 6,	 /* ht */
	CORE_NOT_FORKED = 1 << 7, /* dc, wf: a forked child lacks it, or has it zeroed */
	CORE_TRACKED = 1 << 8,	 /* uw: registered for write protection */
	CORE_MAY_BE_DAX = 1 << 9, /* hg, sf, mm: flags that mappings of DAX files carry */
	CORE_DAX = 1 << 10,	 /* set by core_map_read, which asks for the file's attributes */
	CORE_DELETED = 1 << 11,	 /* its file has no name any more, or never had one */
	CORE_FLAGS_UNKNOWN = 1 << 12, /* from maps: the flags above were not read */
	CORE_OWN_PAGES = 1 << 13, /* private pages of its own: Anonymous or Swap above 0 */
};
#define CORE_ACCESS 15u

struct core_mapping {
	uint64_t start, end; /* end is the first byte behind it */
	uint64_t offset, inode;
	uint32_t device_major, device_minor;
	unsigned flags;
	uint64_t resident, swapped;
	const char *name; /* of the map; without " (deleted)"; "": none */
};

struct core_map {
	VEC(struct core_mapping) mapping; /* by address, none overlaps another */
	struct buf names;
};

void core_map_deinit(struct core_map *m);
/* Text of maps or smaps. -EBADMSG: it is neither, or not in order; -ENOMEM. *ret is replaced on success. Pure. */
int core_map_parse(struct span text, struct core_map *ret) __attribute__((warn_unused_result));
/* smaps, `deep` (waits 5 s at most, then -ETIMEDOUT), or maps (not bounded: it is read while the target stands
 * still). -ESRCH, -EACCES, -ETIMEDOUT, -ENOMEM. An empty map (kernel thread, zombie) is 0. */
int core_map_read(int pid, bool deep, struct core_map *ret) __attribute__((warn_unused_result));
/* Flags of `known`, for the mappings of `m` that were there already, alike or smaller. */
void core_map_inherit(struct core_map *m, const struct core_map *known);
/* NULL: none covers the address. */
const struct core_mapping *core_map_find(const struct core_map *m, uint64_t address);

/* ---- what belongs into the core ---- */

/* Bits of /proc/PID/coredump_filter, core(5). */
enum {
	CORE_FILTER_ANON_PRIVATE = 1 << 0,
	CORE_FILTER_ANON_SHARED = 1 << 1,
	CORE_FILTER_FILE_PRIVATE = 1 << 2,
	CORE_FILTER_FILE_SHARED = 1 << 3,
	CORE_FILTER_ELF_HEADERS = 1 << 4,
	CORE_FILTER_HUGETLB_PRIVATE = 1 << 5,
	CORE_FILTER_HUGETLB_SHARED = 1 << 6,
	CORE_FILTER_DAX_PRIVATE = 1 << 7,
	CORE_FILTER_DAX_SHARED = 1 << 8,
};
#define CORE_FILTER_DEFAULT 0x33u

enum core_part {
	CORE_PART_NONE,
	CORE_PART_HEADER,    /* the first page, when it begins as an ELF file */
	CORE_PART_WHOLE,
};
/* As the kernel's own dump decides (vma_dump_size in fs/coredump.c). A private file mapping whose flags are unknown
 * counts as changed when it is not executable. */
enum core_part core_mapping_part(const struct core_mapping *m, unsigned filter);
/* Whether it is a segment even without bytes: files of which the debugger has a copy. */
bool core_mapping_listed(const struct core_mapping *m);
/* Whether its absent pages read as zero: private and of no file. */
bool core_mapping_is_anonymous(const struct core_mapping *m);
/* A file that notes name. */
bool core_mapping_has_file(const struct core_mapping *m);

#endif
