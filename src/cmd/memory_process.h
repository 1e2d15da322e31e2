/* `osprey memory --pid`: one process in place of the host. */
#ifndef OSPREY_CMD_MEMORY_PROCESS_H
#define OSPREY_CMD_MEMORY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct memory_process_wish {
	uint64_t interval_ns; /* two looks, so far apart; 0: one */
	bool json, no_color;
};

/* What a command returns. */
int memory_of_process(int pid, const struct memory_process_wish *wish);

#endif
