/* `osprey memory --pid PID --leaks`: what a process allocates and does not give back. */
#ifndef OSPREY_CMD_MEMORY_LEAKS_H
#define OSPREY_CMD_MEMORY_LEAKS_H

#include "cmd/command.h"
#include "cmd/view.h"

/* Of the command's table, behind --pid, which is the first of its own. */
enum { MEMORY_LEAKS = VIEW_OWN + 1, MEMORY_LEAKS_FOR, MEMORY_LEAKS_OLDER, MEMORY_LEAKS_END };

#define MEMORY_LEAKS_OPTIONS                                                                                \
	[MEMORY_LEAKS] = { "leaks", 'l', OPTION_FLAG, NULL,                                                 \
			   "with --pid: who allocates and does not free, by sampled stacks "                \
			   "(docs/leaks-json.md)" },                                                        \
	[MEMORY_LEAKS_FOR] = { "for", 0, OPTION_DURATION, "DURATION",                                       \
			       "with --leaks: watch so long (default: 30s)", 100 * NS_PER_MS,               \
			       86400 * NS_PER_S },                                                          \
	[MEMORY_LEAKS_OLDER] = { "older", 0, OPTION_DURATION, "DURATION",                                   \
				 "with --leaks: what is held for longer is put first (default: "            \
				 "half of --for)", NS_PER_MS, 86400 * NS_PER_S }

#define MEMORY_LEAKS_HELP                                                                                   \
	"With --pid PID --leaks: every call of the process's allocator (glibc, musl, jemalloc, "            \
	"tcmalloc; malloc and operator new) is counted by probes, and a share of them sampled by "          \
	"bytes with their stacks. What is still live at the end is told by place, what is older than "      \
	"--older first, as estimates with their error; where it allocates less than some 1000 times "       \
	"a second they are exact. Nothing is stopped, but each call traps into the kernel (1 us, in "       \
	"virtual machines up to 15 us): a process that allocates a million times a second becomes "         \
	"several times slower for that time. Needs root, Linux 5.8; 6.13 costs half."

/* What a command returns. */
int memory_leaks_run(const struct arguments *args, int pid);

#endif
