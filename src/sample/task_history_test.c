/* Folding of task tables, on a captured host written for the purpose: threads that are born,
 * die and run within the window. */
#include "sample/task_history.h"

#include "base/check.h"

/* task_history takes its tables from a reader; here it is fed by one of its own. */
#include "sample/task_history.c"

static struct task task(int32_t pid, int32_t tid, uint64_t start_ns, uint64_t user_ns)
{
	struct task t;

	memset(&t, 0, sizeof t);
	t.pid = pid;
	t.tid = tid;
	t.start_ns = start_ns;
	t.user_ns = user_ns;
	t.state = 'S';
	t.syscall = -1;
	t.flags = pid == tid ? TASK_IS_LEADER : 0;
	return t;
}

static void look(struct task_history *t, const struct task *tasks, size_t n)
{
	struct look l = { .history = t };

	vec_each(s, &t->spans)
		s->gone = true;
	for (size_t i = 0; i < n; i++)
		CHECK(take(&tasks[i], &l) == 0);
	t->looks++;
	CHECK(forget_light(t) == 0);
}

static void threads_are_summed_and_the_dead_counted_once(void)
{
	struct task_history t = { .from_boot_ns = 1000 };
	struct task first[] = { task(10, 10, 5, 100), task(10, 11, 5, 1000), task(20, 20, 7, 50) };
	/* Thread 11 ran 500 more and ended: 1500 of the dead; 12 was born and ran 30. */
	struct task second[] = { task(10, 12, 2000, 30), task(10, 10, 5, 180), task(20, 20, 7, 50) };

	second[1].dead_user_ns = 1500;
	look(&t, first, 3);
	look(&t, second, 3);
	CHECK(task_history_fold(&t) == 0);
	CHECK_U64(t.processes.n, 2);
	CHECK_U64(t.processes.v[0].threads, 3);
	CHECK_U64(t.processes.v[0].user_ns, 80 + 500 + 30);
	CHECK_U64(t.processes.v[1].user_ns, 0);
	CHECK(t.spans.v[1].gone && !t.spans.v[0].gone);
	CHECK(t.spans.v[2].born);
	CHECK(task_history_fold(&t) == 0); /* again: the same */
	CHECK_U64(t.processes.v[0].user_ns, 610);
	task_history_deinit(&t);
}

/* An hour of short-lived tasks: those that weighed something and those that live are kept. */
static void the_passed_are_bounded(void)
{
	struct task_history t = { .from_boot_ns = 1000 };
	struct task now[101] = { task(1, 1, 5, 100) };
	struct task heavy = task(2, 2, 2000, 5000000000);

	look(&t, now, 1);
	look(&t, (struct task[]){ now[0], heavy }, 2);
	for (int round = 0; round < 400; round++) {
		for (int i = 1; i <= 100; i++)
			now[i] = task(100 * round + i + 10, 100 * round + i + 10, 3000, (uint64_t)i * 100000);
		look(&t, now, 101);
		CHECK(t.spans.n <= TASK_HISTORY_PASSED + 102);
	}
	look(&t, now, 1);
	CHECK(t.spans.n > 100);
	CHECK(task_history_fold(&t) == 0);
	CHECK(t.spans.v[0].last.pid == 1 && !t.spans.v[0].gone && t.spans.v[0].looks == 403);
	CHECK(t.spans.v[1].last.pid == 2 && t.spans.v[1].gone);
	for (size_t i = 0; i < t.spans.n; i++)
		CHECK_U64(map_get(&t.by_task, task_key(&t.spans.v[i].last)), i);
	task_history_deinit(&t);
}

static void a_missing_reading_makes_the_sum_missing(void)
{
	struct task_history t = { 0 };
	struct task tasks[] = { task(10, 10, 5, 100), task(10, 11, 5, 100) };

	tasks[1].wait_ns = READING_DENIED;
	look(&t, tasks, 2);
	look(&t, tasks, 2);
	CHECK(task_history_fold(&t) == 0);
	CHECK_U64(t.processes.v[0].wait_ns, READING_DENIED);
	CHECK_U64(t.processes.v[0].user_ns, 0);
	task_history_deinit(&t);
}

static void a_reused_pid_is_another_task(void)
{
	struct task_history t = { .from_boot_ns = 10 };
	struct task before = task(10, 10, 5, 900), after = task(10, 10, 50, 7);

	look(&t, &before, 1);
	look(&t, &after, 1);
	CHECK(task_history_fold(&t) == 0);
	CHECK_U64(t.spans.n, 2);
	CHECK(t.spans.v[0].gone && t.spans.v[1].born);
	CHECK_U64(t.spans.v[1].last.user_ns - t.spans.v[1].first.user_ns, 7);
	task_history_deinit(&t);
}

static void stuck_means_one_call_without_a_switch(void)
{
	struct task_history t = { 0 };
	struct task asleep = task(10, 10, 5, 0);

	asleep.flags |= TASK_HAS_SYSCALL;
	asleep.syscall = 202;
	look(&t, &asleep, 1);
	look(&t, &asleep, 1);
	look(&t, &asleep, 1);
	CHECK_U64(t.spans.v[0].stuck_looks, 3);
	asleep.voluntary_switches++;
	look(&t, &asleep, 1);
	CHECK_U64(t.spans.v[0].stuck_looks, 1);
	CHECK_U64(t.spans.v[0].looks, 4);
	task_history_deinit(&t);
}

int main(void)
{
	threads_are_summed_and_the_dead_counted_once();
	a_missing_reading_makes_the_sum_missing();
	the_passed_are_bounded();
	a_reused_pid_is_another_task();
	stuck_means_one_call_without_a_switch();
	return check_exit();
}
