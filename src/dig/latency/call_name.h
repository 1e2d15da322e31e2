/* What `latency` has to know of system calls by their number; the names are those of `trace` (syscalls.def). Pure. */
#ifndef OSPREY_DIG_LATENCY_CALL_NAME_H
#define OSPREY_DIG_LATENCY_CALL_NAME_H

#include <stdbool.h>
#include <stdint.h>

/* NULL: none is known. */
const char *call_name(uint64_t number);
/* Its trade is to wait for others (poll, futex, nanosleep): that it takes long accuses nobody. */
bool call_waits(uint64_t number);

#endif
