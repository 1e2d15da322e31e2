/* Unwind tables on disk, by build-id: $OSPREY_CACHE_DIR/unwind ("": no cache); else of root /var/cache/osprey/unwind,
 * of others $XDG_CACHE_HOME/osprey/unwind or ~/.cache/osprey/unwind.
 *
 * A file is a header (format, build-id, what is told of the frame sections by the file's headers, sizes, checksum) and
 * the arrays of struct unwind_table as they are. It is written under another name and renamed, so that
 * readers see it whole. It is read, not mapped: the checksum touches every byte anyway, and a file that is
 * cut meanwhile is then an error, not a SIGBUS. A damaged or foreign one (not owned by us or root, or
 * writable by others; so for the directory) is passed over, and replaced by the next store. Only tables of
 * files that root or we own are kept: others could claim the build-id of libc. The least recently used go
 * when all together pass UNWIND_CACHE_BYTES. Read-only or full disks
 * mean: no cache, no complaint. Privilege: none. Cost: ~0.1 ms for libc's 30 000 rows. */
#ifndef OSPREY_DIG_UNWIND_UNWIND_CACHE_H
#define OSPREY_DIG_UNWIND_UNWIND_CACHE_H

#include "dig/unwind/unwind_table.h"

#define UNWIND_CACHE_BYTES (256ull << 20)

/* -ENOENT: not there, or not to be trusted; -ENOMEM. */
int unwind_cache_load(const struct elf_image *e, struct unwind_table **ret) __attribute__((warn_unused_result));
/* 0, or -errno when it could not be kept. */
int unwind_cache_store(const struct elf_image *e, const struct unwind_table *t) __attribute__((warn_unused_result));

/* Pure: the bytes of a cache file, which need not be trusted. -ENOENT: damaged, or of another ELF file. */
int unwind_cache_parse(struct span bytes, const struct elf_image *e, struct unwind_table **ret)
	__attribute__((warn_unused_result));
/* Removes the least recently used until `limit` bytes are left. */
int unwind_cache_trim(int directory_fd, uint64_t limit) __attribute__((warn_unused_result));
/* The directory, made when it is not there; an fd for the caller, or -errno. */
int unwind_cache_open(void) __attribute__((warn_unused_result));

#endif
