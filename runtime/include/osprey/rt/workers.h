/* Workers: a fixed number of fibers that take jobs from a bounded queue.
 *
 * A bound on how much is done at a time, and on how much waits: who brings more than that waits
 * (backpressure). Where a fiber for each job does no harm, rt_scope_go is simpler.
 *
 * Memory order: what was done before the submit is seen by the job; what the jobs did, by who has drained or
 * freed. All functions: fiber. */
#ifndef OSPREY_RT_WORKERS_H
#define OSPREY_RT_WORKERS_H

#include <osprey/rt/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rt_workers;

/* Starts `fibers` of them (at least one); `queue` jobs (at least one) may wait. -ENOMEM, -EINVAL. Blocks
 * until they have started; no cancellation point. */
RT_API int rt_workers_new(unsigned fibers, unsigned queue, struct rt_workers **ret);

/* Queues a job; waits while the queue is full. 0: it will run, or be given to `dropped` of rt_workers_stop.
 * -ETIMEDOUT (with a deadline that has passed, at once), -ECANCELED; -EPIPE: draining or stopped. With an
 * error `arg` is the caller's. From jobs too, but a queue full of jobs that all submit stands still.
 * Blocks. */
RT_API int rt_workers_submit(struct rt_workers *w, rt_function *function, void *arg, int64_t deadline);

/* No more jobs are taken; waits until all have ended. *ret_result (may be NULL): the first negative result of
 * a job, or 0. -ETIMEDOUT, -ECANCELED: some have not, and it may be called again. Not from a job. Blocks. */
RT_API int rt_workers_drain(struct rt_workers *w, int *ret_result, int64_t deadline);

/* No more jobs are taken, those that wait are dropped, and the waits of those that run end with -ECANCELED.
 * `dropped` (may be NULL) gets back what each of them was submitted with. Does not wait for those that run:
 * drain or free does. */
RT_API void rt_workers_stop(struct rt_workers *w, void (*dropped)(rt_function *function, void *arg));

/* Drains, also when the caller is cancelled, and frees. NULL is fine. By one caller, not a job. Blocks; no
 * cancellation point. */
RT_API void rt_workers_free(struct rt_workers *w);

#ifdef __cplusplus
}
#endif
#endif
