/* The peer in plain C: one thread, one epoll, level-triggered; an echo server, or one that answers each head
 * of HTTP.
 *
 *	net_epoll echo|http|floor
 *
 * `floor` is echo with the least that epoll needs: edges, and the calls of sockets, which the kernel has less to do for.
 *
 * Prints the address at which it listens. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct connection {
	int fd;
	size_t have;
	char in[4096];
};

static const char hello[] = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
			    "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n";

static bool echo(struct connection *c)
{
	ssize_t n = read(c->fd, c->in, sizeof c->in);

	return n > 0 && write(c->fd, c->in, (size_t)n) == n;
}

static bool floor_echo(struct connection *c)
{
	ssize_t n = recv(c->fd, c->in, sizeof c->in, 0);

	return n > 0 && send(c->fd, c->in, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool http(struct connection *c)
{
	ssize_t n = read(c->fd, c->in + c->have, sizeof c->in - c->have);
	char *end;

	if (n <= 0)
		return false;
	c->have += (size_t)n;
	while ((end = memmem(c->in, c->have, "\r\n\r\n", 4))) {
		if (write(c->fd, hello, sizeof hello - 1) != (ssize_t)sizeof hello - 1)
			return false;
		c->have -= (size_t)(end + 4 - c->in);
		memmove(c->in, end + 4, c->have);
	}
	return c->have < sizeof c->in;
}

static void accept_one(int listener, int epoll, uint32_t events)
{
	struct connection *c = calloc(1, sizeof *c);
	struct epoll_event e = { events, { .ptr = c } };

	c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		free(c);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;
	struct epoll_event events[256], e = { EPOLLIN, { .ptr = NULL } };
	socklen_t bytes = sizeof a;

	if (argc != 2) {
		fprintf(stderr, "usage: net_epoll echo|http|floor\n");
		return 2;
	}
	bool floor = strcmp(argv[1], "floor") == 0;
	bool (*serve)(struct connection *) = floor ? floor_echo : strcmp(argv[1], "http") == 0 ? http : echo;
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&a, bytes) < 0 || listen(listener, 4096) < 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &bytes) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) < 0) {
		perror("net_epoll");
		return 3;
	}
	printf("listening at 127.0.0.1:%d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			if (!c) {
				accept_one(listener, epoll, floor ? EPOLLIN | EPOLLET : EPOLLIN);
			} else if (!serve(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
}
