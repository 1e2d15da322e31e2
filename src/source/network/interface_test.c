#include "source/network/interface.h"

#include <errno.h>

#include "base/check.h"

static void test_parse(void)
{
	struct interface i = { .name = "untouched" };

	CHECK(interface_parse(SPAN("  eth0: 652157311   13623    1    2    3     4          5         6   632478 "
				   "   8884    7    8    9    10      11          12"),
			      &i) == 0);
	CHECK_STR(i.name, "eth0");
	CHECK_U64(i.rx_bytes, 652157311);
	CHECK_U64(i.rx_dropped, 2);
	CHECK_U64(i.rx_multicast, 6);
	CHECK_U64(i.tx_bytes, 632478);
	CHECK_U64(i.tx_dropped, 8);
	CHECK_U64(i.tx_compressed, 12);
	CHECK(interface_parse(SPAN("lo:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), &i) == 0); /* old kernels */
	CHECK_STR(i.name, "lo");
	CHECK_U64(i.tx_compressed, 16);
	CHECK(interface_parse(SPAN("lo: 99999999999999999999 2 x -4 5 6 7 8 9 10 11 12 13 14 15 16"), &i) == 0);
	CHECK_U64(i.rx_bytes, READING_MALFORMED);
	CHECK_U64(i.rx_packets, 2);
	CHECK_U64(i.rx_errors, READING_MALFORMED);
	CHECK_U64(i.rx_dropped, READING_MALFORMED);
}

static void test_not_an_interface(void)
{
	struct interface i = { .name = "untouched" };

	CHECK(interface_parse(SPAN("Inter-|   Receive       |  Transmit"), &i) == -EBADMSG);
	CHECK(interface_parse(SPAN(" face |bytes    packets errs drop|bytes"), &i) == -EBADMSG);
	CHECK(interface_parse(SPAN(""), &i) == -EBADMSG);
	CHECK(interface_parse(SPAN("eth0: 1 2 3"), &i) == -EBADMSG);
	CHECK(interface_parse(SPAN(": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), &i) == -EBADMSG);
	CHECK(interface_parse(SPAN("sixteen-letters-: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), &i) == -EBADMSG);
	CHECK(interface_parse(SPAN("\0eth: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), &i) == -EBADMSG);
	CHECK_STR(i.name, "untouched");
}

static void test_live(struct host *h)
{
	enum presence presence;
	interface_vec interfaces = { 0 };
	struct buf scratch = { 0 };
	bool loopback = false;

	CHECK(interfaces_read(h, 0, &scratch, &interfaces, &presence) == 0);
	CHECK(presence == PRESENT);
	vec_each(i, &interfaces) {
		loopback |= strcmp(i->name, "lo") == 0;
		CHECK(reading_ok(i->rx_bytes) && reading_ok(i->tx_compressed));
	}
	CHECK(loopback);
	CHECK(interfaces_read(h, 2147483647, &scratch, &interfaces, &presence) == 0);
	CHECK(presence == ABSENT);
	CHECK_U64(interfaces.n, 0);
	vec_free(&interfaces);
	buf_deinit(&scratch);
}

int main(void)
{
	struct host *h;

	test_parse();
	test_not_an_interface();
	CHECK(host_open_live("/", &h, NULL) == 0);
	test_live(h);
	host_free(h);
	return check_exit();
}
