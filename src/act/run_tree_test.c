#include "act/run_tree.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

#define STAT "42 (a (b) c\n) S 7 8 9 34816 -1 4194304 100 0 0 0 11 22 33 44 20 0 1 0 98765 4096 100"

static void check_stat(void)
{
	struct tree_process p = { 0 };

	CHECK(tree_stat_parse(SPAN(STAT), &p) == 0);
	CHECK(p.pid == 42 && p.parent == 7 && p.group == 8 && p.session == 9 && p.state == 'S');
	CHECK_STR(p.comm, "a (b) c\n");
	CHECK_U64(p.own_ticks, 33);
	CHECK_U64(p.waited_ticks, 77);
	CHECK_U64(p.start_ticks, 98765);
	CHECK(tree_stat_parse(SPAN("42 (a) S 7 8"), &p) == -EBADMSG);
	CHECK(tree_stat_parse(SPAN(""), &p) == -EBADMSG);
	CHECK(tree_stat_parse(SPAN("42 (a"), &p) == -EBADMSG);
	CHECK(tree_stat_parse(SPAN("x (a) S 7 8 9 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 5"), &p) == -EBADMSG);
	CHECK(tree_stat_parse(SPAN("1 (a) S 7 8 9 0 -1 0 0 0 0 0 -1 2 3 4 20 0 1 0 5"), &p) == -EBADMSG);
	CHECK(p.pid == 42); /* untouched */
	/* A nice value of -20 and a child that waited for nobody are no errors. */
	CHECK(tree_stat_parse(SPAN("1 (a) R 0 0 0 0 -1 0 0 0 0 0 1 2 0 0 0 -20 1 0 5"), &p) == 0);
}

static void check_io(void)
{
	struct tree_io io;

	tree_io_parse(SPAN("rchar: 10\nwchar: 20\nsyscr: 1\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 0\n"), &io);
	CHECK_U64(io.read_call_bytes, 10);
	CHECK_U64(io.write_call_bytes, 20);
	CHECK_U64(io.read_bytes, 4096);
	CHECK_U64(io.written_bytes, 0);
	tree_io_parse(SPAN("read_bytes: many\nwrite_bytes: 18446744073709551615\n"), &io);
	CHECK_U64(io.read_bytes, READING_MALFORMED);
	CHECK_U64(io.written_bytes, READING_MALFORMED);
	CHECK_U64(io.read_call_bytes, READING_ABSENT);
	tree_io_parse(SPAN(""), &io);
	CHECK_U64(io.read_bytes, READING_ABSENT);
}

static void add(struct tree *t, pid_t pid, uint64_t start, uint64_t own, uint64_t waited)
{
	struct tree_process *p = vec_push(&t->member);

	*p = (struct tree_process){ .pid = pid, .start_ticks = start, .own_ticks = own, .waited_ticks = waited };
}

static void check_clock(void)
{
	struct tree_clock c = { 0 };
	struct tree t = { 0 };

	CHECK_U64(tree_clock_advance(&c, &t, 0), 0);
	add(&t, 1, 100, 5, 0);
	add(&t, 2, 100, 10, 0);
	CHECK_U64(tree_clock_advance(&c, &t, 0), 15);
	/* 2 ended and was waited for by 1: its time is 1's now, with what it used since. */
	t.member.n = 0;
	add(&t, 1, 100, 6, 12);
	CHECK_U64(tree_clock_advance(&c, &t, 0), 18);
	/* 1 ended too, and nobody waited: what was seen of them stays. */
	t.member.n = 0;
	CHECK_U64(tree_clock_advance(&c, &t, 0), 18);
	/* Another of the same number begins at zero. */
	add(&t, 1, 200, 4, 0);
	CHECK_U64(tree_clock_advance(&c, &t, 0), 20);
	add(&t, 3, 200, 0, 0);
	CHECK_U64(tree_clock_advance(&c, &t, 50), 54);
	tree_clock_deinit(&c);
	tree_deinit(&t);
}

/* A child with a child, read both ways. */
static void check_live(bool whole_host)
{
	struct tree t = { .whole_host = whole_host };
	int ready[2], hold[2];
	char byte;
	pid_t child;

	CHECK(pipe(ready) == 0 && pipe(hold) == 0);
	child = fork();
	if (child == 0) {
		close(hold[1]);
		(void)!fork();
		(void)!write(ready[1], "x", 1);
		(void)!read(hold[0], &byte, 1);
		_exit(0);
	}
	CHECK(read(ready[0], &byte, 1) == 1 && read(ready[0], &byte, 1) == 1);
	CHECK(tree_read(&t, getpid(), NULL) == 0);
	CHECK_U64(t.member.n, 2);
	CHECK(t.member.v[0].pid == child && t.member.v[0].direct && t.member.v[0].parent == getpid());
	CHECK(t.member.v[1].parent == child && !t.member.v[1].direct);
	CHECK(tree_signal(&t.member.v[1], false, 0) == 0);
	t.member.v[1].start_ticks++;
	CHECK(tree_signal(&t.member.v[1], false, SIGKILL) == -ESRCH); /* another has its number */
	struct tree without = { .whole_host = whole_host };

	CHECK(tree_read(&without, getpid(), (pid_t[]){ child, 0 }) == 0 && without.member.n == 0);
	close(hold[1]);
	CHECK(waitpid(child, NULL, 0) == child);
	close(hold[0]);
	close(ready[0]);
	close(ready[1]);
	tree_deinit(&t);
	tree_deinit(&without);
}

static void check_kill(void)
{
	pid_t keep = fork();
	int status;

	if (keep == 0) {
		pause();
		_exit(0);
	}
	pid_t other = fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
	CHECK(tree_kill_children((pid_t[]){ keep, 0 }) == 1);
	CHECK(waitpid(other, &status, 0) == other && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(kill(keep, 0) == 0 && waitpid(keep, &status, WNOHANG) == 0);
	CHECK(tree_kill_children(NULL) == 1);
	CHECK(waitpid(keep, &status, 0) == keep);
	CHECK(tree_kill_children(NULL) == 0);
}

int main(void)
{
	check_stat();
	check_io();
	check_clock();
	check_live(true);
	if (access("/proc/thread-self/children", R_OK) == 0) {
		check_live(false);
		check_kill();
	}
	return check_exit();
}
