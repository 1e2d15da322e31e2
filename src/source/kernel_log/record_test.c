#include "source/kernel_log/record.h"

#include "base/check.h"

static struct log_record r;

static bool parse(const char *text)
{
	return log_record_parse(span_from(text), &r);
}

static void test_fields(void)
{
	struct span value;

	CHECK(parse("6,431,2495305036,-;text, with; signs\n SUBSYSTEM=block\n DEVICE=b8:0\n"));
	CHECK(r.level == LEVEL_INFO && r.facility == 0 && r.sequence == 431 && !r.fragment);
	CHECK_U64(r.log_ns, UINT64_C(2495305036000));
	CHECK(span_is(r.text, "text, with; signs") && r.caller.n == 0);
	CHECK(log_record_value(&r, "DEVICE", &value) && span_is(value, "b8:0"));
	CHECK(!log_record_value(&r, "DEV", &value));
	CHECK(parse("30,1,2,c,caller=T12;x") && r.facility == 3 && r.level == 6 && r.fragment && span_is(r.caller, "T12"));
	CHECK_STR(log_facility_name(r.facility), "daemon");
	CHECK(parse("4,1,2,+;x") && r.fragment);
	CHECK(parse("4,1,2;x") && !r.fragment); /* 3.5 had no flags */
	CHECK(parse("4,1,-,-;x") && r.log_ns == READING_ABSENT);
	CHECK(parse("4,1,2,-;") && r.text.n == 0);
	CHECK(parse("4,1,2,-,later=x;y") && span_is(r.text, "y"));
	CHECK(parse("4000,1,2,-;x"));
	CHECK_STR(log_facility_name(r.facility), "?");
}

static void test_damaged(void)
{
	CHECK(!parse(""));
	CHECK(!parse("6,1,2,-"));
	CHECK(!parse("x,1,2,-;t"));
	CHECK(!parse("6,x,2,-;t"));
	CHECK(!parse("6,1,x,-;t"));
	CHECK(!parse("6,1,18446744073709551615,-;t"));
	CHECK(!parse("6;t"));
}

int main(void)
{
	test_fields();
	test_damaged();
	return check_exit();
}
