/* Undoing one entry of the journal. Internal to lab/. */
#ifndef OSPREY_LAB_UNDO_H
#define OSPREY_LAB_UNDO_H

#include <stdbool.h>

#include "base/note.h"

/* Looks before it acts; 0 also when there was nothing to undo. `id` is the lab's whose
 * journal this is. */
int undo_entry(const char *id, const char *verb, const char *first, const char *second, struct note *note)
	__attribute__((warn_unused_result));

/* Removes a directory with all in it; does not follow symbolic links nor enter other
 * filesystems. The last part of `path` must be a lab's name. */
int undo_tree(const char *path, struct note *note) __attribute__((warn_unused_result));
/* Kills what is in the cgroup directory and its children, removes them. Waits up to 5 s. */
int undo_cgroup(const char *path, struct note *note) __attribute__((warn_unused_result));

#endif
