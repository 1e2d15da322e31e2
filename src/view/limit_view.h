/* Limits of the host, of users, processes and cgroups, with how much of each is in use.
 *
 * Reads some twenty files of /proc/sys and /proc, statvfs of each filesystem, the cgroups, and of every
 * process status, limits, the number of descriptors and (for vm.max_map_count) maps. Cost: ~0.15 ms
 * a process, at most 2 s: then those beyond are counted. Privilege: descriptors, maps and inotify of
 * other users' processes need root. */
#ifndef OSPREY_VIEW_LIMIT_VIEW_H
#define OSPREY_VIEW_LIMIT_VIEW_H

#include "view/view.h"

extern const struct view view_limits;

struct limit_view_options {
	bool all; /* those that are far from their end, too */
	double above_pct;
};

/* Whether the row is shown: limits of the host are, others above the share that was asked for. */
bool limit_row_near(const void *row, const void *options);

/* What could not be looked at, in a sentence; "" when all was. */
void limit_view_gaps(const void *state, char *ret, size_t size);

#endif
