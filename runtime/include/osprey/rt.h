/* osprey/rt: fibers on a few threads, as Go schedules goroutines, for C.
 *
 * One header for everything; each area has its own, which may be included alone. Conventions of all of them:
 * errors are negative errno values in the return value, errno is never read or written for the caller (a
 * fiber may come back on another thread, where errno is another variable); deadlines are absolute times of
 * CLOCK_MONOTONIC in nanoseconds (rt_now), RT_FOREVER waits without end; "blocks" means that the fiber is
 * parked and its thread goes on with others. Every function of a fiber may be where it is moved to another
 * thread. Linux 5.10 or later, no privilege; what an area uses of newer kernels, where it is there, its header
 * says. */
#ifndef OSPREY_RT_H
#define OSPREY_RT_H

#include <osprey/rt/arena.h>
#include <osprey/rt/chan.h>
#include <osprey/rt/cold.h>
#include <osprey/rt/epoch.h>
#include <osprey/rt/fiber.h>
#include <osprey/rt/gc.h>
#include <osprey/rt/heap.h>
#include <osprey/rt/json.h>
#include <osprey/rt/file.h>
#include <osprey/rt/leaks.h>
#include <osprey/rt/local.h>
#include <osprey/rt/net.h>
#include <osprey/rt/pool.h>
#include <osprey/rt/processes.h>
#include <osprey/rt/reflect.h>
#include <osprey/rt/scope.h>
#include <osprey/rt/sync.h>
#include <osprey/rt/workers.h>
#include <osprey/rt/toml.h>

#endif
