/* One attribute of a running process changed, all threads of it, with the way back in the journal.
 *
 * Threads that are born meanwhile are looked for until a look finds no new one; they inherit from the
 * thread that made them, so this ends. Each thread's own value is kept. Threads that had the value
 * already are written down too: at undoing, those that are not in the journal were born since, with the
 * value that is undone, and get back what the first thread gets back. */
#ifndef OSPREY_ACT_PROCESS_CHANGE_H
#define OSPREY_ACT_PROCESS_CHANGE_H

#include "act/change_journal.h"
#include "act/process_attribute.h"
#include "act/process_select.h"

struct process_changed {
	uint64_t id;		  /* 0: nothing was changed */
	struct buf before, after; /* "0"; "0 (3 threads), 5 (1 thread)"; `after` as read back */
	size_t threads;		  /* that were seen; 1 of what belongs to the process */
	size_t changed, already, failed;
	struct note why;	  /* of the first that failed */
	int error;
};
void process_changed_deinit(struct process_changed *c);

/* 0: *ret tells, also of threads that failed while others were changed. -EALREADY: all have the
 * value, nothing was done. -ESRCH: it ended, or its pid is another's now; -EPERM… with the reason: no
 * thread was changed. `j` NULL: a dry run; *ret then holds `before`. *ret is to be deinited always. */
int process_change(struct host *h, struct change_journal *j, const char *command, const struct process *p,
		   const struct process_attribute *a, const char *text, struct process_changed *ret,
		   struct note *note) __attribute__((warn_unused_result));

/* Present values of all threads, as in process_changed.before. */
int process_attribute_text(struct host *h, const struct process *p, const struct process_attribute *a,
			   struct buf *ret, struct note *note) __attribute__((warn_unused_result));

/* For change_undo, of changes of processes. */
extern const struct change_access process_change_access;
/* Before change_undo: takes the threads that were born since into the journal. */
int process_change_adopt(struct host *h, struct change_journal *j, const struct change *c, struct note *note)
	__attribute__((warn_unused_result));

#endif
