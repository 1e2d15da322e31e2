/* The notes of a core, in the order in which gdb and the kernel write them: PRPSINFO, then of each thread PRSTATUS,
 * FPREGSET, X86_XSTATE and SIGINFO (the main thread first), then AUXV and FILE. Structures: linux/elfcore.h; NT_FILE:
 * fill_files_note in fs/binfmt_elf.c. Thread ids are as this pid namespace calls them, as in a core of gdb's. */
#ifndef OSPREY_DIG_CORE_CORE_NOTES_H
#define OSPREY_DIG_CORE_CORE_NOTES_H

#include "dig/core/core_mapping.h"
#include "dig/core/core_process.h"
#include "dig/core/core_trace.h"

/* Appends. Pure. -ENOMEM, -ERANGE (more than 4 GiB of names). */
int core_notes(const struct core_process *p, const struct core_shared *threads, const struct core_map *map,
	       struct buf *ret) __attribute__((warn_unused_result));
/* About so many bytes will it be. */
uint64_t core_notes_guess(uint32_t threads, const struct core_map *map);

#endif
