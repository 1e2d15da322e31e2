/* The engine: runs all rules over a window, prices, absorbs, ranks. It gets the conditions
 * as an argument and knows none by name. */
#ifndef OSPREY_DIAGNOSE_ENGINE_H
#define OSPREY_DIAGNOSE_ENGINE_H

#include "diagnose/condition.h"

struct remark { /* a condition that was cleared, or could not be measured */
	const struct condition *condition;
	char text[256];
};
typedef VEC(struct remark) remark_vec;

struct diagnosis {
	finding_vec findings; /* worst first; absorbed ones stand behind all others */
	size_t nroots;	      /* findings that no other explains: findings.v[0 … nroots) */
	remark_vec cleared, unmeasured;
};

void diagnosis_deinit(struct diagnosis *d);
/* Replaces *ret; keeps its storage. 0 or -ENOMEM. */
int diagnose(const struct condition *const *conditions, size_t n, const struct window *w,
	     struct diagnosis *ret) __attribute__((warn_unused_result));

/* Order of findings: severity, then lost time, then time to exhaustion, then confidence. */
int finding_compare(const struct finding *a, const struct finding *b);

#endif
