/* From fiber to fiber; the functions that fibers call are in scheduler.h. */
#ifndef RT_SWITCH_H
#define RT_SWITCH_H

#include "thread.h"

/* From the thread's own loop to a fiber; returns when there is none to go on with, or the processor was
 * lost. */
void switch_from_loop(struct thread *t, struct fiber *f);

#endif
