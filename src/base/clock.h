/* Time in nanoseconds. */
#ifndef OSPREY_BASE_CLOCK_H
#define OSPREY_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */
uint64_t clock_boot_ns(void); /* CLOCK_BOOTTIME: what /proc start times count in */
uint64_t clock_real_ns(void); /* CLOCK_REALTIME */
uint64_t clock_cpu_ns(void);  /* CPU time of this process */
uint64_t clock_thread_cpu_ns(void); /* CPU time of the calling thread */

/* Sleeps until `mono_ns`. 0, or -EINTR when a signal came first. */
int clock_sleep_until(uint64_t mono_ns) __attribute__((warn_unused_result));

#endif
