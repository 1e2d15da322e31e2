/* Files that user probes go into: found by path or by name, and the functions in them.
 *
 * With a process, paths are seen as it sees them (/proc/PID/root, another mount namespace too), and a name is that of a
 * file it has mapped ("libc" is libc.so.6, libc-2.31.so). Without one a name is looked up as the dynamic loader
 * (/etc/ld.so.cache) and then the shell ($PATH) would. Privilege: reading the file; for a process ptrace access. */
#ifndef OSPREY_DIG_PROBE_USER_FILE_H
#define OSPREY_DIG_PROBE_USER_FILE_H

#include "base/note.h"
#include "dig/image/elf_image.h"

/* pid 0: none. 0 and the path to open; -ENOENT, -ESRCH, -EACCES with the note. */
int user_file_find(struct span given, int pid, char *ret, size_t size, struct note *note)
	__attribute__((warn_unused_result));
/* Pure. The library whose name, up to ".so", is `name` (or all of it). False: the cache has none. */
bool loader_cache_find(struct span cache, struct span name, char *ret, size_t size);

/* Functions of .symtab and .dynsym whose names match; `offset` is the place in the file. A nonzero answer ends it and is
 * returned. -ENOENT: the file has no symbols at all. */
int user_functions_each(struct elf_image *e, struct span pattern,
			int (*each)(void *arg, const char *name, uint64_t offset), void *arg)
	__attribute__((warn_unused_result));
/* Any symbol's address. */
bool user_symbol_find(struct elf_image *e, struct span name, uint64_t *ret_address);
/* Where an address of the file lies in it. -ENOENT: in no segment. */
int user_offset_of(const struct elf_image *e, uint64_t address, uint64_t *ret) __attribute__((warn_unused_result));

#endif
