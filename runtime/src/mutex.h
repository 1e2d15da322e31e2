/* Mutexes, for what is made of them. Inside; what blocks may return on another thread. */
#ifndef RT_MUTEX_H
#define RT_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include "osprey/rt/sync.h"

struct thread;

/* Which fiber holds it, of the owner's word; the bits above say whether others wait (mutex.c). */
#define MUTEX_OWNER (UINT64_MAX >> 2)

/* Whether the fiber with this id holds it: true or false stays so for that fiber. */
bool mutex_is_held(const struct rt_mutex *m, uint64_t by);

/* rt_lock and rt_unlock of the running fiber. */
int mutex_take(struct thread *t, struct rt_mutex *m, int64_t deadline);
void mutex_give(struct thread *t, struct rt_mutex *m);

#endif
