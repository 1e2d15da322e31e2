/* One stopped thread: its registers, the way back into the call that the stop broke, and calls made in its place.
 * The parts of dig/core/core_trace.h that know an architecture: calls are injected on x86-64 (64-bit code) only;
 * registers are read on every one. */
#ifndef OSPREY_DIG_CORE_CORE_THREAD_H
#define OSPREY_DIG_CORE_CORE_THREAD_H

#include <sys/user.h>

#include "dig/core/core_trace.h"

struct core_injection {
	uint64_t address; /* of a syscall instruction in the target */
	int tid;
	int held_signal; /* came while calls were made, and is passed on */
	uint64_t signal_mask;
	struct user_regs_struct saved;
};

/* 'R', 'S', 'D', 'T', 't', 'Z', 'X'…; 'X' when it is gone. */
char thread_state(int pid, int tid);
bool thread_is_dead(int pid, int tid);

/* PRSTATUS, FP and extended state, signal mask. */
void thread_read_registers(struct core_thread *thread);
/* A real-time thread until thread_step_back, where that is permitted and it is an ordinary one. */
void thread_get_ahead(struct core_thread *thread);
void thread_step_back(struct core_thread *thread);
/* Detaches; true: it was set back in front of its call (see core_trace.h). */
bool thread_release(int pid, int tid, int signal);

/* Keeps what is to be restored and holds signals back. -EAGAIN: not this thread now; -EOPNOTSUPP: 32-bit code, or not
 * on this architecture. */
int injection_begin(struct core_injection *i, int pid, int tid) __attribute__((warn_unused_result));
/* All as before, the thread stopped in a trap again. The signal that is to be passed on, or 0. */
int injection_end(struct core_injection *i);

#endif
