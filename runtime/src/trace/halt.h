/* Brings all other threads of the process to a halt, wherever they are, by a signal (HALT_SIGNAL).
 *
 * What may be called while they stand still: system calls, and what takes no lock that one of them may hold.
 * So no malloc, no stdio, no loader. A thread that keeps the signal blocked makes it fail. System calls that
 * block are taken up again by the kernel where it can (SA_RESTART); others end with EINTR in the program. */
#ifndef RT_HALT_H
#define RT_HALT_H

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HALT_SIGNAL (SIGRTMAX - 4)

struct halted {
	pid_t tid;
	uintptr_t sp;		/* where it was interrupted */
	uintptr_t frame;	/* of the signal's handler: on the same stack below, or on one of its own */
	_Atomic uint32_t state;
};

/* One caller at a time; others wait. 0: the others stand still, as listed. -EBUSY: the program uses the
 * signal itself; -ETIMEDOUT: a thread did not stop within a second; -ENOMEM, -EAGAIN, or what /proc says. Any
 * thread; leaves errno as it was. */
int halt_begin(const struct halted **ret, size_t *ret_n);
void halt_end(void);

#endif
