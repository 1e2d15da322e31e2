/* A program that is started to be counted: it waits before exec until its counters are attached, which start
 * with exec (enable_on_exec), so that nothing of osprey is counted.
 * Privilege: none. Signals: the child has the default actions of INT and QUIT. */
#ifndef OSPREY_DIG_COUNT_COUNT_CHILD_H
#define OSPREY_DIG_COUNT_COUNT_CHILD_H

#include <sys/resource.h>
#include <sys/types.h>

#include "base/note.h"

struct count_child {
	pid_t pid;
	int go;	   /* written to when it may exec */
	int failed; /* read: errno of exec */
};

/* argv: NULL-terminated. 0 or -errno. */
int count_child_start(char *const argv[], struct count_child *ret, struct note *note) __attribute__((warn_unused_result));
/* Lets it exec. 0; -ENOENT, -EACCES…: it could not, and has been reaped. */
int count_child_go(struct count_child *c, struct note *note) __attribute__((warn_unused_result));
/* Ends one that has not been let go. */
void count_child_drop(struct count_child *c);

#endif
