/* Calls for more bytes than the kernel moves at a time move some, by whichever of its calls. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

#define GIB ((size_t)1 << 30)
#define MOST (4 * GIB + 1)
/* Who does not wait for anything is done long before. */
#define LONG (20 * 1000 * MS)

static _Atomic int over;

static int is_ready(void *arg)
{
	(void)arg;
	while (!over)
		rt_yield();
	return 0;
}

static void move(struct rt_fd from, struct rt_fd to, char *much, size_t bytes)
{
	char few[5];

	CHECK(rt_write(from, "hello", 5, RT_FOREVER) == 5);
	CHECK(rt_read(to, much, bytes, rt_now() + LONG) == 5 && memcmp(much, "hello", 5) == 0);
	/* As much as there is room for. */
	ssize_t n = rt_write(from, much, bytes, rt_now() + LONG);
	CHECK(n > 0);
	CHECK(rt_read_all(to, few, n < 5 ? (size_t)n : 5, NULL, rt_now() + LONG) == 0);
	for (n -= 5; n > 0;) {
		ssize_t r = rt_read(to, much, (size_t)n, rt_now() + LONG);
		CHECK(r > 0);
		n = r > 0 ? n - r : 0;
	}
}

static void move_all(char *much)
{
	static const size_t sizes[] = { GIB, 2 * GIB - 1, 2 * GIB, 4 * GIB - 1, 4 * GIB, 4 * GIB + 1 };
	int fds[2];
	struct rt_fd ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(rt_fd_adopt(fds[0], 0, &ends[0]) == 0 && rt_fd_adopt(fds[1], 0, &ends[1]) == 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		move(ends[i % 2], ends[!(i % 2)], much, sizes[i]);
	CHECK(rt_fd_close(ends[0]) == 0 && rt_fd_close(ends[1]) == 0);
}

static char *reserve(void)
{
	char *at = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Alone, and where others are ready, so that calls are made together. */
static int much_at_a_time(void *arg)
{
	struct rt_scope s;
	char *much = reserve();

	(void)arg;
	if (!much)
		return 0;
	move_all(much);
	over = 0;
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < 8; i++)
		CHECK(rt_scope_go(&s, is_ready, NULL) == 0);
	move_all(much);
	over = 1;
	CHECK(rt_scope_close(&s) == 0);
	munmap(much, MOST);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "much at a time", much_at_a_time },
	};

	/* Which would look at every byte. */
	if (ON_VALGRIND) {
		fprintf(stderr, "not under Valgrind\n");
		return 77;
	}
	int r = check_all(tests, 1);
	return r | check_all_without_ring(tests, 1);
}
