/* Moments as people write them: "10m", "1h30m", "3d" (before now); "21:00", "21:00:05.5", "2026-11-20",
 * "2026-11-20 21:00", "2026-11-20T21:00:00Z", "…+01:00"; "today", "yesterday" (at midnight), "now";
 * "@1763676000". Without a zone: local time. */
#ifndef OSPREY_BASE_MOMENT_H
#define OSPREY_BASE_MOMENT_H

#include <stdint.h>

#include "base/span.h"

/* In ns since 1970; both are CLOCK_REALTIME. 0, -EINVAL. */
int moment_parse(struct span text, uint64_t now_ns, uint64_t *ret_ns) __attribute__((warn_unused_result));

#endif
