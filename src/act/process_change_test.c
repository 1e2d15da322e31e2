/* Changes of a process with threads of different values, with threads that are born all the while, and
 * their undoing. The process is a child of the test. */
#include "act/process_change.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

static struct host *h;
static char state[] = "/tmp/osprey-process-change-XXXXXX";

static void *wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static atomic_int niced;

static void *wait_niced(void *arg)
{
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 3);
	niced = 1;
	return wait_for_ever(arg);
}

static void *brief(void *arg)
{
	usleep(2000);
	return arg;
}

static pthread_attr_t small;

static void thread(void *(*function)(void *))
{
	pthread_t t;

	if (pthread_create(&t, &small, function, NULL) == 0)
		pthread_detach(t);
}

/* SIGUSR1: two threads more. */
static void serve(int ready, bool restless)
{
	sigset_t set;
	int number;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 3; i++)
		thread(wait_for_ever);
	thread(wait_niced);
	while (!niced)
		sched_yield();
	(void)!write(ready, "x", 1);
	for (int i = 0; restless && i < 100000; i++) {
		thread(brief);
		usleep(200);
	}
	for (;;) {
		sigwait(&set, &number);
		thread(wait_for_ever);
		thread(wait_for_ever);
		(void)!write(ready, "x", 1);
	}
}

static pid_t start(bool restless, int *ret_ready)
{
	int ready[2];
	char byte;
	pid_t pid;

	CHECK(pipe(ready) == 0);
	pid = fork();
	if (pid == 0)
		serve(ready[1], restless);
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[1]);
	*ret_ready = ready[0];
	return pid;
}

static void end(pid_t pid, int ready)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready);
}

static const char *nices(const struct process *p)
{
	static struct buf text;

	buf_clear(&text);
	CHECK(process_attribute_text(h, p, &attribute_nice, &text, NULL) == 0);
	return text.data;
}

static struct change_journal *journal(void)
{
	struct change_journal *j = NULL;

	CHECK(change_journal_open(CHANGE_WRITE, &j, NULL) == 0);
	return j;
}

static int undo(struct change_journal *j, uint64_t id, bool force, struct change_outcome *ret)
{
	cleanup(change_list_deinit) struct change_list l = { 0 };

	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK(process_change_adopt(h, j, change_find(&l, id), NULL) == 0);
	return change_undo(j, id, &process_change_access, force, ret, NULL);
}

static void test_each_thread_gets_its_own_back(void)
{
	struct process_changed changed;
	struct change_outcome o;
	struct change_journal *j = journal();
	struct process p;
	int ready;
	pid_t pid = start(false, &ready);
	char byte;

	CHECK(process_read(h, pid, 0, &p) == 0);
	CHECK_STR(nices(&p), "0 (4 threads), 3 (1 thread)");
	CHECK(process_change(h, NULL, "priority", &p, &attribute_nice, "7", &changed, NULL) == 0);
	CHECK_STR(changed.before.data, "0 (4 threads), 3 (1 thread)");
	process_changed_deinit(&changed);
	CHECK_STR(nices(&p), "0 (4 threads), 3 (1 thread)"); /* that was a dry run */

	CHECK(process_change(h, j, "priority", &p, &attribute_nice, "7", &changed, NULL) == 0);
	CHECK(changed.id > 0 && changed.threads == 5 && changed.changed == 5 && changed.failed == 0);
	uint64_t id = changed.id;

	process_changed_deinit(&changed);
	CHECK_STR(nices(&p), "7");
	CHECK(process_change(h, j, "priority", &p, &attribute_nice, "7", &changed, NULL) == -EALREADY);
	CHECK(changed.id == 0);
	process_changed_deinit(&changed);

	/* Born since, they inherit 7; they get back what the first thread gets. */
	kill(pid, SIGUSR1);
	CHECK(read(ready, &byte, 1) == 1);
	CHECK_STR(nices(&p), "7");
	CHECK(undo(j, id, false, &o) == 0);
	CHECK_U64(o.restored, 7);
	CHECK_STR(nices(&p), "0 (6 threads), 3 (1 thread)");
	CHECK(undo(j, id, false, &o) == -EALREADY);
	end(pid, ready);
	change_journal_close(j);
}

static void test_one_thread_of_a_third_hand(void)
{
	struct process_changed changed;
	struct change_outcome o;
	struct change_journal *j = journal();
	struct process p;
	int ready;
	pid_t pid = start(false, &ready);

	CHECK(process_read(h, pid, 0, &p) == 0);
	CHECK(process_change(h, j, "priority", &p, &attribute_nice, "7", &changed, NULL) == 0);
	CHECK(setpriority(PRIO_PROCESS, (id_t)pid, 9) == 0);
	CHECK(undo(j, changed.id, false, &o) == -ESTALE);
	CHECK(o.foreign == 1 && o.restored == 4);
	CHECK_STR(o.now, "9");
	CHECK(undo(j, changed.id, true, &o) == 0);
	CHECK_STR(nices(&p), "0 (4 threads), 3 (1 thread)");
	process_changed_deinit(&changed);

	/* Ended, and a change that is obsolete. */
	CHECK(process_change(h, j, "priority", &p, &attribute_nice, "8", &changed, NULL) == 0);
	end(pid, ready);
	CHECK(undo(j, changed.id, false, &o) == 0);
	CHECK(o.obsolete && strstr(o.why.text, "ended"));
	process_changed_deinit(&changed);
	CHECK(process_change(h, j, "priority", &p, &attribute_nice, "8", &changed, NULL) == -ESRCH);
	process_changed_deinit(&changed);
	change_journal_close(j);
}

/* The process of the journal has another start time: it is not the one that lives now. */
static void test_pid_of_another(void)
{
	struct process_changed changed;
	struct change_outcome o;
	struct change_journal *j = journal();
	struct process p;
	int ready;
	pid_t pid = start(false, &ready);
	uint64_t id = 0;

	CHECK(process_read(h, pid, 0, &p) == 0);
	struct change_value v = { .before = "5", .after = "0" };
	struct change c = { .command = "priority",
			    .kind = CHANGE_PROCESS,
			    .pid = pid,
			    .start_ticks = p.start_ticks - 1,
			    .comm = p.comm,
			    .attribute = "nice",
			    .value = { .v = &v, .n = 1 } };

	CHECK(change_begin(j, &c, &id, NULL) == 0 && change_commit(j, id, NULL, NULL) == 0);
	CHECK(undo(j, id, true, &o) == 0);
	CHECK(o.obsolete && strstr(o.why.text, "another process"));
	CHECK_STR(nices(&p), "0 (4 threads), 3 (1 thread)");
	p.start_ticks--;
	CHECK(process_change(h, j, "priority", &p, &attribute_nice, "8", &changed, NULL) == -ESRCH);
	process_changed_deinit(&changed);
	end(pid, ready);
	change_journal_close(j);
}

static void test_threads_born_meanwhile(void)
{
	struct process_changed changed;
	struct change_journal *j = journal();
	struct process p;
	int ready;
	pid_t pid = start(true, &ready);

	CHECK(process_read(h, pid, 0, &p) == 0);
	CHECK(process_change(h, j, "priority", &p, &attribute_nice, "11", &changed, NULL) == 0);
	CHECK_STR(nices(&p), "11");
	process_changed_deinit(&changed);
	end(pid, ready);
	change_journal_close(j);
}

static void test_every_attribute_there_and_back(void)
{
	static const struct {
		const struct process_attribute *a;
		const char *text;
	} cases[] = {
		{ &attribute_policy, "batch" }, { &attribute_policy, "idle" }, { &attribute_io, "best-effort:6" },
		{ &attribute_io, "idle" },	{ &attribute_oom_score_adj, "77" }, { &attribute_cpus, "0" },
	};
	struct change_journal *j = journal();
	struct process p;
	int ready;
	pid_t pid = start(false, &ready);

	CHECK(process_read(h, pid, 0, &p) == 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cleanup(buf_deinit) struct buf before = { 0 }, now = { 0 };
		struct process_changed changed;
		struct change_outcome o;
		struct note note = { "" };

		CHECK(process_attribute_text(h, &p, cases[i].a, &before, &note) == 0);
		int r = process_change(h, j, "test", &p, cases[i].a, cases[i].text, &changed, &note);

		if (r == -EALREADY) { /* one CPU alone */
			process_changed_deinit(&changed);
			continue;
		}
		CHECK(r == 0);
		CHECK(process_attribute_text(h, &p, cases[i].a, &now, &note) == 0);
		CHECK_STR(now.data, cases[i].text);
		CHECK(undo(j, changed.id, false, &o) == 0);
		buf_clear(&now);
		CHECK(process_attribute_text(h, &p, cases[i].a, &now, &note) == 0);
		CHECK_STR(now.data, before.data);
		process_changed_deinit(&changed);
	}
	end(pid, ready);
	change_journal_close(j);
}

static void test_refused(void)
{
	struct process_changed changed;
	struct change_journal *j = journal();
	struct note note = { "" };
	struct process p;
	int ready;
	pid_t pid = start(false, &ready);

	CHECK(process_read(h, pid, 0, &p) == 0);
	CHECK(process_change(h, j, "pin", &p, &attribute_cpus, "8191", &changed, &note) == -EINVAL);
	CHECK(changed.id == 0 && strstr(note.text, "8191"));
	process_changed_deinit(&changed);
	CHECK(attribute_find("nonsense") == NULL);
	CHECK(attribute_find("limit.nofile") && attribute_find("limit.nofile")->argument == RLIMIT_NOFILE);
	end(pid, ready);
	change_journal_close(j);
}

static void clear(void)
{
	static const char *const names[] = { "changes/journal", "changes/lock" };
	char path[96];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", state, names[i]);
		(void)!unlink(path);
	}
	snprintf(path, sizeof path, "%s/changes", state);
	(void)!rmdir(path);
	(void)!rmdir(state);
}

int main(void)
{
	if (host_open_live("/", &h, NULL) < 0)
		check_skip("no live host");
	if (!mkdtemp(state))
		check_skip("no directory under /tmp");
	setenv("OSPREY_STATE_DIR", state, 1);
	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) != 0 || setpriority(PRIO_PROCESS, 0, 1) < 0 ||
	    setpriority(PRIO_PROCESS, 0, 0) < 0) {
		clear();
		check_skip("needs nice 0 and CAP_SYS_NICE to lower it again");
	}
	test_each_thread_gets_its_own_back();
	test_one_thread_of_a_third_hand();
	test_pid_of_another();
	test_threads_born_meanwhile();
	test_every_attribute_there_and_back();
	test_refused();
	clear();
	host_free(h);
	return check_exit();
}
