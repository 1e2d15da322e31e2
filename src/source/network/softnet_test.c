#include "source/network/softnet.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"

static void test_parse(void)
{
	softnet_vec cpus = { 0 };

	CHECK(softnet_parse(SPAN("00000012 00000001 00000002 0 0 0 0 0 0 0 0 0 00000000 0 0\n"
				 "00003542 000000ff 00000003 0 0 0 0 0 0 0 0 0 00000005 0 0\n"),
			    &cpus) == 0);
	CHECK_U64(cpus.n, 2);
	CHECK_U64(cpus.v[0].processed, 0x12);
	CHECK_U64(cpus.v[0].dropped, 1);
	CHECK_U64(cpus.v[1].dropped, 0xff);
	CHECK_U64(cpus.v[1].time_squeeze, 3);
	CHECK_U64(cpus.v[1].cpu, 5); /* as the kernel says, not the line */
	/* before 5.14: eleven columns, CPUs by line */
	CHECK(softnet_parse(SPAN("1 2 3 0 0 0 0 0 0 0 0\n4 5 6 0 0 0 0 0 0 0 0"), &cpus) == 0);
	CHECK_U64(cpus.n, 2);
	CHECK_U64(cpus.v[1].cpu, 1);
	CHECK_U64(cpus.v[1].processed, 4);
	vec_free(&cpus);
}

static void test_damaged(void)
{
	softnet_vec cpus = { 0 };

	CHECK(softnet_parse(SPAN(""), &cpus) == -EBADMSG);
	CHECK(softnet_parse(SPAN("1 2\n"), &cpus) == -EBADMSG);
	CHECK(softnet_parse(SPAN("zz 2 3\n"), &cpus) == -EBADMSG);
	CHECK(softnet_parse(SPAN("1ffffffff 2 3\n"), &cpus) == -EBADMSG);
	CHECK_U64(cpus.n, 0);
	CHECK(softnet_parse(SPAN("zz 2 3\n4 5 6\n"), &cpus) == 0);
	CHECK_U64(cpus.n, 1);
	CHECK_U64(cpus.v[0].cpu, 1);
	vec_free(&cpus);
}

static void test_live(struct host *h)
{
	softnet_vec cpus = { 0 };
	struct buf scratch = { 0 };
	enum presence presence;

	CHECK(softnet_read(h, &scratch, &cpus, &presence) == 0);
	CHECK(presence == PRESENT);
	CHECK_U64(cpus.n, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	vec_free(&cpus);
	buf_deinit(&scratch);
}

int main(void)
{
	struct host *h;

	test_parse();
	test_damaged();
	CHECK(host_open_live("/", &h, NULL) == 0);
	test_live(h);
	host_free(h);
	return check_exit();
}
