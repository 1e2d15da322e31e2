/* Keeps many connections to a server busy, and tells what CPU time a request cost the server: its clock is
 * read, whatever it is written in (clock_getcpuclockid(3)), when all connections are made and warm, and again
 * after so many answers.
 *
 *	net_load echo|http PID ADDRESS CONNECTIONS REQUESTS
 *
 * One request of each connection is under way at a time. Prints nanoseconds a request. ADDRESS is
 * IPv4:port. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *request;
static size_t request_bytes;
static bool http;

struct connection {
	int fd;
	size_t have;
	char in[512];
};

static void die(const char *what)
{
	fprintf(stderr, "net_load: %s: %s\n", what, strerror(errno));
	exit(3);
}

static int64_t server_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	errno = clock_getcpuclockid(pid, &clock);
	if (errno || clock_gettime(clock, &t) < 0)
		die("the server's clock");
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void ask(struct connection *c)
{
	c->have = 0;
	if (write(c->fd, request, request_bytes) != (ssize_t)request_bytes)
		die("write");
}

/* Whether the answer is whole: as long as what was sent, or what its head says. */
static bool is_whole(struct connection *c)
{
	if (!http)
		return c->have == request_bytes;
	c->in[c->have < sizeof c->in ? c->have : sizeof c->in - 1] = 0;
	char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "\r\nContent-Length:");
	if (!end || !length)
		return false;
	if (memcmp(c->in, "HTTP/1.1 200", 12) != 0) {
		errno = EPROTO;
		die(c->in);
	}
	return c->have >= (size_t)(end + 4 - c->in) + strtoul(length + 17, NULL, 10);
}

static void open_all(struct connection *all, long n, const struct sockaddr_in *to, int epoll)
{
	for (long i = 0; i < n; i++) {
		struct epoll_event e = { EPOLLIN, { .ptr = &all[i] } };
		int one = 1;
		all[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (all[i].fd < 0 || connect(all[i].fd, (const struct sockaddr *)to, sizeof *to) < 0)
			die("connect");
		setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e);
		ask(&all[i]);
	}
}

/* Until so many answers have come. */
static void run(int epoll, long answers)
{
	struct epoll_event events[256];

	while (answers > 0) {
		int n = epoll_wait(epoll, events, 256, 10000);
		if (n <= 0) {
			errno = ETIMEDOUT;
			die("no answer");
		}
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			ssize_t r = read(c->fd, c->in + c->have, sizeof c->in - c->have);
			if (r <= 0)
				die("read");
			c->have += (size_t)r;
			if (!is_whole(c))
				continue;
			answers--;
			ask(c);
		}
	}
}

int main(int argc, char **argv)
{
	static char echo[64];
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct rlimit files;
	char *colon;

	if (argc != 6 || !(colon = strchr(argv[3], ':'))) {
		fprintf(stderr, "usage: net_load echo|http PID ADDRESS CONNECTIONS REQUESTS\n");
		return 2;
	}
	*colon = 0;
	inet_pton(AF_INET, argv[3], &to.sin_addr);
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	http = strcmp(argv[1], "http") == 0;
	memset(echo, 'x', sizeof echo);
	request = http ? "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" : echo;
	request_bytes = http ? strlen(request) : sizeof echo;
	pid_t pid = atoi(argv[2]);
	long n = atol(argv[4]), requests = atol(argv[5]);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	struct connection *all = calloc((size_t)n, sizeof *all);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!all || epoll < 0)
		die("begin");
	open_all(all, n, &to, epoll);
	run(epoll, requests / 4 + n);
	int64_t before = server_cpu_ns(pid);
	run(epoll, requests);
	printf("%.0f\n", (double)(server_cpu_ns(pid) - before) / (double)requests);
	return 0;
}
