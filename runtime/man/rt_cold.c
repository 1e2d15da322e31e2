/* A connection that says nothing for long costs no stack. */
#include <osprey/rt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What is needed while it waits is little, and lies on the stack; buffers do not. */
static int serve(void *arg)
{
	struct rt_fd *fd = arg;
	static char request[4096];
	int cold = rt_cold_begin();
	ssize_t n = rt_read(*fd, request, sizeof request, RT_FOREVER);

	if (cold == 0)
		rt_cold_end();
	if (n > 0)
		printf("after a long time: %.*s\n", (int)n, request);
	return n > 0 ? 0 : (int)n;
}

static int start(void *arg)
{
	struct rt_fd ends[2];
	struct rt_cold_state state;
	struct rt_fiber fiber;
	int numbers[2];

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, numbers) < 0 || rt_fd_adopt(numbers[0], 0, &ends[0]) < 0 ||
	    rt_fd_adopt(numbers[1], 0, &ends[1]) < 0 || rt_spawn(serve, &ends[0], NULL, &fiber) < 0)
		return 1;
	do {
		rt_sleep(10000000);
		rt_cold_look(&state);
	} while (state.fibers == 0);
	printf("%llu cold\n", (unsigned long long)state.fibers);
	rt_write_all(ends[1], "hello", strlen("hello"), NULL, RT_FOREVER);
	return rt_join(fiber, NULL, RT_FOREVER);
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
