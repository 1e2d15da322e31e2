/* A list of commands, some of them at once, each kept as run_program keeps one.
 *
 * Commands are lines read from a descriptor as they come; each goes to /bin/sh -c. Blank lines and
 * lines whose first sign is # are passed over; a line that ends without newline counts. Their stdin
 * is /dev/null; what they write goes to files without a name (in TMPDIR, else /tmp, else in memory). */
#ifndef OSPREY_ACT_RUN_POOL_H
#define OSPREY_ACT_RUN_POOL_H

#include "act/run.h"
#include "base/buf.h"

struct run_pool_job {
	size_t number; /* from 1, in the order of the list */
	const char *command;
	const struct run_result *result;
	int out, err; /* what it wrote, to be read from the start; equal when both are one */
};

struct run_pool_state {
	size_t running, done, failed;
	bool list_ended; /* there are no more than these */
};

struct run_pool {
	const struct run_spec *spec; /* argv, in, out, err are set for each */
	unsigned at_once;
	bool fail_fast; /* the first failure ends the others, and no more are started */
	bool one_output; /* stdout and stderr of osprey are the same place: keep their order */
	int list;
	void *arg;
	/* Below 0: stop starting, end those that run; a failure (RUN_FAILED) in time. */
	int (*ended)(void *arg, const struct run_pool_job *job);
	void (*changed)(void *arg, const struct run_pool_state *state); /* nullable */
};

/* Until all have ended. *ret_exit_code: of the first failure in time, 0 when there was none. *ret_interrupted:
 * the signal that ended it early, or 0. The first such signal lets those that run go on (they have it
 * too); the second ends them. 0, or -errno when the list could not be read or nothing be started. */
int run_pool_run(const struct run_pool *pool, int *ret_exit_code, int *ret_interrupted, struct note *note)
	__attribute__((warn_unused_result));

/* Takes the next command off the front of `list`. False: there is no whole line; `last`: what is
 * there is all. Pure. */
bool run_pool_next(struct span *list, bool last, struct span *ret);

#endif
