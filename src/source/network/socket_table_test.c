#include "source/network/socket_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "source/network/socket_holder.h"

static const struct socket_query all = { .protocols = (1u << PROTOCOL_COUNT) - 1, .states = STATES_ALL, .details = true };

/* ---- answers made by hand ---- */

struct inet_answer {
	struct nlmsghdr header;
	struct inet_diag_msg m;
	struct nlattr info_header;
	struct tcp_info info;
	struct nlattr memory_header;
	uint32_t memory[SK_MEMINFO_VARS];
	struct nlattr congestion_header;
	char congestion[8];
} __attribute__((packed)); /* netlink aligns to 4 bytes, tcp_info to 8 */

static struct inet_answer inet_answer_make(void)
{
	struct inet_answer a = {
		.header = { .nlmsg_len = sizeof a, .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.m = { .idiag_family = AF_INET,
		       .idiag_state = STATE_ESTABLISHED,
		       .idiag_timer = 1,
		       .idiag_retrans = 2,
		       .idiag_expires = 1500,
		       .id = { .idiag_sport = htons(8080), .idiag_dport = htons(40000), .idiag_cookie = { 5, 6 } },
		       .idiag_rqueue = 3,
		       .idiag_wqueue = 8,
		       .idiag_uid = 33,
		       .idiag_inode = 77 },
		.info_header = { NLA_HDRLEN + sizeof a.info, INET_DIAG_INFO },
		.memory_header = { NLA_HDRLEN + sizeof a.memory, INET_DIAG_SKMEMINFO },
		.congestion_header = { NLA_HDRLEN + sizeof a.congestion, INET_DIAG_CONG },
		.congestion = "cubic",
	};
	a.m.id.idiag_src[0] = htonl(0x7f000001);
	a.m.id.idiag_dst[0] = htonl(0x0a0000c8);
	a.info.tcpi_total_retrans = 9;
	a.info.tcpi_rtt = 1500;
	a.info.tcpi_snd_cwnd = 10;
	a.info.tcpi_snd_ssthresh = 0x7fffffff;
	a.info.tcpi_bytes_acked = UINT64_C(5000000000);
	a.info.tcpi_last_data_sent = 4000;
	a.info.tcpi_last_data_recv = 2500;
	a.info.tcpi_data_segs_out = 0;
	a.info.tcpi_data_segs_in = 3;
	a.memory[SK_MEMINFO_RCVBUF] = 4096;
	a.memory[SK_MEMINFO_DROPS] = 12;
	return a;
}

static int parse(const void *p, size_t n, enum socket_protocol protocol, const struct socket_query *query,
		 struct socket_table *ret)
{
	socket_table_clear(ret);
	return socket_table_parse((struct span){ p, n }, protocol, query, ret);
}

static void test_inet(void)
{
	struct inet_answer a = inet_answer_make();
	struct socket_table t = { 0 };
	char text[SOCKET_ADDRESS_SIZE];

	CHECK(parse(&a, sizeof a, PROTOCOL_TCP, &all, &t) == 0);
	CHECK_U64(t.rows.n, 1);
	const struct socket_row *s = &t.rows.v[0];
	CHECK_STR(socket_state_name(s), "ESTAB");
	socket_address_text(s, false, text);
	CHECK_STR(text, "127.0.0.1");
	socket_address_text(s, true, text);
	CHECK_STR(text, "10.0.0.200");
	CHECK_U64(s->local_port, 8080);
	CHECK_U64(s->remote_port, 40000);
	CHECK_U64(s->cookie, UINT64_C(6) << 32 | 5);
	CHECK_U64(s->inode, 77);
	CHECK(s->has_uid && s->uid == 33);
	CHECK_U64(s->timer_tries, 2);
	CHECK_U64(s->timer_ms, 1500);
	CHECK_U64(socket_tcp_figure(&t, s, SOCKET_TCP_retransmits), 9);
	CHECK_U64(socket_tcp_figure(&t, s, SOCKET_TCP_rtt_ns), 1500000);
	CHECK_U64(socket_tcp_figure(&t, s, SOCKET_TCP_slow_start_threshold), READING_ABSENT);
	CHECK_U64(socket_tcp_figure(&t, s, SOCKET_TCP_bytes_acked), UINT64_C(5000000000));
	CHECK_U64(socket_memory_figure(s, SOCKET_MEMORY_receive_buffer_bytes), 4096);
	CHECK_U64(socket_memory_figure(s, SOCKET_MEMORY_drops), 12);
	CHECK_U64(socket_age_ns(&t, s), 4 * NS_PER_S);
	CHECK_U64(socket_idle_ns(&t, s), 2500 * NS_PER_MS);
	CHECK_STR(socket_congestion(&t, s), "cubic");
	socket_table_deinit(&t);
}

static void test_ipv6_any(void)
{
	struct inet_answer a = inet_answer_make();
	struct socket_table t = { 0 };
	char text[SOCKET_ADDRESS_SIZE];

	a.m.idiag_family = AF_INET6;
	a.m.idiag_inode = 0;
	memset(a.m.id.idiag_src, 0, sizeof a.m.id.idiag_src);
	a.m.id.idiag_dst[0] = 0;
	a.m.id.idiag_dst[3] = htonl(1);
	CHECK(parse(&a, sizeof a, PROTOCOL_TCP, &all, &t) == 0);
	socket_address_text(&t.rows.v[0], false, text);
	CHECK_STR(text, "*");
	socket_address_text(&t.rows.v[0], true, text);
	CHECK_STR(text, "[::1]");
	CHECK(!t.rows.v[0].has_uid);
	t.rows.v[0].ipv6_only = true;
	socket_address_text(&t.rows.v[0], false, text);
	CHECK_STR(text, "[::]");
	socket_table_deinit(&t);
}

/* A replayed dump holds all states; the question still counts. */
static void test_states(void)
{
	struct inet_answer a[2] = { inet_answer_make(), inet_answer_make() };
	struct socket_query listeners = { .protocols = 1, .states = STATES_LISTEN };
	struct socket_table t = { 0 };

	a[1].m.idiag_state = STATE_LISTEN;
	a[1].info.tcpi_unacked = 4;
	CHECK(parse(a, sizeof a, PROTOCOL_TCP, &listeners, &t) == 0);
	CHECK_U64(t.rows.n, 1);
	CHECK(socket_is_listener(&t.rows.v[0]));
	CHECK_U64(socket_tcp_figure(&t, &t.rows.v[0], SOCKET_TCP_unacked), 4);
	CHECK_U64(socket_tcp_figure(&t, &t.rows.v[0], SOCKET_TCP_retransmits), READING_ABSENT);
	a[1].m.idiag_state = 200;
	CHECK(parse(a, sizeof a, PROTOCOL_TCP, &all, &t) == 0);
	CHECK_U64(t.rows.n, 1);
	socket_table_deinit(&t);
}

/* An old kernel sends a shorter tcp_info and fewer figures: absent, not zero. */
static void test_old_kernel(void)
{
	struct inet_answer a = inet_answer_make();
	struct socket_table t = { 0 };
	size_t shorter = offsetof(struct tcp_info, tcpi_pacing_rate);

	a.info_header.nla_len = (uint16_t)(NLA_HDRLEN + shorter);
	a.header.nlmsg_len = (uint32_t)(offsetof(struct inet_answer, info) + shorter);
	CHECK(parse(&a, a.header.nlmsg_len, PROTOCOL_TCP, &all, &t) == 0);
	CHECK_U64(socket_tcp_figure(&t, &t.rows.v[0], SOCKET_TCP_retransmits), 9);
	CHECK_U64(socket_tcp_figure(&t, &t.rows.v[0], SOCKET_TCP_bytes_acked), READING_ABSENT);
	CHECK_U64(socket_memory_figure(&t.rows.v[0], SOCKET_MEMORY_drops), READING_ABSENT);
	CHECK_U64(socket_age_ns(&t, &t.rows.v[0]), READING_ABSENT);
	CHECK(socket_congestion(&t, &t.rows.v[0]) == NULL);
	socket_table_deinit(&t);
}

static void test_damaged(void)
{
	struct inet_answer a = inet_answer_make();
	struct socket_table t = { 0 };

	CHECK(parse("", 0, PROTOCOL_UDP, &all, &t) == 0);
	for (size_t n = 1; n < sizeof a; n++) {
		CHECK(parse(&a, n, PROTOCOL_UDP, &all, &t) == -EBADMSG);
		CHECK_U64(t.rows.n, 0);
	}
	a.m.idiag_family = AF_UNIX;
	CHECK(parse(&a, sizeof a, PROTOCOL_UDP, &all, &t) == 0);
	CHECK_U64(t.rows.n, 0);
	socket_table_deinit(&t);
}

static void test_unix(void)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_msg m;
		struct nlattr name_header;
		char name[8];
		struct nlattr peer_header;
		uint32_t peer;
		struct nlattr queue_header;
		uint32_t queue[2];
	} a = {
		{ .nlmsg_len = sizeof a, .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		{ .udiag_family = AF_UNIX, .udiag_type = SOCK_STREAM, .udiag_state = STATE_LISTEN, .udiag_ino = 9 },
		{ NLA_HDRLEN + 8, UNIX_DIAG_NAME }, "/run/a\nb",
		{ NLA_HDRLEN + 4, UNIX_DIAG_PEER }, 10,
		{ NLA_HDRLEN + 8, UNIX_DIAG_RQLEN }, { 2, 128 },
	};
	struct socket_table t = { 0 };

	CHECK(parse(&a, sizeof a, PROTOCOL_UNIX, &all, &t) == 0);
	CHECK_U64(t.rows.n, 1);
	const struct socket_row *s = &t.rows.v[0];
	CHECK(span_is(socket_name(&t, s), "/run/a\nb"));
	CHECK_U64(s->peer_inode, 10);
	CHECK(s->has_queues && s->receive_queue == 2 && s->send_queue == 128);
	CHECK(!s->has_uid);
	CHECK(parse(&a, sizeof a, PROTOCOL_TCP, &all, &t) == 0);
	CHECK_U64(t.rows.n, 0);
	socket_table_deinit(&t);
}

static void test_files(void)
{
	struct socket_table t = { 0 };

	CHECK(socket_table_parse_packet(SPAN("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
					     "ffff8880 3      3    0003   2     1 512    0      4242\n"
					     "ffff8881 3 3 zz 2 1 0 0 1\nffff 3\n"), &t) == 0);
	CHECK_U64(t.rows.n, 1);
	CHECK_U64(t.rows.v[0].number, 3);
	CHECK_U64(t.rows.v[0].interface, 2);
	CHECK_U64(t.rows.v[0].receive_queue, 512);
	CHECK_U64(t.rows.v[0].inode, 4242);
	CHECK(socket_table_parse_netlink(SPAN("sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n"
					      "000000006f7fea44 16  812        00000011 7  8        0     2        3        99\n"), &t) == 0);
	CHECK_U64(t.rows.n, 2);
	CHECK_U64(t.rows.v[1].number, 16);
	CHECK_U64(t.rows.v[1].port_id, 812);
	CHECK_U64(socket_memory_figure(&t.rows.v[1], SOCKET_MEMORY_drops), 3);
	CHECK_U64(socket_memory_figure(&t.rows.v[1], SOCKET_MEMORY_receive_buffer_bytes), READING_ABSENT);
	socket_table_deinit(&t);
}

/* Where sock_diag has no module. */
static void test_proc(void)
{
	struct socket_query listeners = { .states = STATES_LISTEN };
	struct socket_table t = { 0 };
	char text[SOCKET_ADDRESS_SIZE];
	static const char tcp[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000    33        0 77 1 0 100 0 0 10 0\n"
		"   1: 0100007F:1F90 0200000A:9C40 01 00000009:00000005 01:00000064 00000002  1000        0 78 1 0\n"
		"   2: 0100007F:1F9 zz\n   3: 0100007F\n";

	CHECK(socket_table_parse_inet(span_from(tcp), PROTOCOL_TCP, AF_INET, &all, &t) == 0);
	CHECK_U64(t.rows.n, 2);
	CHECK(socket_is_listener(&t.rows.v[0]) && t.rows.v[0].receive_queue == 3 && !t.rows.v[0].has_backlog);
	CHECK_U64(t.rows.v[0].local_port, 8080);
	socket_address_text(&t.rows.v[1], true, text);
	CHECK_STR(text, "10.0.0.2");
	CHECK(t.rows.v[1].send_queue == 9 && t.rows.v[1].uid == 1000 && t.rows.v[1].inode == 78);
	CHECK(t.rows.v[1].timer == 1 && t.rows.v[1].timer_ms == 1000 && t.rows.v[1].timer_tries == 2);
	CHECK_U64(socket_tcp_figure(&t, &t.rows.v[1], SOCKET_TCP_retransmits), READING_ABSENT);
	socket_table_clear(&t);
	CHECK(socket_table_parse_inet(span_from(tcp), PROTOCOL_TCP, AF_INET, &listeners, &t) == 0 && t.rows.n == 1);
	socket_table_clear(&t);
	CHECK(socket_table_parse_inet(span_from(tcp), PROTOCOL_TCP, AF_INET6, &all, &t) == 0 && t.rows.n == 0);
	CHECK(socket_table_parse_inet(SPAN("  4: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 "
					   "00000000:00000000 00:00000000 00000000 0 0 9 2 0 0\n"),
				      PROTOCOL_UDP, AF_INET6, &all, &t) == 0);
	socket_address_text(&t.rows.v[0], false, text);
	CHECK_STR(text, "[::1]");
	socket_table_clear(&t);
	CHECK(socket_table_parse_unix(SPAN("Num       RefCount Protocol Flags    Type St Inode Path\n"
					   "0000000000000000: 00000002 00000000 00010000 0001 01 626 /run/a b\n"
					   "0000000000000000: 00000003 00000000 00000000 0001 03 627\n"), &all, &t) == 0);
	CHECK_U64(t.rows.n, 2);
	CHECK(socket_is_listener(&t.rows.v[0]) && span_is(socket_name(&t, &t.rows.v[0]), "/run/a b"));
	CHECK(t.rows.v[1].state == STATE_ESTABLISHED && t.rows.v[1].inode == 627 && t.rows.v[1].name_n == 0);
	socket_table_deinit(&t);
}

static void test_holders(void)
{
	socket_holder_vec holders = { 0 };
	size_t denied = 0, n;
	static const char text[] = "p20 worker\0" "5 300\0" "x 7\0" "6 100\0" "p7 master\0" "4 300\0" "3 300\0" "pz bad\0" "9 1\0"
				   "denied 3";

	CHECK(socket_holders_parse((struct span){ text, sizeof text - 1 }, &holders, &denied) == 0);
	CHECK_U64(denied, 3);
	CHECK_U64(holders.n, 4);
	const struct socket_holder *h = socket_holders_find(&holders, 300, &n);
	CHECK_U64(n, 3);
	CHECK(h && h[0].pid == 7 && h[0].fd == 3 && h[1].fd == 4 && h[2].pid == 20);
	CHECK_STR(h ? h[2].comm : NULL, "worker");
	CHECK(!socket_holders_find(&holders, 0, &n) && n == 0);
	CHECK(!socket_holders_find(&holders, 301, &n) && n == 0);
	vec_free(&holders);

	net_namespace_vec ns = { 0 };
	CHECK(net_namespaces_parse(SPAN("4026531840 0\nx\n4026532000 17\n9 99999999999\ndenied 4\n"), &ns, &denied) == 0 && denied == 4);
	CHECK_U64(ns.n, 2);
	CHECK(ns.n == 2 && ns.v[1].inode == 4026532000 && ns.v[1].pid == 17);
	vec_free(&ns);
}

/* ---- this machine ---- */

static int listen_on(struct sockaddr *address, socklen_t n)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, n) < 0 || listen(fd, 7) < 0)
		return -1;
	return fd;
}

static const struct socket_row *find_port(const struct socket_table *t, enum socket_protocol protocol, uint16_t port,
					  enum socket_state state)
{
	vec_each(s, &t->rows)
		if (s->protocol == protocol && s->local_port == port && s->state == state)
			return s;
	return NULL;
}

static void test_live(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t size = sizeof in;
	struct socket_table t = { 0 };
	socket_holder_vec holders = { 0 };
	struct buf scratch = { 0 };
	struct host *h;
	size_t n, denied;

	int un_n = snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "osprey-test-%d", getpid());
	int fd = listen_on((struct sockaddr *)&in, sizeof in);
	int local = listen_on((struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)un_n));
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && local >= 0 && getsockname(fd, (struct sockaddr *)&in, &size) == 0);
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(peer, (struct sockaddr *)&in, sizeof in) == 0);
	CHECK(bind(udp, (struct sockaddr *)&in, sizeof in) == 0);
	CHECK(host_open_live("/", &h, NULL) == 0);

	socket_table_clear(&t);
	CHECK(socket_table_read(h, &all, 0, 0, &scratch, &t) == 0);
	if (t.presence[PROTOCOL_TCP] != PRESENT)
		check_skip("sock_diag does not answer here");
	const struct socket_row *s = find_port(&t, PROTOCOL_TCP, ntohs(in.sin_port), STATE_LISTEN);
	CHECK(s && s->receive_queue == 1 && s->send_queue == 7 && s->uid == getuid());
	CHECK(find_port(&t, PROTOCOL_TCP, ntohs(in.sin_port), STATE_ESTABLISHED));
	CHECK(find_port(&t, PROTOCOL_UDP, ntohs(in.sin_port), STATE_CLOSED));
	const struct socket_row *found = NULL;
	vec_each(row, &t.rows)
		if (row->protocol == PROTOCOL_UNIX && row->name_n == (size_t)un_n + 1 &&
		    memcmp(socket_name(&t, row).p, un.sun_path, row->name_n) == 0)
			found = row;
	CHECK(found && found->state == STATE_LISTEN);
	CHECK(socket_holders_read(h, &scratch, &holders, &denied) == 0);
	const struct socket_holder *holder = socket_holders_find(&holders, s ? s->inode : 0, &n);
	CHECK(n == 1 && holder->pid == getpid() && holder->fd == fd);

	/* The kernel leaves out what is not asked for. */
	struct socket_query listeners = { .protocols = 1u << PROTOCOL_TCP, .states = STATES_LISTEN };
	socket_table_clear(&t);
	CHECK(socket_table_read(h, &listeners, 0, 0, &scratch, &t) == 0);
	CHECK(find_port(&t, PROTOCOL_TCP, ntohs(in.sin_port), STATE_LISTEN));
	vec_each(row, &t.rows)
		CHECK(row->state == STATE_LISTEN && row->tcp_n == 0);
	CHECK(t.presence[PROTOCOL_UDP] == UNREAD);

	struct socket_query port = { .protocols = ~0u, .states = STATES_ALL, .port = ntohs(in.sin_port) };
	socket_table_clear(&t);
	CHECK(socket_table_read(h, &port, 0, 0, &scratch, &t) == 0);
	CHECK(find_port(&t, PROTOCOL_TCP, port.port, STATE_LISTEN) && find_port(&t, PROTOCOL_UDP, port.port, STATE_CLOSED));
	size_t both = 0;
	vec_each(row, &t.rows) {
		CHECK(row->protocol >= PROTOCOL_UNIX || row->local_port == port.port || row->remote_port == port.port);
		both += row->protocol == PROTOCOL_TCP && row->state == STATE_ESTABLISHED;
	}
	CHECK_U64(both, 2); /* either end */

	net_namespace_vec ns = { 0 };
	CHECK(net_namespaces_read(h, &scratch, &ns, &denied) == 0);
	CHECK(ns.n >= 1 && ns.v[0].pid == 0);
	vec_free(&ns);
	close(fd), close(local), close(udp), close(peer);
	host_free(h);
	buf_deinit(&scratch);
	vec_free(&holders);
	socket_table_deinit(&t);
}

int main(void)
{
	test_inet();
	test_ipv6_any();
	test_states();
	test_old_kernel();
	test_damaged();
	test_unix();
	test_files();
	test_proc();
	test_holders();
	test_live();
	return check_exit();
}
