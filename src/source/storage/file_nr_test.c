#include "source/storage/file_nr.h"

#include "base/check.h"

static struct file_nr parse(const char *text)
{
	struct file_nr f;

	file_nr_parse(span_from(text), &f);
	return f;
}

int main(void)
{
	struct file_nr f = parse("661\t0\t2466170\n");

	CHECK(f.presence == PRESENT);
	CHECK_U64(f.allocated, 661);
	CHECK_U64(f.limit, 2466170);
	f = parse("1184\t0\t9223372036854775807\n"); /* systemd's default */
	CHECK_U64(f.limit, INT64_MAX);
	static const char *const bad[] = { "", "\n", "1", "1 2", "a b c", "1\t0\t18446744073709551615",
					   "99999999999999999999 0 1" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		f = parse(bad[i]);
		CHECK(f.presence == MALFORMED);
		CHECK_U64(f.allocated, READING_MALFORMED);
		CHECK_U64(f.limit, READING_MALFORMED);
	}

	struct buf scratch = { 0 };
	struct host *h;

	CHECK(host_open_live("/", &h, NULL) == 0);
	file_nr_read(h, &scratch, &f);
	CHECK(f.presence == PRESENT);
	CHECK(f.allocated >= 3 && f.allocated <= f.limit);
	host_free(h);
	buf_deinit(&scratch);
	return check_exit();
}
