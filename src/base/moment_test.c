#include "base/moment.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

#define NOW (UINT64_C(1763676000) * NS_PER_S) /* 2025-11-20 22:00 UTC */

static uint64_t at(const char *text)
{
	uint64_t ns = 1;

	CHECK(moment_parse(span_from(text), NOW, &ns) == 0 || ns == 1); /* untouched */
	return ns;
}

static void zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

int main(void)
{
	zone("UTC0");
	CHECK_U64(at("10m"), NOW - 600 * NS_PER_S);
	CHECK_U64(at("1h30m"), NOW - 5400 * NS_PER_S);
	CHECK_U64(at("3d"), NOW - 3 * 86400 * NS_PER_S);
	CHECK_U64(at("90000d"), 0);
	CHECK_U64(at("now"), NOW);
	CHECK_U64(at("@1763676000.5"), NOW + NS_PER_S / 2);
	CHECK_U64(at("21:30"), NOW - 1800 * NS_PER_S);
	CHECK_U64(at("2025-11-20"), NOW - 22 * 3600 * NS_PER_S);
	CHECK_U64(at("yesterday"), NOW - 46 * 3600 * NS_PER_S);
	CHECK_U64(at("boot"), 1);
	CHECK_U64(at("1763676000"), 1);
	CHECK_U64(at("21:30 later"), 1);
	CHECK_U64(at(""), 1);
	zone("XST-2"); /* two hours before UTC */
	CHECK_U64(at("2025-11-20 21:00"), NOW - 3 * 3600 * NS_PER_S);
	CHECK_U64(at("2025-11-20T21:00:00Z"), NOW - 3600 * NS_PER_S);
	CHECK_U64(at("today"), NOW); /* it is midnight there */
	return check_exit();
}
