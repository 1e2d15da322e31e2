#include "trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "overflow.h"
#include "scheduler.h"
#include "trace/mappings.h"

#define RED_ZONE 128	/* below the stack pointer, in use on x86-64 */
#define FIRST_ROOM 4096

static void *memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Of a program that is built with a sanitizer: its own memory is terabytes of addresses, which are not looked
 * at one by one. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

int tracer_init(struct tracer *t)
{
	if (__asan_init || __tsan_init)
		return -ENOSYS;
	t->room = FIRST_ROOM;
	t->pending = memory(t->room * sizeof *t->pending);
	if (!t->pending)
		return -ENOMEM;
	for (int size = 0; size < FIBER_STACK_SIZES; size++) {
		/* More may come until the halt. */
		t->reached[size] = memory((size_t)4 << 20);
		if (!t->reached[size]) {
			tracer_deinit(t);
			return -ENOMEM;
		}
	}
	return 0;
}

void tracer_finish(struct tracer *t)
{
	if (t->pending)
		munmap(t->pending, t->room * sizeof *t->pending);
	t->pending = NULL;
}

void tracer_deinit(struct tracer *t)
{
	tracer_finish(t);
	for (int size = 0; size < FIBER_STACK_SIZES; size++)
		if (t->reached[size])
			munmap(t->reached[size], (size_t)4 << 20);
}

void trace_later(struct tracer *t, struct span s)
{
	if (s.from >= s.to)
		return;
	if (t->n == t->room) {
		void *more = mremap(t->pending, t->room * sizeof *t->pending, 2 * t->room * sizeof *t->pending, MREMAP_MAYMOVE);
		if (more == MAP_FAILED) {
			t->error = -ENOMEM;
			return;
		}
		t->pending = more;
		t->room *= 2;
	}
	t->pending[t->n++] = s;
}

/* -- fibers */

static uintptr_t stack_top(const struct fiber *f)
{
	return (uintptr_t)fiber_stack_low(f) + fiber_stack_bytes((enum rt_stack)f->stack_size);
}

static uint8_t *reached(const struct tracer *t, const struct fiber *f)
{
	return &t->reached[f->stack_size][f - fiber_at((enum rt_stack)f->stack_size, 0)];
}

bool trace_reached(const struct tracer *t, const struct fiber *f)
{
	return *reached(t, f);
}

/* Its stack from `sp` on, and what its descriptor holds. */
static void fiber_runs_from(struct tracer *t, struct fiber *f, uintptr_t sp)
{
	/* The red zone may reach into the guard. */
	uintptr_t low = (uintptr_t)fiber_stack_low(f) + (f->guarded ? fiber_page_bytes() : 0), top = stack_top(f);

	*reached(t, f) = 1;
	trace_later(t, (struct span){ sp < low ? low : sp, top });
	/* Behind its context, which is a pointer to its own stack. */
	trace_later(t, (struct span){ (uintptr_t)&f->next, (uintptr_t)(f + 1) });
}

static bool may_run(const struct tracer *t, const struct fiber *f)
{
	uint32_t state = atomic_load_explicit(&f->state, memory_order_relaxed);

	return state == FIBER_READY || state == FIBER_RUNNING || (state == FIBER_PARKED && t->all_fibers);
}

/* A pointer to the stack of a fiber that is parked: what waits there can be found, so somebody may end the
 * waiting. */
static bool reach_stack(struct tracer *t, uintptr_t word)
{
	for (int size = 0; size < FIBER_STACK_SIZES; size++) {
		if (word < t->stacks[size].from || word >= t->stacks[size].to)
			continue;
		struct fiber *f = fiber_at((enum rt_stack)size, (uint32_t)((word - t->stacks[size].from) / fiber_stack_bytes((enum rt_stack)size)));
		if (!*reached(t, f) && atomic_load_explicit(&f->state, memory_order_relaxed) == FIBER_PARKED &&
		    word >= (uintptr_t)f->context.sp)
			fiber_runs_from(t, f, (uintptr_t)f->context.sp);
		return true;
	}
	return false;
}

static struct fiber *fiber_of(uintptr_t address)
{
	bool in_guard;

	return fiber_of_address((void *)address, &in_guard);
}

/* This thread has no red zone: it has called. */
static uintptr_t lowest_of(const struct tracer *t, uintptr_t sp)
{
	return sp == t->own_sp ? sp : sp - RED_ZONE;
}

/* Where a thread stands within a fiber's stack counts more than what the fiber is said to be: it may just be
 * leaving it. */
static void push_fiber_of_thread(struct tracer *t, uintptr_t sp, uintptr_t frame)
{
	struct fiber *f = fiber_of(sp);

	if (!f)
		return;
	uintptr_t from = lowest_of(t, sp);
	if (fiber_of(frame) == f && frame < from)
		from = frame;
	fiber_runs_from(t, f, from);
}

/* One that runs, and on whose stack no thread stands: a handler of signals runs on another one. Where it
 * stands is not known, so all of its stack counts. */
static bool is_running(const struct fiber *f)
{
	return atomic_load_explicit(&f->state, memory_order_relaxed) == FIBER_RUNNING;
}

static void push_fibers(struct tracer *t)
{
	for (size_t i = 0; i < t->nhalted; i++)
		push_fiber_of_thread(t, t->halted[i].sp, t->halted[i].frame);
	push_fiber_of_thread(t, t->own_sp, t->own_sp);
	for (int size = 0; size < FIBER_STACK_SIZES; size++)
		for (uint32_t i = 0, n = fiber_used((enum rt_stack)size); i < n; i++) {
			struct fiber *f = fiber_at((enum rt_stack)size, i);
			if (may_run(t, f) && !*reached(t, f))
				fiber_runs_from(t, f, is_running(f) ? 0 : (uintptr_t)f->context.sp);
		}
}

/* -- looking at memory */

NOT_SANITIZED static void look_at(struct tracer *t, struct span s)
{
	struct span more;

	for (uintptr_t at = (s.from + 7) & ~(uintptr_t)7; at + 8 <= s.to; at += 8) {
		uintptr_t word = *(const uintptr_t *)at;
		if (word < t->low || word >= t->high)
			continue;
		if (reach_stack(t, word))
			continue;
		if (t->found(t, word, &more))
			trace_later(t, more);
	}
}

static void look_at_pending(struct tracer *t)
{
	while (t->n && !t->error)
		look_at(t, t->pending[--t->n]);
}

int trace_from(struct tracer *t, struct span span)
{
	trace_later(t, span);
	look_at_pending(t);
	return t->error;
}

/* -- mappings */

static bool in_any(const struct span *spans, uintptr_t page)
{
	for (int size = 0; size < FIBER_STACK_SIZES; size++)
		if (page >= spans[size].from && page < spans[size].to)
			return true;
	return false;
}

static void nearer(struct span *best, uintptr_t at, const void *from, const void *to)
{
	if ((uintptr_t)to > at && (uintptr_t)from < best->from)
		*best = (struct span){ (uintptr_t)from, (uintptr_t)to };
}

/* The first memory at or behind `at` whose words mean nothing: descriptors of threads hold where the last
 * fiber that was left lies, and places of queues who stood there before (who stands there now is ready, and
 * traced as such). */
static struct span first_meaningless(uintptr_t at)
{
	struct span best = { UINTPTR_MAX, UINTPTR_MAX };

	for (struct thread *t = scheduler.threads; t; t = t->next)
		nearer(&best, at, t, t + 1);
	for (uint32_t i = 0; i < scheduler.nprocessors; i++) {
		struct processor *p = &scheduler.processors[i];
		nearer(&best, at, p->batch, p->batch + sizeof p->batch / sizeof *p->batch);
		nearer(&best, at, p->ring, p->ring + RING);
	}
	return best;
}

static void look_at_meaningful(struct tracer *t, struct span page)
{
	for (uintptr_t at = page.from; at < page.to; ) {
		struct span none = first_meaningless(at);
		if (none.from > at)
			look_at(t, (struct span){ at, none.from < page.to ? none.from : page.to });
		at = none.to;
	}
}

/* Who sleeps for want of work holds nothing: what is in its registers, and on its stack below its loop, is old. Who wakes it
 * says so first. */
static bool rests(const struct thread *t)
{
	return atomic_load(&t->parked) && !t->running;
}

/* A thread's stack for signals is in use where the halting signal came to it, from there on: false, not at
 * all. */
static bool of_signal_stack(struct tracer *t, uintptr_t page, uintptr_t *from)
{
	for (struct thread *at = scheduler.threads; at; at = at->next) {
		uintptr_t low = (uintptr_t)at->signal_stack;
		if (!low || page < low || page >= low + SIGNAL_STACK)
			continue;
		for (size_t i = 0; i < t->nhalted && !rests(at); i++)
			if (t->halted[i].frame >= low && t->halted[i].frame < low + SIGNAL_STACK) {
				*from = t->halted[i].frame;
				return true;
			}
		return false;
	}
	return true;
}

static void page_of_roots(void *arg, uintptr_t page, uintptr_t from, size_t page_bytes)
{
	struct tracer *t = arg;
	uintptr_t tracers = (uintptr_t)t->pending;

	if (in_any(t->stacks, page) || in_any(t->structs, page) || (t->excluded && t->excluded(page)))
		return;
	if (page >= tracers && page < tracers + t->room * sizeof *t->pending)
		return;
	if (!of_signal_stack(t, page, &from) || from >= page + page_bytes)
		return;
	look_at_meaningful(t, (struct span){ from > page ? from : page, page + page_bytes });
	look_at_pending(t);
}

/* The lowest place in use of a mapping that is a thread's stack: what lies below is old. */
static uintptr_t lowest_in_use(void *arg, uintptr_t from, uintptr_t to)
{
	struct tracer *t = arg;
	uintptr_t lowest = UINTPTR_MAX;

	for (struct thread *at = scheduler.threads; at; at = at->next) {
		uintptr_t sp = (uintptr_t)at->loop.sp;
		if (sp >= from && sp < to && rests(at))
			return sp;
	}
	for (size_t i = 0; i <= t->nhalted; i++) {
		uintptr_t sp = i < t->nhalted ? t->halted[i].sp : t->own_sp, frame = i < t->nhalted ? t->halted[i].frame : sp;
		if (sp < from || sp >= to)
			continue;
		uintptr_t low = frame >= from && frame < sp ? frame : lowest_of(t, sp);
		lowest = low < lowest ? low : lowest;
	}
	/* A thread that runs a fiber has left its own stack at its loop. */
	for (struct thread *at = scheduler.threads; at && lowest == UINTPTR_MAX; at = at->next) {
		uintptr_t sp = (uintptr_t)at->loop.sp;
		if (sp >= from && sp < to && at->running)
			lowest = sp;
	}
	return lowest == UINTPTR_MAX || lowest < from ? from : lowest;
}

static void note_tables(struct tracer *t)
{
	for (int size = 0; size < FIBER_STACK_SIZES; size++) {
		uint32_t n = fiber_used((enum rt_stack)size);
		if (n == 0)
			continue;
		struct fiber *first = fiber_at((enum rt_stack)size, 0);
		uintptr_t low = (uintptr_t)fiber_stack_low(first);
		t->stacks[size] = (struct span){ low, low + n * fiber_stack_bytes((enum rt_stack)size) };
		t->structs[size] = (struct span){ (uintptr_t)first, (uintptr_t)(first + n) };
	}
}

__attribute__((noinline)) int trace_standing(int (*function)(void *arg, uintptr_t sp), void *arg)
{
	uintptr_t sp;
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	/* What this thread holds in registers goes to this frame, which stays during the call. */
	__builtin_unwind_init();
#if defined __x86_64__
	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
#else
	__asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
	int r = function(arg, sp);
	pthread_setcancelstate(cancel, NULL);
	__asm__ volatile("" : : : "memory");
	return r;
}

int trace_from_roots(struct tracer *t, const struct halted *halted, size_t n)
{
	t->halted = halted;
	t->nhalted = n;
	note_tables(t);
	push_fibers(t);
	look_at_pending(t);
	int r = mappings_walk(page_of_roots, lowest_in_use, t);
	return r < 0 ? r : t->error;
}
