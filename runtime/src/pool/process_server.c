#include "pool/process_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_FUNCTIONS 64

static struct {
	const char *name;
	rt_process_function *function;
} functions[MOST_FUNCTIONS];
static unsigned nfunctions;
static int control = -1;		/* the client's end; -1 in the server, and in what it makes */
static bool prepared;
/* One question at a time; taken by pool threads only. */
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;

int rt_process_register(const char *name, rt_process_function *function)
{
	if (prepared)
		return -EBUSY;
	if (process_function(name))
		return -EEXIST;
	if (nfunctions == MOST_FUNCTIONS)
		return -EAGAIN;
	functions[nfunctions].name = name;
	functions[nfunctions++].function = function;
	return 0;
}

rt_process_function *process_function(const char *name)
{
	for (unsigned i = 0; i < nfunctions; i++)
		if (strcmp(functions[i].name, name) == 0)
			return functions[i].function;
	return NULL;
}

/* -- questions to the server: one packet each way */

enum { QUESTION_SPAWN, QUESTION_END };

struct question {
	int what;
	pid_t pid;
	struct process_limits limits;
};

struct answer {
	int result;
	pid_t pid;
	int status;
};

union descriptor {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void answer(int to, struct answer a, int fd)
{
	union descriptor with = { 0 };
	struct iovec iov = { &a, sizeof a };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = with.bytes;
		m.msg_controllen = sizeof with.bytes;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	while (sendmsg(to, &m, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* *ret_fd is -1 when none came. */
static int receive_answer(struct answer *ret, int *ret_fd)
{
	union descriptor with;
	struct iovec iov = { ret, sizeof *ret };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = with.bytes, .msg_controllen = sizeof with.bytes };
	ssize_t n;

	while ((n = recvmsg(control, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n != sizeof *ret)
		return -ENOTCONN;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	*ret_fd = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof *ret_fd);
	return ret->result;
}

static int ask(struct question q, struct answer *ret, int *ret_fd)
{
	int r = -ENOTCONN;
	ssize_t n;

	pthread_mutex_lock(&control_lock);
	while ((n = send(control, &q, sizeof q, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	if (n == sizeof q)
		r = receive_answer(ret, ret_fd);
	pthread_mutex_unlock(&control_lock);
	return r;
}

bool process_server_lives(void)
{
	return control >= 0;
}

int process_server_spawn(const struct process_limits *limits, int *ret_fd, pid_t *ret_pid)
{
	struct answer a;
	int fd, r = ask((struct question){ .what = QUESTION_SPAWN, .limits = *limits }, &a, &fd);

	if (r < 0)
		return r;
	if (fd < 0) {	/* no descriptor was left for it here */
		int status;
		(void)process_server_end(a.pid, &status);
		return -EMFILE;
	}
	*ret_fd = fd;
	*ret_pid = a.pid;
	return 0;
}

int process_server_end(pid_t pid, int *ret_status)
{
	struct answer a;
	int fd, r = ask((struct question){ .what = QUESTION_END, .pid = pid }, &a, &fd);

	if (r == 0)
		*ret_status = a.status;
	return r;
}

/* -- the server */

struct child {
	pid_t pid;
	bool ended;
	int status;
};

struct server {
	int control, signals;
	pid_t self;
	struct child *children;
	size_t n, room;
};

/* A child is looked for among those that were made, and only told of as ended: its number is free for others
 * by then. */
static void reap(struct server *s)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(s->signals, &info, sizeof info) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->n; i++)
			if (s->children[i].pid == pid && !s->children[i].ended) {
				s->children[i].ended = true;
				s->children[i].status = status;
			}
}

static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

static void end(struct server *s, pid_t pid)
{
	struct answer a = { .result = -ESRCH };
	size_t i = 0;

	while (i < s->n && s->children[i].pid != pid)
		i++;
	if (i < s->n) {
		struct child *c = &s->children[i];
		if (!c->ended) {
			kill_group(pid);
			while (waitpid(pid, &c->status, 0) < 0 && errno == EINTR)
				;
		}
		a = (struct answer){ .pid = pid, .status = c->status };
		*c = s->children[--s->n];
	}
	answer(s->control, a, -1);
}

static _Noreturn void become_process(struct server *s, int fd, const struct process_limits *limits)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s->self)
		_exit(0);	/* it ended before it was asked to tell */
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(s->control);
	close(s->signals);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	process_serve(fd, limits);
}

static int make_room(struct server *s)
{
	if (s->n < s->room)
		return 0;
	size_t room = s->room ? 2 * s->room : 16;
	struct child *more = realloc(s->children, room * sizeof *more);
	if (!more)
		return -ENOMEM;
	s->children = more;
	s->room = room;
	return 0;
}

static void spawn(struct server *s, const struct process_limits *limits)
{
	int pair[2];
	int r = make_room(s);

	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		r = -errno;
	if (r < 0) {
		answer(s->control, (struct answer){ .result = r }, -1);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		become_process(s, pair[1], limits);
	}
	r = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (r == 0) {
		setpgid(pid, pid);	/* here too, for it may be killed at once */
		s->children[s->n++] = (struct child){ .pid = pid };
	}
	answer(s->control, (struct answer){ .result = r, .pid = pid }, r == 0 ? pair[0] : -1);
	close(pair[0]);
}

static _Noreturn void serve(struct server *s)
{
	for (;;) {
		struct pollfd fds[] = { { s->control, POLLIN, 0 }, { s->signals, POLLIN, 0 } };
		struct question q;
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			reap(s);
		if (!fds[0].revents)
			continue;
		if (recv(s->control, &q, sizeof q, 0) != sizeof q)
			break;
		if (q.what == QUESTION_SPAWN)
			spawn(s, &q.limits);
		else
			end(s, q.pid);
	}
	for (size_t i = 0; i < s->n; i++)
		if (!s->children[i].ended)
			kill_group(s->children[i].pid);
	_exit(0);
}

/* -- its start */

static void close_all_but(int kept)
{
	int null = open("/dev/null", O_RDONLY);

	if (null >= 0)
		dup2(null, 0);
	/* The range call is of Linux 5.9. */
	if (syscall(SYS_close_range, 3, (unsigned)kept - 1, 0) == 0 && syscall(SYS_close_range, (unsigned)kept + 1, ~0u, 0) == 0)
		return;
	for (int fd = 3, n = (int)sysconf(_SC_OPEN_MAX); fd < n; fd++)
		if (fd != kept)
			close(fd);
}

static _Noreturn void become_server(int fd)
{
	struct server s = { .control = fd, .self = getpid() };
	sigset_t child;

	setsid();
	prctl(PR_SET_NAME, "osprey-rt-fork");
	prctl(PR_SET_CHILD_SUBREAPER, 1);	/* what a killed command leaves behind comes here */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	close_all_but(fd);
	s.signals = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s.signals < 0)
		_exit(1);
	serve(&s);
}

static int count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* Through a process between, which ends at once: so the server is no child of this one. */
static int fork_server(int pair[2])
{
	int status = 0;	/* where SIGCHLD is ignored nothing is told of it */
	pid_t between = fork();

	if (between < 0)
		return -errno;
	if (between == 0) {
		pid_t pid = fork();
		if (pid != 0)
			_exit(pid < 0 ? errno : 0);
		close(pair[0]);
		become_server(pair[1]);
	}
	while (waitpid(between, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EAGAIN;
}

int rt_processes_prepare(void)
{
	int pair[2], n = count_threads();

	if (prepared)
		return -EALREADY;
	if (n != 1)
		return n < 0 ? n : -EBUSY;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	fflush(NULL);	/* else what is in there is written twice */
	prepared = true;
	int r = fork_server(pair);
	close(pair[1]);
	prepared = r == 0;
	if (r < 0)
		close(pair[0]);
	else
		control = pair[0];
	return r;
}
