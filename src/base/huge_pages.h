/* Huge pages for memory of many MB that will be written all through: 2 MB a fault instead of 4 KB. Only advice. */
#ifndef OSPREY_BASE_HUGE_PAGES_H
#define OSPREY_BASE_HUGE_PAGES_H

#include <stddef.h>

void memory_will_fill(void *p, size_t bytes);

#endif
