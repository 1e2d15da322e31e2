#include "dig/stack/stack_unwind.h"

#include <errno.h>
#include <stdlib.h>

#include "dig/image/target_memory.h"
#include "dig/stack/thread_grab.h"

#define MORE_BYTES (64u << 10)
#define STACK_BYTES_MAX (64u << 20)

struct reader {
	struct process_stacks *stacks;
	struct thread_stack *thread;
	bool extended; /* something was read after the copy was made */
};

/* Lets the copy grow by what is there now. False: nothing is. */
static bool extend(struct reader *r)
{
	struct thread_stack *t = r->thread;
	uint64_t end = t->registers.value[UNWIND_RSP] + t->nbytes;

	if (r->stacks->pid == 0 || t->nbytes >= STACK_BYTES_MAX)
		return false;
	char *bytes = realloc(t->bytes, t->nbytes + MORE_BYTES);
	if (!bytes)
		return false;
	t->bytes = bytes;
	ssize_t got = target_memory_read_front(t->pid, end, bytes + t->nbytes, MORE_BYTES);
	if (got <= 0)
		return false;
	t->nbytes += (size_t)got;
	r->extended = true;
	return true;
}

/* Most reads are of the stack, upwards; CFA rules of coroutines and the like go elsewhere. */
static int read_memory(void *arg, uint64_t address, void *to, size_t n)
{
	struct reader *r = arg;
	struct thread_stack *t = r->thread;
	uint64_t sp = t->registers.value[UNWIND_RSP];

	while (address >= sp && address - sp < t->nbytes + MORE_BYTES && (t->nbytes < n || address - sp > t->nbytes - n))
		if (!extend(r))
			break;
	if (address >= sp && n <= t->nbytes && address - sp <= t->nbytes - n) {
		memcpy(to, t->bytes + (address - sp), n);
		return 0;
	}
	if (r->stacks->pid)
		r->extended = true;
	return process_stacks_read(r->stacks, address, to, n) < 0 ? -EFAULT : 0;
}

static int unwind_thread(struct process_stacks *s, struct thread_stack *t, struct unwind_frame *scratch, bool *extended)
{
	struct reader reader = { s, t, false };
	struct unwind_memory memory = { read_memory, &reader };

	if (t->way == STACK_NONE || !t->registers.known || !s->space)
		return 0;
	size_t n = unwind_walk(s->space, &t->registers, &memory, scratch, STACK_FRAMES_MAX, &t->end);
	t->frames = malloc(n * sizeof *t->frames);
	if (!t->frames)
		return -ENOMEM;
	memcpy(t->frames, scratch, n * sizeof *t->frames);
	t->nframes = n;
	*extended = reader.extended;
	return 0;
}

static struct thread_stack *find_thread(struct process_stacks *s, int tid)
{
	vec_each(t, &s->threads)
		if (t->tid == tid)
			return t;
	return NULL;
}

/* Threads come in about the order that they are kept in, so the search is short. */
static int compare_switches(void *arg, const struct grab_record *r, struct span stack)
{
	struct thread_stack *t = find_thread(arg, r->tid);

	(void)stack;
	if (t && t->way == STACK_BPF && (t->switches != r->switches || r->flags & GRAB_ON_CPU))
		t->torn = true;
	return 0;
}

static void mark_torn(struct process_stacks *s)
{
	struct thread_grab_wish none = { s->pid, 0, 0 };

	if (s->grab && thread_grab_each(s->grab, &none, compare_switches, s) < 0)
		return; /* it has ended: what we have is the last there was */
}

int stacks_unwind(struct process_stacks *s)
{
	struct unwind_frame *scratch = calloc(STACK_FRAMES_MAX, sizeof *scratch);
	bool any = false;
	int r = scratch ? 0 : -ENOMEM;

	vec_each(t, &s->threads) {
		bool extended = false;
		if (r < 0)
			break;
		r = unwind_thread(s, t, scratch, &extended);
		/* Of one that runs, or was let go again, what came later is of another moment. */
		if (extended && (t->way == STACK_PERF || t->way == STACK_PTRACE))
			t->torn = true;
		any |= extended && t->way == STACK_BPF;
	}
	free(scratch);
	if (r >= 0 && any)
		mark_torn(s);
	return r;
}
