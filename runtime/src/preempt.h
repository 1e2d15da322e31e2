/* Regions in which a fiber may be left without a call: the watcher sends its thread a signal, and the
 * handler, on the fiber's stack, comes through the door as a call would. */
#ifndef RT_PREEMPT_H
#define RT_PREEMPT_H

#include <stdbool.h>

struct thread;

/* For the watcher: the thread's fiber is to let others run. False: it is in no such region. */
bool preempt(struct thread *t);

#endif
