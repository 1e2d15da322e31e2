#include "cmd/run.h"

#include <errno.h>

#include "base/check.h"

int main(void)
{
	struct run_io_limit l = { 0 };
	uint64_t quota = 7;

	CHECK(run_cpu_limit_parse("0.5", &quota, NULL) == 0 && quota == 50000);
	CHECK(run_cpu_limit_parse("2", &quota, NULL) == 0 && quota == 200000);
	CHECK(run_cpu_limit_parse("0.01", &quota, NULL) == 0 && quota == 1000);
	CHECK(run_cpu_limit_parse("0.001", &quota, NULL) == -EINVAL);
	CHECK(run_cpu_limit_parse("half", &quota, NULL) == -EINVAL);
	CHECK(run_cpu_limit_parse("99999999999999", &quota, NULL) == -EINVAL);
	CHECK(run_cpu_limit_parse("-1", &quota, NULL) == -EINVAL && quota == 1000);

	CHECK(run_io_limit_parse("8:16:rbps=1M,wiops=100", &l, NULL) == 0);
	CHECK(l.major == 8 && l.minor == 16 && l.read_bytes == 1 << 20 && l.writes == 100 && !l.write_bytes && !l.reads);
	CHECK(run_io_limit_parse("8:0:wbps=max,riops=5", &l, NULL) == 0);
	CHECK(l.write_bytes == SIZE_UNLIMITED && l.reads == 5 && l.read_bytes == 0);
	static const char *const wrong[] = {
		"", "8:0", "8:0:", ":rbps=1M", "8:0:rbps", "8:0:rbps=", "8:0:rbps=0", "8:0:rbps=1M,", "8:0:speed=1",
		"8:0:rbps=x", "/nowhere/at/all:rbps=1M", "/proc:rbps=1M",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct note note = { "" };

		CHECK(run_io_limit_parse(wrong[i], &l, &note) == -EINVAL);
		CHECK(note.text[0]);
	}
	CHECK(l.reads == 5); /* untouched */
	return check_exit();
}
