/* The parts of `osprey run`. Internal to cmd/run*.c. */
#ifndef OSPREY_CMD_RUN_H
#define OSPREY_CMD_RUN_H

#include "act/run.h"
#include "cmd/command.h"
#include "report/run.h"

enum run_option {
	RUN_TIMEOUT, RUN_CPU_TIMEOUT_OPTION, RUN_GRACE, RUN_SIGNAL, RUN_LEFTOVER,
	RUN_LIMIT, RUN_NICE, RUN_POLICY, RUN_CPUS, RUN_IO,
	RUN_CPU_LIMIT, RUN_MEMORY_LIMIT, RUN_MEMORY_HIGH, RUN_SWAP_LIMIT, RUN_PIDS_LIMIT, RUN_IO_LIMIT, RUN_CGROUP,
	RUN_ENV, RUN_CLEAR_ENV, RUN_DIRECTORY, RUN_USER,
	RUN_REPEAT, RUN_JOBS, RUN_FAIL_FAST, RUN_JOB_OUTPUT,
	RUN_OUTPUT, RUN_JSON, RUN_QUIET, RUN_NO_COLOR,
};

/* What the options say; `words` and `identity` are pointed to by `spec`. */
struct run_request {
	struct run_spec spec;
	struct identity identity;
	char **words;	    /* behind one free place */
	char **environment;
};

/* 0; -EINVAL: the note says what is wrong with the arguments; -ENOMEM. */
int run_request_init(const struct arguments *args, struct run_request *ret, struct note *note)
	__attribute__((warn_unused_result));
void run_request_deinit(struct run_request *r);

/* "8:0:rbps=1M,wiops=100", "/dev/sda:wbps=max", "/var/lib:rbps=1M" (the disk it lies on). */
int run_io_limit_parse(const char *text, struct run_io_limit *ret, struct note *note)
	__attribute__((warn_unused_result));
/* "0.5" CPUs as a quota. Pure. */
int run_cpu_limit_parse(const char *text, uint64_t *ret_quota_us, struct note *note)
	__attribute__((warn_unused_result));

/* --jobs: the list on stdin. What main returns; *ret_signal is left alone unless osprey shall die of a signal. */
int run_jobs(const struct arguments *args, struct run_request *request, int output, int *ret_signal);
/* Writes the report where the options say. `code`, or EXIT_UNABLE… as RUN_FAILED when it cannot. */
int run_tell(const struct arguments *args, const struct run_report *report, int output, int code);

#endif
