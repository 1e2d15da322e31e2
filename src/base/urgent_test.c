#include "base/urgent.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

static int policy_of_child(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sched_getscheduler(0));
	CHECK(waitpid(pid, &status, 0) == pid);
	return WEXITSTATUS(status);
}

int main(void)
{
	struct urgent none = { 0 }, u;
	int before = sched_getscheduler(0);

	urgent_end(&none);
	CHECK(sched_getscheduler(0) == before);
	urgent_begin(&u);
	if (u.changed) {
		CHECK((sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_RR);
		CHECK(policy_of_child() == SCHED_OTHER);
		/* One within the other changes nothing, and its end neither. */
		urgent_begin(&none);
		CHECK(!none.changed);
		urgent_end(&none);
		CHECK((sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_RR);
	}
	urgent_end(&u);
	urgent_end(&u);
	CHECK(sched_getscheduler(0) == before);
	return check_exit();
}
