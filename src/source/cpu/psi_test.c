#include "source/cpu/psi.h"

#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_real(void)
{
	struct psi_line p;

	psi_line_parse(SPAN("some avg10=0.37 avg60=2.45 avg300=0.95 total=3470172\n"
			    "full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n"), &p);
	CHECK_U64(p.some_ns, UINT64_C(3470172000));
	CHECK_U64(p.full_ns, 17000);
	psi_line_parse(SPAN("some avg10=0.37 avg60=2.45 avg300=0.95 total=3470172\n"), &p); /* cpu before 5.13 */
	CHECK_U64(p.full_ns, READING_ABSENT);
}

static void test_malformed(void)
{
	struct psi_line p;

	psi_line_parse(SPAN(""), &p);
	CHECK_U64(p.some_ns, READING_ABSENT);
	psi_line_parse(SPAN("some\nfull avg10=0.00\n"), &p);
	CHECK_U64(p.some_ns, READING_MALFORMED);
	CHECK_U64(p.full_ns, READING_MALFORMED);
	psi_line_parse(SPAN("some total=\nfull total=18446744073709552\n"), &p);
	CHECK_U64(p.some_ns, READING_MALFORMED);
	CHECK_U64(p.full_ns, READING_MALFORMED); /* overflows as ns */
	psi_line_parse(SPAN("sometimes total=5\n\n \nsome = total 5\n"), &p);
	CHECK_U64(p.some_ns, READING_MALFORMED);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;
	struct psi before, after;

	CHECK(host_open_live("/", &h, NULL) == 0);
	psi_read(h, &b, &before);
	usleep(20000);
	psi_read(h, &b, &after);
	if (before.presence == PRESENT) {
		uint64_t some = reading_delta(before.cpu.some_ns, after.cpu.some_ns);
		/* Stalls cannot outlast the time between the reads by much. */
		CHECK(reading_ok(some) && some < UINT64_C(5000000000));
		CHECK(reading_ok(after.memory.some_ns) && reading_ok(after.io.full_ns));
		CHECK(after.memory.full_ns <= after.memory.some_ns);
	} else {
		CHECK(!reading_ok(before.cpu.some_ns) && !reading_ok(before.memory.full_ns));
	}
	host_free(h);
	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0); /* a root without /proc */
	psi_read(h, &b, &before);
	CHECK(before.presence == ABSENT);
	CHECK_U64(before.io.some_ns, READING_ABSENT);
	host_free(h);
}

int main(void)
{
	test_real();
	test_malformed();
	test_live();
	return check_exit();
}
