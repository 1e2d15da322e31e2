/* What closing takes, and what is left of what was closed: others run meanwhile, and the kernel has forgotten it. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define LINGER_S 20
/* Others have their turn. */
#define TURN (3 * MS)

/* -- closing that takes long: what was sent is waited for */

#define HOLDS 16384		/* the reader's side */

static struct rt_fd writer, reader;
static int64_t filled;

static void set_option(struct rt_fd fd, int name, const void *value, socklen_t bytes)
{
	CHECK(setsockopt(rt_fd_number(fd), SOL_SOCKET, name, value, bytes) == 0);
}

static void connection_open(void)
{
	const int holds = HOLDS, more = 8 * HOLDS;
	const struct linger linger = { 1, LINGER_S };
	struct rt_address a;
	struct rt_fd listener;

	CHECK(rt_address_parse("127.0.0.1:0", &a) == 0);
	CHECK(rt_listen(&a, NULL, &listener) == 0);
	set_option(listener, SO_RCVBUF, &holds, sizeof holds);
	CHECK(rt_local_address(listener, &a) == 0);
	CHECK(rt_connect(&a, &writer, RT_FOREVER) == 0);
	CHECK(rt_accept(listener, NULL, &reader, RT_FOREVER) == 0);
	CHECK(rt_fd_close(listener) == 0);
	set_option(writer, SO_SNDBUF, &more, sizeof more);
	set_option(writer, SO_LINGER, &linger, sizeof linger);
}

/* More than the reader's side takes, however slowly it takes it. */
static void fill(void)
{
	static const char bytes[4 * HOLDS];

	connection_open();
	while (rt_write(writer, bytes, sizeof bytes, 0) > 0)
		;
	filled = rt_now();
}

/* Who closes waits until this one breaks off (or a signal comes): so this one has to run, long before it is given up. */
static int breaks_off(void *arg)
{
	(void)arg;
	rt_sleep(TURN);
	CHECK(rt_now() - filled < LINGER_S * 1000 * MS / 2);
	CHECK(rt_fd_close(reader) == 0);
	return 0;
}

static int closes_slowly(void *arg)
{
	struct rt_fiber other;

	(void)arg;
	fill();
	CHECK(rt_spawn(breaks_off, NULL, NULL, &other) == 0);
	CHECK(rt_fd_close(writer) == 0);
	CHECK(rt_join(other, NULL, RT_FOREVER) == 0);
	return 0;
}

/* The number alone, and as a file's. */
static int closes_number_slowly(void *arg)
{
	struct rt_fiber other;

	(void)arg;
	fill();
	int number = rt_fd_release(writer);
	CHECK(rt_spawn(breaks_off, NULL, NULL, &other) == 0);
	CHECK(rt_file_close(number) == 0);
	CHECK(rt_join(other, NULL, RT_FOREVER) == 0);
	return 0;
}

/* -- a number that stays open */

static struct rt_fd kept;

static int reads(void *arg)
{
	char byte;

	(void)arg;
	CHECK(rt_read(kept, &byte, 1, RT_FOREVER) == -EBADF);
	return 0;
}

static int closes(void *arg)
{
	(void)arg;
	CHECK(rt_fd_close(kept) == 0);
	return 0;
}

/* Closed in the midst of the first call, which would have waited for it: nobody does any more. */
static int keeps(void *arg)
{
	struct rt_scope s;
	int fds[2];
	char byte;

	(void)arg;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	for (int i = 0; i < 20; i++) {
		CHECK(rt_fd_adopt(fds[0], RT_FD_KEEP, &kept) == 0);
		rt_scope_open(&s, RT_FOREVER);
		CHECK(rt_scope_go(&s, i % 2 ? reads : closes, NULL) == 0);
		CHECK(rt_scope_go(&s, i % 2 ? closes : reads, NULL) == 0);
		CHECK(rt_scope_close(&s) == 0);
		/* The kernel would not take it twice. */
		CHECK(rt_fd_adopt(fds[0], RT_FD_KEEP, &kept) == 0);
		CHECK(rt_read(kept, &byte, 1, rt_now() + MS / 10) == -ETIMEDOUT);
		CHECK(rt_fd_close(kept) == 0);
	}
	close(fds[0]);
	close(fds[1]);
	return 0;
}

/* -- handles that are late */

/* Of what is used again at once. */
#define LATE 2

static struct rt_fd late[LATE];
static _Atomic int over;

/* Of the same pipe. */
static int numbers_of(int number)
{
	struct stat of, other;
	int n = 0;

	CHECK(fstat(number, &of) == 0);
	for (int i = 0; i < 1024; i++)
		n += fstat(i, &other) == 0 && other.st_dev == of.st_dev && other.st_ino == of.st_ino;
	return n;
}

static int uses_late(void *arg)
{
	(void)arg;
	while (!over) {
		for (int i = 0; i < 1000; i++)
			CHECK(rt_fd_number(late[i % LATE]) == -EBADF);
		rt_yield();
	}
	return 0;
}

static void make_late(int number)
{
	for (int i = 0; i < LATE; i++)
		CHECK(rt_fd_adopt(dup(number), 0, &late[i]) == 0);
	for (int i = 0; i < LATE; i++)
		CHECK(rt_fd_close(late[i]) == 0);
}

/* They are not taken for users of what is there now, which is closed while they are used. */
static int late_handles(void *arg)
{
	struct rt_fiber user;
	int fds[2];

	(void)arg;
	CHECK(pipe(fds) == 0);
	make_late(fds[0]);
	over = 0;
	CHECK(rt_spawn(uses_late, NULL, NULL, &user) == 0);
	rt_sleep(TURN);
	for (int64_t end = rt_now() + check_load(60) * MS; rt_now() < end;)
		CHECK(rt_wait_readable(fds[0], 1) == -ETIMEDOUT);
	over = 1;
	CHECK(rt_join(user, NULL, RT_FOREVER) == 0);
	CHECK(numbers_of(fds[0]) == 2);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "closes slowly", closes_slowly },
		{ "closes a number slowly", closes_number_slowly },
		{ "a number that stays open", keeps },
		{ "late handles", late_handles },
	};
	/* Under Valgrind others stand still while one closes. */
	size_t from = ON_VALGRIND ? 2 : 0, n = sizeof tests / sizeof *tests - from;
	int r = check_all(tests + from, n);

	return r | check_all_without_ring(tests + from, n - 1);
}
