/* Folded stacks: "main;work;hash 123" a line, as stackcollapse and its kin write them.
 *
 * Frames stand outermost first between semicolons, the weight last. The endings _[k], _[j], _[i] of stackcollapse-perf
 * (kernel, JIT, inlined) are taken for what they say; "[name]" is a frame without a name in the module `name`, and a
 * first frame that ends in " [123]" is a process. Empty lines and those that begin with # are passed over. */
#ifndef OSPREY_DIG_PROFILE_CALL_FOLDED_H
#define OSPREY_DIG_PROFILE_CALL_FOLDED_H

#include "base/note.h"
#include "dig/profile/call_tree.h"

#define CALL_FOLDED_DEPTH 2048 /* frames of a stack that are read; those beyond go together with the last */

/* Adds what the text holds to the tree. 0; -EBADMSG: most lines, or all, are no stacks; -ENOMEM. `ret_refused`: lines that are
 * none. Pure. */
int call_folded_parse(struct span text, struct call_tree *t, size_t *ret_refused) __attribute__((warn_unused_result));

/* A frame by its label, as call_frame_label and the endings above write it; strings are the tree's. 0 or -ENOMEM. */
int call_label_parse(struct call_tree *t, struct span label, bool first, struct call_frame *ret)
	__attribute__((warn_unused_result));

#endif
