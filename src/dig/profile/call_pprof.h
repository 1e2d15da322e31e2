/* Reading profiles in the format of pprof: profile.proto, gzip'ed or bare, as osprey, Go and others write it.
 *
 * Of several sample types the last is taken (Go: time or bytes in use), or the one the file names as its default. A
 * location's lines are its inlined calls, innermost first. Labels "process", "thread", "cgroup" and "command" become groups at the
 * outer end of the stack. Any bytes are taken: every length is checked, nothing loops, unpacking is bounded.
 * Format: https://github.com/google/pprof/blob/main/proto/profile.proto */
#ifndef OSPREY_DIG_PROFILE_CALL_PPROF_H
#define OSPREY_DIG_PROFILE_CALL_PPROF_H

#include "dig/profile/call_tree.h"

#define CALL_PPROF_MAX (256u << 20) /* bytes, unpacked */

/* Whether it is gzip, which a folded text cannot be. */
bool call_pprof_is(struct span bytes);

/* Adds the samples to the tree and sets its unit. 0; -EBADMSG: it is no profile, or damaged; -EFBIG; -ENOMEM. */
int call_pprof_parse(struct span bytes, struct call_tree *t) __attribute__((warn_unused_result));

/* Numbers and names that both sides need. */
enum pprof_profile { PPROF_SAMPLE_TYPE = 1, PPROF_SAMPLE, PPROF_MAPPING, PPROF_LOCATION, PPROF_FUNCTION, PPROF_STRING,
		     PPROF_TIME = 9, PPROF_DURATION = 10, PPROF_PERIOD_TYPE = 11, PPROF_PERIOD = 12, PPROF_COMMENT = 13,
		     PPROF_DEFAULT_TYPE = 14 };

#endif
