/* A process that was named by its number: whether there is anything to be watched. */
#ifndef OSPREY_CMD_TARGET_H
#define OSPREY_CMD_TARGET_H

#include "base/note.h"

/* A descriptor (pidfd) that is readable as soon as the process ends. -ESRCH: there is none, it has ended and is a zombie,
 * or the number is that of a thread, with words for it in `note`. Other -errno: it is there, but nothing tells when it
 * ends. */
int target_open(int pid, struct note *note) __attribute__((warn_unused_result));

#endif
