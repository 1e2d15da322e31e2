/* `osprey memory --pid`: one process in place of the host. */
#ifndef OSPREY_CMD_MEMORY_PROCESS_H
#define OSPREY_CMD_MEMORY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* One look, or two that are interval_ns apart (0: one). What a command returns. */
int memory_of_process(int pid, uint64_t interval_ns, bool json, bool no_color);

#endif
