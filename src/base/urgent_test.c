#include "base/urgent.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

static int policy_of_child(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sched_getscheduler(0));
	CHECK(waitpid(pid, &status, 0) == pid);
	return WEXITSTATUS(status);
}

static int policy_now(void)
{
	return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
}

static void work(uint64_t ns)
{
	uint64_t end = clock_thread_cpu_ns() + ns;

	while (clock_thread_cpu_ns() < end)
		;
}

/* A long stretch of work loses its urgency, a new one has it again. */
static void is_lent_for_a_stretch(void)
{
	int before = sched_getscheduler(0);
	struct urgent u;

	urgent_begin(&u);
	if (!u.changed)
		return;
	work(URGENT_NS / 4);
	urgent_check(&u);
	CHECK(policy_now() == SCHED_RR);
	work(URGENT_NS);
	CHECK(policy_now() == SCHED_RR);
	urgent_check(&u);
	CHECK(sched_getscheduler(0) == before);
	urgent_renew(&u);
	CHECK(policy_now() == SCHED_RR);
	urgent_check(&u);
	CHECK(policy_now() == SCHED_RR);
	urgent_end(&u);
	CHECK(sched_getscheduler(0) == before);
	urgent_renew(&u);
	CHECK(sched_getscheduler(0) == before);
}

/* The kernel refuses to clear SCHED_RESET_ON_FORK then: that must not leave a thread ahead. */
static void ends_without_privilege(void)
{
	int status = -1;
	pid_t pid = geteuid() == 0 ? fork() : -1;

	if (pid < 0)
		return;
	if (pid == 0) {
		struct urgent u;

		urgent_begin(&u);
		if (u.changed && setuid(65534) == 0) {
			urgent_end(&u);
			CHECK(policy_now() == SCHED_OTHER);
		}
		_exit(check_failures ? 1 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	struct urgent none = { 0 }, u;
	int before = sched_getscheduler(0);

	is_lent_for_a_stretch();
	ends_without_privilege();

	urgent_end(&none);
	CHECK(sched_getscheduler(0) == before);
	urgent_begin(&u);
	if (u.changed) {
		CHECK(policy_now() == SCHED_RR);
		CHECK(policy_of_child() == SCHED_OTHER);
		/* One within the other changes nothing, and its end neither. */
		urgent_begin(&none);
		CHECK(!none.changed);
		urgent_end(&none);
		CHECK(policy_now() == SCHED_RR);
	}
	urgent_end(&u);
	urgent_end(&u);
	CHECK(sched_getscheduler(0) == before);
	return check_exit();
}
