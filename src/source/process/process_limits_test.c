#include "base/check.h"
#include "source/process/process_limits.h"

static const char text[] =
	"Limit                     Soft Limit           Hard Limit           Units     \n"
	"Max cpu time              10                   20                   seconds   \n"
	"Max file size             unlimited            unlimited            bytes     \n"
	"Max stack size            8388608              unlimited            bytes     \n"
	"Max open files            1024                 1048576              files     \n"
	"Max processes             96365                96365                processes \n"
	"Max realtime timeout      5                    unlimited            us        \n";

int main(void)
{
	struct process_limits l;

	process_limits_parse(SPAN(text), &l);
	CHECK(l.presence == PRESENT);
	CHECK_U64(l.soft[PROCESS_LIMIT_cpu], 10000000000ull);
	CHECK_U64(l.hard[PROCESS_LIMIT_cpu], 20000000000ull);
	CHECK_U64(l.soft[PROCESS_LIMIT_fsize], PROCESS_UNLIMITED);
	CHECK_U64(l.soft[PROCESS_LIMIT_stack], 8388608);
	CHECK_U64(l.soft[PROCESS_LIMIT_nofile], 1024);
	CHECK_U64(l.hard[PROCESS_LIMIT_nofile], 1048576);
	CHECK_U64(l.soft[PROCESS_LIMIT_rttime], 5000);
	CHECK(l.soft[PROCESS_LIMIT_as] == READING_ABSENT); /* not in the text */
	process_limits_parse(SPAN("Max open files\nMax processes x y\n"), &l);
	CHECK(l.soft[PROCESS_LIMIT_nofile] == READING_MALFORMED);
	CHECK(l.soft[PROCESS_LIMIT_nproc] == READING_MALFORMED);
	process_limits_parse(SPAN("Max cpu time 18446744073709551610 1\n"), &l); /* overflows as ns */
	CHECK(l.soft[PROCESS_LIMIT_cpu] == PROCESS_UNLIMITED || l.soft[PROCESS_LIMIT_cpu] == READING_MALFORMED);
	process_limits_parse(SPAN(""), &l);
	CHECK(l.presence == MALFORMED);
	CHECK_STR(process_limit_about[PROCESS_LIMIT_nofile].name, "nofile");
	return check_exit();
}
