/* Disks and filesystems, as iostat -x and df show them. Reads /proc/diskstats, /proc/self/mountinfo and
 * statvfs of each filesystem (bounded: see source/storage/filesystem.h; only when that table is shown). */
#ifndef OSPREY_VIEW_DISK_VIEW_H
#define OSPREY_VIEW_DISK_VIEW_H

#include "view/view.h"

extern const struct view view_disk;

#endif
