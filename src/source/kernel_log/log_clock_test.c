#include "source/kernel_log/log_clock.h"

#include "base/check.h"
#include "base/clock.h"

#define S(n) ((uint64_t)(n) * NS_PER_S)

static void learn(struct log_clock *c, const char *text)
{
	struct log_record r;

	CHECK(log_record_parse(span_from(text), &r) && log_clock_learn(c, &r) == 0);
}

static struct log_clock at(uint64_t real_s, uint64_t log_s, uint64_t slept_s)
{
	return (struct log_clock){ .real_ns = S(real_s), .log_ns = S(log_s), .slept_ns = S(slept_s) };
}

static void test_no_sleep(void)
{
	struct log_clock c = at(1000000, 500, 0);

	log_clock_settle(&c);
	CHECK_U64(log_clock_real(&c, S(500)), S(1000000));
	CHECK_U64(log_clock_real(&c, S(400)), S(999900));
	CHECK_U64(log_clock_real(&c, S(501)), S(1000001));
	CHECK_U64(log_clock_real(&c, READING_ABSENT), READING_ABSENT);
	CHECK_U64(c.unsure_before_ns, 0);
}

/* Before the sleep the times lie further back by it; behind it they do not. */
static void test_told_sleep(void)
{
	struct log_clock c = at(1000000, 500, 60);

	learn(&c, "6,1,300000000,-;PM: suspend entry (deep)");
	learn(&c, "6,2,300500000,-;Timekeeping suspended for 60.000 seconds");
	learn(&c, "6,3,301000000,-;PM: suspend exit");
	log_clock_settle(&c);
	CHECK_U64(c.sleeps.n, 1);
	CHECK_U64(log_clock_real(&c, S(400)), S(999900));
	CHECK_U64(log_clock_real(&c, S(200)), S(999700 - 60));
	CHECK_U64(c.unsure_before_ns, 0);
	log_clock_deinit(&c);
}

static void test_one_untold_sleep(void)
{
	struct log_clock c = at(1000000, 500, 3600);

	learn(&c, "6,3,301000000,-;PM: suspend exit");
	log_clock_settle(&c);
	CHECK_U64(log_clock_real(&c, S(200)), S(999700 - 3600));
	CHECK_U64(log_clock_real(&c, S(400)), S(999900));
	log_clock_deinit(&c);
}

/* Two sleeps and one sum: what lies before the later one is not sure, and that is told. */
static void test_two_untold_sleeps(void)
{
	struct log_clock c = at(1000000, 500, 3600);

	learn(&c, "6,3,301000000,-;PM: suspend exit");
	learn(&c, "6,4,401000000,-;PM: suspend exit");
	learn(&c, "14,5,402000000,-;Timekeeping suspended for 9.000 seconds"); /* a process wrote that */
	log_clock_settle(&c);
	CHECK_U64(c.unsure_before_ns, S(401));
	CHECK_U64(c.unknown_ns, S(3600));
	CHECK_U64(log_clock_real(&c, S(450)), S(999950));
	log_clock_deinit(&c);
}

/* The clock of this machine: near CLOCK_MONOTONIC, and it goes on. */
static void test_live(void)
{
	struct log_clock c = { 0 };
	struct buf scratch = { 0 };
	struct host *h;

	CHECK(host_open_live("/", &h, NULL) == 0);
	log_clock_now(&c, h, &scratch);
	CHECK(c.real_ns == host_time(h).real_ns);
	CHECK_NEAR((double)c.log_ns / 1e9, (double)host_time(h).mono_ns / 1e9, 60);
	buf_deinit(&scratch);
	host_free(h);
}

int main(void)
{
	test_no_sleep();
	test_told_sleep();
	test_one_untold_sleep();
	test_two_untold_sleeps();
	test_live();
	return check_exit();
}
