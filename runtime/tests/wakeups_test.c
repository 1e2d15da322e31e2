/* Who waits at a descriptor is woken by what is waited for, whoever waits beside, and by nothing else: not by a
 * signal, nor by another queue. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* Who is not woken before is not woken at all. */
#define MOST (20 * 1000 * MS)
/* Others have their turn: mostly they wait then. A test is easier if not. */
#define TURN (3 * MS)

static struct rt_fd stream, receiver, sender;
static struct rt_address to;
static _Atomic int started;

static void datagram_at(const char *text, struct rt_fd *ret)
{
	struct rt_address a;

	CHECK(rt_address_parse(text, &a) == 0);
	CHECK(rt_datagram(&a, ret) == 0);
}

static void datagrams_open(void)
{
	datagram_at("127.0.0.1:0", &receiver);
	datagram_at("127.0.0.1:0", &sender);
	CHECK(rt_local_address(receiver, &to) == 0);
}

static void datagrams_close(void)
{
	CHECK(rt_fd_close(receiver) == 0);
	CHECK(rt_fd_close(sender) == 0);
}

static ssize_t send_one(struct rt_fd from, int64_t deadline)
{
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr m = { .msg_name = &to.storage, .msg_namelen = to.bytes, .msg_iov = &part, .msg_iovlen = 1 };

	return rt_sendmsg(from, &m, 0, deadline);
}

static ssize_t take_error(int64_t deadline)
{
	char byte, control[256];
	struct iovec part = { &byte, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };

	return rt_recvmsg(receiver, &m, MSG_ERRQUEUE, deadline);
}

/* Reads one byte, as it comes. */
static int reads_one(void *arg)
{
	int64_t deadline = rt_now() + MOST;
	char byte;

	CHECK(rt_read(*(struct rt_fd *)arg, &byte, 1, deadline) == 1);
	CHECK(rt_now() < deadline);
	return 0;
}

static int takes_an_error(void *arg)
{
	(void)arg;
	return (int)take_error(RT_FOREVER);
}

/* That there are no errors does not say that there are no data. */
static int errors_are_no_data(void *arg)
{
	char byte;

	(void)arg;
	datagrams_open();
	CHECK(rt_read(receiver, &byte, 1, 0) == -ETIMEDOUT);
	CHECK(rt_read(receiver, &byte, 1, rt_now() + MS) == -ETIMEDOUT);
	CHECK(send_one(sender, RT_FOREVER) == 1);
	/* It is seen that there are data; and then, that there is no error. */
	rt_sleep(TURN);
	CHECK(take_error(0) == -ETIMEDOUT);
	CHECK(reads_one(&receiver) == 0);
	datagrams_close();
	return 0;
}

/* Who waits for errors takes nothing away from who waits for data, be it what came, or what one of those left. */
static int errors_beside_data(void *arg)
{
	struct rt_fiber errors[2], data[2];

	(void)arg;
	datagrams_open();
	for (int i = 0; i < 2; i++) {
		CHECK(rt_spawn(takes_an_error, NULL, NULL, &errors[i]) == 0);
		rt_sleep(TURN);
		CHECK(rt_spawn(reads_one, &receiver, NULL, &data[i]) == 0);
		rt_sleep(TURN);
	}
	for (int i = 0; i < 2; i++)
		CHECK(send_one(sender, RT_FOREVER) == 1);
	for (int i = 0; i < 2; i++)
		CHECK(rt_join(data[i], NULL, RT_FOREVER) == 0);
	CHECK(rt_fd_close(receiver) == 0);
	for (int i = 0, r; i < 2; i++)
		CHECK(rt_join(errors[i], &r, RT_FOREVER) == 0 && r == -EBADF);
	CHECK(rt_fd_close(sender) == 0);
	return 0;
}

/* And is woken by one: nobody has the port any more. */
static int errors_come(void *arg)
{
	struct rt_fiber errors;
	int on = 1, r = 0;

	(void)arg;
	datagrams_open();
	CHECK(rt_local_address(sender, &to) == 0);
	CHECK(rt_fd_close(sender) == 0);
	CHECK(setsockopt(rt_fd_number(receiver), IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0);
	CHECK(rt_spawn(takes_an_error, NULL, NULL, &errors) == 0);
	rt_sleep(TURN);
	CHECK(send_one(receiver, RT_FOREVER) == 1);
	CHECK(rt_join(errors, &r, rt_now() + MOST) == 0 && r == 1);
	CHECK(rt_fd_close(receiver) == 0);
	return 0;
}

/* -- a fiber that is to be started, and one that waits */

static int starts(void *arg)
{
	(void)arg;
	started = 1;
	return 0;
}

static void has_started(void)
{
	int64_t deadline = rt_now() + MOST;

	while (!started && rt_now() < deadline)
		rt_sleep(MS / 10);
	CHECK(started);
}

static int open_stream(void)
{
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(rt_fd_adopt(fds[0], 0, &stream) == 0);
	started = 0;
	return fds[1];
}

static int starts_beside_a_reader(void *arg)
{
	int peer = open_stream();
	struct rt_fiber reader;

	(void)arg;
	CHECK(rt_fd_on_readable(stream, starts, NULL) == 0);
	CHECK(rt_spawn(reads_one, &stream, NULL, &reader) == 0);
	rt_sleep(TURN);
	/* One of them is the reader's. */
	CHECK(write(peer, "ab", 2) == 2);
	CHECK(rt_join(reader, NULL, RT_FOREVER) == 0);
	has_started();
	CHECK(rt_fd_close(stream) == 0);
	close(peer);
	return 0;
}

static struct rt_event there_is_memory;

static int waits_for_memory(void *arg)
{
	(void)arg;
	return rt_event_wait(&there_is_memory, RT_FOREVER);
}

/* When there is no memory for it, it is started as soon as there is some. */
static int starts_with_memory(void *arg)
{
	int peer = open_stream();
	struct rlimit before, none;

	(void)arg;
	memset(&there_is_memory, 0, sizeof there_is_memory);
	CHECK(rt_fd_on_readable(stream, starts, NULL) == 0);
	CHECK(getrlimit(RLIMIT_DATA, &before) == 0);
	none = before;
	none.rlim_cur = 4096;
	CHECK(setrlimit(RLIMIT_DATA, &none) == 0);
	while (rt_go(waits_for_memory, NULL) == 0)
		;
	CHECK(write(peer, "a", 1) == 1);
	rt_sleep(TURN);
	CHECK(setrlimit(RLIMIT_DATA, &before) == 0);
	rt_event_set(&there_is_memory);
	has_started();
	CHECK(rt_fd_close(stream) == 0);
	close(peer);
	return 0;
}

/* -- queues of others */

static struct sockaddr_un peers_address;

static ssize_t send_ten(struct rt_fd fd, int64_t deadline)
{
	static char text[10];
	struct iovec part = { text, sizeof text };
	struct msghdr m = { .msg_name = &peers_address, .msg_namelen = sizeof peers_address, .msg_iov = &part, .msg_iovlen = 1 };

	return rt_sendmsg(fd, &m, 0, deadline);
}

static int sends_ten(void *arg)
{
	return (int)send_ten(*(struct rt_fd *)arg, rt_now() + MOST);
}

/* Both wait for room in the sender's own buffer: of which one edge tells. */
static int room_for_two(void *arg)
{
	int from = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), least = 1, r;
	int peers = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	static char much[3000];
	struct rt_fiber f[2];
	struct rt_fd fd;

	(void)arg;
	peers_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(peers_address.sun_path + 1, sizeof peers_address.sun_path - 1, "osprey-wakeups-test-%d", getpid());
	CHECK(bind(peers, (void *)&peers_address, sizeof peers_address) == 0);
	CHECK(setsockopt(from, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) == 0);
	for (size_t bytes = sizeof much; bytes > 0; bytes = bytes > 1 ? 1 : 0)
		while (sendto(from, much, bytes, 0, (void *)&peers_address, sizeof peers_address) > 0)
			;
	CHECK(rt_fd_adopt(from, 0, &fd) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(rt_spawn(sends_ten, &fd, NULL, &f[i]) == 0);
	rt_sleep(TURN);
	while (recv(peers, much, sizeof much, 0) > 0)
		;
	for (int i = 0; i < 2; i++)
		CHECK(rt_join(f[i], &r, RT_FOREVER) == 0 && r == 10);
	CHECK(rt_fd_close(fd) == 0);
	close(peers);
	return 0;
}

static int sends_one(void *arg)
{
	int64_t deadline = rt_now() + MOST;

	CHECK(send_one(*(struct rt_fd *)arg, deadline) == 1);
	CHECK(rt_now() < deadline);
	return 0;
}

static int is_cancelled(void *arg)
{
	CHECK(send_one(*(struct rt_fd *)arg, RT_FOREVER) == -ECANCELED);
	return 0;
}

static int is_closed(void *arg)
{
	CHECK(send_one(*(struct rt_fd *)arg, RT_FOREVER) == -EBADF);
	return 0;
}

/* It sleeps meanwhile, and most of the time at that. */
static void waits_asleep(int64_t ns)
{
	int64_t cpu = check_cpu_ns();

	rt_sleep(ns);
	CHECK(ON_VALGRIND || check_cpu_ns() - cpu < ns / 2);
}

/* The receiver's queue is full of what another has sent, whose room is the only one that the kernel tells of. */
static int full_queue_of_another(void *arg)
{
	struct rt_fd other;
	struct rt_fiber fiber;
	struct rt_scope s;
	char text[64], byte;

	(void)arg;
	snprintf(text, sizeof text, "unix:@osprey-wakeups-%d-r", getpid());
	datagram_at(text, &receiver);
	CHECK(rt_local_address(receiver, &to) == 0);
	snprintf(text, sizeof text, "unix:@osprey-wakeups-%d-s", getpid());
	datagram_at(text, &sender);
	snprintf(text, sizeof text, "unix:@osprey-wakeups-%d-o", getpid());
	datagram_at(text, &other);
	while (send_one(sender, 0) == 1)
		;
	CHECK(send_one(other, 0) == -ETIMEDOUT);
	CHECK(send_one(other, rt_now() + MS) == -ETIMEDOUT);
	CHECK(rt_spawn(sends_one, &other, NULL, &fiber) == 0);
	waits_asleep(80 * MS);
	while (rt_read(receiver, &byte, 1, 0) == 1)
		;
	CHECK(rt_join(fiber, NULL, RT_FOREVER) == 0);
	/* Cancelled, or closed, while it is full. */
	while (send_one(sender, 0) == 1)
		;
	CHECK(rt_spawn(is_closed, &other, NULL, &fiber) == 0);
	rt_scope_open(&s, RT_FOREVER);
	CHECK(rt_scope_go(&s, is_cancelled, &other) == 0);
	rt_sleep(TURN);
	rt_scope_cancel(&s);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(rt_fd_close(other) == 0);
	CHECK(rt_join(fiber, NULL, RT_FOREVER) == 0);
	datagrams_close();
	return 0;
}

/* -- signals */

static void nothing(int signal)
{
	(void)signal;
}

/* The thread has a signal again and again, mostly in the midst of something. */
static timer_t signals_begin(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
	struct itimerspec often = { { 0, 50000 }, { 0, 50000 } };
	timer_t timer = NULL;

	event._sigev_un._tid = gettid();
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &often, NULL) == 0);
	return timer;
}

static int signals_are_no_data(void *arg)
{
	int fds[2], r = -ETIMEDOUT;

	(void)arg;
	CHECK(pipe(fds) == 0);
	timer_t timer = signals_begin();
	for (int64_t end = rt_now() + check_load(30) * MS; r == -ETIMEDOUT && rt_now() < end;)
		r = rt_wait_readable(fds[0], 0);
	timer_delete(timer);
	CHECK(r == -ETIMEDOUT);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static bool is_connected(struct rt_fd fd)
{
	struct tcp_info info;
	socklen_t bytes = sizeof info;

	CHECK(getsockopt(rt_fd_number(fd), IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0);
	return info.tcpi_state == TCP_ESTABLISHED;
}

/* Nobody accepts, so at last nobody is connected. */
static int signals_are_no_connections(void *arg)
{
	struct rt_listen_options options = { .backlog = 1 };
	struct rt_address a;
	struct rt_fd listener, fd;
	int right = 1;

	(void)arg;
	CHECK(rt_address_parse("127.0.0.1:0", &a) == 0);
	CHECK(rt_listen(&a, &options, &listener) == 0);
	CHECK(rt_local_address(listener, &a) == 0);
	timer_t timer = signals_begin();
	for (int64_t end = rt_now() + check_load(60) * MS; right && rt_now() < end;) {
		int r = rt_connect(&a, &fd, 0);
		right = r == 0 ? is_connected(fd) : r == -ETIMEDOUT;
		if (r == 0)
			CHECK(rt_fd_close(fd) == 0);
	}
	timer_delete(timer);
	CHECK(right);
	CHECK(rt_fd_close(listener) == 0);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "errors are no data", errors_are_no_data },
		{ "errors beside data", errors_beside_data },
		{ "errors come", errors_come },
		{ "started beside a reader", starts_beside_a_reader },
		{ "room for two", room_for_two },
		{ "a full queue of another", full_queue_of_another },
		{ "signals are no data", signals_are_no_data },
		{ "signals are no connections", signals_are_no_connections },
		{ "started when there is memory", starts_with_memory },
	};
	size_t n = sizeof tests / sizeof *tests;
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART | SA_ONSTACK };

	CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
	if (!BEARS_LIMITS)
		n--;
	int r = check_all(tests, n);
	return r | check_all_without_ring(tests, 4);
}
