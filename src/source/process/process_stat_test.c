#include "base/check.h"
#include "source/process/process_stat.h"

static const char text[] =
	"812 (a) R 1 (b) S 1 800 700 34819 812 4194304 100 200 3 4 50 60 70 80 20 0 3 0 1000 167772160 4096 "
	"18446744073709551615 94000000000000 94000000100000 140000000000000 0 0 0 0 4096 16386 0 0 0 17 1 0 0 5 6 7 "
	"94000000200000 94000000210000 94000001000000 140000000000100 140000000000200 140000000000300 140000000000400 768\n";

static void test_stat(void)
{
	struct process_stat s;

	CHECK(process_stat_parse(SPAN(text), &s) == 0);
	CHECK(s.process_group == 800 && s.session == 700);
	CHECK(s.tty_major == 136 && s.tty_minor == 3 && s.tty_group == 812);
	CHECK_U64(s.children_major_faults, 4);
	CHECK_U64(s.exit_signal, 17);
	CHECK_U64(s.exit_code, 768);
	CHECK_U64(s.guest_ns, 60000000);
	CHECK_U64(s.start_brk_address, 94000001000000);
}

static void test_odd(void)
{
	struct process_stat s = { .session = 5 };

	CHECK(process_stat_parse(SPAN(""), &s) < 0);
	CHECK(process_stat_parse(SPAN("1 (x) S 1 2"), &s) < 0);
	CHECK(process_stat_parse(SPAN("1 (x) S 1 a 3 0 -1 64 0"), &s) < 0);
	CHECK(s.session == 5);
	CHECK(process_stat_parse(SPAN("1 (x) S 1 2 3 0 -1 64 0"), &s) == 0); /* an old, short line */
	CHECK(s.session == 3 && s.tty_group == -1 && s.exit_code == READING_ABSENT);
	for (size_t n = 0; n < sizeof text - 1; n++)
		(void)!process_stat_parse((struct span){ text, n }, &s);
}

static void test_tty(void)
{
	char name[32];

	tty_name(136, 3, name, sizeof name);
	CHECK_STR(name, "pts/3");
	tty_name(137, 2, name, sizeof name);
	CHECK_STR(name, "pts/258");
	tty_name(4, 64, name, sizeof name);
	CHECK_STR(name, "ttyS0");
	tty_name(4, 1, name, sizeof name);
	CHECK_STR(name, "tty1");
	tty_name(0, 0, name, sizeof name);
	CHECK_STR(name, "");
}

static void test_statm_and_io(void)
{
	struct process_statm m;
	struct process_io io;

	process_statm_parse(SPAN("4096 1024 512 10 0 300 0\n"), 4096, &m);
	CHECK(m.presence == PRESENT);
	CHECK_U64(m.size_bytes, 4096 * 4096);
	CHECK_U64(m.resident_bytes, 1024 * 4096);
	CHECK_U64(m.shared_bytes, 512 * 4096);
	CHECK_U64(m.text_bytes, 10 * 4096);
	CHECK_U64(m.data_bytes, 300 * 4096);
	process_statm_parse(SPAN("1 2"), 4096, &m);
	CHECK(m.presence == MALFORMED && m.shared_bytes == READING_MALFORMED);
	process_io_parse(SPAN("rchar: 10\nwchar: 20\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n"), &io);
	CHECK(io.presence == PRESENT);
	CHECK_U64(io.read_chars_bytes, 10);
	CHECK_U64(io.write_calls, 4);
	CHECK_U64(io.cancelled_bytes, 7);
	process_io_parse(SPAN(""), &io);
	CHECK(io.presence == MALFORMED && io.read_bytes == READING_ABSENT);
}

int main(void)
{
	test_stat();
	test_odd();
	test_tty();
	test_statm_and_io();
	return check_exit();
}
