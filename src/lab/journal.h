/* The undo journal of a lab: what it changed on the host, written before each change.
 *
 * A text file, /run/osprey/lab/PID.journal (/tmp/osprey-lab when /run cannot be written),
 * where PID is the guardian's, or that plus a multiple of JOURNAL_NUMBER_STEP. One change a line: a verb and its words, bytes that are no
 * plain characters written as %XX. The guardian holds a lock on the file as long as it lives; a
 * journal without a lock is waste that anybody may undo. A last line without its newline was
 * being written when the writer died: its change was not made.
 *
 * Undoing looks before it acts: a loop device is detached only while it holds our image, a tree
 * removed only where its name is a lab's. So entries whose change was never made, or was
 * already undone, do no harm. */
#ifndef OSPREY_LAB_JOURNAL_H
#define OSPREY_LAB_JOURNAL_H

#include <stdbool.h>

#include "base/note.h"

/* JOURNAL_…: verb, words, what undoing does. */
#define JOURNAL_CGROUP "cgroup"		/* DIR: kill what is in it, remove */
#define JOURNAL_CONTROLLER "controller" /* CONTROL NAME: "-NAME" into CONTROL, unless another lab needs it */
#define JOURNAL_FILE "file"		/* PATH OLD: write OLD back */
#define JOURNAL_TREE "tree"		/* DIR: remove with all in it */
#define JOURNAL_LOOP "loop"		/* DEVICE IMAGE: detach */
#define JOURNAL_MOUNT "mount"		/* DIR: unmount */
#define JOURNAL_SWAP "swap"		/* DEVICE: swapoff */
#define JOURNAL_ZRAM "zram"		/* NUMBER BYTES: reset and remove */
#define JOURNAL_MODULE "module"		/* NAME: unload */

#define JOURNAL_NAMESAKES 8
#define JOURNAL_NUMBER_STEP 10000000u /* above the kernel's largest pid */

struct journal {
	int fd; /* locked */
	char path[64];
	char id[32]; /* "osprey-lab-PID" */
};

/* A new one for the calling process. A stale one of the same name is undone first. */
int journal_create(struct journal *ret, struct note *note) __attribute__((warn_unused_result));
/* Opens it for adding alone, without the lock: for the first process. */
int journal_open(const struct journal *j, int *ret_fd, struct note *note) __attribute__((warn_unused_result));
/* Adds a line and waits until it is on its way to storage. `second` is nullable. */
int journal_add(int fd, const char *verb, const char *first, const char *second, struct note *note)
	__attribute__((warn_unused_result));
/* Undoes all entries, last first, and removes the file when all are undone. Goes on after
 * a failure; the first one is returned. *ret_undone is increased. */
int journal_undo(struct journal *j, unsigned *ret_undone, struct note *note) __attribute__((warn_unused_result));
/* Undoes every journal whose guardian is gone. */
int journal_clean(unsigned *ret_undone, struct note *note) __attribute__((warn_unused_result));

/* Whether the lab "osprey-lab-PID" is alive, by its lock. */
bool journal_id_lives(const char *id);
/* Whether the process of that pid could be the guardian of a living lab. */
bool journal_pid_lives(int pid);
/* Whether a living journal other than `own_id` has a line that begins with these words. The
 * caller holds journal_lock. */
bool journal_held_elsewhere(const char *own_id, const char *verb, const char *first, const char *second);
/* One lock for all labs of the host: held around changes of what labs share. Returns an fd
 * to close, or -errno. */
int journal_lock(void) __attribute__((warn_unused_result));

#endif
