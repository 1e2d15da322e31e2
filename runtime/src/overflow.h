/* Stacks that overflow: a fault in a stack's guard ends the process with a line, not with a mystery. */
#ifndef RT_OVERFLOW_H
#define RT_OVERFLOW_H

#include <signal.h>

struct thread;

/* Unwinding and writing lines take some KiB; so does the frame of the signal, with all vector registers. */
#define SIGNAL_STACK (64 << 10)

/* Handles SIGSEGV of the process while a run lasts; what is no overflow goes to the handler that was there
 * before. 0/-errno. */
int overflow_begin(void);
void overflow_end(void);

/* The calling thread has a stack for signals from now on, unless it has one: a handler cannot run on the one
 * that is full. -ENOMEM. */
int overflow_thread_begin(struct thread *t);
void overflow_thread_end(struct thread *t);

#endif
