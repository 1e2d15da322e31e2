/* How a fiber is made, for all that start some. */
#ifndef RT_SPAWN_H
#define RT_SPAWN_H

#include "scheduler.h"

/* A fiber that nobody joins, in no scope; the caller changes that before fiber_start. NULL: no memory.
 * Inside. */
struct fiber *spawn_prepare(struct thread *t, rt_function *function, void *arg,
			    const struct rt_spawn_options *options);

#endif
