/* errno of the thread that asks, each time it is asked for. The C library says that its place never changes (its function is
 * `const`), so compilers ask once in a function and keep the answer over a switch of fibers; with link-time
 * optimisation a function is what many files have been. The library's sources all begin with this (Makefile), so that
 * `errno` is right in them wherever it is written. It costs a call. */
#ifndef RT_ERRNO_ANEW_H
#define RT_ERRNO_ANEW_H

#include <errno.h>

int *errno_anew(void);

#undef errno
#define errno (*errno_anew())

#endif
