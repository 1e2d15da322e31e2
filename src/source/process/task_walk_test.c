/* The reader for who looks often: it sees whom the plain one sees, and tells who slept. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "source/process/task.h"

struct seen {
	int32_t tid;
	unsigned times;
	enum task_motion motion;
	struct task task;
	unsigned all;
	const struct task_reader *reader;
};

static int look_for(const struct task *t, void *arg)
{
	struct seen *seen = arg;

	seen->all++;
	if (t->tid != seen->tid)
		return 0;
	seen->times++;
	seen->motion = task_reader_rests(seen->reader);
	seen->task = *t;
	return 0;
}

static struct seen look(struct task_reader *r, int32_t tid)
{
	struct seen seen = { .tid = tid, .reader = r };

	CHECK(task_reader_each(r, look_for, &seen) == 0);
	return seen;
}

/* A child that sleeps until it is signalled, then works for a while and sleeps again. */
static void work(int number)
{
	(void)number;
	for (uint64_t until = clock_cpu_ns() + 20 * NS_PER_MS; clock_cpu_ns() < until;)
		;
}

static pid_t start_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		signal(SIGUSR1, work);
		for (;;)
			pause();
	}
	return child;
}

static void wait_until_asleep(pid_t pid)
{
	char path[40], state = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	for (int i = 0; i < 500 && state != 'S'; i++) {
		FILE *f = fopen(path, "r");
		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
}

/* How many looks it slept through of so many. */
static unsigned looks_at_rest(struct task_reader *r, pid_t child, unsigned looks)
{
	unsigned rested = 0;

	for (unsigned i = 0; i < looks; i++) {
		struct seen s = look(r, child);
		CHECK_U64(s.times, 1);
		CHECK(s.all > 2);
		rested += s.motion != TASK_MOVED;
	}
	return rested;
}

static void test_motion(struct task_reader *r)
{
	pid_t child = start_child();

	CHECK(child > 0);
	wait_until_asleep(child);
	CHECK_U64(look(r, child).motion, TASK_MOVED); /* it is new */
	/* One in thirty-two is read again all the same; by the plain reader one in eight. */
	CHECK(looks_at_rest(r, child, 8) >= 6);
	struct seen before = look(r, child);
	kill(child, SIGUSR1);
	nanosleep(&(struct timespec){ .tv_nsec = 60000000 }, NULL);
	wait_until_asleep(child);
	struct seen after = look(r, child);
	CHECK_U64(after.motion, TASK_MOVED);
	CHECK(after.task.user_ns + after.task.system_ns >= before.task.user_ns + before.task.system_ns + 10 * NS_PER_MS);
	/* After reread nobody is taken for granted. */
	CHECK(looks_at_rest(r, child, 3) >= 1);
	task_reader_reread(r);
	CHECK_U64(look(r, child).motion, TASK_MOVED);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK_U64(look(r, child).times, 0);
	pid_t other = start_child();
	CHECK_U64(look(r, other).times, 1);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

struct ids {
	VEC(int32_t) v;
};

static int keep_id(const struct task *t, void *arg)
{
	struct ids *ids = arg;
	int32_t *id = vec_push(&ids->v);

	if (!id)
		return -ENOMEM;
	*id = t->tid;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return *(const int32_t *)a - *(const int32_t *)b;
}

static void take_ids(struct task_reader *r, struct ids *ret)
{
	ret->v.n = 0;
	CHECK(task_reader_each(r, keep_id, ret) == 0);
	qsort(ret->v.v, ret->v.n, sizeof *ret->v.v, by_id);
}

/* Tasks come and go between two looks, so the plain reader looks before and after: whoever is in both
 * must be found in between, and nobody twice. */
static void test_same_tasks(struct task_reader *often, struct task_reader *plain)
{
	struct ids before = { 0 }, between = { 0 }, after = { 0 };

	for (int round = 0; round < 20; round++) {
		take_ids(plain, &before);
		take_ids(often, &between);
		take_ids(plain, &after);
		vec_each(id, &before.v)
			if (bsearch(id, after.v.v, after.v.n, sizeof *id, by_id))
				CHECK(bsearch(id, between.v.v, between.v.n, sizeof *id, by_id) != NULL);
		for (size_t i = 1; i < between.v.n; i++)
			CHECK(between.v.v[i] != between.v.v[i - 1]);
	}
	vec_free(&before.v);
	vec_free(&between.v);
	vec_free(&after.v);
}

int main(void)
{
	struct task_reader *often, *plain;
	struct note note = { "" };
	struct host *h;

	CHECK(host_open_live("/", &h, NULL) == 0);
	if (task_reader_new_of_kind(h, TASK_READER_BPF_OFTEN, &often, &note) < 0)
		check_skip("no BPF here: %s", note.text);
	CHECK(task_reader_new_of_kind(h, TASK_READER_BPF, &plain, &note) == 0);
	CHECK_U64(task_reader_kind(often), TASK_READER_BPF);
	test_motion(often);
	test_same_tasks(often, plain);
	task_reader_free(often);
	task_reader_free(plain);
	host_free(h);
	return check_exit();
}
