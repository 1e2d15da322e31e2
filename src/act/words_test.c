#include "act/words.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/check.h"

static uint64_t size_of(const char *text)
{
	uint64_t bytes = 777;

	return size_parse(span_from(text), &bytes, NULL) == 0 ? bytes : 777;
}

static void check_sizes(void)
{
	CHECK_U64(size_of("0"), 0);
	CHECK_U64(size_of("4096"), 4096);
	CHECK_U64(size_of("4096B"), 4096);
	CHECK_U64(size_of("64K"), 65536);
	CHECK_U64(size_of("64kB"), 65536);
	CHECK_U64(size_of("1.5GiB"), 3 * (UINT64_C(1) << 29));
	CHECK_U64(size_of("512m"), UINT64_C(512) << 20);
	CHECK_U64(size_of("2T"), UINT64_C(2) << 40);
	CHECK_U64(size_of("max"), SIZE_UNLIMITED);
	CHECK_U64(size_of("Unlimited"), SIZE_UNLIMITED);
	static const char *const wrong[] = { "", "K", "1.5", "-1", "1Q", "1KK", "1 K", "1iB", "99999999999E", "0x10", "1.2.3M" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK_U64(size_of(wrong[i]), 777);
	CHECK_U64(size_of("18446744073709551615K"), 777);
}

static void check_rlimits(void)
{
	struct rlimit_wish w = { 0 };
	struct note note;

	for (size_t i = 0; i < RLIMIT_KINDS; i++)
		CHECK_U64((uint64_t)rlimit_kinds[i].resource, i);
	CHECK_U64(RLIM_NLIMITS, RLIMIT_KINDS);
	CHECK(rlimit_parse(SPAN("nofile=1024"), &w, NULL) == 0);
	CHECK(w.kind->resource == RLIMIT_NOFILE && w.soft == 1024 && w.hard == 1024 && w.has_soft && w.has_hard);
	CHECK(rlimit_parse(SPAN("RLIMIT_AS=1G:unlimited"), &w, NULL) == 0);
	CHECK(w.kind->resource == RLIMIT_AS && w.soft == UINT64_C(1) << 30 && w.hard == SIZE_UNLIMITED);
	CHECK(rlimit_parse(SPAN("core=0:"), &w, NULL) == 0);
	CHECK(w.has_soft && !w.has_hard && w.soft == 0);
	CHECK(rlimit_parse(SPAN("nproc=:100"), &w, NULL) == 0);
	CHECK(!w.has_soft && w.has_hard && w.hard == 100);
	CHECK(rlimit_parse(SPAN("cpu=2m"), &w, NULL) == 0 && w.soft == 120);
	CHECK(rlimit_parse(SPAN("rttime=10ms"), &w, NULL) == 0 && w.soft == 10000);
	CHECK(rlimit_parse(SPAN("nofile"), &w, NULL) == -EINVAL);
	CHECK(rlimit_parse(SPAN("nofile="), &w, NULL) == -EINVAL);
	CHECK(rlimit_parse(SPAN("nofile=:"), &w, NULL) == -EINVAL);
	CHECK(rlimit_parse(SPAN("nofile=2:1"), &w, NULL) == -EINVAL);
	CHECK(rlimit_parse(SPAN("nofile=1K"), &w, NULL) == -EINVAL);
	CHECK(rlimit_parse(SPAN("cpu=1500ms"), &w, NULL) == -EINVAL);
	CHECK(rlimit_parse(SPAN("files=1"), &w, &note) == -EINVAL);
	CHECK(strstr(note.text, "nofile") && strstr(note.text, "rttime"));
}

static void check_cpus(void)
{
	struct buf text = { 0 };
	struct cpu_list l;

	CHECK(cpu_list_parse(SPAN("0-1,3"), &l, NULL) == 0);
	CHECK(cpu_list_has(&l, 0) && cpu_list_has(&l, 1) && !cpu_list_has(&l, 2) && cpu_list_has(&l, 3));
	CHECK(cpu_list_text(&l, &text) == 0);
	CHECK_STR(text.data, "0-1,3");
	buf_clear(&text);
	CHECK(cpu_list_parse(SPAN("0-6:2,8191"), &l, NULL) == 0 && cpu_list_text(&l, &text) == 0);
	CHECK_STR(text.data, "0,2,4,6,8191");
	static const char *const wrong[] = { "", ",", "1,", "3-1", "8192", "-1", "1-", "0-3:0", "0x1", "a" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK(cpu_list_parse(span_from(wrong[i]), &l, NULL) == -EINVAL);
	buf_deinit(&text);
}

static void check_scheduling(void)
{
	struct schedule s = { -1, -1 };
	int n = -100;

	CHECK(schedule_parse(SPAN("batch"), &s, NULL) == 0 && s.policy == SCHED_BATCH && s.priority == 0);
	CHECK(schedule_parse(SPAN("fifo:99"), &s, NULL) == 0 && s.policy == SCHED_FIFO && s.priority == 99);
	CHECK(schedule_parse(SPAN("fifo"), &s, NULL) == -EINVAL);
	CHECK(schedule_parse(SPAN("rr:100"), &s, NULL) == -ERANGE);
	CHECK(schedule_parse(SPAN("other:1"), &s, NULL) == -EINVAL);
	CHECK(schedule_parse(SPAN("deadline"), &s, NULL) == -EINVAL);
	CHECK(nice_parse(SPAN("-20"), &n, NULL) == 0 && n == -20);
	CHECK(nice_parse(SPAN("+5"), &n, NULL) == 0 && n == 5);
	CHECK(nice_parse(SPAN("20"), &n, NULL) == -ERANGE && n == 5);
	CHECK(nice_parse(SPAN("++5"), &n, NULL) == -EINVAL);
	CHECK(nice_parse(SPAN("low"), &n, NULL) == -EINVAL);
	CHECK(io_priority_parse(SPAN("idle"), &n, NULL) == 0 && n == 3 << 13);
	CHECK(io_priority_parse(SPAN("best-effort:7"), &n, NULL) == 0 && n == (2 << 13 | 7));
	CHECK(io_priority_parse(SPAN("realtime"), &n, NULL) == 0 && n == (1 << 13 | 4));
	CHECK(io_priority_parse(SPAN("idle:1"), &n, NULL) == -EINVAL);
	CHECK(io_priority_parse(SPAN("realtime:8"), &n, NULL) == -ERANGE);
	CHECK(io_priority_parse(SPAN("fast"), &n, NULL) == -EINVAL);
}

static void check_signals(void)
{
	int n = 0;

	CHECK(signal_parse(SPAN("TERM"), &n, NULL) == 0 && n == SIGTERM);
	CHECK(signal_parse(SPAN("sighup"), &n, NULL) == 0 && n == SIGHUP);
	CHECK(signal_parse(SPAN("9"), &n, NULL) == 0 && n == SIGKILL);
	CHECK(signal_parse(SPAN("RTMIN+3"), &n, NULL) == 0 && n == SIGRTMIN + 3);
	CHECK(signal_parse(SPAN("SIGRTMAX-1"), &n, NULL) == 0 && n == SIGRTMAX - 1);
	static const char *const wrong[] = { "", "0", "65", "SIG", "RTMIN-1", "RTMIN+99", "TERMINATE", "-9" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK(signal_parse(span_from(wrong[i]), &n, NULL) == -EINVAL);
	for (int i = 1; i < 32; i++) {
		int back = 0;

		CHECK(signal_parse(span_from(signal_text(i).text), &back, NULL) == 0 && back == i);
	}
	CHECK_STR(signal_text(99).text, "signal 99");
	CHECK_STR(signal_text(SIGRTMIN + 1).text, "RTMIN+1");
}

int main(void)
{
	check_sizes();
	check_rlimits();
	check_cpus();
	check_scheduling();
	check_signals();
	return check_exit();
}
