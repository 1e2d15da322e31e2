/* What a process of the pool does: functions and commands, one after the other. It has one thread. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool/process_server.h"

int process_read(int fd, void *to, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = read(fd, (char *)to + done, n - done);
		if (r == 0 || (r < 0 && errno != EINTR))
			return -EPIPE;
		done += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

int process_write(int fd, const void *from, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = send(fd, (const char *)from + done, n - done, MSG_NOSIGNAL);
		if (r < 0 && errno != EINTR)
			return -EPIPE;
		done += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

static void set_limit(int which, rlim_t soft, bool hard)
{
	struct rlimit l;

	if (getrlimit(which, &l) < 0)
		return;
	l.rlim_cur = soft < l.rlim_max ? soft : l.rlim_max;
	if (hard)
		l.rlim_max = l.rlim_cur;
	setrlimit(which, &l);
}

/* From now on; 0: no more. A timer, since RLIMIT_CPU is of the process's life, by ticks, and what getrusage(2) says by
 * another clock: the two drift apart. Commands have their own (become_command). */
static void limit_cpu(uint32_t cpu_s)
{
	static timer_t timer;
	static bool made;
	struct sigevent by = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU };

	if (!made && (!cpu_s || timer_create(CLOCK_PROCESS_CPUTIME_ID, &by, &timer) < 0))
		return;
	made = true;
	timer_settime(timer, 0, &(struct itimerspec){ .it_value = { .tv_sec = cpu_s } }, NULL);
}

/* -- commands */

static uint32_t command_cpu_s;

struct command {
	pid_t pid;
	int in, out;		/* its standard input and output, the other ends */
};

static _Noreturn void become_command(char **argv, int in, int out, int failed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (command_cpu_s)
		set_limit(RLIMIT_CPU, command_cpu_s, false);
	/* These are never 0 or 1: the server has something open there. */
	if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0)
		execvp(argv[0], argv);
	int error = -errno;
	if (write(failed, &error, sizeof error) < 0)
		_exit(126);
	_exit(127);
}

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

static int command_start(char **argv, struct command *ret)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, failed[2] = { -1, -1 }, error = 0;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(failed, O_CLOEXEC) < 0)
		error = -errno;
	pid_t pid = error ? -1 : fork();
	if (pid == 0)
		become_command(argv, in[0], out[1], failed[1]);
	if (!error && pid < 0)
		error = -errno;
	if (pid > 0) {
		close(failed[1]);
		failed[1] = -1;
		if (read(failed[0], &error, sizeof error) == sizeof error)
			waitpid(pid, NULL, 0);
		else
			error = 0;
	}
	close_pair(failed);
	if (error) {
		close_pair(in);
		close_pair(out);
		return error;
	}
	close(in[0]);
	close(out[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	*ret = (struct command){ pid, in[1], out[0] };
	return 0;
}

/* Feeds it and takes what it writes until that ends. -EMSGSIZE: it writes more. */
static int command_pump(struct command *c, const char *input, size_t input_bytes, char *output, size_t room, size_t *ret_bytes)
{
	char beyond;

	*ret_bytes = 0;
	for (;;) {
		if (c->in >= 0 && input_bytes == 0) {
			close(c->in);
			c->in = -1;
		}
		struct pollfd fds[] = { { c->out, POLLIN, 0 }, { c->in, POLLOUT, 0 } };
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents) {
			ssize_t n = write(c->in, input, input_bytes);
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				input_bytes = 0;	/* it does not want the rest */
			input += n > 0 ? n : 0;
			input_bytes -= n > 0 ? (size_t)n : 0;
		}
		if (!fds[0].revents)
			continue;
		bool full = *ret_bytes == room;
		ssize_t n = read(c->out, full ? &beyond : output + *ret_bytes, full ? 1 : room - *ret_bytes);
		if (n == 0 || (n < 0 && errno != EINTR))
			return 0;
		if (n > 0 && full)
			return -EMSGSIZE;
		*ret_bytes += n > 0 ? (size_t)n : 0;
	}
}

static int command_run(char **argv, const struct process_request *q, const char *input, char *output, struct process_reply *ret)
{
	struct command c = { .in = -1, .out = -1 };
	size_t bytes;
	int r = command_start(argv, &c);

	if (r < 0)
		return r;
	r = command_pump(&c, input, q->input_bytes, output, q->room, &bytes);
	if (c.in >= 0)
		close(c.in);
	close(c.out);
	if (r < 0)
		kill(c.pid, SIGKILL);
	while (waitpid(c.pid, &ret->result, 0) < 0 && errno == EINTR)
		;
	ret->output_bytes = bytes;
	return r;
}

static int command_answer(const struct process_request *q, char *words, const char *input, char *output, struct process_reply *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < q->name_bytes; i++)
		n += words[i] == '\0';
	char **argv = calloc(n + 1, sizeof *argv);
	if (!argv)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++, words += strlen(words) + 1)
		argv[i] = words;
	/* Writing to a command that has ended is an error, not an end. */
	signal(SIGPIPE, SIG_IGN);
	int r = command_run(argv, q, input, output, ret);
	signal(SIGPIPE, SIG_DFL);
	free(argv);
	return r;
}

/* -- functions */

static int function_answer(const struct process_request *q, const char *name, const char *input, char *output,
			   struct process_reply *ret)
{
	rt_process_function *f = process_function(name);
	size_t bytes = 0;

	if (!f)
		return -ENOENT;
	ret->result = f(input, q->input_bytes, output, q->room, &bytes);
	ret->output_bytes = bytes <= q->room ? bytes : 0;
	return bytes <= q->room ? 0 : -EMSGSIZE;
}

static size_t aligned(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

static int answer_one(int fd, const struct process_limits *limits)
{
	struct process_request q;
	struct process_reply reply = { 0 };

	int r = process_read(fd, &q, sizeof q);
	if (r < 0)
		return r;
	size_t input_at = aligned(q.name_bytes), output_at = input_at + aligned(q.input_bytes);
	char *name = malloc(output_at + q.room + 1);
	if (!name) {
		/* What was sent is not read: the process ends, and its successor begins anew. */
		reply.error = -ENOMEM;
		(void)process_write(fd, &reply, sizeof reply);
		return -ENOMEM;
	}
	char *input = name + input_at, *output = name + output_at;
	r = process_read(fd, name, q.name_bytes);
	if (r == 0)
		r = process_read(fd, input, q.input_bytes);
	if (r == 0) {
		limit_cpu(limits->cpu_s);
		command_cpu_s = limits->cpu_s;
		reply.error = (q.is_command ? command_answer(&q, name, input, output, &reply) :
					      function_answer(&q, name, input, output, &reply));
		/* What the next call is read with is not of this one. */
		limit_cpu(0);
		r = process_write(fd, &reply, sizeof reply);
	}
	if (r == 0)
		r = process_write(fd, output, reply.output_bytes);
	free(name);
	return r;
}

_Noreturn void process_serve(int fd, const struct process_limits *limits)
{
	if (limits->memory_bytes)
		set_limit(RLIMIT_AS, limits->memory_bytes, true);
	while (answer_one(fd, limits) == 0)
		;
	_exit(0);
}
