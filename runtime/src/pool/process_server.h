/* The fork server, and what it and the processes that it makes are told. */
#ifndef RT_PROCESS_SERVER_H
#define RT_PROCESS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "osprey/rt/processes.h"

struct process_limits {
	uint64_t memory_bytes;
	uint32_t cpu_s;
};

/* What a process is sent over its stream socket: this, the name (or the words of a command, each with its
 * zero), the input. */
struct process_request {
	uint32_t is_command;
	uint32_t name_bytes;
	uint64_t input_bytes;
	uint64_t room;
};

/* And what it answers, the output behind. */
struct process_reply {
	int32_t error;		/* it did not come to a result: -errno */
	int32_t result;
	uint64_t output_bytes;
};

rt_process_function *process_function(const char *name);

/* In the client. Both block for the time of a fork, or of an exit; any thread. */
bool process_server_lives(void);
int process_server_spawn(const struct process_limits *limits, int *ret_fd, pid_t *ret_pid);
/* Kills it, if it has not ended, and takes its status. */
int process_server_end(pid_t pid, int *ret_status);

/* The life of a process that the server has made: answers requests until its socket ends. */
_Noreturn void process_serve(int fd, const struct process_limits *limits);

/* Both ways to the end: 0, or -EPIPE when the other side has ended. */
int process_read(int fd, void *to, size_t n);
int process_write(int fd, const void *from, size_t n);

#endif
