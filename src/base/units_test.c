#include "base/units.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"

static uint64_t duration(const char *text)
{
	uint64_t ns = 12345;

	return duration_parse(span_from(text), &ns) == 0 ? ns : UINT64_MAX;
}

static int refusal(const char *text)
{
	uint64_t ns = 12345;
	int r = duration_parse(span_from(text), &ns);

	CHECK_U64(ns, 12345); /* untouched */
	return r;
}

static void check_durations(void)
{
	CHECK_U64(duration("500ms"), 500 * NS_PER_MS);
	CHECK_U64(duration("2s"), 2 * NS_PER_S);
	CHECK_U64(duration("1.5s"), 1500 * NS_PER_MS);
	CHECK_U64(duration("1m"), 60 * NS_PER_S);
	CHECK_U64(duration("2h"), 7200 * NS_PER_S);
	CHECK_U64(duration("10us"), 10000);
	CHECK_U64(duration("0s"), 0);
	CHECK(refusal("") == -EINVAL);
	CHECK(refusal("s") == -EINVAL);
	CHECK(refusal("5") == -EINVAL);
	CHECK(refusal("-1s") == -EINVAL);
	CHECK(refusal("1s ") == -EINVAL);
	CHECK(refusal("1.2.3s") == -EINVAL);
	CHECK(refusal("1fortnight") == -EINVAL);
	CHECK(refusal("99999999999999h") == -ERANGE);
	CHECK(refusal("99999999999999999999999s") == -ERANGE);
}

static uint64_t sum(const char *text)
{
	uint64_t ns = 12345;
	int r = duration_sum_parse(span_from(text), &ns);

	CHECK(r == 0 || ns == 12345); /* untouched */
	return r == 0 ? ns / NS_PER_S : UINT64_MAX;
}

static void check_sums(void)
{
	CHECK_U64(sum("2s"), 2);
	CHECK_U64(sum("3d"), 3 * 86400);
	CHECK_U64(sum("1h30m"), 5400);
	CHECK_U64(sum("5m07s"), 307);
	CHECK_U64(sum("2d5h"), 53 * 3600);
	CHECK_U64(sum(""), UINT64_MAX);
	CHECK_U64(sum("d"), UINT64_MAX);
	CHECK_U64(sum("1h30"), UINT64_MAX);
	CHECK_U64(sum("1h 30m"), UINT64_MAX);
	CHECK_U64(sum("-1d"), UINT64_MAX);
	CHECK_U64(sum("999999999d"), UINT64_MAX);
	CHECK_U64(sum("200000d200000d"), UINT64_MAX); /* each alone would fit */
}

int main(void)
{
	check_durations();
	check_sums();
	CHECK_STR(duration_text(0.2).text, "200 ms");
	CHECK_STR(duration_text(5.002).text, "5 s");
	CHECK_STR(duration_text(0).text, "0 us");
	CHECK_STR(duration_text(3600).text, "60 min");
	CHECK_STR(duration_text(1e6).text, "11.6 days");
	CHECK_STR(duration_text(NAN).text, "?");
	CHECK_STR(bytes_text(512).text, "512 B");
	CHECK_STR(bytes_text(1536).text, "1.5 KiB");
	CHECK_STR(bytes_text(8.0 * 1024 * 1024 * 1024).text, "8 GiB");
	CHECK_STR(bytes_text(NAN).text, "?");
	CHECK_STR(number_text(0).text, "0");
	CHECK_STR(number_text(0.25).text, "0.25");
	CHECK_STR(number_text(99.96).text, "100");
	CHECK_STR(number_text(999.7).text, "1 000");
	CHECK_STR(number_text(1234567).text, "1 234 567");
	CHECK_STR(number_text(-1234).text, "-1 234");
	CHECK_STR(number_text(-123456).text, "-123 456");
	CHECK_STR(number_text(1e20).text, "1e+20");
	CHECK_STR(number_text(NAN).text, "?");
	CHECK_STR(number_text(INFINITY).text, "inf");
	return check_exit();
}
