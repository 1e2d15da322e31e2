/* Two profiles side by side: one tree of both, with the weights of each.
 *
 * Frames are matched by name, since folded text knows no modules; process ids are left out, since they differ
 * from run to run. The weights of the earlier profile stand in before_self and before_total. Shares, not weights, are to be
 * compared: the two may have run for different times. */
#ifndef OSPREY_DIG_PROFILE_CALL_COMPARE_H
#define OSPREY_DIG_PROFILE_CALL_COMPARE_H

#include "dig/profile/call_tree.h"

/* Both into *ret, which is initialised here and summed. Nothing is kept of the two. 0 or -ENOMEM. */
int call_compare(const struct call_tree *now, const struct call_tree *before, struct call_tree *ret)
	__attribute__((warn_unused_result));

/* Growth of a share, now minus before, between -1 and 1. */
double call_growth(uint64_t now, uint64_t total_now, uint64_t before, uint64_t total_before);

#endif
