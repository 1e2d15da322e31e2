#include "source/cpu/cpu_stat.h"

#include <time.h>

#include "base/check.h"
#include "base/cleanup.h"

#define S10MS UINT64_C(10000000)

static const char real_text[] =
	"cpu  3357 0 2468 268401 412 0 133 17 0 0\n"
	"cpu0 1630 0 1218 134231 201 0 64 9 0 0\n"
	"cpu1 1727 0 1250 134170 211 0 69 8 0 0\n"
	"intr 712345 0 9 0 0\n"
	"ctxt 1234567\n"
	"btime 1795189999\n"
	"processes 54321\n"
	"procs_running 2\n"
	"procs_blocked 1\n"
	"softirq 300000 0 34130 4 15540 80000 0 4 90000 0 80322\n";

static void test_real(void)
{
	struct cpu_stat s;
	cpu_line_vec cpus = { 0 };

	CHECK(cpu_stat_parse(SPAN(real_text), &s, &cpus) == 0);
	CHECK(s.presence == PRESENT);
	CHECK_U64(s.total.user_ns, 3357 * S10MS);
	CHECK_U64(s.total.steal_ns, 17 * S10MS);
	CHECK_U64(s.total.guest_nice_ns, 0);
	CHECK_U64(cpu_times_busy_ns(&s.total), (3357 + 2468 + 133 + 17) * S10MS);
	CHECK_U64(cpu_times_total_ns(&s.total), (3357 + 2468 + 133 + 17 + 268401 + 412) * S10MS);
	CHECK_U64(s.context_switches, 1234567);
	CHECK_U64(s.forks, 54321);
	CHECK_U64(s.running, 2);
	CHECK_U64(s.blocked, 1);
	CHECK_U64(cpus.n, 2);
	CHECK(cpus.n == 2 && cpus.v[1].cpu == 1 && cpus.v[1].times.user_ns == 1727 * S10MS);
	CHECK(cpu_stat_parse(SPAN(real_text), &s, NULL) == 0 && s.forks == 54321);
	vec_free(&cpus);
}

/* guest is in user already. */
static void test_guest_is_not_added(void)
{
	struct cpu_stat s;

	CHECK(cpu_stat_parse(SPAN("cpu 100 50 0 0 0 0 0 0 80 40\n"), &s, NULL) == 0);
	CHECK_U64(cpu_times_busy_ns(&s.total), 150 * S10MS);
}

static void test_offline_and_old(void)
{
	struct cpu_stat s;
	cpu_line_vec cpus = { 0 };

	CHECK(cpu_stat_parse(SPAN("cpu 4 0 4 4\ncpu0 1 0 1 1\ncpu7 3 0 3 3\nctxt 9\n"), &s, &cpus) == 0);
	CHECK(cpus.n == 2 && cpus.v[1].cpu == 7);
	CHECK_U64(s.total.steal_ns, READING_ABSENT);
	CHECK_U64(cpu_times_busy_ns(&s.total), 8 * S10MS);
	CHECK_U64(s.forks, READING_ABSENT);
	vec_free(&cpus);
}

static void test_malformed(void)
{
	struct cpu_stat s;
	cpu_line_vec cpus = { 0 };

	CHECK(cpu_stat_parse(SPAN(""), &s, &cpus) == 0 && s.presence == MALFORMED && cpus.n == 0);
	CHECK_U64(s.context_switches, READING_ABSENT);
	CHECK_U64(cpu_times_busy_ns(&s.total), READING_ABSENT);
	CHECK(cpu_stat_parse(SPAN("cpu"), &s, &cpus) == 0 && s.presence == MALFORMED);
	CHECK(cpu_stat_parse(SPAN("cpu x -1 99999999999999999999 1844674407370955161"), &s, &cpus) == 0);
	CHECK_U64(s.total.user_ns, READING_MALFORMED);
	CHECK_U64(s.total.nice_ns, READING_MALFORMED);
	CHECK_U64(s.total.system_ns, READING_MALFORMED);
	CHECK_U64(s.total.idle_ns, READING_MALFORMED); /* a number, but no nanoseconds */
	CHECK(cpu_stat_parse(SPAN("cpu 1 1 1 1\ncpux 1 1\ncpu99999999999 1 1\nctxt q\n"), &s, &cpus) == 0);
	CHECK(cpus.n == 0);
	CHECK_U64(s.context_switches, READING_MALFORMED);
	for (size_t n = 0; n < sizeof real_text - 1; n++)
		CHECK(cpu_stat_parse((struct span){ real_text, n }, &s, &cpus) == 0);
	vec_free(&cpus);
}

static uint64_t burn(uint64_t ns)
{
	uint64_t start = clock(), x = 1;

	while (((uint64_t)clock() - start) * (1000000000 / CLOCKS_PER_SEC) < ns)
		x = x * 6364136223846793005u + 1;
	return x;
}

/* What this machine says: it adds up, and grows by what we burn. */
static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	cpu_line_vec cpus = { 0 };
	struct cpu_stat before, after;
	struct host *h = NULL;

	if (host_open_live("/", &h, NULL) < 0 || host_read(h, "/proc/stat", &b) < 0)
		check_skip("no /proc/stat here");
	CHECK(cpu_stat_read(h, &b, &before, &cpus) == 0 && before.presence == PRESENT);
	volatile uint64_t sink = burn(200000000);
	(void)sink;
	CHECK(cpu_stat_read(h, &b, &after, &cpus) == 0);
	uint64_t busy = reading_delta(cpu_times_busy_ns(&before.total), cpu_times_busy_ns(&after.total));
	CHECK(busy >= 180000000 && reading_ok(busy));
	CHECK(reading_delta(before.context_switches, after.context_switches) < UINT64_C(1) << 40);
	uint64_t sum = 0;
	vec_each(cpu, &cpus)
		sum += reading_or(cpu->times.user_ns, 0);
	/* The kernel rounds each line to ticks by itself. */
	CHECK_NEAR((double)sum, (double)after.total.user_ns, (double)((cpus.n + 1) * S10MS));
	host_free(h);
	vec_free(&cpus);
}

static void test_absent(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct cpu_stat s;
	struct host *h = NULL;

	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0); /* a root without /proc */
	CHECK(cpu_stat_read(h, &b, &s, NULL) == 0 && s.presence == ABSENT);
	CHECK_U64(s.total.user_ns, READING_ABSENT);
	CHECK_U64(s.forks, READING_ABSENT);
	host_free(h);
}

int main(void)
{
	test_real();
	test_guest_is_not_added();
	test_offline_and_old();
	test_malformed();
	test_live();
	test_absent();
	return check_exit();
}
