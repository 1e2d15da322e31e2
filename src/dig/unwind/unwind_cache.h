/* Unwind tables on disk, by build-id: $XDG_CACHE_HOME/osprey/unwind/, else ~/.cache (root: /var/cache/osprey/unwind).
 *
 * A file is written under another name and renamed; it carries the format's version, the build-id, sizes and a
 * checksum, and is checked before use: a damaged or foreign one (not owned by us or root, or writable by others) is
 * passed over and replaced. The least recently used go when all together pass UNWIND_CACHE_BYTES. Read-only or full
 * disks mean: no cache, no complaint. OSPREY_CACHE_DIR names another place, "" none. */
#ifndef OSPREY_DIG_UNWIND_UNWIND_CACHE_H
#define OSPREY_DIG_UNWIND_UNWIND_CACHE_H

#include "dig/unwind/unwind_table.h"

#define UNWIND_CACHE_BYTES (256ull << 20)

/* -ENOENT: not there, or not to be trusted. */
int unwind_cache_load(const struct elf_image *e, struct unwind_table **ret) __attribute__((warn_unused_result));
/* 0, or -errno when it could not be kept. */
int unwind_cache_store(const struct elf_image *e, const struct unwind_table *t) __attribute__((warn_unused_result));

#endif
