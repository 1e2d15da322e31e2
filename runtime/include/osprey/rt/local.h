/* Values that each fiber has of its own. (Those of a thread, `_Thread_local`, change under a fiber that is
 * moved.) */
#ifndef OSPREY_RT_LOCAL_H
#define OSPREY_RT_LOCAL_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RT_LOCALS 64

/* A key for the life of the process; `destroy` (may be NULL) is called with each value that is not NULL, in
 * the fiber that ends. A value that it sets anew is destroyed too, in up to four rounds. -EAGAIN: RT_LOCALS
 * have been made. Anywhere. */
RT_API int rt_local_new(void (*destroy)(void *value), unsigned *ret_key);

/* NULL until it was set. Fiber. */
RT_API void *rt_local_get(unsigned key);

/* -ENOMEM, at the first value of a fiber only; -EINVAL: there is no such key. Fiber. */
RT_API int rt_local_set(unsigned key, void *value);

#ifdef __cplusplus
}
#endif
#endif
