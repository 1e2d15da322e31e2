/* Selection on this host, of processes that the test starts; and that
 * a signal does not reach who has another start time. */
#include "act/process_select.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/signal.h"
#include "base/check.h"

static struct host *h;

static pid_t child(const char *name)
{
	int ready[2];
	char byte;
	pid_t pid;

	CHECK(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int choose(const char *word, bool match, bool all, bool force, struct process_selection *ret,
		  struct note *note)
{
	struct process_wish wish = {
		.operand = &word, .noperands = 1, .match = match, .all = all, .force = force
	};

	return process_select(h, &wish, ret, note);
}

static void test_pids(void)
{
	struct process_selection s;
	struct note note = { "" };
	char word[16];
	pid_t pid = child("select me");

	snprintf(word, sizeof word, "%d", pid);
	CHECK(choose(word, false, false, false, &s, &note) == 0);
	CHECK(s.process.n == 1 && s.process.v[0].pid == pid && s.process.v[0].ppid == getpid());
	CHECK_STR(s.process.v[0].comm, "select me");
	CHECK(s.process.v[0].start_ticks > 0);
	process_selection_deinit(&s);
	end(pid);
	CHECK(choose(word, false, false, false, &s, &note) == 0);
	CHECK(s.process.n == 0 && s.missing.n == 1 && s.missing.v[0] == pid);
	process_selection_deinit(&s);
	snprintf(word, sizeof word, "%d", getpid());
	CHECK(choose(word, false, false, true, &s, &note) == -EPERM);
	process_selection_deinit(&s);
	CHECK(choose("1", false, false, false, &s, &note) == -EPERM);
	process_selection_deinit(&s);
	CHECK(choose("1", false, false, true, &s, &note) == 0 && s.process.n == 1);
	process_selection_deinit(&s);
	CHECK(choose("0", false, false, true, &s, &note) == -EINVAL);
	process_selection_deinit(&s);
	CHECK(choose("99999999999", false, false, true, &s, &note) == -EINVAL);
	process_selection_deinit(&s);
	CHECK(choose("", false, false, true, &s, &note) == -EINVAL);
	process_selection_deinit(&s);
}

static void *wait_to_end(void *arg)
{
	int *tid_and_go = arg;
	char byte;

	__atomic_store_n(&tid_and_go[0], gettid(), __ATOMIC_RELEASE);
	(void)!read(tid_and_go[1], &byte, 1);
	return NULL;
}

/* Of another process, for our own are refused as this osprey itself. */
static void test_thread(void)
{
	struct process_selection s;
	struct note note = { "" };
	int told[2], go[2], tid_and_go[2] = { 0 }, tid = 0;
	char word[16], expected[64];
	pid_t pid;

	CHECK(pipe(told) == 0 && pipe(go) == 0);
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "many threads");
		tid_and_go[1] = go[0];
		(void)!pthread_create(&thread, NULL, wait_to_end, tid_and_go);
		while ((tid = __atomic_load_n(&tid_and_go[0], __ATOMIC_ACQUIRE)) == 0)
			usleep(1000);
		(void)!write(told[1], &tid, sizeof tid);
		for (;;)
			pause();
	}
	CHECK(read(told[0], &tid, sizeof tid) == sizeof tid && tid != pid);
	snprintf(word, sizeof word, "%d", tid);
	snprintf(expected, sizeof expected, "%d (many threads) is a thread of process %d", tid, pid);
	CHECK(choose(word, false, false, false, &s, &note) == -EINVAL);
	CHECK(s.process.n == 0 && strncmp(note.text, expected, strlen(expected)) == 0);
	process_selection_deinit(&s);
	end(pid);
}

static void test_names(void)
{
	struct process_selection s;
	struct note note = { "" };
	char name[16];
	pid_t a, b;

	snprintf(name, sizeof name, "sel\x1b%d", getpid());
	a = child(name);
	b = child(name);
	CHECK(choose(name, false, false, false, &s, &note) == -ENOTUNIQ);
	CHECK(s.process.n == 2);
	process_selection_deinit(&s);
	CHECK(choose(name, false, true, false, &s, &note) == 0);
	CHECK(s.process.n == 2 && s.process.v[0].pid == (a < b ? a : b));
	process_selection_deinit(&s);
	end(b);
	CHECK(choose(name, false, false, false, &s, &note) == 0);
	CHECK(s.process.n == 1 && s.process.v[0].pid == a);
	process_selection_deinit(&s);
	name[3] = '?';
	CHECK(choose(name, false, false, false, &s, &note) == -ESRCH);
	CHECK(strstr(note.text, "closest") != NULL);
	process_selection_deinit(&s);
	CHECK(choose("(", true, false, false, &s, &note) == -EINVAL);
	process_selection_deinit(&s);
	/* Our own command line is in no answer; the child's is the same. */
	CHECK(choose("process_select_test", true, true, false, &s, &note) >= 0);
	vec_each(p, &s.process)
		CHECK(p->pid != getpid());
	process_selection_deinit(&s);
	end(a);
}

static void test_users(void)
{
	struct process_wish wish = { .user = "no such user", .all = true };
	struct process_selection s;
	struct note note = { "" };
	pid_t pid = child("of a user");
	bool found = false;
	char uid[16];

	CHECK(process_select(h, &wish, &s, &note) == -EINVAL);
	process_selection_deinit(&s);
	snprintf(uid, sizeof uid, "%u", geteuid());
	wish.user = uid;
	wish.force = true;
	CHECK(process_select(h, &wish, &s, &note) == 0);
	vec_each(p, &s.process)
		found |= p->pid == pid;
	CHECK(found);
	process_selection_deinit(&s);
	end(pid);
}

static void test_descendants(void)
{
	process_vec v = { 0 };
	struct process self;
	pid_t a = child("a"), b = child("b");

	CHECK(process_read(h, getpid(), 0, &self) == 0);
	CHECK(process_vec_add(&v, &self) == 0 && process_vec_add(&v, &self) == 0 && v.n == 1);
	CHECK(process_add_descendants(h, &v) == 2);
	CHECK(v.n == 3 && v.v[1].pid + v.v[2].pid == a + b);
	CHECK(process_add_descendants(h, &v) == 0);
	vec_free(&v);
	end(a);
	end(b);
}

static void test_another_start_time_is_not_signalled(void)
{
	struct signal_plan plan = { .number = SIGKILL, .wait = true, .grace_ns = 100000000 };
	struct signal_report report;
	process_vec v = { 0 };
	pid_t pid = child("bystander");
	struct process p;

	CHECK(process_read(h, pid, 0, &p) == 0);
	p.start_ticks--;
	CHECK(process_vec_add(&v, &p) == 0);
	CHECK(signal_run(h, &v, &plan, &report, NULL) == 0);
	CHECK(report.result.n == 1 && !report.result.v[0].sent && report.result.v[0].ended);
	CHECK(kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) == 0);
	signal_report_deinit(&report);

	v.v[0].start_ticks++;
	CHECK(signal_run(h, &v, &plan, &report, NULL) == 0);
	CHECK(report.result.n == 1 && report.result.v[0].sent && report.result.v[0].ended);
	signal_report_deinit(&report);
	vec_free(&v);
	waitpid(pid, NULL, 0);
}

/* As the user does who loses patience while members are looked for. */
static int grow_and_be_ended(void *arg, struct host *of, process_vec *v)
{
	(void)arg, (void)of, (void)v;
	return raise(SIGTERM) == 0 ? 0 : -EIO;
}

static void test_nobody_is_left_stopped(void)
{
	struct signal_plan plan = { .number = SIGWINCH, .freeze = true, .grow = grow_and_be_ended };
	struct signal_report report;
	process_vec v = { 0 };
	pid_t pid = child("held"), osprey;
	struct process p;
	int status;

	CHECK(process_read(h, pid, 0, &p) == 0);
	CHECK(process_vec_add(&v, &p) == 0);
	osprey = fork();
	if (osprey == 0) {
		(void)!signal_run(h, &v, &plan, &report, NULL);
		_exit(0);
	}
	CHECK(waitpid(osprey, &status, 0) == osprey && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK(process_read(h, pid, 0, &p) == 0 && p.state != 'T');
	vec_free(&v);
	end(pid);
}

int main(void)
{
	if (host_open_live("/", &h, NULL) < 0)
		check_skip("no live host");
	test_pids();
	test_thread();
	test_names();
	test_users();
	test_descendants();
	test_another_start_time_is_not_signalled();
	test_nobody_is_left_stopped();
	host_free(h);
	return check_exit();
}
