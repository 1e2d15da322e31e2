#include "dig/core/core_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/urgent.h"

#define USERFAULTFD_USER_MODE_ONLY 1 /* since 5.11; allowed to everybody */

#define REAPING_ATTEMPTS 20 /* of the copy: no thread may be at hand at once */

enum step { STEP_TRACK, STEP_STOP, STEP_FORK, STEP_RESUME, STEP_END_CHILD };

struct request {
	enum step step;
	bool seccomp;
	uint64_t syscall_address;
};

struct core_guard {
	int pid, guardian, socket;
	struct core_shared *shared;
	size_t shared_size;
};

/* ---- in the guardian ---- */

struct duty {
	int socket;
	struct core_trace trace;
	int child;	   /* as we call it */
	int64_t child_there; /* as the target calls it */
	struct request last;
	bool let_go;
	int fd; /* to be sent along; -1: none */
};


struct userfault {
	int pid;
	int64_t there; /* what the target got */
	int here;
	int error;
};

static int take_descriptor(struct userfault *u)
{
	int pidfd = (int)syscall(SYS_pidfd_open, u->pid, 0);

	if (pidfd < 0)
		return -errno;
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)u->there, 0);
	int r = fd < 0 ? -errno : fd;

	close(pidfd);
	return r;
}

static int make_userfault(struct core_injection *i, void *arg)
{
	struct userfault *u = arg;
	int64_t closed;
	int r = core_injection_call(i, SYS_userfaultfd, (uint64_t[4]){ O_CLOEXEC | USERFAULTFD_USER_MODE_ONLY },
				    &u->there, NULL);

	if (r < 0 || u->there < 0)
		return r < 0 ? r : -EIO;
	u->here = take_descriptor(u);
	if (u->here < 0)
		u->error = u->here;
	r = core_injection_call(i, SYS_close, (uint64_t[4]){ (uint64_t)u->there }, &closed, NULL);
	u->there = 0;
	return r < 0 ? r : u->error;
}

static void track(struct duty *d, const struct request *q, struct core_answer *a)
{
	struct userfault u = { .pid = d->trace.pid, .here = -1 };
	struct core_trace_failure failure = { 0 };

	a->error = core_trace_inject(d->trace.pid, q->syscall_address, q->seccomp, make_userfault, &u,
				     &a->pause_ns, &failure);
	a->injected = u.there;
	a->tid = failure.tid;
	d->fd = u.here;
}

struct copy {
	int child;
	int64_t there;
};

static int make_copy(struct core_injection *i, void *arg)
{
	struct copy *c = arg;
	/* No flags: memory of its own, and no signal to the target when it ends. */
	int r = core_injection_call(i, SYS_clone, (uint64_t[4]){ 0 }, &c->there, &c->child);

	return r < 0 ? r : c->there < 0 ? -EIO : 0;
}

static void fork_copy(struct duty *d, const struct request *q, struct core_answer *a)
{
	struct copy c = { 0 };

	a->error = core_trace_inject_stopped(&d->trace, q->syscall_address, q->seccomp, make_copy, &c);
	a->injected = c.there;
	a->child = d->child = c.child;
	d->child_there = c.there;
}

static int make_reaping(struct core_injection *i, void *arg)
{
	struct copy *c = arg;

	return core_injection_call(i, SYS_wait4, (uint64_t[4]){ (uint64_t)c->there, 0, __WALL | WNOHANG, 0 },
				   &c->there, NULL);
}

static void end_child(struct duty *d, struct core_answer *a)
{
	struct core_trace_failure failure = { 0 };
	struct copy c;
	int status;

	if (!d->child)
		return;
	kill(d->child, SIGKILL);
	/* The tracer sees the end first; only then the target may reap. */
	while (waitpid(d->child, &status, __WALL) == d->child && WIFSTOPPED(status))
		;
	for (unsigned n = 0; n < REAPING_ATTEMPTS; n++) {
		c = (struct copy){ .there = d->child_there };
		a->error = core_trace_inject(d->trace.pid, d->last.syscall_address, d->last.seccomp, make_reaping, &c,
					     &a->pause_ns, &failure);
		if ((a->error == 0 && c.there != 0) || a->error == -EPERM)
			break;
		usleep(5000);
	}
	a->injected = c.there;
	a->tid = failure.tid;
	d->child = 0;
}

static void stop(struct duty *d, struct core_answer *a)
{
	struct core_trace_failure failure = { 0 };

	a->error = core_trace_stop(&d->trace, &failure);
	a->tid = failure.tid;
	if (a->error < 0)
		a->pause_ns = core_trace_resume(&d->trace);
}

static void serve(struct duty *d, const struct request *q, struct core_answer *a)
{
	switch (q->step) {
	case STEP_TRACK:
		track(d, q, a);
		break;
	case STEP_STOP:
		d->let_go = false;
		stop(d, a);
		break;
	case STEP_FORK:
		d->last = *q;
		fork_copy(d, q, a);
		break;
	case STEP_RESUME:
		a->pause_ns = core_trace_resume(&d->trace);
		a->error = d->let_go ? -ETIME : 0;
		break;
	case STEP_END_CHILD:
		end_child(d, a);
		break;
	}
}

static bool answer(struct duty *d, const struct core_answer *a)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec io = { (void *)a, sizeof *a };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

	if (d->fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &d->fd, sizeof(int));
	}
	bool sent = sendmsg(d->socket, &m, MSG_NOSIGNAL) == sizeof *a;

	/* Only osprey may have it: its death shall end the write protection. */
	close_fd(&d->fd);
	d->fd = -1;
	return sent;
}

/* While the target stands, osprey has to show that it gets on. False: it is gone. */
static bool next_request(struct duty *d, struct request *ret)
{
	uint64_t beat = atomic_load(&d->trace.shared->heartbeat), seen_ns = clock_mono_ns();

	for (;;) {
		struct pollfd p = { .fd = d->socket, .events = POLLIN };
		int n = poll(&p, 1, d->trace.stopped_ns ? 500 : -1);

		if (n > 0)
			return recv(d->socket, ret, sizeof *ret, 0) == sizeof *ret;
		uint64_t now = atomic_load(&d->trace.shared->heartbeat);

		if (now != beat) {
			beat = now;
			seen_ns = clock_mono_ns();
		} else if (d->trace.stopped_ns && clock_mono_ns() - seen_ns > CORE_GUARD_STALL_NS) {
			core_trace_resume(&d->trace);
			d->let_go = true;
		}
	}
}

static void become_guardian(int socket)
{
	sigset_t all;
	int fd;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "osprey-guard");
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "-1000", 5) < 0) {
		/* Without the privilege it is as likely a choice as osprey. */
	}
	close_fd(&fd);
	/* Whoever waits for the end of osprey's output shall not wait for us; nor shall we hold the target's write
	 * protection. */
	if (dup2(socket, 0) == 0)
		syscall(SYS_close_range, 1, ~0U, 0);
}

static void __attribute__((noreturn)) guardian_main(int socket, int pid, struct core_shared *shared)
{
	struct duty d = { .socket = 0, .trace = { .pid = pid, .shared = shared }, .fd = -1 };
	struct urgent urgent;
	struct request q;

	become_guardian(socket);
	/* For good: it works for less than milliseconds at a time, and while it waits for its turn a target stands. */
	urgent_begin(&urgent);
	while (next_request(&d, &q)) {
		struct core_answer a = { 0 };

		serve(&d, &q, &a);
		if (!answer(&d, &a))
			break;
	}
	core_trace_resume(&d.trace);
	end_child(&d, &(struct core_answer){ 0 });
	_exit(0);
}

/* ---- in osprey ---- */

int core_guard_new(int pid, uint32_t threads, struct core_guard **ret)
{
	struct core_guard *g = calloc(1, sizeof *g);
	int pair[2];

	if (!g)
		return -ENOMEM;
	uint32_t capacity = threads * 2 + 256;

	g->shared_size = sizeof *g->shared + (size_t)capacity * sizeof(struct core_thread);
	g->shared = mmap(NULL, g->shared_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (g->shared == MAP_FAILED) {
		free(g);
		return -ENOMEM;
	}
	/* Pages that are there already do not have to be made while the target stands. */
	for (uint32_t i = 0; i < threads && i < 4096; i++)
		memset(&g->shared->thread[i], 0, offsetof(struct core_thread, extended) + 4096);
	g->shared->capacity = capacity;
	g->pid = pid;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		goto failed;
	g->guardian = fork();
	if (g->guardian == 0)
		guardian_main(pair[1], pid, g->shared);
	close(pair[1]);
	g->socket = pair[0];
	if (g->guardian < 0) {
		close(pair[0]);
		goto failed;
	}
	*ret = g;
	return 0;
failed:;
	int r = -errno;

	munmap(g->shared, g->shared_size);
	free(g);
	return r;
}

void core_guard_free(struct core_guard *g)
{
	int status;

	if (!g)
		return;
	close(g->socket);
	while (waitpid(g->guardian, &status, 0) < 0 && errno == EINTR)
		;
	munmap(g->shared, g->shared_size);
	free(g);
}

static int receive(struct core_guard *g, struct core_answer *ret, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec io = { ret, sizeof *ret };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
	};
	ssize_t n;

	do {
		n = recvmsg(g->socket, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof *ret)
		return -EPIPE;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (c && c->cmsg_type == SCM_RIGHTS && ret_fd)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return 0;
}

static int ask(struct core_guard *g, const struct request *q, struct core_answer *ret, int *ret_fd)
{
	*ret = (struct core_answer){ .error = -EPIPE };
	core_guard_beat(g);
	if (send(g->socket, q, sizeof *q, MSG_NOSIGNAL) != sizeof *q || receive(g, ret, ret_fd) < 0)
		*ret = (struct core_answer){ .error = -EPIPE };
	return ret->error;
}

int core_guard_track(struct core_guard *g, uint64_t syscall_address, bool seccomp, int *ret_fd, struct core_answer *ret)
{
	int fd = -1;
	int r = ask(g, &(struct request){ STEP_TRACK, seccomp, syscall_address }, ret, &fd);

	if (r == 0 && fd < 0)
		return -EPIPE;
	if (r < 0)
		close_fd(&fd);
	else
		*ret_fd = fd;
	return r;
}

int core_guard_stop(struct core_guard *g, struct core_answer *ret)
{
	return ask(g, &(struct request){ .step = STEP_STOP }, ret, NULL);
}

int core_guard_fork(struct core_guard *g, uint64_t syscall_address, bool seccomp, struct core_answer *ret)
{
	return ask(g, &(struct request){ STEP_FORK, seccomp, syscall_address }, ret, NULL);
}

int core_guard_resume(struct core_guard *g, struct core_answer *ret)
{
	return ask(g, &(struct request){ .step = STEP_RESUME }, ret, NULL);
}

int core_guard_end_child(struct core_guard *g, struct core_answer *ret)
{
	return ask(g, &(struct request){ .step = STEP_END_CHILD }, ret, NULL);
}

void core_guard_beat(struct core_guard *g)
{
	atomic_fetch_add(&g->shared->heartbeat, 1);
}

const struct core_shared *core_guard_threads(const struct core_guard *g)
{
	return g->shared;
}
