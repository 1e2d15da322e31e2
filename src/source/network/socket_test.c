#include "source/network/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

/* ---- answers made by hand ---- */

struct answer {
	struct nlmsghdr header;
	struct inet_diag_msg m;
	struct nlattr info_header;
	struct tcp_info info;
	struct nlattr memory_header;
	uint32_t memory[SK_MEMINFO_VARS];
} __attribute__((packed)); /* netlink aligns to 4 bytes, tcp_info to 8 */

static struct answer answer_make(void)
{
	struct answer a = {
		.header = { .nlmsg_len = sizeof a, .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.m = { .idiag_family = AF_INET,
		       .idiag_state = 1,
		       .id = { .idiag_sport = htons(8080), .idiag_dport = htons(40000), .idiag_cookie = { 5, 6 } },
		       .idiag_rqueue = 3,
		       .idiag_wqueue = 8,
		       .idiag_inode = 77 },
		.info_header = { NLA_HDRLEN + sizeof a.info, INET_DIAG_INFO },
		.memory_header = { NLA_HDRLEN + sizeof a.memory, INET_DIAG_SKMEMINFO },
	};
	a.m.id.idiag_src[0] = htonl(0x7f000001);
	a.m.id.idiag_dst[0] = htonl(0x0a000002);
	a.info.tcpi_total_retrans = 9;
	a.info.tcpi_segs_out = 100;
	a.info.tcpi_rtt = 1500;
	a.info.tcpi_rto = 204000;
	a.info.tcpi_dsack_dups = 2;
	a.memory[SK_MEMINFO_RCVBUF] = 4096;
	a.memory[SK_MEMINFO_DROPS] = 12;
	return a;
}

static int parse(const void *p, size_t n, enum socket_kind kind, socket_vec *ret)
{
	size_t skipped = 0;

	ret->n = 0;
	return sockets_parse((struct span){ p, n }, kind, ret, &skipped);
}

static void test_parse(void)
{
	struct answer a = answer_make();
	socket_vec sockets = { 0 };

	CHECK(parse(&a, sizeof a, SOCKET_TCP, &sockets) == 0);
	CHECK_U64(sockets.n, 1);
	const struct socket *s = &sockets.v[0];
	CHECK_STR(s->local, "127.0.0.1:8080");
	CHECK_STR(s->remote, "10.0.0.2:40000");
	CHECK_U64(s->cookie, UINT64_C(6) << 32 | 5);
	CHECK_U64(s->inode, 77);
	CHECK_U64(s->retransmits, 9);
	CHECK_U64(s->segments_out, 100);
	CHECK_U64(s->duplicates, 2);
	CHECK_U64(s->rtt_ns, 1500000);
	CHECK_U64(s->rto_ns, 204000000);
	CHECK_U64(s->drops, 12);
	CHECK_U64(s->receive_buffer_bytes, 4096);
	CHECK_U64(s->owner_pid, 0);

	a.m.idiag_family = AF_INET6;
	memset(a.m.id.idiag_src, 0, sizeof a.m.id.idiag_src);
	a.m.id.idiag_src[3] = htonl(1);
	CHECK(parse(&a, sizeof a, SOCKET_TCP, &sockets) == 0);
	CHECK_STR(sockets.v[0].local, "[::1]:8080");
	vec_free(&sockets);
}

/* An old kernel sends a shorter tcp_info and no drops: absent, not zero. */
static void test_old_kernel(void)
{
	struct answer a = answer_make();
	socket_vec sockets = { 0 };
	size_t shorter = offsetof(struct tcp_info, tcpi_segs_out);

	a.info_header.nla_len = (uint16_t)(NLA_HDRLEN + shorter);
	a.header.nlmsg_len = (uint32_t)(offsetof(struct answer, info) + shorter);
	CHECK(parse(&a, a.header.nlmsg_len, SOCKET_TCP, &sockets) == 0);
	CHECK_U64(sockets.n, 1);
	CHECK_U64(sockets.v[0].retransmits, 9);
	CHECK_U64(sockets.v[0].segments_out, READING_ABSENT);
	CHECK_U64(sockets.v[0].duplicates, READING_ABSENT);
	CHECK_U64(sockets.v[0].drops, READING_ABSENT);
	vec_free(&sockets);
}

static void test_damaged(void)
{
	struct answer a = answer_make();
	socket_vec sockets = { 0 };

	CHECK(parse("", 0, SOCKET_UDP, &sockets) == 0);
	for (size_t n = 1; n < sizeof a; n++) {
		CHECK(parse(&a, n, SOCKET_UDP, &sockets) == -EBADMSG);
		CHECK_U64(sockets.n, 0);
	}
	a.m.idiag_family = AF_UNIX;
	CHECK(parse(&a, sizeof a, SOCKET_UDP, &sockets) == 0);
	CHECK_U64(sockets.n, 0);
	a = answer_make();
	a.info_header.nla_len = 2; /* would stand still: the attributes end here */
	CHECK(parse(&a, sizeof a, SOCKET_TCP, &sockets) == 0);
	CHECK_U64(sockets.n, 1);
	CHECK_U64(sockets.v[0].retransmits, READING_ABSENT);
	vec_free(&sockets);
}

static void test_too_many(void)
{
	struct answer a = answer_make();
	struct {
		struct nlmsghdr header;
		uint64_t n;
	} overrun = { { .nlmsg_len = sizeof overrun, .nlmsg_type = NLMSG_OVERRUN }, 1000 };
	socket_vec sockets = { 0 };
	struct buf text = { 0 };
	size_t skipped = 0;

	for (int i = 0; i < 5000; i++)
		CHECK(buf_append(&text, &a, sizeof a) == 0);
	CHECK(buf_append(&text, &overrun, sizeof overrun) == 0);
	CHECK(sockets_parse(buf_span(&text), SOCKET_TCP, &sockets, &skipped) == 0);
	CHECK_U64(sockets.n, 4096);
	CHECK_U64(skipped, 5000 - 4096 + 1000);
	vec_free(&sockets);
	buf_deinit(&text);
}

/* ---- a namespace whose sockets are known ---- */

#define BACKLOG 3
#define CONNECTS 12

static int bound_socket(int family, int type, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, type, 0), small = 4096;

	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (family == AF_INET6)
		return bind(fd, (struct sockaddr *)&v6, sizeof v6) < 0 ? -1 : fd;
	return bind(fd, (struct sockaddr *)&v4, sizeof v4) < 0 ? -1 : fd;
}

static void lo_up(void)
{
	if (system("ip link set lo up") != 0)
		_exit(2);
}

static void overflow_listener(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(8080),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (int i = 0; i < CONNECTS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fd, (struct sockaddr *)&to, sizeof to);
	}
}

static void overflow_udp(int reader)
{
	struct sockaddr_in6 to;
	socklen_t n = sizeof to;
	char datagram[1000] = { 0 };
	int sender = socket(AF_INET6, SOCK_DGRAM, 0);

	getsockname(reader, (struct sockaddr *)&to, &n);
	for (int i = 0; i < 100; i++)
		(void)!sendto(sender, datagram, sizeof datagram, 0, (struct sockaddr *)&to, n);
}

static void child_main(int ready)
{
	char byte = unshare(CLONE_NEWNET) == 0;

	prctl(PR_SET_NAME, "net test (it)");
	if (byte) {
		lo_up();
		int listener = bound_socket(AF_INET, SOCK_STREAM, 8080);
		int reader = bound_socket(AF_INET6, SOCK_DGRAM, 5353);
		bound_socket(AF_INET, SOCK_DGRAM, 5354); /* idle: not to be listed */
		byte = listener >= 0 && reader >= 0 && listen(listener, BACKLOG) == 0;
		overflow_listener();
		overflow_udp(reader);
		usleep(1300000); /* until the SYNs that found no room were sent again */
	}
	(void)!write(ready, &byte, 1);
	pause();
	_exit(0);
}

static struct socket *find(socket_vec *sockets, enum socket_kind kind, const char *local)
{
	vec_each(s, sockets)
		if (s->kind == kind && strcmp(s->local, local) == 0)
			return s;
	return NULL;
}

/* "State Recv-Q Send-Q …" of the listener, as ss tells it. */
static void check_against_ss(pid_t child, const struct socket *listener)
{
	char command[160], state[16];
	unsigned receive = 0, send = 0;

	snprintf(command, sizeof command, "nsenter -t %d -n ss -Htlni sport = 8080", child);
	FILE *ss = popen(command, "r");
	if (!ss || fscanf(ss, "%15s %u %u", state, &receive, &send) != 3)
		fprintf(stderr, "note: no ss here to compare with\n");
	else {
		CHECK_U64(listener->receive_queue, receive);
		CHECK_U64(listener->send_queue, send);
	}
	if (ss)
		pclose(ss);
}

static void check_sockets(pid_t child, socket_vec *sockets)
{
	struct socket *listener = find(sockets, SOCKET_TCP_LISTEN, "127.0.0.1:8080");
	struct socket *reader = find(sockets, SOCKET_UDP, "[::1]:5353");
	unsigned waiting_syns = 0;

	CHECK(listener && reader);
	if (!listener || !reader)
		return;
	CHECK_U64(listener->send_queue, BACKLOG);
	CHECK_U64(listener->receive_queue, BACKLOG + 1);
	CHECK(reading_ok(listener->drops) && listener->drops >= 1);
	check_against_ss(child, listener);
	CHECK(reader->receive_queue > 0);
	CHECK(reading_ok(reader->drops) && reader->drops > 50);
	CHECK_U64(reader->receive_buffer_bytes, 8192); /* the kernel doubles it */
	CHECK(!find(sockets, SOCKET_UDP, "127.0.0.1:5354"));
	vec_each(s, sockets)
		waiting_syns += s->kind == SOCKET_TCP && reading_ok(s->retransmits) && s->retransmits > 0;
	CHECK(waiting_syns > 0);
}

static void check_owners(struct host *h, pid_t child, socket_vec *sockets)
{
	struct socket *listener = find(sockets, SOCKET_TCP_LISTEN, "127.0.0.1:8080");
	struct socket *reader = find(sockets, SOCKET_UDP, "[::1]:5353");
	struct socket *both[] = { listener, reader };

	if (!listener || !reader)
		return;
	CHECK(socket_owners(h, both, 2) == 0);
	CHECK_U64(listener->owner_pid, child);
	CHECK_STR(listener->owner_comm, "net test (it)");
	CHECK_U64(reader->owner_pid, child);
}

/* The next look knows the owners without another search. */
static void check_carried(struct socket_reader *r, pid_t child, uint64_t inode, socket_vec *sockets)
{
	enum presence presence;
	size_t skipped;

	CHECK(sockets_read(r, inode, child, sockets, &skipped, &presence) == 0);
	const struct socket *listener = find(sockets, SOCKET_TCP_LISTEN, "127.0.0.1:8080");
	CHECK(listener && listener->owner_sought && listener->owner_pid == child);
	vec_each(s, sockets)
		CHECK(s->owner_sought == (s->owner_pid != 0));
}

static void look(struct host *h, pid_t child, uint64_t inode, socket_vec *ret)
{
	struct socket_reader *r;
	enum presence presence;
	size_t skipped = 1;

	CHECK(socket_reader_new(h, &r) == 0);
	CHECK(sockets_read(r, inode, child, ret, &skipped, &presence) == 0);
	CHECK(presence == PRESENT);
	CHECK_U64(skipped, 0);
	check_sockets(child, ret);
	check_owners(h, child, ret);
	check_carried(r, child, inode, ret);
	socket_reader_free(r);
}

/* By members: what lies between them is the compiler's. */
static bool same_socket(const struct socket *a, const struct socket *b)
{
	return a->kind == b->kind && a->net_ns == b->net_ns && a->cookie == b->cookie && a->inode == b->inode &&
	       strcmp(a->local, b->local) == 0 && strcmp(a->remote, b->remote) == 0 &&
	       a->receive_queue == b->receive_queue && a->send_queue == b->send_queue && a->drops == b->drops &&
	       a->receive_buffer_bytes == b->receive_buffer_bytes && a->retransmits == b->retransmits &&
	       a->segments_out == b->segments_out && a->rtt_ns == b->rtt_ns && a->rto_ns == b->rto_ns &&
	       a->duplicates == b->duplicates && a->owner_pid == b->owner_pid &&
	       strcmp(a->owner_comm, b->owner_comm) == 0 && a->owner_sought == b->owner_sought;
}

/* The same answers, from the capture of the look. */
static void test_replay(const char *path, pid_t child, uint64_t inode, const socket_vec *live)
{
	struct host *captured;
	socket_vec sockets = { 0 };

	CHECK(host_open_capture(path, &captured, NULL) == 0);
	look(captured, child, inode, &sockets);
	CHECK_U64(sockets.n, live->n);
	for (size_t i = 0; sockets.n == live->n && i < live->n; i++)
		CHECK(same_socket(&sockets.v[i], &live->v[i]));
	vec_free(&sockets);
	host_free(captured);
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A reader lets go of a namespace that is no longer asked for: it would keep it alive. */
static void test_lets_go(struct host *h, pid_t child, uint64_t inode)
{
	struct socket_reader *r;
	socket_vec sockets = { 0 };
	enum presence presence;
	size_t skipped;
	int before = open_fds();

	CHECK(socket_reader_new(h, &r) == 0);
	CHECK(sockets_read(r, inode, child, &sockets, &skipped, &presence) == 0);
	CHECK(sockets_read(r, inode, child, &sockets, &skipped, &presence) == 0);
	CHECK_U64(open_fds(), before + 1); /* kept */
	CHECK(host_tick(h, host_time(h).mono_ns + 1600000000) == 0);
	CHECK(sockets_read(r, 0, 0, &sockets, &skipped, &presence) == 0);
	CHECK_U64(open_fds(), before + 1);
	socket_reader_free(r);
	CHECK_U64(open_fds(), before);
	vec_free(&sockets);
}

static void test_no_namespace(struct host *h)
{
	struct socket_reader *r;
	socket_vec sockets = { 0 };
	enum presence presence;
	size_t skipped;

	CHECK(socket_reader_new(h, &r) == 0);
	CHECK(sockets_read(r, 12345, 2147483647, &sockets, &skipped, &presence) == 0);
	CHECK(presence == ABSENT);
	CHECK_U64(sockets.n, 0);
	socket_reader_free(r);
	vec_free(&sockets);
}

static void test_namespace(struct host *h)
{
	char path[64], capture[] = "/tmp/osprey-socket-test-XXXXXX", byte = 0;
	struct stat theirs = { 0 };
	socket_vec sockets = { 0 };
	int ready[2], file = mkstemp(capture);

	CHECK(file >= 0 && pipe(ready) == 0);
	pid_t child = fork();
	if (child == 0)
		child_main(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	snprintf(path, sizeof path, "/proc/%d/ns/net", child);
	if (!byte) {
		fprintf(stderr, "note: no new network namespace to be had: needs root\n");
	} else if (stat(path, &theirs) == 0) {
		CHECK(host_capture_to(h, capture, NULL) == 0);
		look(h, child, theirs.st_ino, &sockets);
		CHECK(host_capture_end(h) == 0);
		test_replay(capture, child, theirs.st_ino, &sockets);
		test_lets_go(h, child, theirs.st_ino);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(capture);
	close(file);
	close(ready[0]);
	close(ready[1]);
	vec_free(&sockets);
}

int main(void)
{
	struct host *h;

	test_parse();
	test_old_kernel();
	test_damaged();
	test_too_many();
	CHECK(host_open_live("/", &h, NULL) == 0);
	test_namespace(h);
	test_no_namespace(h);
	host_free(h);
	return check_exit();
}
