#include "overflow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sanitizer.h"
#include "tell.h"
#include "thread.h"

static struct sigaction before;

static void not_ours(int signal, siginfo_t *info, void *context)
{
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(signal, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(signal);
	} else {
		/* It happens again as it would have without us; a signal that was sent is sent again. */
		sigaction(signal, &before, NULL);
		if (info->si_code <= 0)
			raise(signal);
	}
}

static void fault(int signal, siginfo_t *info, void *context)
{
	bool in_guard = false;
	struct fiber *f = info->si_code > 0 ? fiber_of_address(info->si_addr, &in_guard) : NULL;
	struct thread *t = thread_self();

	if (!f || !in_guard || !t || t->running != f) {
		not_ours(signal, info, context);
		return;
	}
	tell("osprey/rt: stack overflow: %zu KiB are used up%s\nin ",
		fiber_stack_bytes((enum rt_stack)f->stack_size) >> 10,
		f->stack_size == RT_STACK_LARGE ? "" : " (RT_STACK_LARGE has more)");
	tell_fiber(f);
	tell_stack(2);
	tell_origin(f);
	abort();
}

int overflow_begin(void)
{
	struct sigaction action = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	return sigaction(SIGSEGV, &action, &before) < 0 ? -errno : 0;
}

void overflow_end(void)
{
	struct sigaction now;

	/* The program may have set its own meanwhile. */
	if (sigaction(SIGSEGV, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == fault)
		sigaction(SIGSEGV, &before, NULL);
}

int overflow_thread_begin(struct thread *t)
{
	stack_t is, ours = { .ss_size = SIGNAL_STACK };

	t->signal_stack = NULL;
	if (sigaltstack(NULL, &is) == 0 && !(is.ss_flags & SS_DISABLE))
		return 0;
	ours.ss_sp = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ours.ss_sp == MAP_FAILED)
		return -ENOMEM;
	t->signal_stack = ours.ss_sp;
	sigaltstack(&ours, NULL);
	return 0;
}

void overflow_thread_end(struct thread *t)
{
	if (!t->signal_stack)
		return;
	sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
	if (!sanitizer_keeps_signal_stack())
		munmap(t->signal_stack, SIGNAL_STACK);
	t->signal_stack = NULL;
}
