/* Threads of the runtime that would leave it by a way that is none: pthread_exit in a fiber, cancellation,
 * fork. */
#ifndef RT_STRAYS_H
#define RT_STRAYS_H

struct thread;

/* Once for a process: a second call does nothing. -ENOMEM, -EAGAIN (no key for thread-specific data is
 * left). */
int strays_init(void);

/* The calling thread is one of the runtime's from now on. Its cancellation is put off until strays_end; if it
 * ends before, the process ends with a line. After a fork within a fiber the child has this one thread and
 * none to run fibers with: what it calls of the runtime ends it with a line. */
void strays_begin(struct thread *t);
void strays_end(struct thread *t);

#endif
