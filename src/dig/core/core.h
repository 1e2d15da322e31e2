/* An ELF core of a process that goes on living.
 *
 * Three ways; the first that can be had is taken, unless one is asked for:
 *
 * pre-copy (6.7): one thread makes userfaultfd() for us, its memory is copied while it runs, pass after pass
 * those pages that were written meanwhile, until they grow no fewer; then all threads stop, and only the last
 * written pages are copied. Pause: ~1 ms, and 1 us for each page written during the last pass (about 3 ms at
 * 2 GiB with few writes).
 * fork: all threads stop, one makes a copy of the process, from which memory is then read. Pause: the copy of
 * the page tables (15-60 ms a GiB); afterwards the first write to each page costs the target a page copy.
 * plain: all threads stop for as long as the copy takes (0.5-1 s a GiB), as with gdb's gcore.
 *
 * With each of them the core shows one moment, the stop. Shared memory can be written by others, whom nobody
 * stops; it is copied during the stop, whole.
 *
 * While the target stands, osprey and its guardian run ahead of ordinary tasks (base/urgent.h); its threads
 * have to reach their stop themselves, so on a host with a long run queue the pause is longer.
 *
 * Reads /proc/PID; needs what ptrace needs: the same user and a dumpable target, or CAP_SYS_PTRACE. Where the
 * target has a seccomp filter the first two need CAP_SYS_ADMIN as well. 64-bit processes. Overhead in osprey:
 * a buffer of at most 256 MiB, 8 MiB for fork and plain. What happens when osprey is killed:
 * dig/core/core_guard.h. */
#ifndef OSPREY_DIG_CORE_CORE_H
#define OSPREY_DIG_CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/note.h"

enum core_method { CORE_METHOD_AUTO, CORE_METHOD_PRECOPY, CORE_METHOD_FORK, CORE_METHOD_PLAIN };
const char *core_method_name(enum core_method m);

struct core_progress {
	enum core_method method;
	const char *step;    /* "copying", "stopped", "compressing"… */
	unsigned pass;	     /* of pre-copy, from 1; 0: has none */
	uint64_t done_bytes, all_bytes; /* of this step; all is a guess */
	uint64_t dirty_pages; /* written during the pass before */
};

struct core_wish {
	int pid;
	const char *path; /* "-": standard output */
	bool replace, compress;
	int level; /* of zstd; 0: default */
	enum core_method method;
	bool filter_given;
	unsigned filter; /* in place of the process's own coredump_filter */
	const volatile int *interrupted;
	void (*progress)(void *arg, const struct core_progress *now); /* nullable */
	void *progress_arg;
};

enum core_pause_kind { CORE_PAUSE_TRACK, CORE_PAUSE_ALL, CORE_PAUSE_REAP, CORE_PAUSES };

#define CORE_WHY_MAX 200

struct core_result {
	int pid;
	char name[16];
	enum core_method method;
	char why_not[CORE_METHOD_PLAIN + 1][CORE_WHY_MAX]; /* of ways that were tried or could not be; "" */
	uint32_t threads, restarted; /* calls that start again in place of an EINTR */
	uint64_t pause_ns[CORE_PAUSES]; /* of one thread, of all, of one; 0: there was none */
	unsigned passes;
	uint64_t dirty_pages;	 /* copied in the stop of pre-copy */
	uint64_t resident_bytes; /* of what was to be dumped, when it began */
	uint64_t copied_bytes, stopped_bytes; /* in all; of these while all threads stood */
	uint64_t unreadable_bytes;
	uint64_t file_bytes, disk_bytes;
	uint64_t segments, wall_ns;
};

/* 0; -EINTR: interrupted; -ESRCH, -ESTALE (ended, executed another program meanwhile); -EPERM, -EACCES;
 * -EBUSY (a thread in uninterruptible sleep); -ENOSPC, -EEXIST…; the reason is in `note`. On failure nothing
 * is left: no file, no stopped thread, no write protection, no child. *ret is filled on failure too, as far
 * as it went. */
int core_dump(const struct core_wish *wish, struct core_result *ret, struct note *note)
	__attribute__((warn_unused_result));

#endif
