/* The functions of osprey/rt/processes.h that use the pool. Each call is a conversation with one process, led
 * by a thread of a pool that has as many threads as there may be processes. */
#include "osprey/rt/processes.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "osprey/rt/pool.h"
#include "osprey/rt/scope.h"
#include "pool/process_server.h"
#include "thread.h"

#define DEFAULT_PROCESSES 4
#define DEFAULT_BYTES ((size_t)64 << 20)

struct process {
	pid_t pid;
	int fd;			/* its socket; -1: there is no process */
	int interrupt;		/* an event: look whether the call is to end */
	unsigned calls;
	bool busy;
};

struct rt_processes {
	struct rt_pool *pool;
	struct process_limits limits;
	size_t most_bytes;
	unsigned most_calls;
	struct short_lock lock;		/* who is busy */
	unsigned n;
	struct process processes[];
};

struct conversation {
	struct rt_processes *of;
	struct process *_Atomic process;
	_Atomic bool interrupted;
	int64_t deadline;
	bool is_command;
	const char *name;
	size_t name_bytes;
	struct rt_process_exchange *x;
};

int rt_processes_new(const struct rt_processes_options *options, struct rt_processes **ret)
{
	struct rt_processes_options o = options ? *options : (struct rt_processes_options){ 0 };
	unsigned n = o.processes ? o.processes : DEFAULT_PROCESSES;
	struct rt_pool_options threads = { .threads = n, .queue = o.queue, .stack_bytes = 128 << 10 };

	if (!process_server_lives())
		return -ENOTCONN;
	struct rt_processes *p = calloc(1, sizeof *p + n * sizeof p->processes[0]);
	if (!p)
		return -ENOMEM;
	p->limits = (struct process_limits){ o.memory_bytes, o.cpu_s };
	p->most_bytes = o.most_bytes ? o.most_bytes : DEFAULT_BYTES;
	p->most_calls = o.calls;
	p->n = n;
	int r = rt_pool_new(&threads, &p->pool);
	for (unsigned i = 0; i < n; i++) {
		p->processes[i].fd = -1;
		p->processes[i].interrupt = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (p->processes[i].interrupt < 0 && r == 0)
			r = -errno;
	}
	if (r < 0)
		rt_processes_free(p);
	else
		*ret = p;
	return r;
}

/* -- one conversation, on a thread of the pool */

static struct process *process_take(struct rt_processes *p)
{
	struct process *found = NULL;

	/* There are as many as threads, so one is not busy; rather one that lives. */
	short_lock_take(&p->lock);
	for (unsigned i = 0; i < p->n; i++)
		if (!p->processes[i].busy && (!found || (found->fd < 0 && p->processes[i].fd >= 0)))
			found = &p->processes[i];
	found->busy = true;
	short_lock_give(&p->lock);
	return found;
}

static void process_give(struct rt_processes *p, struct process *of)
{
	short_lock_take(&p->lock);
	of->busy = false;
	short_lock_give(&p->lock);
}

static int process_end(struct process *p)
{
	int status = 0;

	if (p->fd < 0)
		return 0;
	close(p->fd);
	p->fd = -1;
	(void)process_server_end(p->pid, &status);
	return status;
}

/* A process that waits for a request has nothing to say: if it has, it has ended. */
static int process_ready(struct rt_processes *of, struct process *p)
{
	struct pollfd fd = { p->fd, POLLIN, 0 };

	if (p->fd >= 0 && poll(&fd, 1, 0) != 0)
		(void)process_end(p);
	if (p->fd >= 0)
		return 0;
	p->calls = 0;
	int r = process_server_spawn(&of->limits, &p->fd, &p->pid);
	return r == 0 || r == -ENOTCONN ? r : -EAGAIN;
}

static int wait_for(struct conversation *c, struct process *p, short events)
{
	for (;;) {
		struct pollfd fds[] = { { p->fd, events, 0 }, { p->interrupt, POLLIN, 0 } };
		int64_t now = rt_now(), left_ms = c->deadline == RT_FOREVER ? -1 : (c->deadline - now + 999999) / 1000000;
		uint64_t count;
		if (atomic_load(&c->interrupted))
			return -ECANCELED;
		if (c->deadline != RT_FOREVER && now >= c->deadline)
			return -ETIMEDOUT;
		if (poll(fds, 2, left_ms < INT_MAX ? (int)left_ms : INT_MAX) <= 0)
			continue;
		if (fds[1].revents && read(p->interrupt, &count, sizeof count) < 0)
			continue;
		if (fds[0].revents)
			return 0;
	}
}

static int say(struct conversation *c, struct process *p, const void *from, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = send(p->fd, (const char *)from + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r > 0) {
			done += (size_t)r;
		} else if (errno == EAGAIN) {
			int waited = wait_for(c, p, POLLOUT);
			if (waited < 0)
				return waited;
		} else if (errno != EINTR) {
			return -EREMOTEIO;
		}
	}
	return 0;
}

static int hear(struct conversation *c, struct process *p, void *to, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = recv(p->fd, (char *)to + done, n - done, MSG_DONTWAIT);
		if (r > 0) {
			done += (size_t)r;
		} else if (r < 0 && errno == EAGAIN) {
			int waited = wait_for(c, p, POLLIN);
			if (waited < 0)
				return waited;
		} else if (r == 0 || errno != EINTR) {
			return -EREMOTEIO;
		}
	}
	return 0;
}

/* 0: the process has answered, also if with an error of its own. */
static int talk(struct conversation *c, struct process *p, struct process_reply *ret)
{
	struct rt_process_exchange *x = c->x;
	struct process_request q = { c->is_command, (uint32_t)c->name_bytes, x->input_bytes, x->room };
	int r = say(c, p, &q, sizeof q);

	if (r == 0)
		r = say(c, p, c->name, c->name_bytes);
	if (r == 0)
		r = say(c, p, x->input, x->input_bytes);
	if (r == 0)
		r = hear(c, p, ret, sizeof *ret);
	/* Memory of a process that was overwritten may answer anything. */
	if (r == 0 && ret->output_bytes > x->room)
		r = -EREMOTEIO;
	if (r == 0)
		r = hear(c, p, x->output, ret->output_bytes);
	return r;
}

static int converse(void *arg)
{
	struct conversation *c = arg;
	struct rt_processes *of = c->of;
	struct process *p = process_take(of);
	struct process_reply reply;

	atomic_store(&c->process, p);
	int r = process_ready(of, p);
	if (r == 0) {
		r = talk(c, p, &reply);
		if (r < 0) {
			c->x->status = process_end(p);
		} else {
			r = reply.error;
			c->x->result = reply.result;
			c->x->output_bytes = reply.output_bytes;
			if (++p->calls == of->most_calls)
				(void)process_end(p);
		}
	}
	process_give(of, p);
	return r;
}

/* It may be over already, and the process in another call: that one looks, and goes on. */
static void interrupt(void *arg)
{
	struct conversation *c = arg;
	uint64_t one = 1;

	atomic_store(&c->interrupted, true);
	struct process *p = atomic_load(&c->process);
	if (p && write(p->interrupt, &one, sizeof one) < 0)
		return;		/* it is full of events already */
}

static int start(struct conversation *c)
{
	struct rt_pool_call call = { .function = converse, .arg = c, .interrupt = interrupt };
	int result = 0;

	c->x->output_bytes = 0;
	c->x->result = c->x->status = 0;
	if (c->x->input_bytes > c->of->most_bytes || c->x->room > c->of->most_bytes)
		return -EMSGSIZE;
	int r = rt_pool_call(c->of->pool, &call, &result, c->deadline);
	if (r < 0)
		return r;
	/* By whichever way it was told. */
	return result == -ECANCELED && c->deadline != RT_FOREVER && rt_now() >= c->deadline ? -ETIMEDOUT : result;
}

int rt_processes_call(struct rt_processes *p, const char *name, struct rt_process_exchange *x, int64_t deadline)
{
	struct conversation c = { .of = p, .deadline = deadline, .name = name, .name_bytes = strlen(name) + 1, .x = x };

	return process_function(name) ? start(&c) : -ENOENT;
}

int rt_processes_command(struct rt_processes *p, char *const argv[], struct rt_process_exchange *x, int64_t deadline)
{
	size_t bytes = 0, n;

	for (size_t i = 0; argv[i]; i++)
		bytes += strlen(argv[i]) + 1;
	if (bytes == 0)
		return -EINVAL;
	if (bytes > p->most_bytes || bytes > UINT32_MAX)
		return -E2BIG;
	char *words = malloc(bytes), *at = words;
	if (!words)
		return -ENOMEM;
	for (size_t i = 0; argv[i]; i++, at += n) {
		n = strlen(argv[i]) + 1;
		memcpy(at, argv[i], n);
	}
	struct conversation c = { .of = p, .deadline = deadline, .is_command = true, .name = words, .name_bytes = bytes, .x = x };
	int r = start(&c);
	free(words);
	return r;
}

static int end_all(void *arg)
{
	struct rt_processes *p = arg;

	for (unsigned i = 0; i < p->n; i++) {
		(void)process_end(&p->processes[i]);
		if (p->processes[i].interrupt >= 0)
			close(p->processes[i].interrupt);
	}
	return 0;
}

void rt_processes_free(struct rt_processes *p)
{
	bool fiber = thread_self();

	if (!p)
		return;
	if (fiber)
		rt_shield_begin();
	/* Without threads to be had it takes as long here. */
	if (!p->pool || rt_pool_run(p->pool, end_all, p, NULL, RT_FOREVER) < 0)
		end_all(p);
	if (fiber)
		rt_shield_end();
	rt_pool_free(p->pool);
	free(p);
}
