/* The watcher: a thread of its own that sees what fibers do not tell. A processor whose fiber has blocked its
 * thread for 20 us, or has run code of the user for 2 ms without a call, goes to another thread when there is
 * something to run on it: the kernel then shares the CPU between the two. A fiber that calls often but has
 * run for 10 ms is asked to yield. It sleeps while nothing runs; before that it gives back what memory is not
 * needed then: it is also who freezes cold fibers (cold/cold.h). */
#ifndef RT_WATCHER_H
#define RT_WATCHER_H

int watcher_start(void);
void watcher_stop(void);

/* Something runs again. Cheap when it is awake. */
void watcher_wake(void);

#endif
