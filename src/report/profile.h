/* How a profile was measured, and what it misses, in words. */
#ifndef OSPREY_REPORT_PROFILE_H
#define OSPREY_REPORT_PROFILE_H

#include "base/json.h"
#include "dig/profile/profile.h"

/* "1 980 samples of cpu-clock in 10 s, 99 a second: 0.99 of a CPU on average. Lost: 0. …" Appends; 0 or -ENOMEM. */
int profile_proof(const struct profile_result *r, const struct profile_options *o, struct buf *ret)
	__attribute__((warn_unused_result));

/* A sentence where the tree shows what sampling by the clock cannot see; else nothing. Appends; 0 or -ENOMEM. */
int profile_blind_spot(const struct call_tree *t, struct buf *ret) __attribute__((warn_unused_result));

/* Figures of a struct profile_result, for struct flame's put_more. */
void profile_json(struct json *j, const void *result);

#endif
