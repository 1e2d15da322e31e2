/* Negatives: load that is no fault. The doctor must find nothing worse than a note on them,
 * and they are the background on which faults are to be found. */
#ifndef OSPREY_LAB_HEALTHY_H
#define OSPREY_LAB_HEALTHY_H

#include <stddef.h>

#include "lab/scenario.h"

/* healthy_idle, healthy_cpu30, healthy_disk_stream, healthy_net_stream, healthy_build. */
const struct scenario *const *healthy_all(size_t *ret_n);

#endif
