/* A condition: one thing that can be wrong with a host. Its folder under
 * src/conditions/ holds the rule, the scenario that produces it, and the guide. */
#ifndef OSPREY_DIAGNOSE_CONDITION_H
#define OSPREY_DIAGNOSE_CONDITION_H

#include "base/span.h"
#include "diagnose/finding.h"
#include "sample/window.h"

struct scenario; /* lab/scenario.h */

struct condition {
	const char *id;	      /* "cpu_throttled" */
	const char *title;    /* "A cgroup is held back by its CPU quota" */
	const char *resource; /* "cpu", "memory", "disk", "network", "lock", "limit" */
	void (*rule)(const struct window *w, struct verdict *v);
	/* Ids of conditions that this one can cause, NULL-terminated; NULL: none. A finding of
	 * those is listed under a finding of this one when `absorbs` agrees (NULL: when both
	 * name the same process or cgroup, or the symptom names the host). */
	const char *const *explains;
	bool (*absorbs)(const struct window *w, const struct finding *cause, const struct finding *symptom);
	const struct scenario *scenario;
	struct span guide; /* markdown */
};

#endif
