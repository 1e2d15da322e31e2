#include "kernel/netlink.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

static void test_framing(void)
{
	struct {
		struct nlmsghdr first;
		char data[5];
	} cut = { .first = { .nlmsg_len = NLMSG_HDRLEN + 5, .nlmsg_type = 20, .nlmsg_seq = 7 }, .data = "abcd" };
	struct span rest = { (char *)&cut, NLMSG_HDRLEN + 5 };
	struct netlink_message m;

	CHECK(netlink_next(&rest, &m)); /* without its padding */
	CHECK_U64(m.type, 20);
	CHECK_U64(m.sequence, 7);
	CHECK_U64(m.payload.n, 5);
	CHECK_U64(rest.n, 0);
	CHECK(!netlink_next(&rest, &m));
	for (size_t n = 0; n < NLMSG_HDRLEN + 5; n++) {
		rest = (struct span){ (char *)&cut, n };
		CHECK(!netlink_next(&rest, &m));
	}
	cut.first.nlmsg_len = NLMSG_HDRLEN - 1; /* would stand still */
	rest = (struct span){ (char *)&cut, sizeof cut };
	CHECK(!netlink_next(&rest, &m));
}

static void test_attributes(void)
{
	const uint16_t text[] = { 8, 3 | NLA_F_NESTED, 1, 2, 5, 4, 9 };
	struct span rest = { (const char *)text, sizeof text }, value;
	uint16_t type;

	CHECK(netlink_attribute(&rest, &type, &value));
	CHECK_U64(type, 3);
	CHECK_U64(value.n, 4);
	CHECK(netlink_attribute(&rest, &type, &value));
	CHECK_U64(type, 4);
	CHECK_U64(value.n, 1);
	CHECK(!netlink_attribute(&rest, &type, &value));
}

static uint64_t own_namespace(void)
{
	struct stat s;

	return stat("/proc/thread-self/ns/net", &s) == 0 ? s.st_ino : 0;
}

static void test_open_and_come_back(struct host *h)
{
	uint64_t own = own_namespace();
	int ready[2], fd = -1;
	char byte;

	if (pipe(ready) < 0)
		return;
	pid_t child = fork();
	if (child == 0) {
		byte = unshare(CLONE_NEWNET) == 0;
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	if (!byte) {
		fprintf(stderr, "note: no new network namespace to be had: needs root\n");
	} else {
		char path[48];
		struct stat theirs = { 0 };

		snprintf(path, sizeof path, "/proc/%d/ns/net", child);
		CHECK(stat(path, &theirs) == 0);
		CHECK(theirs.st_ino != own);
		CHECK(netlink_open(h, NETLINK_SOCK_DIAG, child, theirs.st_ino, &fd) == 0);
		CHECK_U64(own_namespace(), own);
		close(fd);
		CHECK(netlink_open(h, NETLINK_SOCK_DIAG, child, own, &fd) == -ESTALE);
		CHECK_U64(own_namespace(), own);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(netlink_open(h, NETLINK_SOCK_DIAG, child, 0, &fd) == -ENOENT);
	CHECK_U64(own_namespace(), own);
}

static int count(const struct netlink_message *message, void *arg)
{
	(void)message;
	++*(unsigned *)arg;
	return 0;
}

static int refuse(const struct netlink_message *message, void *arg)
{
	(void)message, (void)arg;
	return -ECANCELED;
}

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static void test_dump(struct host *h)
{
	struct request request = {
		.header = { .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << 10 },
	};
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = -1;
	unsigned n = 0, again = 0;
	uint64_t deadline = clock_mono_ns() + NS_PER_S;

	CHECK(listen(listener, 1) == 0);
	CHECK(netlink_open(h, NETLINK_SOCK_DIAG, 0, 0, &fd) == 0);
	CHECK(netlink_dump(fd, &request.header, sizeof request, deadline, count, &n) == 0);
	CHECK(n >= 1);
	CHECK(netlink_dump(fd, &request.header, sizeof request, deadline, count, &again) == 0);
	CHECK(again >= 1);
	CHECK(netlink_dump(fd, &request.header, sizeof request, deadline, refuse, NULL) == -ECANCELED);
	close(fd);
	CHECK(netlink_open(h, NETLINK_SOCK_DIAG, 0, 0, &fd) == 0);
	CHECK(netlink_dump(fd, &request.header, sizeof request, 0, count, &n) == -ETIMEDOUT);
	close(fd);
	request.body.sdiag_family = 200;
	CHECK(netlink_open(h, NETLINK_SOCK_DIAG, 0, 0, &fd) == 0);
	CHECK(netlink_dump(fd, &request.header, sizeof request, deadline, count, &n) < 0);
	close(fd);
	close(listener);
}

int main(void)
{
	struct host *h;

	test_framing();
	test_attributes();
	CHECK(host_open_live("/", &h, NULL) == 0);
	test_open_and_come_back(h);
	test_dump(h);
	host_free(h);
	return check_exit();
}
