#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "source/process/task.h"

/* A process with the arguments given, asleep. */
static pid_t sleeper(char *const *argv)
{
	int gate[2];
	char c;

	CHECK(pipe2(gate, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	close(gate[1]);
	CHECK(read(gate[0], &c, 1) == 0); /* ended by exec */
	close(gate[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_arguments(struct host *h)
{
	char *const argv[] = { "--sleep", "two words", "tab\there", "esc\033[2J", "line\nbreak", "caf\303\251", "", "", NULL };
	char line[256], little[12];
	pid_t pid = sleeper(argv);

	CHECK(task_command_line(h, pid, line, sizeof line) == 0);
	CHECK_STR(line, "--sleep two words tab\\x09here esc\\x1b[2J line\\x0abreak caf\303\251");
	CHECK(task_command_line(h, pid, little, sizeof little) == 0);
	CHECK(strlen(little) < sizeof little && strncmp(little, "--sleep", 6) == 0);
	end(pid);
	CHECK(task_command_line(h, pid, line, sizeof line) == -ENOENT);
}

/* Without arguments there is a name, and it is made printable as well. */
static void test_names(struct host *h)
{
	char line[256];
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NAME, "zom\033bie");
		_exit(0);
	}
	siginfo_t info;
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(task_command_line(h, pid, line, sizeof line) == 0);
	CHECK_STR(line, "[zom\\x1bbie]");
	waitpid(pid, NULL, 0);
	if (task_command_line(h, 2, line, sizeof line) == 0) /* where the first namespace is ours */
		CHECK(line[0] == '[' || getpid() < 100);
}

static void test_waiting(struct host *h)
{
	char *const argv[] = { "--sleep", NULL };
	cleanup(buf_deinit) struct buf stack = { 0 };
	char wchan[64] = "x";
	pid_t pid = sleeper(argv);

	usleep(50000);
	CHECK(task_wchan(h, pid, pid, wchan, sizeof wchan) == 0);
	CHECK(wchan[0] != '0');
	int r = task_kernel_stack(h, pid, pid, &stack);
	if (r == 0) {
		CHECK(stack.n > 0 && strchr(stack.data, '+') && !strchr(stack.data, ']'));
	} else {
		CHECK(r == -EACCES || r == -EPERM || r == -ENOENT);
	}
	end(pid);
	CHECK(task_wchan(h, pid, pid, wchan, sizeof wchan) == -ENOENT);
	CHECK(task_kernel_stack(h, pid, pid, &stack) == -ENOENT);
}

int main(int argc, char **argv)
{
	struct host *h = NULL;

	if (argc > 0 && strcmp(argv[0], "--sleep") == 0)
		for (;;)
			pause();
	CHECK(host_open_live("/", &h, NULL) == 0);
	test_arguments(h);
	test_names(h);
	test_waiting(h);
	host_free(h);
	return check_exit();
}
