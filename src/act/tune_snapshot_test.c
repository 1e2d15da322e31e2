#include "act/tune_snapshot.h"

#include "base/check.h"

static void test_named(void)
{
	struct span text = SPAN("nr_dirty 12\nallocstall_dma 1\nallocstall_normal 2\nHugepagesize:       2048 kB\nodd x\nbare\n"
				"big 18446744073709551615\n");

	CHECK_U64(named_value(text, "nr_dirty"), 12);
	CHECK_U64(named_value(text, "Hugepagesize"), 2048 * 1024);
	CHECK_U64(named_sum(text, "allocstall"), 3);
	CHECK(named_value(text, "nr_dirt") == READING_ABSENT);
	CHECK(named_sum(text, "nothing") == READING_ABSENT);
	CHECK(named_value(text, "odd") == READING_MALFORMED);
	CHECK(named_value(text, "bare") == READING_MALFORMED);
	CHECK(named_value(text, "big") == READING_MALFORMED);
	CHECK(named_value(SPAN(""), "nr_dirty") == READING_ABSENT);
}

static void test_paired(void)
{
	struct span text = SPAN("TcpExt: SyncookiesSent PruneCalled\nTcpExt: 0 7\nIpExt: InNoRoutes\nIpExt: -1\nCut: A B\nCut: 1\n");

	CHECK_U64(paired_value(text, "TcpExt", "PruneCalled"), 7);
	CHECK(paired_value(text, "TcpExt", "RcvPruned") == READING_ABSENT);
	CHECK(paired_value(text, "IpExt", "InNoRoutes") == READING_MALFORMED);
	CHECK(paired_value(text, "Cut", "B") == READING_MALFORMED);
	CHECK(paired_value(text, "Udp", "A") == READING_ABSENT);
	CHECK(paired_value(SPAN("TcpExt: A"), "TcpExt", "A") == READING_MALFORMED);
}

static void test_worded(void)
{
	struct span text = SPAN("sockets: used 159\nTCP: inuse 5 orphan 0 tw 1 alloc 7 mem 3\nUDP: inuse 2 mem 11\nUDPLITE: inuse 0\n");

	CHECK_U64(worded_value(text, "UDP", "mem"), 11);
	CHECK_U64(worded_value(text, "TCP", "tw"), 1);
	CHECK(worded_value(text, "UDPLITE", "mem") == READING_ABSENT);
	CHECK(worded_value(SPAN("UDP: mem"), "UDP", "mem") == READING_MALFORMED);
}

static void test_columns(void)
{
	struct span text = SPAN("entries  drop early_drop\n0000000a  00000001 00000010\n0000000a  00000002 00000000\n");

	CHECK_U64(column_value(text, "entries", true), 10);
	CHECK_U64(column_value(text, "drop", false), 3);
	CHECK_U64(column_value(text, "early_drop", false), 16);
	CHECK(column_value(text, "missing", false) == READING_ABSENT);
	CHECK(column_value(SPAN("entries drop\n0000000a\n"), "drop", false) == READING_MALFORMED);
	CHECK(column_value(SPAN("entries\n"), "entries", true) == READING_ABSENT);
	CHECK(column_value(SPAN(""), "entries", true) == READING_ABSENT);
}

static void test_inotify(void)
{
	struct inotify_use instances, watches;

	inotify_use_parse(SPAN("0 3 100\n1000 90 20\nnonsense\n33 1 4000\n"), &instances, &watches);
	CHECK(instances.uid == 1000 && instances.instances == 90);
	CHECK(watches.uid == 33 && watches.watches == 4000);
	inotify_use_parse(SPAN(""), &instances, &watches);
	CHECK(instances.instances == READING_ABSENT && watches.watches == READING_ABSENT);
}

/* What the live host says of this process, by the same way that is captured. */
static void test_live(void)
{
	struct host *h;
	struct buf scratch = { 0 };
	struct tune_snapshot s;

	if (host_open_live("/", &h, NULL) < 0)
		check_skip("no /proc here");
	tune_snapshot_read(h, &scratch, &s);
	CHECK(reading_ok(s.threads) && s.threads > 0);
	CHECK(reading_ok(s.pages_dirty));
	CHECK(reading_ok(s.backlog_packets));
	host_free(h);
	buf_deinit(&scratch);
}

int main(void)
{
	test_named();
	test_paired();
	test_worded();
	test_columns();
	test_inotify();
	test_live();
	return check_exit();
}
