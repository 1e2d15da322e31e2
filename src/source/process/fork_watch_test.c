#include "source/process/fork_watch.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

#define CHILDREN 50

static void make_children(void)
{
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		CHECK(pid > 0);
		waitpid(pid, NULL, 0);
	}
}

static uint64_t count_of(const fork_count_vec *counts, int32_t pid)
{
	vec_each(c, counts)
		if (c->pid == pid)
			return c->forks;
	return 0;
}

static void counts_every_birth(void)
{
	struct fork_watch *w = NULL;
	struct note note = { "" };
	fork_count_vec counts = { 0 };
	struct host *h;

	CHECK(host_open_live("/", &h, &note) == 0);
	CHECK(fork_watch_new(h, &w, &note) == 0);
	if (!fork_watch_exact(w)) {
		fork_watch_free(w);
		host_free(h);
		check_skip("no BPF here: %s", note.text);
	}
	make_children();
	CHECK(fork_watch_read(w, &counts) == 0);
	CHECK_U64(count_of(&counts, getpid()), CHILDREN);
	for (size_t i = 1; i < counts.n; i++)
		CHECK(counts.v[i - 1].forks >= counts.v[i].forks);
	make_children();
	CHECK(fork_watch_read(w, &counts) == 0);
	CHECK_U64(count_of(&counts, getpid()), 2 * CHILDREN);
	vec_free(&counts);
	fork_watch_free(w);
	host_free(h);
}

/* Without BPF: the newest task tells its parent, a thread its process. */
static void samples_on_a_capture(void)
{
	static const char text[] = "osprey-capture 1\ntick 1 1 1\n"
				   "have 43 /proc/812/status\nName:\tx\nTgid:\t812\nPid:\t812\nPPid:\t77\nUid:\t0\n"
				   "\n"
				   "have 6 /proc/77/comm\nstorm\n\n"
				   "have 34 /proc/813/status\nName:\tx\nTgid:\t90\nPid:\t813\nPPid:\t1\n\n";
	struct buf copy = { 0 };
	struct host *h = NULL;
	struct fork_watch *w = NULL;
	fork_count_vec counts = { 0 };
	struct note note = { "" };

	CHECK(buf_append(&copy, text, sizeof text - 1) == 0);
	int r = host_open_capture_text(&copy, &h, &note);
	CHECK(r == 0);
	if (r < 0)
		return;
	CHECK(fork_watch_new(h, &w, NULL) == 0);
	CHECK(!fork_watch_exact(w));
	fork_watch_tick(w, 812);
	fork_watch_tick(w, 812);
	fork_watch_tick(w, 813);
	fork_watch_tick(w, 999); /* was gone */
	CHECK(fork_watch_read(w, &counts) == 0);
	CHECK_U64(counts.n, 2);
	CHECK_U64(count_of(&counts, 77), 2);
	CHECK_U64(count_of(&counts, 90), 1);
	CHECK_STR(counts.v[0].comm, "storm");
	vec_free(&counts);
	fork_watch_free(w);
	host_free(h);
}

int main(void)
{
	samples_on_a_capture();
	if (check_failures == 0)
		counts_every_birth();
	return check_exit();
}
