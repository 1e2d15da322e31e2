#include "dig/core/core_thread.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif
#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

char thread_state(int pid, int tid)
{
	char path[64], text[128];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'X';
	ssize_t n = read(fd, text, sizeof text - 1);

	close(fd);
	if (n <= 0)
		return 'X';
	text[n] = '\0';
	/* The name may hold parentheses: the last one ends it. */
	const char *end = strrchr(text, ')');

	return end && end[1] == ' ' ? end[2] : 'X';
}

bool thread_is_dead(int pid, int tid)
{
	char state = thread_state(pid, tid);

	return state == 'Z' || state == 'X';
}

static uint32_t read_set(int tid, unsigned kind, void *to, size_t size)
{
	struct iovec io = { to, size };

	return ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)kind, &io) == 0 ? (uint32_t)io.iov_len : 0;
}

void thread_read_registers(struct core_thread *thread)
{
	thread->general_size = read_set(thread->tid, NT_PRSTATUS, thread->general, sizeof thread->general);
	thread->floating_size = read_set(thread->tid, NT_PRFPREG, thread->floating, sizeof thread->floating);
#ifdef __x86_64__
	thread->extended_size = read_set(thread->tid, NT_X86_XSTATE, thread->extended, sizeof thread->extended);
#endif
	if (ptrace(PTRACE_GETSIGMASK, thread->tid, (void *)sizeof thread->signal_mask, &thread->signal_mask) < 0)
		thread->signal_mask = 0;
}

/* sched_setscheduler leaves the nice value alone. */
void thread_get_ahead(struct core_thread *thread)
{
	struct sched_param lowest = { .sched_priority = sched_get_priority_min(SCHED_RR) };
	int policy = sched_getscheduler(thread->tid);

	if ((policy & ~SCHED_RESET_ON_FORK) != SCHED_OTHER && (policy & ~SCHED_RESET_ON_FORK) != SCHED_BATCH &&
	    (policy & ~SCHED_RESET_ON_FORK) != SCHED_IDLE)
		return;
	thread->policy = policy;
	thread->ahead = sched_setscheduler(thread->tid, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) == 0;
}

void thread_step_back(struct core_thread *thread)
{
	struct sched_param none = { 0 };

	if (thread->ahead && thread->tid)
		(void)!sched_setscheduler(thread->tid, thread->policy, &none);
	thread->ahead = false;
}

#ifdef __x86_64__

#define CODE_64_BIT 0x33 /* cs */

/* Calls that give EINTR for any interruption, and then have done nothing. Those with a signal mask of their own (the
 * argument at `mask`) are left alone when one is given: programs rely on the EINTR of pselect and its like. */
static bool call_may_start_again(const struct user_regs_struct *r)
{
	switch (r->orig_rax) {
	case SYS_epoll_wait:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_accept:
	case SYS_accept4:
		return true;
	case SYS_epoll_pwait:
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
#endif
		return r->r8 == 0;
	case SYS_io_uring_enter:
		return r->r8 == 0;
	}
	return false;
}

static bool signal_pending(int tid, uint64_t mask)
{
	for (unsigned shared = 0; shared < 2; shared++) {
		siginfo_t info[8];
		struct __ptrace_peeksiginfo_args args = { .off = 0, .flags = shared, .nr = 8 };
		long n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, info);

		for (long i = 0; i < n; i++) {
			if (!(mask >> (info[i].si_signo - 1) & 1))
				return true;
		}
		if (n < 0 || n == 8)
			return true;
	}
	return false;
}

static bool start_call_again(int tid)
{
	struct user_regs_struct r;
	uint64_t mask;

	if (read_set(tid, NT_PRSTATUS, &r, sizeof r) != sizeof r || r.cs != CODE_64_BIT ||
	    (int64_t)r.rax != -EINTR || !call_may_start_again(&r))
		return false;
	if (ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof mask, &mask) < 0 || signal_pending(tid, mask))
		return false;
	r.rax = r.orig_rax;
	r.rip -= 2;
	struct iovec io = { &r, sizeof r };

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &io) == 0;
}

/* A restartable sequence that is left by an injected call is not aborted when it should be. */
static bool in_restartable_sequence(int pid, int tid)
{
	struct {
		uint64_t pointer;
		uint32_t size, signature, flags, pad;
	} configuration = { 0 };
	uint64_t section = 0;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof configuration, &configuration) < 0 ||
	    !configuration.pointer)
		return false;
	struct iovec local = { &section, sizeof section };
	struct iovec remote = { (void *)(uintptr_t)(configuration.pointer + 8), sizeof section };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof section || section != 0;
}

int injection_begin(struct core_injection *i, int pid, int tid)
{
	/* What the kernel raises for what a thread does itself is not to be held back. */
	uint64_t all = ~(UINT64_C(1) << (SIGTRAP - 1) | UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGILL - 1) |
			 UINT64_C(1) << (SIGBUS - 1) | UINT64_C(1) << (SIGFPE - 1) | UINT64_C(1) << (SIGSYS - 1));

	i->tid = tid;
	if (read_set(tid, NT_PRSTATUS, &i->saved, sizeof i->saved) != sizeof i->saved ||
	    ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof i->signal_mask, &i->signal_mask) < 0)
		return -ESRCH;
	if (i->saved.cs != CODE_64_BIT)
		return -EOPNOTSUPP;
	if ((int64_t)i->saved.orig_rax < 0 && in_restartable_sequence(pid, tid))
		return -EAGAIN;
	return ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof all, &all) < 0 ? -ESRCH : 0;
}

/* Runs on to the next system call's begin or end. */
static int to_syscall_stop(struct core_injection *i, int *child)
{
	int status;
	unsigned long message;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, i->tid, NULL, NULL) < 0 || waitpid(i->tid, &status, __WALL) < 0 ||
		    !WIFSTOPPED(status))
			return -ESRCH;
		unsigned event = (unsigned)status >> 16;

		if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK) {
			if (ptrace(PTRACE_GETEVENTMSG, i->tid, NULL, &message) == 0 && child)
				*child = (int)message;
		} else if (event == 0 && WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			return 0;
		} else if (event == 0) {
			/* Not one that could be held back: the call does not get where it should. */
			i->held_signal = WSTOPSIG(status);
			return -EIO;
		}
	}
}

/* The child runs not one instruction: it is born stopped. From here on it dies with its tracer. */
static void keep_child(int child)
{
	int status;

	if (waitpid(child, &status, __WALL) == child && WIFSTOPPED(status))
		ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_EXITKILL);
}

int core_injection_call(struct core_injection *i, long number, const uint64_t argument[4], int64_t *ret, int *ret_child)
{
	struct user_regs_struct r = i->saved;
	struct iovec io = { &r, sizeof r };
	int child = 0;

	r.rip = i->address;
	r.rax = (unsigned long long)number;
	/* No call is to be restarted on the way out. */
	r.orig_rax = (unsigned long long)-1;
	r.rdi = argument[0];
	r.rsi = argument[1];
	r.rdx = argument[2];
	r.r10 = argument[3];
	r.r8 = r.r9 = 0;
	if (ptrace(PTRACE_SETREGSET, i->tid, (void *)NT_PRSTATUS, &io) < 0)
		return -EIO;
	int error = to_syscall_stop(i, NULL);

	if (error == 0)
		error = to_syscall_stop(i, &child);
	if (child)
		keep_child(child);
	if (error < 0 || read_set(i->tid, NT_PRSTATUS, &r, sizeof r) != sizeof r)
		return -EIO;
	*ret = (int64_t)r.rax;
	if (ret_child)
		*ret_child = child;
	return 0;
}

int injection_end(struct core_injection *i)
{
	struct iovec io = { &i->saved, sizeof i->saved };
	int status;

	ptrace(PTRACE_SETREGSET, i->tid, (void *)NT_PRSTATUS, &io);
	ptrace(PTRACE_SETSIGMASK, i->tid, (void *)sizeof i->signal_mask, &i->signal_mask);
	if (i->held_signal)
		/* It was raised by what we did, and dies here. */
		return 0;
	/* On the way out of a call the kernel restarts what was interrupted only where it handles signals, so
	 * the thread is brought there: the trap. */
	ptrace(PTRACE_INTERRUPT, i->tid, NULL, NULL);
	if (ptrace(PTRACE_CONT, i->tid, NULL, NULL) < 0 || waitpid(i->tid, &status, __WALL) < 0 ||
	    !WIFSTOPPED(status))
		return 0;
	return status >> 16 ? 0 : WSTOPSIG(status);
}

bool core_trace_can_inject(void)
{
	return true;
}

#else

static bool start_call_again(int tid)
{
	(void)tid;
	return false;
}

int injection_begin(struct core_injection *i, int pid, int tid)
{
	(void)i, (void)pid, (void)tid;
	return -EOPNOTSUPP;
}

int injection_end(struct core_injection *i)
{
	(void)i;
	return 0;
}

int core_injection_call(struct core_injection *i, long number, const uint64_t argument[4], int64_t *ret, int *ret_child)
{
	(void)i, (void)number, (void)argument, (void)ret, (void)ret_child;
	return -EIO;
}

bool core_trace_can_inject(void)
{
	return false;
}

#endif

bool thread_release(int pid, int tid, int signal)
{
	(void)pid;
	bool again = signal == 0 && start_call_again(tid);

	ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal);
	return again;
}
