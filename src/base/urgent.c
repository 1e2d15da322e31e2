#include "base/urgent.h"

#include "base/clock.h"

static bool get_ahead(void)
{
	struct sched_param lowest = { .sched_priority = sched_get_priority_min(SCHED_RR) };

	return sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) == 0;
}

/* Who has no privilege (any more: it may have been dropped, or RLIMIT_RTPRIO have stood for it)
 * may step back, but must leave the flag for its children as it is. */
static void step_back(struct urgent *u)
{
	if (u->changed && sched_setscheduler(0, u->policy, &u->param) < 0)
		(void)!sched_setscheduler(0, u->policy | SCHED_RESET_ON_FORK, &u->param);
	u->changed = false;
}

void urgent_begin(struct urgent *ret)
{
	*ret = (struct urgent){ .policy = sched_getscheduler(0) };
	if (ret->policy != SCHED_OTHER && ret->policy != SCHED_BATCH && ret->policy != SCHED_IDLE)
		return;
	ret->able = ret->changed = get_ahead();
	ret->from_cpu_ns = clock_thread_cpu_ns();
}

void urgent_renew(struct urgent *u)
{
	if (!u->able)
		return;
	if (!u->changed)
		u->changed = get_ahead();
	u->from_cpu_ns = clock_thread_cpu_ns();
}

void urgent_check(struct urgent *u)
{
	if (u->changed && clock_thread_cpu_ns() - u->from_cpu_ns > URGENT_NS)
		step_back(u);
}

void urgent_end(struct urgent *u)
{
	step_back(u);
	u->able = false;
}
