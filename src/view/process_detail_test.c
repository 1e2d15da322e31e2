#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "view/process_detail_tables.h"

static struct host *host;

static int look(int pid, unsigned sections, struct process_detail *d, struct note *note)
{
	return process_detail_read(host, pid, &(struct process_detail_options){ .sections = sections }, d, note);
}

static const struct process_fd *fd_of(const struct process_detail *d, int fd)
{
	vec_each(f, &d->fds.fds)
		if (f->fd == fd)
			return f;
	return NULL;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A child that holds the other end of a pipe, asleep in a read of it. */
static void test_pipe(void)
{
	cleanup(process_detail_deinit) struct process_detail d = { 0 };
	cleanup(buf_deinit) struct buf sentence = { 0 };
	struct note note;
	int ends[2];
	char c;

	CHECK(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) R\n(b");
		close(ends[1]);
		_exit(read(ends[0], &c, 1) < 0);
	}
	close(ends[0]);
	for (int i = 0; i < 200; i++) { /* until it sleeps in the read */
		CHECK(look(pid, PROCESS_DEFAULT, &d, &note) == 0);
		if (d.task.state == 'S' && strcmp(d.task.comm, "a) R\n(b") == 0)
			break;
		usleep(5000);
	}
	CHECK_STR(d.task.comm, "a) R\n(b");
	CHECK(d.ancestors.n && d.ancestors.v[0].pid == getpid());
	CHECK(d.threads.n == 1 && d.threads.v[0].task.tid == pid);
	CHECK(d.memory.error == 0 && reading_or(d.memory.total.resident_bytes, 0) > 0);
	CHECK(d.limits.presence == PRESENT);
	CHECK_U64(d.limit_used[PROCESS_LIMIT_nofile], d.fds.fds.n);
	const struct process_fd *f = fd_of(&d, ends[0]);
	size_t at = 0;
	CHECK(f && f->kind == FD_PIPE && f->access == 'r');
	const struct fd_holder *peer = f ? process_detail_peer(&d, f, &at) : NULL;
	if (peer) /* we are left out of the search: the reader of the report is gone by then */
		CHECK(peer->pid != getpid());
	CHECK(process_state_sentence(&d, &sentence) == 0);
	if (d.task.flags & TASK_HAS_SYSCALL)
		CHECK(sentence.data && strstr(sentence.data, "sleeping in read(") && strstr(sentence.data, "pipe:["));
	end(pid);
	CHECK(look(pid, PROCESS_DEFAULT, &d, &note) == -ESRCH);
	CHECK(strstr(note.text, "there is no process"));
	close(ends[1]);
}

static void test_zombie(void)
{
	cleanup(process_detail_deinit) struct process_detail d = { 0 };
	cleanup(buf_deinit) struct buf sentence = { 0 };
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(look(pid, PROCESS_ALL, &d, NULL) == 0);
	CHECK(d.task.state == 'Z');
	CHECK(process_state_sentence(&d, &sentence) == 0);
	CHECK(strstr(sentence.data, "does not reap") && strstr(sentence.data, "exit code is 7"));
	CHECK(d.fds.fds.n == 0);
	CHECK(!reading_or(d.memory.total.mappings, 0));
	waitpid(pid, NULL, 0);
}

static void *sleeper(void *tid)
{
	__atomic_store_n((int *)tid, gettid(), __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

/* The id of a thread shows its process. */
static void test_thread(void)
{
	cleanup(process_detail_deinit) struct process_detail d = { 0 };
	pthread_t thread;
	int tid = 0;

	CHECK(pthread_create(&thread, NULL, sleeper, &tid) == 0);
	while (!__atomic_load_n(&tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	CHECK(look(tid, PROCESS_THREADS, &d, NULL) == 0);
	CHECK(d.pid == getpid() && d.asked == tid);
	CHECK(d.threads.n >= 2);
	CHECK(d.fds.fds.n == 0 && d.limits.presence == PRESENT && d.limits.soft[0] == 0); /* not asked for */
}

/* Processes that end while they are read: nothing, or all of it. */
static void test_ending(void)
{
	struct process_tables tables = { 0 };
	struct process_detail d = { 0 };
	struct note note;
	int whole = 0, gone = 0;

	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			usleep((unsigned)i * 40);
			_exit(0);
		}
		usleep((unsigned)(i % 10) * 100);
		signal(SIGCHLD, SIG_IGN); /* reaped at once */
		int r = look(pid, PROCESS_ALL, &d, &note);
		CHECK(r == 0 || r == -ESRCH);
		if (r == 0)
			CHECK(process_tables_make(&d, &tables) == 0);
		else
			CHECK(strstr(note.text, "ended while it was read") || strstr(note.text, "no process"));
		r == 0 ? whole++ : gone++;
		signal(SIGCHLD, SIG_DFL);
		waitpid(pid, NULL, 0);
	}
	fprintf(stderr, "%d whole, %d gone\n", whole, gone);
	process_tables_deinit(&tables);
	process_detail_deinit(&d);
}

/* Our own CPU time over an interval. */
static void test_interval(void)
{
	cleanup(process_detail_deinit) struct process_detail d = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)!getppid();
	}
	struct process_detail_options options = { .sections = PROCESS_COUNTERS | PROCESS_THREADS, .interval_ns = 200000000 };
	CHECK(host_tick(host, 0) == 0); /* the time of now */
	CHECK(process_detail_read(host, pid, &options, &d, NULL) == 0);
	CHECK(d.interval_s >= 0.2 && d.interval_s < 30);
	CHECK(d.threads.n == 1 && reading_ok(d.threads.v[0].run_growth_ns));
	/* It ran or it waited; on a crowded machine mostly the second. */
	double busy = reading_value(d.threads.v[0].run_growth_ns) + reading_value(d.threads.v[0].wait_growth_ns);
	CHECK(busy > 0.3 * d.interval_s * 1e9 && busy < 1.5 * d.interval_s * 1e9);
	end(pid);
}

int main(void)
{
	CHECK(host_open_live("/", &host, NULL) == 0);
	test_pipe();
	test_zombie();
	test_ending();
	test_interval();
	test_thread();
	host_free(host);
	return check_exit();
}
