/* Fibers that wait for threads which are not the runtime's: those of a pool, or of the user. */
#ifndef RT_OUTSIDE_H
#define RT_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

struct fiber;

/* A fiber is going to park until a thread from outside makes it ready: until then the run is not over, and no
 * deadlock. Balanced by outside_ready, or by outside_give_up of that fiber if something else ended its
 * waiting. Inside. */
void outside_expect(void);
void outside_give_up(void);

/* Makes such a fiber, which the caller has claimed, ready. The run does not end before this has returned. Any
 * thread that is not the runtime's. */
void outside_ready(struct fiber *f);

/* The same for who made several ready, or none. Not under a lock. */
void outside_done(void);

/* For the scheduler, under its lock: whether anything may still come. */
bool outside_expected(void);

#endif
