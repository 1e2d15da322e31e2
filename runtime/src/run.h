/* The end of a run; its beginning is in scheduler.h. */
#ifndef RT_RUN_H
#define RT_RUN_H

/* Under the scheduler's lock, when nobody runs and nothing will come: every thread goes home, or it is a
 * deadlock, which ends the process with what each fiber waits for. */
void run_is_over(void);

#endif
