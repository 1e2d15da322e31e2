/* A function that crashes harms nobody but the process that it runs in. */
#include <errno.h>
#include <osprey/rt.h>
#include <stdio.h>
#include <string.h>

static int shout(const void *input, size_t bytes, void *output, size_t room, size_t *ret_bytes)
{
	const char *text = input;

	if (bytes == 0)
		__builtin_trap();
	if (bytes > room)
		return -ENOSPC;
	for (size_t i = 0; i < bytes; i++)
		((char *)output)[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i]);
	*ret_bytes = bytes;
	return 0;
}

static int start(void *arg)
{
	struct rt_processes *pool;
	char answer[64];
	struct rt_process_exchange good = { .input = "osprey", .input_bytes = 6, .output = answer, .room = sizeof answer };
	struct rt_process_exchange bad = { .output = answer, .room = sizeof answer };

	(void)arg;
	if (rt_processes_new(NULL, &pool) < 0)
		return 1;
	int crashed = rt_processes_call(pool, "shout", &bad, RT_FOREVER);
	int answered = rt_processes_call(pool, "shout", &good, RT_FOREVER);
	printf("%s, %.*s\n", crashed == -EREMOTEIO ? "crashed" : "?", (int)good.output_bytes, answer);
	rt_processes_free(pool);
	return answered < 0;
}

int main(void)
{
	if (rt_process_register("shout", shout) < 0 || rt_processes_prepare() < 0)
		return 1;
	return rt_run(NULL, start, NULL);
}
