#include "base/reading.h"

#include <errno.h>

#include "base/check.h"

static void test_missing_is_not_zero(void)
{
	CHECK(reading_ok(0) && !reading_ok(READING_ABSENT) && !reading_ok(READING_DENIED) &&
	      !reading_ok(READING_MALFORMED));
	CHECK(isnan(reading_value(READING_ABSENT)) && isnan(reading_value(READING_DENIED)));
	CHECK(reading_value(0) == 0 && reading_value(5) == 5);
	/* NaN crosses no threshold, in either direction. */
	CHECK(!(reading_value(READING_DENIED) > 0) && !(reading_value(READING_DENIED) < 1e18));
	CHECK_U64(reading_or(READING_ABSENT, 3), 3);
	CHECK_U64(reading_or(4, 3), 4);
}

static void test_arithmetic(void)
{
	CHECK_U64(reading_delta(5, 9), 4);
	CHECK_U64(reading_delta(5, 5), 0);
	CHECK_U64(reading_delta(9, 5), READING_MALFORMED); /* reset */
	CHECK_U64(reading_delta(READING_ABSENT, 5), READING_ABSENT);
	CHECK_U64(reading_delta(5, READING_DENIED), READING_DENIED);
	CHECK_U64(reading_sum(2, 3), 5);
	CHECK_U64(reading_sum(2, READING_ABSENT), READING_ABSENT);
	CHECK_U64(reading_sum(READING_DENIED, 2), READING_DENIED);
}

static void test_reasons(void)
{
	CHECK_U64(reading_from_errno(-EACCES), READING_DENIED);
	CHECK_U64(reading_from_errno(-EPERM), READING_DENIED);
	CHECK_U64(reading_from_errno(-ENOENT), READING_ABSENT);
	CHECK_U64(reading_from_errno(-EOPNOTSUPP), READING_ABSENT);
	CHECK_U64(reading_from_errno(-EBADMSG), READING_MALFORMED);
	CHECK_STR(reading_reason(READING_DENIED), "needs root");
	CHECK(reading_reason(0) == NULL);
	CHECK(presence_from_errno(0) == PRESENT && presence_from_errno(-EACCES) == DENIED &&
	      presence_from_errno(-ENOENT) == ABSENT);
	for (int p = PRESENT; p <= UNREAD; p++)
		CHECK(presence_name((enum presence)p) != NULL);
}

int main(void)
{
	test_missing_is_not_zero();
	test_arithmetic();
	test_reasons();
	return check_exit();
}
