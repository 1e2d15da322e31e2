/* Timers of one processor: a hierarchical wheel. Arming and cancelling take constant time, also for a
 * million.
 *
 * Time runs in ticks of 8.2 us. Level 0 has a slot for each of the next 64 ticks, each level above covers 64
 * times as much (eight levels: 73 years since boot; what is later fires then). A timer moves down as its time
 * comes near, so it fires in the tick after its deadline, never before. */
#ifndef RT_TIMER_WHEEL_H
#define RT_TIMER_WHEEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "inside_lock.h"

#define WHEEL_LEVELS 8
#define WHEEL_SLOTS 64
#define WHEEL_TICK_BITS 13

struct timer {
	struct timer *next, *prev;	/* in the slot's circle; NULL when it is not armed */
	int64_t deadline;
	struct timer_wheel *_Atomic wheel;	/* where it is armed; NULL: nowhere, and nobody touches it */
	void (*fire)(struct timer *);	/* under the wheel's lock: makes fibers ready, and no more */
	uint16_t place;			/* level and slot */
};

struct timer_wheel {
	struct short_lock lock;
	uint64_t now;			/* ticks that are done */
	uint64_t occupied[WHEEL_LEVELS];	/* a bit for each slot that is not empty */
	struct timer *slot[WHEEL_LEVELS][WHEEL_SLOTS];
	uint64_t n;
	_Atomic int64_t earliest;	/* no timer fires before; INT64_MAX without. Readable by anybody */
};

void timer_wheel_init(struct timer_wheel *w, int64_t now);

/* Any thread. The timer is the caller's and stays where it is until it was cancelled or has settled. */
void timer_arm(struct timer_wheel *w, struct timer *t);

/* True: it will not fire. False: it has, or was never armed. Either way its memory may go afterwards. Any
 * thread. */
bool timer_cancel(struct timer *t);

/* All timers of one go to the other. Neither is locked. */
void timer_wheel_move(struct timer_wheel *from, struct timer_wheel *to);

/* For who knows that it fires or has: returns when its memory may go. */
void timer_settle(struct timer *t);

/* Fires what is due at `now`. Returns how many. */
unsigned timer_wheel_run(struct timer_wheel *w, int64_t now);

#endif
