#include "dig/stack/thread_stop.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "dig/stack/thread_proc.h"

#define STOP_WITHIN_NS 500000000ull

enum progress { FREE, SEIZED, STOPPED };

struct held {
	enum progress progress;
	int signal; /* that was about to be delivered when it stopped: to be handed on */
};

static void take_registers(const struct user_regs_struct *u, struct thread_stack *t)
{
	t->registers = (struct unwind_registers){
		.value = { u->rax, u->rdx, u->rcx, u->rbx, u->rsi, u->rdi, u->rbp, u->rsp, u->r8, u->r9, u->r10, u->r11,
			   u->r12, u->r13, u->r14, u->r15, u->rip },
		.known = (1u << UNWIND_REGISTERS) - 1,
	};
	t->syscall = (int64_t)u->orig_rax >= 0 ? (int32_t)u->orig_rax : -1;
	uint64_t arguments[6] = { u->rdi, u->rsi, u->rdx, u->r10, u->r8, u->r9 };
	memcpy(t->argument, arguments, sizeof arguments);
}

static int take_thread(struct thread_stack *t, size_t most)
{
	struct user_regs_struct registers;
	struct iovec io = { &registers, sizeof registers };

	if (ptrace(PTRACE_GETREGSET, t->tid, NT_PRSTATUS, &io) < 0)
		return -errno;
	take_registers(&registers, t);
	return thread_copy_stack(t, most);
}

/* One look: whether it stands still by now. */
static void look_at(const struct thread_stack *t, struct held *h)
{
	int status;
	pid_t got = waitpid(t->tid, &status, __WALL | WNOHANG);

	if (got == 0)
		return;
	if (got < 0 || !WIFSTOPPED(status)) {
		h->progress = FREE; /* it has ended */
		return;
	}
	h->progress = STOPPED;
	/* No event: it was caught on its way to a signal, which is its own. */
	if (status >> 16 == 0)
		h->signal = WSTOPSIG(status);
}

static void wait_until_stopped(struct thread_stack **threads, struct held *held, size_t n)
{
	uint64_t end = clock_mono_ns() + STOP_WITHIN_NS;
	bool waiting = true;

	while (waiting && clock_mono_ns() < end) {
		waiting = false;
		for (size_t i = 0; i < n; i++) {
			if (held[i].progress == SEIZED)
				look_at(threads[i], &held[i]);
			waiting |= held[i].progress == SEIZED;
		}
		if (waiting)
			nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
}

/* Detaching asks for a stopped thread. One that does not stop is interrupted already, so it is waited for a little
 * longer; what is left stays seized until this process ends, which lets it go as well. */
static void let_go(struct thread_stack **threads, struct held *held, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (held[i].progress == SEIZED)
			look_at(threads[i], &held[i]);
		if (held[i].progress == STOPPED)
			ptrace(PTRACE_DETACH, threads[i]->tid, 0, held[i].signal);
	}
}

static int seize_all(struct thread_stack **threads, struct held *held, size_t n)
{
	int r = 0, seized = 0;

	for (size_t i = 0; i < n; i++) {
		if (ptrace(PTRACE_SEIZE, threads[i]->tid, 0, 0) < 0) {
			if (errno != ESRCH)
				r = -errno;
			continue;
		}
		held[i].progress = SEIZED;
		seized++;
	}
	return seized ? 0 : r;
}

int thread_stop_take(struct thread_stack **threads, size_t n, size_t most, uint64_t *ret_pause_ns)
{
	struct held *held = calloc(n ? n : 1, sizeof *held);
	int reached = 0;

	if (!held)
		return -ENOMEM;
	int r = seize_all(threads, held, n);
	uint64_t start = clock_mono_ns();
	for (size_t i = 0; r == 0 && i < n; i++)
		if (held[i].progress == SEIZED)
			ptrace(PTRACE_INTERRUPT, threads[i]->tid, 0, 0);
	wait_until_stopped(threads, held, n);
	for (size_t i = 0; i < n; i++) {
		if (held[i].progress != STOPPED || take_thread(threads[i], most) < 0)
			continue;
		threads[i]->way = STACK_PTRACE;
		threads[i]->torn = false;
		reached++;
	}
	let_go(threads, held, n);
	free(held);
	if (r < 0)
		return r;
	*ret_pause_ns = clock_mono_ns() - start;
	return reached;
}
