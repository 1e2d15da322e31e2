/* What those who follow stacks and memory accesses have to be told of fibers: AddressSanitizer and
 * ThreadSanitizer, in builds with them, and Valgrind, which runs any build. Without them all of it is empty,
 * but for a stack's first use, when Valgrind is asked for: that costs some instructions.
 *
 * AddressSanitizer knows one stack a thread, so each switch tells it which one comes next, and where it lies.
 * LeakSanitizer looks for pointers on stacks of threads alone: fibers' are named to it when they are made.
 * ThreadSanitizer keeps a clock and a stack of calls for each thread, and here for each fiber. A switch
 * orders what one fiber did before what the next does on the same thread: races of fibers are found where
 * they run on several. It has room for about 8 000 threads and fibers that live. */
#ifndef RT_SANITIZER_H
#define RT_SANITIZER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZER_ADDRESS 1
#endif
#if __has_feature(thread_sanitizer)
#define SANITIZER_THREAD 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZER_ADDRESS 1
#endif
#ifdef __SANITIZE_THREAD__
#define SANITIZER_THREAD 1
#endif

#ifdef SANITIZER_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef SANITIZER_THREAD
#include <sanitizer/tsan_interface.h>

#include "kernel_call.h"
#endif
#if defined __has_include
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define SANITIZER_VALGRIND 1
#endif
#endif

#define SANITIZER_INLINE static inline __attribute__((always_inline))

/* Functions that a fiber does not return from. ThreadSanitizer counts calls, and would never see those of a
 * stack that is used again come back. */
#if !defined SANITIZER_THREAD
#define SANITIZER_NO_CALL
#elif defined __clang__
#define SANITIZER_NO_CALL __attribute__((disable_sanitizer_instrumentation))
#else
#define SANITIZER_NO_CALL __attribute__((no_sanitize_thread))
#endif

/* Functions that look at memory which is not theirs, whatever the tools know of it. */
#define NOT_SANITIZED __attribute__((no_sanitize("address", "thread")))

/* Words of a stack that does not run, in or out. */
void sanitizer_copy_stack(void *to, const void *from, size_t bytes);

/* Of one context. */
struct sanitizer_context {
#ifdef SANITIZER_ADDRESS
	const void *low;	/* NULL: a thread's own stack, not asked for yet */
	size_t bytes;
	void *fake;		/* frames that AddressSanitizer keeps elsewhere, while it does not run */
	bool ends;
#endif
#ifdef SANITIZER_THREAD
	void *fiber;		/* a stack keeps its own; NULL: none yet, or a thread's, not asked for yet */
#endif
};

#ifdef SANITIZER_ADDRESS
/* The bounds of the calling thread's own stack. */
void sanitizer_own_stack(struct sanitizer_context *c);
#endif

/* Before and after a switch, in the function that switches: what ThreadSanitizer counts as its call and its
 * return has to be of one context. */
SANITIZER_INLINE void sanitizer_leave(struct sanitizer_context *from, const struct sanitizer_context *to)
{
	(void)from;
	(void)to;
#ifdef SANITIZER_ADDRESS
	if (!from->low)
		sanitizer_own_stack(from);
	__sanitizer_start_switch_fiber(from->ends ? NULL : &from->fake, to->low, to->bytes);
#endif
#ifdef SANITIZER_THREAD
	if (!from->fiber)
		from->fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
}

SANITIZER_INLINE void sanitizer_arrive(struct sanitizer_context *at)
{
	(void)at;
#ifdef SANITIZER_ADDRESS
	__sanitizer_finish_switch_fiber(at->fake, NULL, NULL);
#endif
}

/* A context is laid out on a stack that nobody uses any more. */
SANITIZER_INLINE void sanitizer_context_make(struct sanitizer_context *c, const void *low, size_t bytes)
{
	(void)c;
	(void)low;
	(void)bytes;
#ifdef SANITIZER_ADDRESS
	/* Frames that never returned have left their red zones. */
	__asan_unpoison_memory_region(low, bytes);
	*c = (struct sanitizer_context){ .low = low, .bytes = bytes };
#endif
#ifdef SANITIZER_THREAD
	if (!c->fiber)
		c->fiber = __tsan_create_fiber(0);
#endif
}

/* The thread stands on its own stack again, and the tool was not told: what lies below `frame` is nobody's. */
SANITIZER_INLINE void sanitizer_unwound(const char *frame)
{
	(void)frame;
#ifdef SANITIZER_ADDRESS
	const size_t below = 64 << 10;
	__asan_unpoison_memory_region(frame - below, below);
#endif
}

/* It will be left for good by the next switch. */
SANITIZER_INLINE void sanitizer_context_ends(struct sanitizer_context *c)
{
	(void)c;
#ifdef SANITIZER_ADDRESS
	c->ends = true;
#endif
}

/* A stack that is new, and stays. */
SANITIZER_INLINE void sanitizer_stack_made(void *low, size_t bytes)
{
	(void)low;
	(void)bytes;
#ifdef SANITIZER_ADDRESS
	__lsan_register_root_region(low, bytes);
#endif
#ifdef SANITIZER_VALGRIND
	(void)VALGRIND_STACK_REGISTER(low, (char *)low + bytes - 1);
#endif
}

/* Memory that holds what a stack held, so pointers, and no longer does. */
SANITIZER_INLINE void sanitizer_root_made(void *at, size_t bytes)
{
	(void)at;
	(void)bytes;
#ifdef SANITIZER_ADDRESS
	__lsan_register_root_region(at, bytes);
#endif
}

SANITIZER_INLINE void sanitizer_root_gone(void *at, size_t bytes)
{
	(void)at;
	(void)bytes;
#ifdef SANITIZER_ADDRESS
	__lsan_unregister_root_region(at, bytes);
#endif
}

/* Who follows what system calls write does not see what the kernel writes for a ring. */
SANITIZER_INLINE bool sanitizer_follows_calls(void)
{
#ifdef SANITIZER_VALGRIND
	return RUNNING_ON_VALGRIND;
#else
	return false;
#endif
}

/* The system has taken the memory of what is in use of a stack: it reads as zero. */
SANITIZER_INLINE void sanitizer_stack_given_back(void *at, size_t bytes)
{
	(void)at;
	(void)bytes;
#ifdef SANITIZER_VALGRIND
	(void)VALGRIND_MAKE_MEM_DEFINED(at, bytes);
#endif
}

/* Within the handler of a signal, before the fiber that it interrupted is left. ThreadSanitizer keeps signals back
 * until the program's next atomic access or call of libc, and has all of them blocked while the handler runs: who
 * comes next on the thread would never be interrupted. (It also says that the handler has changed errno when the
 * fiber goes on on another thread: the suppression "signal:interrupted" spares that.) */
SANITIZER_INLINE void sanitizer_signal_left(const sigset_t *interrupted)
{
	(void)interrupted;
#ifdef SANITIZER_THREAD
	kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, interrupted, NULL, 8);
#endif
}

/* Who comes back from the handler of a signal finds the thread pointer of the thread that was interrupted: Valgrind
 * puts back all registers. */
SANITIZER_INLINE bool sanitizer_keeps_thread(void)
{
	return sanitizer_follows_calls();
}

/* Signals still come to the stack that a thread had for them once it has said that it has none: Valgrind goes by
 * the size that it was told before. So the memory stays. */
SANITIZER_INLINE bool sanitizer_keeps_signal_stack(void)
{
	return sanitizer_follows_calls();
}

/* For how many fibers of a size there may be room. */
SANITIZER_INLINE uint32_t sanitizer_most_fibers(uint32_t most)
{
#ifdef SANITIZER_THREAD
	most = 3800;
#endif
#ifdef SANITIZER_VALGRIND
	/* It notes what it knows of all that is reserved. */
	if (RUNNING_ON_VALGRIND)
		most = 1u << 14;
#endif
	return most;
}

#endif
