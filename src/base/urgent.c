#include "base/urgent.h"

void urgent_begin(struct urgent *ret)
{
	struct sched_param lowest = { .sched_priority = sched_get_priority_min(SCHED_RR) };

	*ret = (struct urgent){ .policy = sched_getscheduler(0) };
	if (ret->policy != SCHED_OTHER && ret->policy != SCHED_BATCH && ret->policy != SCHED_IDLE)
		return;
	ret->changed = sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) == 0;
}

void urgent_end(struct urgent *u)
{
	if (u->changed)
		(void)!sched_setscheduler(0, u->policy, &u->param);
	u->changed = false;
}
