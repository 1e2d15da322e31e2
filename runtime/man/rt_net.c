/* A server that answers one connection, and its client, in one program. */
#include <osprey/rt.h>
#include <stdio.h>

static int serve(void *arg)
{
	struct rt_fd connection;
	char line[64];

	if (rt_accept(*(struct rt_fd *)arg, NULL, &connection, RT_FOREVER) < 0)
		return 1;
	ssize_t n = rt_read(connection, line, sizeof line, rt_now() + 1000000000);
	int r = n > 0 ? rt_write_all(connection, line, (size_t)n, NULL, rt_now() + 1000000000) : 1;
	rt_fd_close(connection);
	return r;
}

static int start(void *arg)
{
	struct rt_address address;
	struct rt_fd listener, client;
	char answer[64];

	(void)arg;
	if (rt_address_parse("127.0.0.1:0", &address) < 0 || rt_listen(&address, NULL, &listener) < 0)
		return 1;
	if (rt_local_address(listener, &address) < 0 || rt_go(serve, &listener) < 0)
		return 1;
	if (rt_connect(&address, &client, rt_now() + 1000000000) < 0)
		return 1;
	int r = rt_write_all(client, "hello", 5, NULL, RT_FOREVER);
	ssize_t n = r < 0 ? r : rt_read(client, answer, sizeof answer, rt_now() + 1000000000);
	if (n > 0)
		printf("%.*s\n", (int)n, answer);
	rt_fd_close(client);
	rt_fd_close(listener);
	return n > 0 ? 0 : 1;
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
