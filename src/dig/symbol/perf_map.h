/* Names of code that a JIT made: /tmp/perf-PID.map, as the Linux perf tools defined it
 * (tools/perf/Documentation/jit-interface.txt): lines of "START SIZE name", both hexadecimal. Code that is
 * written later replaces older code at its place.
 *
 * The file is the target's: PID is the one in its own pid namespace, /tmp that of its own root. Taken only when it is a
 * regular file, no link, of the target's user, ours or root, up to PERF_MAP_MAX. Lines that are none are
 * passed over. Cost: ~200 ns a line. */
#ifndef OSPREY_DIG_SYMBOL_PERF_MAP_H
#define OSPREY_DIG_SYMBOL_PERF_MAP_H

#include "base/buf.h"
#include "dig/symbol/range_index.h"

#define PERF_MAP_MAX (256u << 20) /* bytes */

struct perf_map {
	struct buf text;
	VEC(struct perf_map_code {
		uint64_t start;
		struct span name; /* in text */
	}) code;
	struct range_index index;
	uint64_t file_size; /* when it was read: it grows while the JIT works */
};

void perf_map_deinit(struct perf_map *m);
/* Pure; takes the text over, on failure too. -ENOMEM. */
int perf_map_parse(struct buf *text, struct perf_map *ret) __attribute__((warn_unused_result));
/* Of a live process. -ENOENT, -EACCES, -EPERM (of another user), -EFBIG, -ENOMEM. With `known_size` not 0:
 * -EALREADY when it has that size still. */
int perf_map_read(int pid, uint64_t known_size, struct perf_map *ret) __attribute__((warn_unused_result));
/* NULL: nobody named it. */
const struct perf_map_code *perf_map_find(const struct perf_map *m, uint64_t address);
/* Pure: of /proc/PID/status, the pid in the innermost namespace and the effective user. False: it has none. */
bool perf_map_identity(struct span status, int *ret_pid, uint32_t *ret_user);

#endif
