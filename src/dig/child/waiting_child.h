/* A program that is started to be looked at: it waits before exec until that can begin.
 *
 * It is told nothing of osprey: `restore` puts back what main and the command have changed. When osprey ends before it
 * was let go, it never execs; after, it goes on. The file is looked up in $PATH beforehand, so that one
 * execve is seen, not one for each directory. Privilege: none. Threads: one. */
#ifndef OSPREY_DIG_CHILD_WAITING_CHILD_H
#define OSPREY_DIG_CHILD_WAITING_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/note.h"

struct waiting_child {
	pid_t pid;
	int go;	    /* written to when it may exec; -1 then */
	int failed; /* errno of exec comes here */
	const char *name; /* argv[0] */
};

struct waiting_child_request {
	const char *const *argv; /* NULL-terminated */
	void (*restore)(void);	 /* runs in the child, first; nullable */
	int (*last)(void *arg);	 /* runs in the child, right before exec: 0 or -errno; nullable */
	void *arg;
};

/* -ENOENT, -EACCES: there is no such program; other -errno of fork and pipes. With the note, "cannot run 'x': …". */
int waiting_child_start(const struct waiting_child_request *q, struct waiting_child *ret, struct note *note)
	__attribute__((warn_unused_result));
/* Lets it exec and waits until it has. -ENOEXEC, -EACCES…: it could not, and has been reaped. */
int waiting_child_go(struct waiting_child *c, struct note *note) __attribute__((warn_unused_result));
/* Lets it exec, no more: of a child that is stopped on its way. waiting_child_drop in the end. */
void waiting_child_let_go(struct waiting_child *c);
/* Ends and reaps one that has not been let go; else closes what is open. Again: nothing. */
void waiting_child_drop(struct waiting_child *c);
/* Whether it has ended; then it has been waited for, and *ret_status is that of waitpid. */
bool waiting_child_ended(struct waiting_child *c, int *ret_status);

#endif
