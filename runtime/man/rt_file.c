/* Two fibers that write to one file at a time, and what it holds then. */
#include <fcntl.h>
#include <osprey/rt.h>
#include <stdio.h>
#include <unistd.h>

static int file;

static int write_half(void *arg)
{
	int half = *(int *)arg;

	if (rt_pwrite(file, half ? "world\n" : "hello, ", half ? 6 : 7, half ? 7 : 0) < 0)
		return 1;
	return rt_fsync(file, true);
}

static int start(void *arg)
{
	char path[] = "/tmp/rt_file.example", text[32];
	int halves[2] = { 0, 1 };
	struct rt_scope both;

	(void)arg;
	file = rt_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file < 0)
		return 1;
	unlink(path);
	rt_scope_open(&both, RT_FOREVER);
	for (int i = 0; i < 2; i++)
		if (rt_scope_go(&both, write_half, &halves[i]) < 0)
			rt_scope_cancel(&both);
	int r = rt_scope_close(&both);
	ssize_t n = rt_pread(file, text, sizeof text, 0);
	if (n > 0)
		printf("%.*s", (int)n, text);
	rt_file_close(file);
	return r < 0 || n < 0;
}

int main(void)
{
	return rt_run(NULL, start, NULL);
}
