/* A program that is started to be profiled: it waits before exec until it is looked at.
 *
 * It is told nothing of osprey: signals have their default actions, what main changed is put back by `prepare`. When osprey
 * ends before it, it goes on. Threads: one. */
#ifndef OSPREY_DIG_PROFILE_PROFILE_CHILD_H
#define OSPREY_DIG_PROFILE_PROFILE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/note.h"

struct profile_child {
	pid_t pid;
	int go;	    /* closed when it may exec */
	int failed; /* errno of exec comes here */
};

/* argv: NULL-terminated; prepare runs in the child. 0 or -errno. */
int profile_child_start(char *const argv[], void (*prepare)(void), struct profile_child *ret, struct note *note)
	__attribute__((warn_unused_result));
/* Lets it exec. 0; -ENOENT, -EACCES…: it could not, and is gone. */
int profile_child_go(struct profile_child *c, struct note *note) __attribute__((warn_unused_result));
/* Ends one that has not been let go; nothing else. */
void profile_child_drop(struct profile_child *c);
/* Whether it has ended; then it has been waited for, and *ret_status is that of waitpid. */
bool profile_child_ended(struct profile_child *c, int *ret_status);

#endif
