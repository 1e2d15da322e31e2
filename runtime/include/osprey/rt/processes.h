/* A pool of processes: functions and commands that may crash, leak or run away without harm to this process.
 *
 * The processes are made by a fork server: a copy of the program that rt_processes_prepare leaves behind
 * while the program has one thread only. A fork of a program with threads may do nothing but exec, since
 * locks of the others stay held for ever; a program that starts itself anew by exec has to find its way to
 * the server again through its own start-up code, and may have been replaced on disk. The price is that
 * functions are known by name, and registered before.
 *
 * The server is nobody's child but init's (or the subreaper's), has a session of its own, no descriptors but
 * 0 (from /dev/null), 1 and 2, and default signal handlers; it ends with this process, and so do the
 * processes that it has made. (A process forked from this one without exec holds a copy of the socket to the
 * server, and keeps it alive.) Each process has a process group of its own, which is killed as a whole.
 * Nothing of it is ever a child of this process: wait(2) does not find them.
 *
 * Calls: from fibers, which are parked meanwhile, and from plain threads. Errors that are not the function's
 * own: below. */
#ifndef OSPREY_RT_PROCESSES_H
#define OSPREY_RT_PROCESSES_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs in a process of the pool, on its only thread. Writes up to `room` bytes to `output` and says how many.
 * What it returns is the call's result. Whatever else it changes stays in that process, and is seen by later
 * calls there. It may use the runtime (rt_run). */
typedef int rt_process_function(const void *input, size_t input_bytes, void *output, size_t room, size_t *ret_output_bytes);

/* Before rt_processes_prepare; `name` is static text. -EAGAIN: 64 there are; -EEXIST; -EBUSY: prepared
 * already. One thread. */
RT_API int rt_process_register(const char *name, rt_process_function *function);

/* Early in main. -EBUSY: the process has several threads already; -EALREADY; or what fork says. */
RT_API int rt_processes_prepare(void);

struct rt_processes;

struct rt_processes_options {
	unsigned processes;	/* most at a time, started as they are needed; 0: 4 */
	unsigned queue;		/* most calls that wait for one, further ones are refused; 0: 4 096 */
	unsigned calls;		/* a process is replaced after so many; 0: never */
	size_t most_bytes;	/* of an input or output; 0: 64 MiB */
	uint64_t memory_bytes;	/* address space of a process (RLIMIT_AS); 0: no limit */
	unsigned cpu_s;		/* CPU time of a call, then SIGXCPU ends the process; 0: any */
};

/* -ENOTCONN: not prepared; -ENOMEM. `options` may be NULL. Anywhere. */
RT_API int rt_processes_new(const struct rt_processes_options *options, struct rt_processes **ret);

/* Ends its processes. No call is under way. NULL is fine. Blocks; no cancellation point. */
RT_API void rt_processes_free(struct rt_processes *p);

struct rt_process_exchange {
	const void *input;
	size_t input_bytes;
	void *output;		/* of `room` bytes */
	size_t room;
	size_t output_bytes;	/* out */
	int result;		/* out: what the function returned; the command's status as wait(2) has it */
	int status;		/* out, with -EREMOTEIO: how the process ended, as wait(2) has it */
};

/* Runs a registered function in one of the processes. 0: it has returned, see `result`. -ENOENT: no such
 * name; -EMSGSIZE: more than most_bytes, or than `room`; -EREMOTEIO: the process ended before the function
 * returned (a crash, a limit), and is replaced at the next call; -ETIMEDOUT, -ECANCELED: the process was
 * killed, if the call had begun, and is replaced; -EAGAIN: the queue is full, or no process could be made;
 * -ENOTCONN: the server is gone; -ENOMEM. The memory of `x` is the caller's all the time, and in no use
 * afterwards. Blocks. */
RT_API int rt_processes_call(struct rt_processes *p, const char *name, struct rt_process_exchange *x, int64_t deadline);

/* Runs a command (argv[0] is looked for in PATH) in one of the processes, with `input` as its standard input,
 * and its standard output to `output`. Beside the above: -ENOENT, -EACCES and so on: it could not be started;
 * -EMSGSIZE: it wrote more than `room` and was killed, what fits is there. */
RT_API int rt_processes_command(struct rt_processes *p, char *const argv[], struct rt_process_exchange *x, int64_t deadline);

#ifdef __cplusplus
}
#endif
#endif
