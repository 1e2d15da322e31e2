/* For unit tests: allocations that fail once a countdown has run out. Included by the one file of a test program; it puts
 * itself before the C library's allocator, so the program is named in the Makefile (FAILING_ALLOCATOR). Sanitizers bring
 * an allocator of their own: then CAN_FAIL_ALLOCATIONS is 0, and every allocation succeeds. */
#ifndef OSPREY_BASE_FAILING_ALLOCATOR_H
#define OSPREY_BASE_FAILING_ALLOCATOR_H

#include <stdlib.h>

static long allocations_left __attribute__((unused)) = -1; /* -1: all succeed */

#if !defined(__SANITIZE_ADDRESS__)
#define CAN_FAIL_ALLOCATIONS 1
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static int refuse_allocation(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

void *malloc(size_t n)
{
	return refuse_allocation() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return refuse_allocation() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return refuse_allocation() ? NULL : __libc_realloc(p, n);
}
#else
#define CAN_FAIL_ALLOCATIONS 0
#endif

#endif
