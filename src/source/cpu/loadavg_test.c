#include "source/cpu/loadavg.h"

#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_real(void)
{
	struct loadavg l;

	loadavg_parse(SPAN("0.15 12.01 0.05 3/123 4567\n"), &l);
	CHECK(l.presence == PRESENT);
	CHECK_U64(l.load1_milli, 150);
	CHECK_U64(l.load5_milli, 12010);
	CHECK_U64(l.load15_milli, 50);
	CHECK_U64(l.runnable, 3);
	CHECK_U64(l.tasks, 123);
	CHECK_U64(l.last_pid, 4567);
}

static void test_malformed(void)
{
	static const char *const bad[] = { "", "\n", "0.1", "0.1 0.2 0.3", "0.1 0.2 0.3 5 6", "x" };
	struct loadavg l;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		loadavg_parse(span_from(bad[i]), &l);
		CHECK(l.presence == MALFORMED);
		CHECK_U64(l.tasks, READING_MALFORMED);
	}
	loadavg_parse(SPAN("-1 1e3 99999999999999999999 a/b -7"), &l);
	CHECK_U64(l.load1_milli, READING_MALFORMED);
	CHECK_U64(l.load5_milli, READING_MALFORMED);
	CHECK_U64(l.load15_milli, READING_MALFORMED);
	CHECK_U64(l.runnable, READING_MALFORMED);
	CHECK_U64(l.last_pid, READING_MALFORMED);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;
	struct loadavg l;

	CHECK(host_open_live("/", &h, NULL) == 0);
	loadavg_read(h, &b, &l);
	if (l.presence != PRESENT)
		check_skip("no /proc/loadavg here");
	CHECK(l.tasks >= 1 && l.runnable >= 1 && l.last_pid >= 1 && reading_ok(l.load1_milli));
	host_free(h);
}

int main(void)
{
	test_real();
	test_malformed();
	test_live();
	return check_exit();
}
