#include "base/check.h"
#include "source/process/process_socket.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

static const char tcp[] = HEAD
	"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 630 1 0 100 0 0 10 0\n"
	"   1: 0100007F:1F90 0100007F:C000 01 00000010:00000020 00:00000000 00000000     0        0 631 1 0 20 4 30 10 -1\n"
	"   2: 0100007F:C000 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 632 1 0 20 4 30 10 -1\n"
	"   3: 0100007F:C000 0100007F:1F91 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n";
static const char tcp6[] = HEAD
	"   0: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 640 1\n";
static const char udp[] = HEAD
	"   9: 00000000:0044 00000000:0000 07 00000000:00000010 00:00000000 00000000 0 0 650 2 0 0\n";
static const char unix_text[] =
	"Num       RefCount Protocol Flags    Type St Inode Path\n"
	"0000000000000000: 00000002 00000000 00010000 0001 01 660 /run/a b\n"
	"0000000000000000: 00000003 00000000 00000000 0002 03 661\n"
	"0000000000000000: 00000003 00000000 00000000 0001 03 662 @x\n";
static const char netlink[] =
	"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
	"0000000000000000 15  812        00000001 7        0        0     2        0        670\n";

static void fill(process_socket_vec *all)
{
	static const uint64_t inodes[] = { 630, 631, 640, 650, 660, 661, 662, 670, 999 };

	all->n = 0;
	for (size_t i = 0; i < sizeof inodes / sizeof inodes[0]; i++) {
		struct process_socket *s = vec_push(all);
		*s = (struct process_socket){ .inode = inodes[i], .receive_queue = READING_ABSENT };
	}
}

int main(void)
{
	process_socket_vec all = { 0 };

	fill(&all);
	CHECK_U64(process_sockets_parse(SPAN(tcp), PROCESS_SOCKETS_INET, "tcp", &all), 2);
	CHECK_STR(all.v[0].local, "127.0.0.1:8080");
	CHECK_STR(all.v[0].remote, "");
	CHECK_STR(all.v[0].state, "LISTEN");
	CHECK_U64(all.v[0].receive_queue, 3);
	CHECK_STR(all.v[1].remote, "127.0.0.1:49152");
	CHECK_U64(all.v[1].send_queue, 16);
	CHECK_U64(all.v[1].receive_queue, 32);
	CHECK_U64(all.v[1].peer_inode, 632); /* the same connection from its other end */
	CHECK_U64(process_sockets_parse(SPAN(tcp6), PROCESS_SOCKETS_INET6, "tcp6", &all), 1);
	CHECK_STR(all.v[2].local, "[::1]:53");
	CHECK_U64(process_sockets_parse(SPAN(udp), PROCESS_SOCKETS_INET, "udp", &all), 1);
	CHECK_STR(all.v[3].local, "0.0.0.0:68");
	CHECK_STR(all.v[3].state, "");
	CHECK_U64(process_sockets_parse(SPAN(unix_text), PROCESS_SOCKETS_UNIX, "unix", &all), 3);
	CHECK_STR(all.v[4].protocol, "unix-stream");
	CHECK_STR(all.v[4].local, "/run/a b");
	CHECK_STR(all.v[4].state, "LISTEN");
	CHECK_STR(all.v[5].protocol, "unix-dgram");
	CHECK_STR(all.v[6].local, "@x");
	unix_peers_parse(SPAN("662 777\nx\n5 6\n"), &all);
	CHECK_U64(all.v[6].peer_inode, 777);
	CHECK_U64(process_sockets_parse(SPAN(netlink), PROCESS_SOCKETS_NETLINK, "netlink", &all), 1);
	CHECK_STR(all.v[7].local, "uevent:812");
	CHECK_U64(all.v[7].receive_queue, 7);
	CHECK_STR(all.v[8].protocol, ""); /* in no table */

	for (size_t n = 0; n < sizeof tcp; n++) {
		fill(&all);
		process_sockets_parse((struct span){ tcp, n }, PROCESS_SOCKETS_INET, "tcp", &all);
		process_sockets_parse((struct span){ unix_text, n < sizeof unix_text ? n : 0 }, PROCESS_SOCKETS_UNIX, "unix", &all);
	}
	vec_free(&all);
	return check_exit();
}
