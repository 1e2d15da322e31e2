#include "preempt.h"

#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#include "door.h"
#include "futex.h"
#include "kernel_call.h"
#include "sanitizer.h"
#include "scheduler.h"

/* Code that knows which thread it is on, and must not find itself on another one. */
#define NO_PREEMPT __attribute__((noinline, section("rt_no_preempt")))
extern const char __start_rt_no_preempt[] __attribute__((visibility("hidden")));
extern const char __stop_rt_no_preempt[] __attribute__((visibility("hidden")));

/* The signal; 0: none yet. */
static _Atomic int chosen;
static struct short_lock choosing;

static uintptr_t pc_of(const ucontext_t *context)
{
#if defined __x86_64__
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#else
	return (uintptr_t)context->uc_mcontext.pc;
#endif
}

NO_PREEMPT static void interrupted(int signal, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	struct thread *t = thread_self();
	uintptr_t pc = pc_of(context);

	(void)signal;
	(void)info;
	if (t)
		atomic_store_explicit(&t->signalled, 0, memory_order_relaxed);
	if (!t || !atomic_load_explicit(&t->preemptible, memory_order_relaxed) ||
	    (pc >= (uintptr_t)__start_rt_no_preempt && pc < (uintptr_t)__stop_rt_no_preempt))
		return;
	atomic_store_explicit(&t->preemptible, 0, memory_order_relaxed);
	/* The kernel would give the thread that it returns on the signal stack of the one that was
	 * interrupted. It leaves a description that makes no sense alone. */
	context->uc_stack.ss_flags = -1;
	sanitizer_signal_left(&context->uc_sigmask);
	floating_point_set(&scheduler.floating_point);
	/* What the watcher has written there makes it yield. */
	door_enter();
	door_leave();
	atomic_store_explicit(&thread_self()->preemptible, 1, memory_order_relaxed);
}

/* A signal that nobody else uses, from the last one on: who takes fixed ones takes the first. The handler
 * stays: a signal may come late. */
static int choose(void)
{
	const int flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
	struct sigaction is, ours = { .sa_sigaction = interrupted, .sa_flags = flags };

	for (int n = SIGRTMAX; n >= SIGRTMIN; n--) {
		if (sigaction(n, NULL, &is) < 0 || (is.sa_flags & SA_SIGINFO) || is.sa_handler != SIG_DFL)
			continue;
		if (sigaction(n, &ours, NULL) == 0)
			return n;
	}
	return -EAGAIN;
}

int rt_preempt_begin(void)
{
	struct thread *t = door_enter();
	int r = atomic_load_explicit(&chosen, memory_order_acquire);

	if (atomic_load_explicit(&t->preemptible, memory_order_relaxed))
		misuse("rt_preempt_begin: within another, or one before it has no rt_preempt_end");
	if (r == 0) {
		short_lock_take(&choosing);
		r = atomic_load_explicit(&chosen, memory_order_relaxed);
		if (r == 0 && (r = choose()) > 0)
			atomic_store_explicit(&chosen, r, memory_order_release);
		short_lock_give(&choosing);
	}
	door_leave();
	/* It is still on that thread: only who is preemptible leaves it without a call. Not sooner, since door_leave
	 * is for who stays. */
	if (r > 0)
		atomic_store_explicit(&t->preemptible, 1, memory_order_relaxed);
	return r < 0 ? r : 0;
}

/* ThreadSanitizer would call the handler at the store, when the thread is chosen already. */
NO_PREEMPT SANITIZER_NO_CALL void rt_preempt_end(void)
{
	struct thread *t = thread_self();

	if (!t)
		misuse(MISUSE_OUTSIDE);
	if (!atomic_load_explicit(&t->preemptible, memory_order_relaxed))
		misuse("rt_preempt_end: without rt_preempt_begin");
	atomic_store_explicit(&t->preemptible, 0, memory_order_relaxed);
}

bool preempt(struct thread *t)
{
	if (!atomic_load_explicit(&t->preemptible, memory_order_relaxed) ||
	    atomic_load_explicit(&t->inside, memory_order_relaxed) ||
	    (sanitizer_keeps_thread() && scheduler.most_threads > 1))
		return false;
	atomic_fetch_or_explicit(&t->door, DOOR_YIELD, memory_order_relaxed);
	/* The last one has not come yet: it is blocked, or the thread has no CPU. */
	if (atomic_exchange_explicit(&t->signalled, 1, memory_order_relaxed))
		return false;
	if (kernel_call(SYS_tgkill, getpid(), atomic_load_explicit(&t->tid, memory_order_relaxed),
			atomic_load_explicit(&chosen, memory_order_relaxed)) == 0)
		return true;
	atomic_store_explicit(&t->signalled, 0, memory_order_relaxed);
	return false;
}
