/* Fibers that ended, for use again: each processor keeps some, the rest is for all. Inside, by who holds the
 * processor. */
#ifndef RT_SPARE_H
#define RT_SPARE_H

#include "processor.h"

/* Gives up to `n` of a processor's spare fibers to all. */
void spare_to_all(struct processor *p, int size, uint32_t n);

/* Gives back memory of the stacks of some that are spare for all: the last that came. False: all are done.
 * Any thread, one at a time; some hundred microseconds. */
bool spare_trim(void);

/* The same, and also of those that idle processors keep. */
bool spare_trim_idle(void);

#endif
