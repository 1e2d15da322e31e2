/* What a task waits for, in words: by the system call it sleeps in and by the kernel function.
 * Pure tables. */
#ifndef OSPREY_SOURCE_PROCESS_WAIT_WORDS_H
#define OSPREY_SOURCE_PROCESS_WAIT_WORDS_H

#include <stdbool.h>

#include "base/buf.h"

struct syscall_words {
	const char *name;
	const char *waits_for; /* "a lock"; NULL: it is not known for waiting */
	bool of_fd;	       /* its first argument is a descriptor */
};

/* NULL: a call without an entry. Numbers are those of the machine that osprey is built for. */
const struct syscall_words *syscall_words(int number);
/* What a kernel function that a task sleeps in (wchan) waits for; NULL: not known. */
const char *wchan_words(const char *function);
/* 'S' -> "sleeping (can be woken by a signal)" */
const char *task_state_words(char state);
/* "SCHED_OTHER" */
const char *policy_name(unsigned policy);

#endif
