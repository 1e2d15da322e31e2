/* An echo server: a fiber for each connection, which reads and writes as if it had a thread of its own.
 *
 *	cc -O2 -o echo_server echo_server.c $(pkg-config --cflags --libs osprey-rt)
 *	./echo_server 127.0.0.1:7000 &	nc 127.0.0.1 7000
 *
 * SIGINT and SIGTERM end it: the listener is closed, and what is under way is cancelled. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include <osprey/rt.h>

static int echo(void *arg)
{
	/* The handle is as large as a pointer, so it needs no memory of its own. */
	struct rt_fd fd;
	memcpy(&fd, &arg, sizeof fd);
	char buffer[4096];
	ssize_t n;

	while ((n = rt_read(fd, buffer, sizeof buffer, RT_FOREVER)) > 0)
		if (rt_write_all(fd, buffer, (size_t)n, NULL, RT_FOREVER) < 0)
			break;
	rt_fd_close(fd);
	/* A negative result would end the whole scope; a broken connection ends itself alone. */
	return 0;
}

struct server {
	struct rt_fd listener;
	struct rt_scope connections;
};

static int accept_all(void *arg)
{
	struct server *s = arg;
	struct rt_fd fd;
	int r;

	/* -ECANCELED ends it, when the scope does. */
	while ((r = rt_accept(s->listener, NULL, &fd, RT_FOREVER)) != -ECANCELED) {
		if (r < 0) {
			/* Out of descriptors, or of memory: some connection will end. */
			fprintf(stderr, "accept: %s\n", strerror(-r));
			if (rt_sleep(100000000) < 0)
				break;
			continue;
		}
		void *handle;
		memcpy(&handle, &fd, sizeof handle);
		if (rt_scope_go(&s->connections, echo, handle) < 0)
			rt_fd_close(fd);
	}
	return 0;
}

/* SIGINT or SIGTERM, which main() has blocked for all threads. */
static int wait_for_signal(void)
{
	struct signalfd_siginfo info;
	struct rt_fd fd;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	int r = rt_fd_adopt(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), 0, &fd);
	if (r < 0)
		return r;
	r = (int)rt_read(fd, &info, sizeof info, RT_FOREVER);
	rt_fd_close(fd);
	return r < 0 ? r : 0;
}

static int serve(void *arg)
{
	struct rt_address address;
	struct server server;
	char text[128];

	if (rt_address_parse(arg, &address) < 0) {
		fprintf(stderr, "not an address: %s\n", (char *)arg);
		return -EINVAL;
	}
	int r = rt_listen(&address, NULL, &server.listener);
	if (r < 0) {
		fprintf(stderr, "cannot listen at %s: %s\n", (char *)arg, strerror(-r));
		return r;
	}
	rt_local_address(server.listener, &address);
	rt_address_print(&address, text, sizeof text);
	printf("listening at %s\n", text);
	fflush(stdout);

	rt_scope_open(&server.connections, RT_FOREVER);
	r = rt_scope_go(&server.connections, accept_all, &server);
	if (r == 0)
		r = wait_for_signal();
	rt_scope_cancel(&server.connections);
	rt_scope_close(&server.connections);
	rt_fd_close(server.listener);
	return r;
}

int main(int argc, char **argv)
{
	sigset_t set;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: echo_server [ADDRESS]	(127.0.0.1:7000, [::1]:7000, unix:/path)\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	int r = rt_run(NULL, serve, argc > 1 ? argv[1] : "127.0.0.1:7000");
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
