#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "source/process/fd_holders.h"
#include "source/process/user_threads.h"

static void test_parse(void)
{
	user_threads_vec users = { 0 };
	fd_holder_vec holders = { 0 };
	bool complete = false;

	CHECK(user_threads_parse(SPAN("1000 5\n0 12\n"), &users) == 0);
	CHECK_U64(users.n, 2);
	CHECK(users.v[0].uid == 0 && users.v[0].threads == 12);
	CHECK(user_threads_parse(SPAN("1000\n"), &users) == -EBADMSG);
	CHECK(user_threads_parse(SPAN("99999999999 5\n"), &users) == -EBADMSG);
	CHECK(fd_holders_parse(SPAN("1\n812 12 3 r cat x\n812 13 4 w \n"), &holders, &complete) == 0);
	CHECK(complete && holders.n == 2);
	CHECK(holders.v[0].pid == 12 && holders.v[0].fd == 3 && holders.v[0].access == 'r');
	CHECK_STR(holders.v[0].comm, "cat x");
	CHECK_STR(holders.v[1].comm, "");
	CHECK(fd_holders_parse(SPAN(""), &holders, &complete) == -EBADMSG);
	CHECK(fd_holders_parse(SPAN("0\n812 12\n"), &holders, &complete) == -EBADMSG);
	vec_free(&users);
	vec_free(&holders);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	user_threads_vec users = { 0 };
	struct host *h;
	bool found = false;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(user_threads_read(h, &scratch, &users) == 0);
	vec_each(u, &users)
		found |= u->uid == getuid() && u->threads >= 1;
	CHECK(found);
	vec_free(&users);
	host_free(h);
}

int main(void)
{
	test_parse();
	test_live();
	return check_exit();
}
