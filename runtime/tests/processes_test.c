/* The pool of processes: results, crashes, limits, deadlines; no zombie and no descriptor is left. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"

static struct rt_processes *processes;

static int reverse(const void *input, size_t n, void *output, size_t room, size_t *ret_bytes)
{
	const char *in = input;
	char *out = output;

	if (n > room)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++)
		out[i] = in[n - 1 - i];
	*ret_bytes = n;
	return (int)n;
}

/* What the first byte of the input says. */
static int misbehaves(const void *input, size_t n, void *output, size_t room, size_t *ret_bytes)
{
	volatile uintptr_t nowhere = 8;
	static void *volatile allocated;
	volatile unsigned spin = 0;

	(void)n;
	(void)output;
	switch (*(const char *)input) {
	case 'c': *(volatile char *)nowhere = 1; break;
	case 'a': abort();
	case 'x': _exit(3);
	case 's': for (;;) pause();
	case 'b': for (;;) spin++;
	case 'm': return (allocated = malloc((size_t)512 << 20)) ? 1 : -ENOMEM;
	case 'o': *ret_bytes = room + 1; return 0;
	}
	return 0;
}

static int tells_pid(const void *input, size_t n, void *output, size_t room, size_t *ret_bytes)
{
	pid_t pid = getpid();

	(void)input;
	(void)n;
	memcpy(output, &pid, sizeof pid);
	*ret_bytes = sizeof pid;
	return room == sizeof pid ? 0 : -EINVAL;
}

static int tells_server(const void *input, size_t n, void *output, size_t room, size_t *ret_bytes)
{
	(void)input; (void)n; (void)output; (void)room; (void)ret_bytes;
	return getppid();
}

static int counts_fds(const void *input, size_t n, void *output, size_t room, size_t *ret_bytes)
{
	int open = 0;

	(void)input; (void)n; (void)output; (void)room; (void)ret_bytes;
	for (int fd = 0; fd < 1000; fd++)
		open += dup2(fd, fd) >= 0;
	return open;
}

static void burn(double seconds, int zero)
{
	static char bytes[1 << 16];
	clock_t until = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);

	while (clock() < until)
		if (zero >= 0 && read(zero, bytes, sizeof bytes) < 0)
			return;
}

/* As much in the kernel as outside. */
static int burns(const void *input, size_t n, void *output, size_t room, size_t *ret_bytes)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)input; (void)n; (void)output; (void)room; (void)ret_bytes;
	burn(0.3, zero);
	burn(0.3, -1);
	close(zero);
	return 0;
}

static int bad_call(const char *what, int64_t deadline, int *ret_status)
{
	char out[16];
	struct rt_process_exchange x = { .input = what, .input_bytes = 1, .output = out, .room = sizeof out };
	int r = rt_processes_call(processes, "misbehaves", &x, deadline);

	*ret_status = r == 0 ? x.result : x.status;
	return r;
}

static int exchanges(void *arg)
{
	size_t n = 1 + (size_t)(intptr_t)arg * 997 % 200000;
	char *in = malloc(n), *out = calloc(1, n);
	struct rt_process_exchange x = { .input = in, .input_bytes = n, .output = out, .room = n };

	for (size_t i = 0; i < n; i++)
		in[i] = (char)(i * 31 + (size_t)(intptr_t)arg);
	CHECK(rt_processes_call(processes, "reverse", &x, RT_FOREVER) == 0);
	CHECK(x.result == (int)n && x.output_bytes == n);
	bool same = true;
	for (size_t i = 0; i < n; i++)
		same &= out[i] == in[n - 1 - i];
	CHECK(same);
	free(in);
	free(out);
	return 0;
}

static int pid_of_process(pid_t *ret)
{
	struct rt_process_exchange x = { .output = ret, .room = sizeof *ret };

	return rt_processes_call(processes, "pid", &x, RT_FOREVER);
}

static int calls(void *arg)
{
	struct rt_processes_options options = { .processes = 3 };
	struct rt_process_exchange x = { 0 };
	struct rt_scope s;

	(void)arg;
	CHECK(rt_processes_new(&options, &processes) == 0);
	rt_scope_open(&s, RT_FOREVER);
	for (intptr_t i = 0; i < 60; i++)
		CHECK(rt_scope_go(&s, exchanges, (void *)i) == 0);
	CHECK(rt_scope_close(&s) == 0);
	CHECK(rt_processes_call(processes, "no such", &x, RT_FOREVER) == -ENOENT);
	x.room = (size_t)1 << 40;
	CHECK(rt_processes_call(processes, "reverse", &x, RT_FOREVER) == -EMSGSIZE);
	/* 0, 1, 2 and its socket. */
	x.room = 0;
	CHECK(rt_processes_call(processes, "fds", &x, RT_FOREVER) == 0 && x.result == 4);
	rt_processes_free(processes);
	return 0;
}

static int crashes(void *arg)
{
	/* Tools have terabytes of addresses for themselves: no limit leaves room for them and is one. */
	struct rt_processes_options options = { .processes = 1, .memory_bytes = SANITIZED ? 0 : (size_t)400 << 20, .cpu_s = 1 };
	int status;
	pid_t before, after;

	(void)arg;
	CHECK(rt_processes_new(&options, &processes) == 0);
	CHECK(pid_of_process(&before) == 0 && pid_of_process(&after) == 0 && before == after);
	CHECK(bad_call("c", RT_FOREVER, &status) == -EREMOTEIO && WIFSIGNALED(status));
	CHECK(pid_of_process(&after) == 0 && before != after);
	CHECK(bad_call("a", RT_FOREVER, &status) == -EREMOTEIO && WTERMSIG(status) == SIGABRT);
	CHECK(bad_call("x", RT_FOREVER, &status) == -EREMOTEIO && WIFEXITED(status) && WEXITSTATUS(status) == 3);
	CHECK(bad_call("o", RT_FOREVER, &status) == -EMSGSIZE);
	CHECK(bad_call("s", rt_now() + 5 * MS, &status) == -ETIMEDOUT);
	if (!SANITIZED)
		CHECK(bad_call("m", RT_FOREVER, &status) == 0 && status == -ENOMEM);
	/* One that ends while it has nothing to do harms nobody. */
	CHECK(pid_of_process(&before) == 0 && kill(before, SIGKILL) == 0);
	for (int i = 0; i < 5000 && kill(before, 0) == 0; i++)
		rt_sleep(MS);
	CHECK(kill(before, 0) < 0 && errno == ESRCH);
	CHECK(pid_of_process(&after) == 0 && before != after);
	rt_processes_free(processes);
	return 0;
}

static _Atomic int started;

static int is_cancelled(void *arg)
{
	int status;

	(void)arg;
	started++;
	return bad_call("s", RT_FOREVER, &status);
}

static int cancelled(void *arg)
{
	struct rt_processes_options options = { .processes = 2, .calls = 3 };
	struct rt_scope s;
	pid_t pids[4];

	(void)arg;
	CHECK(rt_processes_new(&options, &processes) == 0);
	for (int round = 0; round < 3; round++) {
		started = 0;
		rt_scope_open(&s, RT_FOREVER);
		for (int i = 0; i < 4; i++)
			CHECK(rt_scope_go(&s, is_cancelled, NULL) == 0);
		rt_sleep(round * 10 * MS);
		rt_scope_cancel(&s);
		CHECK(rt_scope_close(&s) == 0);
	}
	/* Replaced after three. */
	for (int i = 0; i < 4; i++)
		CHECK(pid_of_process(&pids[i]) == 0);
	CHECK(pids[0] == pids[2] && pids[2] != pids[3]);
	rt_processes_free(processes);
	return 0;
}

static int commands(void *arg)
{
	static char out[100000];
	char *in = malloc(sizeof out);
	char *cat[] = { "cat", NULL }, *fails[] = { "sh", "-c", "echo $1; exit 7", "sh", "x y", NULL }, *none[] = { "/no/such", NULL };
	char *yes[] = { "yes", NULL }, *group[] = { "sh", "-c", "sleep 1000 & sleep 1000", NULL };
	struct rt_process_exchange x = { .input = in, .input_bytes = sizeof out, .output = out, .room = sizeof out };

	(void)arg;
	memset(in, 'i', sizeof out);
	CHECK(rt_processes_new(NULL, &processes) == 0);
	CHECK(rt_processes_command(processes, cat, &x, RT_FOREVER) == 0);
	CHECK(x.result == 0 && x.output_bytes == sizeof out && memcmp(in, out, sizeof out) == 0);
	/* It does not read what it is given. */
	CHECK(rt_processes_command(processes, fails, &x, RT_FOREVER) == 0);
	CHECK(WIFEXITED(x.result) && WEXITSTATUS(x.result) == 7 && x.output_bytes == 4 && memcmp(out, "x y\n", 4) == 0);
	CHECK(rt_processes_command(processes, none, &x, RT_FOREVER) == -ENOENT);
	x.room = 10;
	CHECK(rt_processes_command(processes, yes, &x, RT_FOREVER) == -EMSGSIZE && x.output_bytes == 10);
	CHECK(rt_processes_command(processes, group, &x, rt_now() + 20 * MS) == -ETIMEDOUT);
	rt_processes_free(processes);
	free(in);
	return 0;
}

static void *plain_thread(void *arg)
{
	exchanges(arg);
	return NULL;
}

/* -- CPU time, call by call: the tests below take seconds, and run beside the others */

static struct rt_processes *new_limited(void)
{
	struct rt_processes_options options = { .processes = 1, .cpu_s = 1 };
	struct rt_processes *p = NULL;

	CHECK(rt_processes_new(&options, &p) == 0);
	return p;
}

/* What a process has used for others is not of a call. */
static void *short_calls(void *arg)
{
	struct rt_processes *p = new_limited();
	struct rt_process_exchange x = { 0 };

	(void)arg;
	for (int i = 0; i < 4; i++)
		CHECK(rt_processes_call(p, "burns", &x, RT_FOREVER) == 0);
	rt_processes_free(p);
	return NULL;
}

static void *endless_call(void *arg)
{
	struct rt_processes *p = new_limited();
	struct rt_process_exchange x = { .input = "b", .input_bytes = 1 };

	(void)arg;
	CHECK(rt_processes_call(p, "misbehaves", &x, rt_now() + 60000 * MS) == -EREMOTEIO);
	CHECK(WIFSIGNALED(x.status) && WTERMSIG(x.status) == SIGXCPU);
	rt_processes_free(p);
	return NULL;
}

static void *endless_command(void *arg)
{
	char *argv[] = { "sh", "-c", "while :; do :; done", NULL };
	struct rt_processes *p = new_limited();
	struct rt_process_exchange x = { 0 };

	(void)arg;
	CHECK(rt_processes_command(p, argv, &x, rt_now() + 60000 * MS) == 0);
	CHECK(WIFSIGNALED(x.result) && WTERMSIG(x.result) == SIGXCPU);
	rt_processes_free(p);
	return NULL;
}

/* -- a program that does not want to be told of its children's ends: nothing of theirs is told, then */

__attribute__((noinline)) static void soil_stack(void)
{
	char old[8192];

	memset(old, 1, sizeof old);
	__asm__ volatile("" : : "r"(old) : "memory");
}

static void case_ignores_children(unsigned processors)
{
	(void)processors;
	signal(SIGCHLD, SIG_IGN);
	CHECK(rt_process_register("reverse", reverse) == 0);
	soil_stack();
	int r = rt_processes_prepare();
	CHECK(r == 0);
	if (r < 0)
		return;
	CHECK(rt_processes_new(NULL, &processes) == 0);
	exchanges((void *)1);
	rt_processes_free(processes);
}

static int count_fds(void)
{
	int open = 0;

	for (int fd = 0; fd < 1000; fd++)
		open += dup2(fd, fd) >= 0;
	return open;
}

/* Those that the server has made, zombies too. -1: the kernel does not tell. */
static int count_children(pid_t server)
{
	char path[100];
	int n = 0, pid;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", server, server);
	FILE *f = fopen(path, "r");
	if (!f)
		return -1;
	while (fscanf(f, "%d", &pid) == 1)
		n++;
	fclose(f);
	return n;
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "calls", calls },
		{ "crashes", crashes },
		{ "cancelled calls", cancelled },
		{ "commands", commands },
	};
	static void *(*const of_cpu_time[])(void *) = { short_calls, endless_call, endless_command };
	pthread_t t[3];

	/* ThreadSanitizer has a thread of its own in what is forked, which is then too late to prepare. */
	if (!SANITIZED_THREAD)
		child_check("SIGCHLD is ignored", case_ignores_children, 1, 100, 0, "");
	CHECK(rt_process_register("reverse", reverse) == 0);
	CHECK(rt_process_register("reverse", reverse) == -EEXIST);
	CHECK(rt_process_register("misbehaves", misbehaves) == 0);
	CHECK(rt_process_register("burns", burns) == 0);
	CHECK(rt_process_register("pid", tells_pid) == 0);
	CHECK(rt_process_register("fds", counts_fds) == 0);
	CHECK(rt_process_register("server", tells_server) == 0);
	CHECK(rt_processes_new(NULL, &processes) == -ENOTCONN);
	CHECK(rt_processes_prepare() == 0);
	CHECK(rt_processes_prepare() == -EALREADY);
	int before = count_fds();
	CHECK(rt_processes_new(NULL, &processes) == 0);
	for (intptr_t i = 0; i < 3; i++)
		CHECK(pthread_create(&t[i], NULL, plain_thread, (void *)i) == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	struct rt_process_exchange x = { 0 };
	CHECK(rt_processes_call(processes, "server", &x, RT_FOREVER) == 0);
	pid_t server = x.result;
	CHECK(count_children(server) != 0);
	rt_processes_free(processes);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&t[i], NULL, of_cpu_time[i], NULL) == 0);
	int r = check_all(tests, sizeof tests / sizeof *tests);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(count_fds() == before);
	/* What was killed with its group takes a moment to end. */
	for (int i = 0; i < 5000 && count_children(server) > 0; i++)
		usleep(1000);
	CHECK(kill(server, 0) == 0 && count_children(server) <= 0);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return r || check_failed;
}
