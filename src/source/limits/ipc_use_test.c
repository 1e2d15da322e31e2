#include <errno.h>

#include "base/check.h"
#include "source/limits/ipc_use.h"
#include "source/limits/user_inotify.h"

static void test_sysv(void)
{
	struct sysv_use use;

	sysv_use_parse(SPAN("key shmid perms size\n 1 0 666 4096 1 2\n 2 1 600 8192 1 2\n"), SYSV_SHM, &use);
	CHECK_U64(use.objects, 2);
	CHECK_U64(use.bytes, 12288);
	CHECK(use.semaphores == READING_ABSENT);
	sysv_use_parse(SPAN("key semid perms nsems\n 1 0 666 17\n"), SYSV_SEM, &use);
	CHECK_U64(use.semaphores, 17);
	sysv_use_parse(SPAN("header alone\n"), SYSV_MSG, &use);
	CHECK_U64(use.objects, 0);
	sysv_use_parse(SPAN(""), SYSV_MSG, &use);
	CHECK(use.objects == READING_MALFORMED);
	sysv_use_parse(SPAN("h\n 1 0 666\n"), SYSV_SHM, &use);
	CHECK(use.objects == READING_MALFORMED);
}

static void test_keys(void)
{
	key_user_vec users = { 0 };

	CHECK(key_users_parse(SPAN("    0:     9 8/8 3/1000000 40/25000000\n  bad\n 1000:     1 1/1 199/200 9/20000\n"), &users) == 0);
	CHECK_U64(users.n, 2);
	CHECK(users.v[1].uid == 1000);
	CHECK_U64(users.v[1].keys, 199);
	CHECK_U64(users.v[1].keys_limit, 200);
	CHECK_U64(users.v[1].bytes, 9);
	vec_free(&users);
}

static void test_network(void)
{
	struct socket_stat s;
	struct port_use use;

	socket_stat_parse(SPAN("sockets: used 24\nTCP: inuse 4 orphan 2 tw 7 alloc 4 mem 69\nUDP: inuse 0 mem 3\n"), &s);
	CHECK_U64(s.tcp_orphans, 2);
	CHECK_U64(s.tcp_time_wait, 7);
	CHECK_U64(s.tcp_memory_pages, 69);
	CHECK_U64(s.udp_memory_pages, 3);
	socket_stat_parse(SPAN(""), &s);
	CHECK(s.tcp_orphans == READING_ABSENT);
	CHECK_U64(neighbor_entries_parse(SPAN("entries  allocs\n0000001f  000000a8\n0000001f 0\n")), 31);
	CHECK(neighbor_entries_parse(SPAN("entries\n")) == READING_MALFORMED);

	CHECK(port_use_parse(SPAN("h\n"
				  " 0: 0100007F:8000 0200000A:1538 01 x\n" /* 32768 to 10.0.0.2:5432 */
				  " 1: 0100007F:8001 0200000A:1538 06 x\n"
				  " 2: 0100007F:0050 0300000A:9000 01 x\n" /* port 80: a server's */
				  " 3: 0100007F:8002 0300000A:1538 01 x\n"
				  " 4: 00000000:8003 00000000:0000 0A x\n"),
			     SPAN(""), 32768, 60999, &use) == 0);
	CHECK_STR(use.peer, "10.0.0.2:5432");
	CHECK_U64(use.ports, 2);
	CHECK(port_use_parse(SPAN(""), SPAN(""), 1, 2, &use) == 0);
	CHECK_U64(use.ports, 0);
	CHECK_STR(use.peer, "");
}

static void test_numbers(void)
{
	CHECK_U64(nth_number(SPAN("4096 87380\t6291456\n"), 2), 6291456);
	CHECK_U64(nth_number(SPAN("7\n"), 0), 7);
	CHECK(nth_number(SPAN("7\n"), 1) == READING_MALFORMED);
	CHECK_U64(nth_number(SPAN("18446744073709551615"), 0), UINT64_MAX / 2); /* no limit */
}

static void test_inotify(void)
{
	user_inotify_vec users = { 0 };
	bool complete = false;

	CHECK(user_inotify_parse(SPAN("1\n0 2 100\n33 1 5\n"), &users, &complete) == 0);
	CHECK(complete && users.n == 2 && users.v[1].uid == 33 && users.v[0].watches == 100);
	CHECK(user_inotify_parse(SPAN("1\n0 2\n"), &users, &complete) == -EBADMSG);
	CHECK(user_inotify_parse(SPAN(""), &users, &complete) == -EBADMSG);
	vec_free(&users);
}

int main(void)
{
	test_sysv();
	test_keys();
	test_network();
	test_numbers();
	test_inotify();
	return check_exit();
}
