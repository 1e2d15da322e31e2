/* A block that is not what the caller says it is: one line with its address and what is wrong, then the end
 * of the process. The library says it as all misuse; what stands for malloc alone has its own way
 * (malloc/). */
#ifndef RT_HEAP_FAULT_H
#define RT_HEAP_FAULT_H

#include <stddef.h>

_Noreturn void heap_fault(const void *block, const char *what) __attribute__((cold));
/* `at`: the byte of the block that tells it; may be below zero. */
_Noreturn void heap_fault_at(const void *block, size_t size, const char *what, long at) __attribute__((cold));
_Noreturn void heap_fault_sized(const void *block, size_t size, const char *what) __attribute__((cold));

#endif
