/* osprey trace: the options, and its two ways: a line for each call, or a table at the end. */
#ifndef OSPREY_CMD_TRACE_H
#define OSPREY_CMD_TRACE_H

#include "cmd/command.h"
#include "dig/trace/trace_source.h"
#include "dig/trace/trace_stacks.h"

enum {
	TRACE_CALLS_OPTION,
	TRACE_ERRNO,
	TRACE_SLOWER,
	TRACE_PATH,
	TRACE_FD,
	TRACE_SUMMARY,
	TRACE_BY,
	TRACE_HISTOGRAM,
	TRACE_SIZE,
	TRACE_FD_PATHS,
	TRACE_STACK,
	TRACE_TIME,
	TRACE_LIMIT,
	TRACE_FOR,
	TRACE_NO_FOLLOW,
	TRACE_PTRACE,
	TRACE_BUFFER,
	TRACE_OUTPUT,
	TRACE_JSON,
	TRACE_NO_COLOR,
};

/* Both return an exit code. `fd`: where the answer goes. */
int trace_stream(const struct arguments *args, struct trace_request *q, int fd);
int trace_summarize(const struct arguments *args, struct trace_request *q, int fd);

/* As the command ended (a wait status; -1: there was none): its code; of its signal osprey dies too. */
int trace_exit_code(int status);

#endif
