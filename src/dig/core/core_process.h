/* What a core tells of the process itself: from /proc/PID/status, stat, cmdline, auxv and exe. */
#ifndef OSPREY_DIG_CORE_CORE_PROCESS_H
#define OSPREY_DIG_CORE_CORE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/note.h"

struct core_process {
	int pid, parent, group, session;
	uid_t uid;
	gid_t gid;
	char state;
	int nice;
	uint64_t flags;
	uint64_t start_ticks;
	uint32_t threads;
	int tracer;	/* 0: none */
	int seccomp;	/* mode of the main thread */
	bool kernel_thread;
	uint16_t machine; /* of its program, EM_…; 0: could not be read */
	bool is_32_bit;
	uint32_t filter; /* coredump_filter */
	char name[16], tracer_name[16];
	char arguments[80]; /* joined by blanks, cut */
	struct buf auxv;
};

void core_process_deinit(struct core_process *p);
/* `pid` may be one of its other threads. -ESRCH; -EACCES: auxv is not ours to read, with what is needed in `note`. */
int core_process_read(int pid, struct core_process *ret, struct note *note) __attribute__((warn_unused_result));
/* Whether it is the same program still: -ESRCH when it ended, -ESTALE when it executed another. ~30 us. */
int core_process_same(const struct core_process *p) __attribute__((warn_unused_result));

#endif
