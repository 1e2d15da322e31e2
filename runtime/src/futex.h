/* Waiting of threads in the kernel, private to the process: futex(2). */
#ifndef RT_FUTEX_H
#define RT_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Waits while *word == value, until it is woken or `deadline` (CLOCK_MONOTONIC, ns; INT64_MAX: without end).
 * May return without a cause: the caller looks at its word. Leaves errno as it was. */
void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline);

/* The thread sleeps so long, or less. Leaves errno as it was. */
void futex_nap(int64_t ns);

/* Wakes `most` waiters. Leaves errno as it was. */
void futex_wake(_Atomic uint32_t *word, int most);

#endif
