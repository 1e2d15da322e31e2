/* Command lines of many processes at once.
 *
 * Reading /proc/PID/cmdline takes the process's mmap_lock and its pages: it can wait for as long as
 * that process holds the lock (a task in D state, memory that comes from a dead server). So a few threads
 * read, and one that stands still at a process is left behind and replaced.
 *
 * Cost: three system calls a process, ~8 us, on as many CPUs as there are, at most
 * COMMAND_LINES_THREADS. Needs: nothing; /proc/PID/cmdline is readable for all unless hidepid hides
 * it. A captured host, and one being captured, is asked one by one. */
#ifndef OSPREY_SOURCE_PROCESS_COMMAND_LINES_H
#define OSPREY_SOURCE_PROCESS_COMMAND_LINES_H

#include "kernel/host.h"

#define COMMAND_LINES_THREADS 4
/* How long one process may keep its reader; and how many readers may be left behind. */
#define COMMAND_LINES_PATIENCE_MS 200
#define COMMAND_LINES_LEFT_BEHIND 4

struct command_line {
	int32_t pid;
	/* Arguments, NUL behind each, as the process shows them; within *ret_text. NULL: none could be
	 * had; n 0: it has none (kernel threads, zombies). */
	struct span arguments;
};

/* Fills `arguments` of all; what they point into is appended to *ret_text, and good until that changes.
 * Never hangs. 0 or -ENOMEM. */
int command_lines_read(struct host *h, struct command_line *lines, size_t n, struct buf *ret_text)
	__attribute__((warn_unused_result));

#endif
