/* What a thread that does not come back is about, as the kernel knows it: it sleeps, it computes, or it waits
 * for a CPU that others use. A few microseconds each; any thread; errno may change. `tid` as by gettid(2). */
#ifndef RT_THREAD_ACTIVITY_H
#define RT_THREAD_ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>

/* ns of CPU time that it has used, or -1. */
int64_t thread_cpu_ns(int tid);

/* Neither runs nor waits for a CPU, says /proc/self/task/TID/stat (proc(5)). True also where that cannot be
 * read. */
bool thread_sleeps(int tid);

#endif
