/* From the finished raw core to where it was asked for: given its name, compressed, or sent to standard output. */
#ifndef OSPREY_DIG_CORE_CORE_OUTPUT_H
#define OSPREY_DIG_CORE_CORE_OUTPUT_H

#include "dig/core/core_file.h"

int core_output(struct core_file *f, const struct core_finish *how, uint64_t *ret_bytes, uint64_t *ret_disk_bytes,
		struct note *note) __attribute__((warn_unused_result));

#endif
