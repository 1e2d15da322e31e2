/* Descriptors: bytes, ends, deadlines, cancellation and closing while others wait; addresses; what waits
 * without a fiber. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "check.h"

#define LONG_MS (3600 * 1000 * MS)

static struct rt_fd listen_at(const char *text, struct rt_address *ret)
{
	struct rt_listen_options options = { .replace = true };
	struct rt_fd fd = { 0 };

	CHECK(rt_address_parse(text, ret) == 0);
	CHECK(rt_listen(ret, &options, &fd) == 0);
	CHECK(rt_local_address(fd, ret) == 0);
	return fd;
}

static int echo(void *arg)
{
	struct rt_fd fd = *(struct rt_fd *)arg;
	char buffer[4096];
	ssize_t n;

	free(arg);
	while ((n = rt_read(fd, buffer, sizeof buffer, RT_FOREVER)) > 0)
		if (rt_write_all(fd, buffer, (size_t)n, NULL, RT_FOREVER) < 0)
			break;
	CHECK(n == 0);
	CHECK(rt_fd_close(fd) == 0);
	return 0;
}

struct server {
	struct rt_fd fd;
	_Atomic int accepted;
};

static int accepts(void *arg)
{
	struct server *s = arg;
	struct rt_fd *fd;
	int r;

	for (;;) {
		fd = malloc(sizeof *fd);
		if ((r = rt_accept(s->fd, NULL, fd, RT_FOREVER)) < 0)
			break;
		s->accepted++;
		CHECK(rt_go(echo, fd) == 0);
	}
	free(fd);
	CHECK(r == -EBADF);
	return 0;
}

static struct rt_address server_address;
static int rounds;	/* of each client */

static int client(void *arg)
{
	struct rt_fd fd;
	char out[8192], in[sizeof out];
	size_t bytes = 1 + (size_t)(intptr_t)arg * 37 % sizeof out;

	CHECK(rt_connect(&server_address, &fd, RT_FOREVER) == 0);
	for (int i = 0; i < rounds; i++) {
		memset(out, i + 1, bytes);
		CHECK(rt_write_all(fd, out, bytes, NULL, RT_FOREVER) == 0);
		CHECK(rt_read_all(fd, in, bytes, NULL, RT_FOREVER) == 0);
		CHECK(memcmp(in, out, bytes) == 0);
	}
	/* Half closed: the rest comes, then the end. */
	CHECK(rt_write_all(fd, out, bytes, NULL, RT_FOREVER) == 0);
	CHECK(rt_shutdown(fd, SHUT_WR) == 0);
	size_t done = 0;
	int r = rt_read_all(fd, in, sizeof in, &done, RT_FOREVER);
	CHECK(r == (bytes == sizeof in ? 0 : -ENODATA) && done == bytes);
	CHECK(rt_read(fd, in, 1, RT_FOREVER) == 0);
	CHECK(rt_fd_close(fd) == 0);
	CHECK(rt_fd_close(fd) == -EBADF);
	CHECK(rt_read(fd, in, 1, RT_FOREVER) == -EBADF);
	return 0;
}

/* Several fibers accept at one listener, and many come at once. */
static int serves(const char *address, int clients, int acceptors, int of_each)
{
	struct server s = { 0 };
	struct rt_scope servers, all;

	rounds = of_each;
	s.fd = listen_at(address, &server_address);
	rt_scope_open(&servers, RT_FOREVER);
	for (int i = 0; i < acceptors; i++)
		CHECK(rt_scope_go(&servers, accepts, &s) == 0);
	rt_scope_open(&all, RT_FOREVER);
	for (intptr_t i = 0; i < clients; i++)
		CHECK(rt_scope_go(&all, client, (void *)i) == 0);
	CHECK(rt_scope_close(&all) == 0);
	CHECK(s.accepted == clients);
	CHECK(rt_fd_close(s.fd) == 0);
	CHECK(rt_scope_close(&servers) == 0);
	return 0;
}

static int echo_v4(void *arg)
{
	(void)arg;
	return serves("127.0.0.1:0", 50, 1, 20);
}

static int echo_v6(void *arg)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	(void)arg;
	if (fd < 0)
		return 0;
	close(fd);
	return serves("[::1]:0", 10, 2, 10);
}

static int echo_unix(void *arg)
{
	char path[64];

	(void)arg;
	snprintf(path, sizeof path, "unix:@osprey-net-test-%d", getpid());
	return serves(path, 50, 1, 10);
}

static int storm(void *arg)
{
	(void)arg;
	return serves("127.0.0.1:0", 200, 4, 1);
}

static void pair(struct rt_fd *ret)
{
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(rt_fd_adopt(fds[0], 0, &ret[0]) == 0);
	CHECK(rt_fd_adopt(fds[1], 0, &ret[1]) == 0);
}

static void pair_close(struct rt_fd *fds)
{
	CHECK(rt_fd_close(fds[0]) == 0);
	CHECK(rt_fd_close(fds[1]) == 0);
}

static int deadlines(void *arg)
{
	struct rt_fd fds[2];
	static char buffer[65536];
	int64_t deadline = rt_now() + 5 * MS;
	size_t done;

	(void)arg;
	pair(fds);
	CHECK(rt_read(fds[0], buffer, 1, 0) == -ETIMEDOUT);
	CHECK(rt_read(fds[0], buffer, 1, deadline) == -ETIMEDOUT);
	CHECK(rt_now() >= deadline);
	/* What is there comes, whatever the time. */
	CHECK(rt_write(fds[1], "x", 1, 0) == 1);
	CHECK(rt_read(fds[0], buffer, 1, 0) == 1 && buffer[0] == 'x');
	/* Nobody reads. */
	deadline = rt_now() + 5 * MS;
	int r;
	while ((r = rt_write_all(fds[0], buffer, sizeof buffer, &done, deadline)) == 0)
		;
	CHECK(r == -ETIMEDOUT && done < sizeof buffer);
	CHECK(rt_now() >= deadline);
	pair_close(fds);
	return 0;
}

struct waiting {
	struct rt_fd fd;
	int kind;
	_Atomic int *n;
};

static int waits(void *arg)
{
	struct waiting *w = arg;
	char buffer[4096] = { 0 };
	struct rt_fd other;
	ssize_t r = 0;

	switch (w->kind) {
	case 0: r = rt_read(w->fd, buffer, sizeof buffer, RT_FOREVER); break;
	case 1: r = rt_read(w->fd, buffer, sizeof buffer, rt_now() + LONG_MS); break;
	case 2: while ((r = rt_write(w->fd, buffer, sizeof buffer, RT_FOREVER)) > 0)
			;
		break;
	case 3: r = rt_accept(w->fd, NULL, &other, RT_FOREVER); break;
	case 4: r = rt_wait_readable(rt_fd_number(w->fd), RT_FOREVER); break;
	}
	++*w->n;
	return (int)r;
}

static int cancels(void *arg)
{
	struct rt_address a;
	struct rt_fd fds[2], listener = listen_at("127.0.0.1:0", &a);
	struct rt_scope s;
	_Atomic int n;

	(void)arg;
	for (int round = 0; round < 20; round++) {
		struct waiting w[5];
		n = 0;
		pair(fds);
		rt_scope_open(&s, RT_FOREVER);
		for (int i = 0; i < 5; i++) {
			w[i] = (struct waiting){ i == 3 ? listener : fds[0], i, &n };
			CHECK(rt_scope_go(&s, waits, &w[i]) == 0);
		}
		if (round % 2)
			rt_sleep(round * MS / 10);
		rt_scope_cancel(&s);
		CHECK(rt_scope_close(&s) == 0);
		CHECK(n == 5);
		pair_close(fds);
	}
	CHECK(rt_fd_close(listener) == 0);
	return 0;
}

static int closes(void *arg)
{
	struct rt_fd fds[2];

	(void)arg;
	for (int round = 0; round < 20; round++) {
		struct waiting w[3];
		struct rt_fiber fibers[3];
		_Atomic int n = 0;
		pair(fds);
		for (int i = 0; i < 3; i++) {
			w[i] = (struct waiting){ fds[0], i, &n };
			CHECK(rt_spawn(waits, &w[i], NULL, &fibers[i]) == 0);
		}
		if (round % 2)
			rt_sleep(round * MS / 10);
		CHECK(rt_fd_close(fds[0]) == 0);
		for (int i = 0; i < 3; i++) {
			int r = 0;
			CHECK(rt_join(fibers[i], &r, RT_FOREVER) == 0);
			CHECK(r == -EBADF);
		}
		/* The kernel's is closed as well: what one of them wrote is followed by the end. */
		char bytes[4096];
		ssize_t r;
		while ((r = rt_read(fds[1], bytes, sizeof bytes, RT_FOREVER)) > 0)
			;
		CHECK(r == 0);
		CHECK(rt_fd_close(fds[1]) == 0);
	}
	return 0;
}

static int takes_two(void *arg)
{
	char two[2];

	return rt_read_all(*(struct rt_fd *)arg, two, sizeof two, NULL, RT_FOREVER);
}

/* Who has taken the first of two bytes is within its call until the second comes. */
static int is_in_use(void *arg)
{
	struct rt_fd fds[2];
	struct rt_fiber fiber;
	int left = 1, r = 0;

	(void)arg;
	pair(fds);
	CHECK(rt_spawn(takes_two, &fds[0], NULL, &fiber) == 0);
	CHECK(rt_write(fds[1], "x", 1, RT_FOREVER) == 1);
	while (left) {
		CHECK(ioctl(rt_fd_number(fds[0]), FIONREAD, &left) == 0);
		rt_yield();
	}
	CHECK(rt_fd_release(fds[0]) == -EBUSY);
	CHECK(rt_write(fds[1], "y", 1, RT_FOREVER) == 1);
	CHECK(rt_join(fiber, &r, RT_FOREVER) == 0 && r == 0);
	int number = rt_fd_release(fds[0]);
	CHECK(number >= 0 && fcntl(number, F_GETFL) & O_NONBLOCK);
	CHECK(rt_fd_close(fds[0]) == -EBADF);
	close(number);
	CHECK(rt_fd_close(fds[1]) == 0);
	return 0;
}

/* Many at one descriptor: every byte comes once, and nobody sleeps over what is there. */
static struct rt_fd shared[2];
static _Atomic long sum;

static int takes(void *arg)
{
	unsigned char byte;

	(void)arg;
	while (rt_read(shared[0], &byte, 1, RT_FOREVER) == 1)
		sum += byte;
	return 0;
}

static int shares(void *arg)
{
	struct rt_scope s;
	long sent = 0;

	(void)arg;
	sum = 0;
	pair(shared);
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < 30; i++)
		CHECK(rt_scope_go(&s, takes, NULL) == 0);
	for (int i = 0; i < 200; i++) {
		unsigned char bytes[64];
		for (int j = 0; j < 64; j++) {
			bytes[j] = (unsigned char)(i * j);
			sent += bytes[j];
		}
		CHECK(rt_write_all(shared[1], bytes, sizeof bytes, NULL, RT_FOREVER) == 0);
		if (i % 50 == 0)
			rt_sleep(MS / 10);
	}
	CHECK(rt_shutdown(shared[1], SHUT_WR) == 0);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(sum == sent);
	pair_close(shared);
	return 0;
}

/* Some of those that wait at one descriptor give up: what woke them goes to others. */
static int takes_impatiently(void *arg)
{
	unsigned char byte;
	ssize_t r;

	(void)arg;
	while ((r = rt_read(shared[0], &byte, 1, rt_now() + MS / 20)) != 0)
		if (r == 1)
			sum += byte;
	return 0;
}

static int gives_up(void *arg)
{
	struct rt_scope s;
	long sent = 0;

	(void)arg;
	sum = 0;
	pair(shared);
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < 10; i++)
		CHECK(rt_scope_go(&s, i % 2 ? takes : takes_impatiently, NULL) == 0);
	for (int i = 0; i < 300; i++) {
		unsigned char byte = (unsigned char)i;
		sent += byte;
		CHECK(rt_write_all(shared[1], &byte, 1, NULL, RT_FOREVER) == 0);
		if (i % 10 == 0)
			rt_sleep(MS / 20);
	}
	CHECK(rt_shutdown(shared[1], SHUT_WR) == 0);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(sum == sent);
	pair_close(shared);
	return 0;
}

/* Many become readable between two looks, so that their calls are made together; some give up just then. No
 * byte is lost. */
#define CROWD 40

static struct rt_fd crowd[CROWD];
static int crowd_peers[CROWD];

static int takes_in_crowd(void *arg)
{
	intptr_t i = (intptr_t)arg;
	unsigned char byte;
	ssize_t r;

	while ((r = rt_read(crowd[i], &byte, 1, i % 3 ? RT_FOREVER : rt_now() + MS / 20)) != -ECANCELED) {
		CHECK(r == 1 || (r == -ETIMEDOUT && i % 3 == 0));
		sum += r == 1 ? byte : 0;
	}
	return 0;
}

static long write_to_crowd(int round)
{
	long sent = 0;

	for (int i = 0; i < CROWD; i++) {
		unsigned char byte = (unsigned char)(round + i);
		CHECK(write(crowd_peers[i], &byte, 1) == 1);
		sent += byte;
	}
	return sent;
}

static int many_at_once(void *arg)
{
	long sent = 0;
	int fds[2];
	unsigned char byte;

	(void)arg;
	sum = 0;
	for (int i = 0; i < CROWD; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		CHECK(rt_fd_adopt(fds[0], 0, &crowd[i]) == 0);
		crowd_peers[i] = fds[1];
	}
	for (int round = 0; round < 30; round++) {
		struct rt_scope s;
		rt_scope_open(&s, RT_FOREVER);
		for (intptr_t i = 0; i < CROWD; i++)
			CHECK(rt_scope_go(&s, takes_in_crowd, (void *)i) == 0);
		rt_sleep(MS / 10);
		sent += write_to_crowd(round);
		while (round % 2 && sum < sent)
			rt_sleep(MS / 10);
		rt_scope_cancel(&s);
		CHECK(rt_scope_close(&s) == 0);
		for (int i = 0; i < CROWD; i++)
			while (rt_read(crowd[i], &byte, 1, 0) == 1)
				sum += byte;
		CHECK(sum == sent);
	}
	for (int i = 0; i < CROWD; i++) {
		CHECK(rt_fd_close(crowd[i]) == 0);
		close(crowd_peers[i]);
	}
	return 0;
}

/* More than the kernel's buffers hold, both ways over one connection, so both sides wait for room. */
#define MUCH (4 << 20)

static int pours(void *arg)
{
	struct rt_fd fd = *(struct rt_fd *)arg;
	static const char bytes[100000];
	size_t left = MUCH;

	while (left > 0) {
		size_t n = left < sizeof bytes ? left : sizeof bytes;
		CHECK(rt_write_all(fd, bytes, n, NULL, RT_FOREVER) == 0);
		left -= n;
	}
	CHECK(rt_shutdown(fd, SHUT_WR) == 0);
	return 0;
}

static int drains(void *arg)
{
	struct rt_fd fd = *(struct rt_fd *)arg;
	static char bytes[50000];
	size_t total = 0;
	ssize_t n;

	while ((n = rt_read(fd, bytes, sizeof bytes, RT_FOREVER)) > 0)
		total += (size_t)n;
	CHECK(n == 0 && total == MUCH);
	return 0;
}

static int backpressure(void *arg)
{
	struct rt_address a;
	struct rt_fd listener = listen_at("127.0.0.1:0", &a), ends[2];
	struct rt_scope s;

	(void)arg;
	CHECK(rt_connect(&a, &ends[0], RT_FOREVER) == 0);
	CHECK(rt_accept(listener, NULL, &ends[1], RT_FOREVER) == 0);
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < 2; i++) {
		rt_scope_go(&s, pours, &ends[i]);
		rt_scope_go(&s, drains, &ends[i]);
	}
	CHECK(rt_scope_close(&s) == 0);
	pair_close(ends);
	CHECK(rt_fd_close(listener) == 0);
	return 0;
}

/* The peer breaks off, is not there, or never answers. */
static int refused(void *arg)
{
	struct rt_address a;
	struct rt_fd listener = listen_at("127.0.0.1:0", &a), ends[2], fd;
	struct linger now = { .l_onoff = 1 };
	char byte;

	(void)arg;
	CHECK(rt_connect(&a, &ends[0], RT_FOREVER) == 0);
	CHECK(rt_accept(listener, NULL, &ends[1], RT_FOREVER) == 0);
	CHECK(setsockopt(rt_fd_number(ends[0]), SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
	CHECK(rt_fd_close(ends[0]) == 0);
	CHECK(rt_read(ends[1], &byte, 1, RT_FOREVER) == -ECONNRESET);
	CHECK(rt_write(ends[1], "x", 1, RT_FOREVER) == -EPIPE);
	CHECK(rt_fd_close(ends[1]) == 0);
	CHECK(rt_fd_close(listener) == 0);
	CHECK(rt_connect(&a, &fd, RT_FOREVER) == -ECONNREFUSED);
	return 0;
}

static int scattered(void *arg)
{
	struct rt_fd fds[2];
	char a[3], b[4];
	struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } }, in[2] = { { a, 3 }, { b, 4 } };
	struct msghdr message = { .msg_iov = in, .msg_iovlen = 2 };

	(void)arg;
	pair(fds);
	CHECK(rt_writev(fds[0], out, 2, RT_FOREVER) == 7);
	CHECK(rt_readv(fds[1], in, 2, RT_FOREVER) == 7);
	CHECK(memcmp(a, "abc", 3) == 0 && memcmp(b, "defg", 4) == 0);
	CHECK(rt_writev(fds[1], out, 2, RT_FOREVER) == 7);
	CHECK(rt_recvmsg(fds[0], &message, 0, RT_FOREVER) == 7);
	CHECK(rt_recvmsg(fds[0], &message, 0, 0) == -ETIMEDOUT);
	pair_close(fds);
	return 0;
}

static int datagrams(void *arg)
{
	struct rt_address a, b;
	struct rt_fd one = { 0 }, two = { 0 };
	char buffer[16];
	struct iovec out = { "hello", 5 }, in = { buffer, sizeof buffer };

	(void)arg;
	CHECK(rt_address_parse("127.0.0.1:0", &a) == 0);
	CHECK(rt_datagram(&a, &one) == 0 && rt_datagram(&a, &two) == 0);
	CHECK(rt_local_address(two, &b) == 0);
	struct msghdr to = { .msg_name = &b.storage, .msg_namelen = b.bytes, .msg_iov = &out, .msg_iovlen = 1 };
	struct msghdr from = { .msg_iov = &in, .msg_iovlen = 1 };
	for (int i = 0; i < 3; i++)
		CHECK(rt_sendmsg(one, &to, 0, RT_FOREVER) == 5);
	for (int i = 0; i < 3; i++)
		CHECK(rt_recvmsg(two, &from, 0, RT_FOREVER) == 5 && memcmp(buffer, "hello", 5) == 0);
	CHECK(rt_recvmsg(two, &from, 0, 0) == -ETIMEDOUT);
	CHECK(rt_fd_close(one) == 0 && rt_fd_close(two) == 0);
	return 0;
}

/* Connections without a fiber: one is started for each that has something, and it asks anew. */
#define IDLE 50
static struct rt_fd idle[IDLE][2];
static _Atomic int answered, ended;

static int answers(void *arg)
{
	struct rt_fd fd = idle[(intptr_t)arg][0];
	char byte;
	ssize_t n;

	while ((n = rt_read(fd, &byte, 1, 0)) == 1) {
		answered++;
		CHECK(rt_write(fd, &byte, 1, RT_FOREVER) == 1);
	}
	/* It may have been started for nothing, just before it is closed below. */
	if (n == -EBADF)
		return 0;
	if (n == 0) {
		/* Or in the midst of its read, which then sees the other side's end. */
		int r = rt_fd_close(fd);
		CHECK(r == 0 || (r == -EBADF && (intptr_t)arg < IDLE / 2));
		ended += r == 0;
	} else {
		CHECK(n == -ETIMEDOUT);
		int r = rt_fd_on_readable(fd, answers, arg);
		CHECK(r == 0 || r == -EBADF);
	}
	return 0;
}

static int without_fibers(void *arg)
{
	char byte = 'x';

	(void)arg;
	answered = ended = 0;
	for (intptr_t i = 0; i < IDLE; i++) {
		pair(idle[i]);
		CHECK(rt_fd_on_readable(idle[i][0], answers, (void *)i) == 0);
	}
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < IDLE; i++)
			CHECK(rt_write(idle[i][1], &byte, 1, RT_FOREVER) == 1);
		for (int i = 0; i < IDLE; i++)
			CHECK(rt_read(idle[i][1], &byte, 1, RT_FOREVER) == 1);
	}
	CHECK(answered == 10 * IDLE);
	CHECK(ended == 0);
	/* Some are closed here; the run goes on until the others have seen the end. */
	for (int i = 0; i < IDLE / 2; i++) {
		rt_sleep(0);
		CHECK(rt_fd_close(idle[i][0]) == 0);
	}
	for (int i = 0; i < IDLE; i++)
		CHECK(rt_fd_close(idle[i][1]) == 0);
	return 0;
}

static int all_have_ended(void *arg)
{
	(void)arg;
	CHECK(ended == IDLE / 2);
	return 0;
}

static int writes_later(void *arg)
{
	uint64_t one = 1;

	rt_sleep(2 * MS);
	CHECK(write((int)(intptr_t)arg, &one, sizeof one) == sizeof one);
	return 0;
}

/* A number that blocks, and stays the program's. */
static int foreign(void *arg)
{
	int fd = eventfd(0, EFD_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t n;

	(void)arg;
	CHECK(rt_wait_readable(fd, 0) == -ETIMEDOUT);
	CHECK(rt_wait_readable(fd, rt_now() + MS) == -ETIMEDOUT);
	CHECK(rt_wait_writable(fd, RT_FOREVER) == 0);
	CHECK(rt_go(writes_later, (void *)(intptr_t)fd) == 0);
	CHECK(rt_wait_readable(fd, RT_FOREVER) == 0);
	CHECK(read(fd, &n, sizeof n) == sizeof n && n == 1);
	CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	CHECK(rt_wait_readable(null, RT_FOREVER) == 0);
	close(fd);
	close(null);
	return 0;
}

/* While a fiber computes for long, others are served. */
static int serves_beside(void *arg)
{
	struct rt_fd *fds = arg;
	char byte;

	while (rt_read(fds[0], &byte, 1, RT_FOREVER) == 1)
		CHECK(rt_write(fds[0], &byte, 1, RT_FOREVER) == 1);
	return 0;
}

static void *asks(void *arg)
{
	int fd = *(int *)arg;
	char byte = 'x';

	for (int i = 0; i < 5; i++) {
		CHECK(write(fd, &byte, 1) == 1);
		CHECK(read(fd, &byte, 1) == 1);
	}
	return NULL;
}

static int beside_a_hog(void *arg)
{
	struct rt_fd fd;
	int fds[2];
	pthread_t thread;

	(void)arg;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(rt_fd_adopt(fds[0], 0, &fd) == 0);
	CHECK(rt_go(serves_beside, &fd) == 0);
	rt_sleep(MS);
	CHECK(pthread_create(&thread, NULL, asks, &fds[1]) == 0);
	/* Only when it has all its answers does it end, and this fiber never gives way. */
	pthread_join(thread, NULL);
	close(fds[1]);
	rt_sleep(MS);
	CHECK(rt_fd_close(fd) == 0);
	return 0;
}

static void *writes_from_outside(void *arg)
{
	uint64_t one = 1;

	usleep(3000);
	CHECK(write(*(int *)arg, &one, sizeof one) == sizeof one);
	return NULL;
}

/* Nothing runs and no timer is due, and yet it is no deadlock: a thread that is not the runtime's will
 * write. */
static int woken_from_outside(void *arg)
{
	struct rt_fd fd;
	pthread_t thread;
	uint64_t n = 0;
	int number = eventfd(0, EFD_CLOEXEC);

	(void)arg;
	CHECK(rt_fd_adopt(number, 0, &fd) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(pthread_create(&thread, NULL, writes_from_outside, &number) == 0);
		CHECK(rt_read(fd, &n, sizeof n, RT_FOREVER) == sizeof n && n == 1);
		pthread_join(thread, NULL);
	}
	CHECK(rt_fd_close(fd) == 0);
	return 0;
}

static int addresses(void *arg)
{
	static const char *const good[] = { "127.0.0.1:80", "[::1]:80", "unix:/a/path", "unix:@name" };
	static const char *const bad[] = { "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "[::1:80",
					   "host:80", "127.0.0.1:-1", "[127.0.0.1]:80", "unix:", "127.0.0.1:80 " };
	static const char *const no_ports[] = { "no-port", "localhost:", "localhost:65536", "localhost:4294967376",
						"localhost:-1", "localhost: 80", "127.0.0.1:", "127.0.0.1:65616", "[::1]:99999" };
	struct rt_address a, found[8];
	char text[128];
	size_t n = 8;

	(void)arg;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		CHECK(rt_address_parse(good[i], &a) == 0);
		CHECK(rt_address_print(&a, text, sizeof text) == (int)strlen(good[i]));
		CHECK(strcmp(text, good[i]) == 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(rt_address_parse(bad[i], &a) == -EINVAL);
	CHECK(rt_resolve("127.0.0.1:7", found, &n, RT_FOREVER) == 0 && n == 1);
	n = 8;
	CHECK(rt_resolve("localhost:80", found, &n, RT_FOREVER) == 0 && n >= 1);
	rt_address_print(&found[0], text, sizeof text);
	CHECK(strcmp(text, "127.0.0.1:80") == 0 || strcmp(text, "[::1]:80") == 0);
	/* What is no port is not another one, whether it stands beside a name or not. */
	for (size_t i = 0; i < sizeof no_ports / sizeof *no_ports; i++) {
		n = 8;
		CHECK(rt_resolve(no_ports[i], found, &n, RT_FOREVER) == -EINVAL && n == 8);
	}
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "echo, IPv4", echo_v4 },
		{ "echo, IPv6", echo_v6 },
		{ "echo, unix", echo_unix },
		{ "a storm of connections", storm },
		{ "deadlines", deadlines },
		{ "cancellation", cancels },
		{ "closing while others wait", closes },
		{ "in use", is_in_use },
		{ "many at one descriptor", shares },
		{ "some give up", gives_up },
		{ "many at once", many_at_once },
		{ "backpressure", backpressure },
		{ "broken connections", refused },
		{ "several parts", scattered },
		{ "datagrams", datagrams },
		{ "without fibers", without_fibers },
		{ "all have ended", all_have_ended },
		{ "numbers of others", foreign },
		{ "beside a hog", beside_a_hog },
		{ "woken from outside", woken_from_outside },
		{ "addresses", addresses },
	};
	int r = check_all(tests, sizeof tests / sizeof *tests);

	return r | check_all_without_ring(tests, 6);
}
