/* What a socket that is bound takes over from what is there: files of its name, and what the network is set to. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "child.h"

#define SKIPPED 77

static int listen_at(const char *text, bool replace, struct rt_fd *ret)
{
	struct rt_listen_options options = { .replace = replace };
	struct rt_address a;

	CHECK(rt_address_parse(text, &a) == 0);
	return rt_listen(&a, &options, ret);
}

static void check_file(const char *path)
{
	char bytes[8];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && read(fd, bytes, sizeof bytes) == 4 && memcmp(bytes, "data", 4) == 0);
	close(fd);
}

/* Only a socket is replaced: no file, and no link, whatever it leads to. */
static int replaces(void *arg)
{
	char dir[] = "/tmp/osprey-listen-XXXXXX", file[64], link[64], address[80];
	struct stat is;
	struct rt_fd fd;

	(void)arg;
	CHECK(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/file", dir);
	snprintf(link, sizeof link, "%s/link", dir);
	int number = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(number >= 0 && write(number, "data", 4) == 4);
	close(number);
	CHECK(symlink(file, link) == 0);
	snprintf(address, sizeof address, "unix:%s", file);
	CHECK(listen_at(address, true, &fd) == -EADDRINUSE);
	snprintf(address, sizeof address, "unix:%s", link);
	CHECK(listen_at(address, true, &fd) == -EADDRINUSE);
	CHECK(lstat(link, &is) == 0 && S_ISLNK(is.st_mode));
	check_file(file);
	CHECK(unlink(link) == 0 && unlink(file) == 0);
	/* One that was left behind. */
	for (int i = 0; i < 2; i++) {
		CHECK(listen_at(address, i > 0, &fd) == 0 && rt_fd_close(fd) == 0);
		CHECK(listen_at(address, false, &fd) == -EADDRINUSE);
	}
	CHECK(unlink(link) == 0 && rmdir(dir) == 0);
	return 0;
}

/* -- where IPv6 is to be alone, unless a socket says otherwise */

static void skip(const char *why)
{
	dprintf(STDERR_FILENO, "%s: %s", why, strerror(errno));
	_exit(SKIPPED);
}

/* A network of the process's own, whose only interface is up. */
static void enter_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		skip("no network of its own");
	int fd = open("/proc/sys/net/ipv6/bindv6only", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		skip("/proc/sys/net/ipv6/bindv6only");
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
		skip("lo");
	close(fd);
}

/* The other end of what is bound to ":0", by IPv4. */
static void address_v4(struct rt_fd fd, struct rt_address *ret)
{
	struct rt_address a = { 0 };
	char text[32];

	CHECK(rt_local_address(fd, &a) == 0);
	snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(((struct sockaddr_in6 *)&a.storage)->sin6_port));
	CHECK(rt_address_parse(text, ret) == 0);
}

static void listens_to_both(void)
{
	struct rt_fd listener = { 0 }, ends[2];
	struct rt_address a;

	CHECK(listen_at(":0", false, &listener) == 0);
	address_v4(listener, &a);
	int r = rt_connect(&a, &ends[0], RT_FOREVER);
	CHECK(r == 0);
	if (r == 0) {
		CHECK(rt_accept(listener, NULL, &ends[1], RT_FOREVER) == 0);
		CHECK(rt_fd_close(ends[0]) == 0 && rt_fd_close(ends[1]) == 0);
	}
	CHECK(rt_fd_close(listener) == 0);
}

static void receives_from_both(void)
{
	struct rt_address all, v4, a;
	struct rt_fd to = { 0 }, from = { 0 };
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr in = { .msg_iov = &part, .msg_iovlen = 1 }, out = in;

	CHECK(rt_address_parse(":0", &all) == 0 && rt_address_parse("127.0.0.1:0", &v4) == 0);
	CHECK(rt_datagram(&all, &to) == 0 && rt_datagram(&v4, &from) == 0);
	address_v4(to, &a);
	out.msg_name = &a.storage;
	out.msg_namelen = a.bytes;
	CHECK(rt_sendmsg(from, &out, 0, RT_FOREVER) == 1);
	CHECK(rt_recvmsg(to, &in, 0, rt_now() + 10000 * MS) == 1);
	CHECK(rt_fd_close(to) == 0 && rt_fd_close(from) == 0);
}

static int both(void *arg)
{
	(void)arg;
	listens_to_both();
	receives_from_both();
	return 0;
}

static void case_v6_alone(unsigned processors)
{
	struct rt_options options = { .processors = processors };

	enter_network();
	CHECK(rt_run(&options, both, NULL) == 0);
}

static void check_v6_alone(unsigned processors)
{
	int status = child_status(case_v6_alone, processors);
	bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
	bool right = WIFEXITED(status) && WEXITSTATUS(status) == 100;

	CHECK(skipped || right);
	if (!right)
		fprintf(stderr, "%s: IPv6 alone, P = %u: status %#x, said: %s\n", skipped ? "skip" : "failed", processors,
			(unsigned)status, child_said);
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "replaces", replaces },
	};

	check_v6_alone(1);
	check_v6_alone(4);
	int r = check_all(tests, sizeof tests / sizeof *tests);
	return check_failed ? EXIT_FAILURE : r;
}
