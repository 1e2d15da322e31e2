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
	ssize_t got = target_memory_read_front(t->tid, end, bytes + t->nbytes, MORE_BYTES);
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

	while (address >= sp && address - sp < t->nbytes + MORE_BYTES &&
	       (t->nbytes < n || address - sp > t->nbytes - n))
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

/* ---- frame pointers that were not told ---- */

/* /proc tells stack pointer and pc alone. Where a function reckons from rbp, and none below it has saved rbp,
 * the frame's place is searched for: two words on the stack that look like a saved rbp (it points further up)
 * and a return address (it stands behind a call). */
#define SEARCH_BYTES 8192
#define TRIES 32

static bool follows_call(struct reader *r, uint64_t pc)
{
	struct place place;
	unsigned char code[7];

	if (!address_space_find(r->stacks->space, pc, &place) || !(place.mapping->flags & MAPPING_EXECUTE) ||
	    process_stacks_read(r->stacks, pc - sizeof code, code, sizeof code) < 0)
		return false;
	if (code[2] == 0xe8) /* call relative */
		return true;
	/* call through a register or memory: ff /2, with 2 to 7 bytes */
	for (size_t at = 0; at <= 5; at++)
		if (code[at] == 0xff && (code[at + 1] >> 3 & 7) == 2)
			return true;
	return false;
}

static bool looks_like_frame(struct reader *r, uint64_t address)
{
	uint64_t words[2];
	const struct thread_stack *t = r->thread;

	if (read_memory(r, address, words, sizeof words) < 0)
		return false;
	return words[0] > address && words[0] - t->registers.value[UNWIND_RSP] < STACK_BYTES_MAX && words[0] % 8 == 0 &&
	       follows_call(r, words[1]);
}

static size_t walk(struct reader *r, const struct unwind_registers *from, struct unwind_frame *scratch,
		   enum unwind_end *end)
{
	struct unwind_memory memory = { read_memory, r };

	return unwind_walk(r->stacks->space, from, &memory, scratch, STACK_FRAMES_MAX, end);
}

/* Walks once more with the first place that leads further; frames above it are guesses. */
static size_t walk_by_search(struct reader *r, struct unwind_frame *scratch, size_t n, enum unwind_end *end)
{
	struct unwind_registers from = r->thread->registers;
	uint64_t sp = scratch[n - 1].sp;
	unsigned tries = 0;

	for (uint64_t at = sp & ~7ull; at < sp + SEARCH_BYTES && tries < TRIES; at += 8) {
		if (!looks_like_frame(r, at))
			continue;
		from.value[UNWIND_RBP] = at;
		from.known |= 1u << UNWIND_RBP;
		tries++;
		size_t further = walk(r, &from, scratch, end);
		if (further <= n || *end == UNWIND_STUCK || *end == UNWIND_OUTSIDE)
			continue;
		for (size_t i = n; i < further; i++)
			scratch[i].guessed = true;
		return further;
	}
	return walk(r, &r->thread->registers, scratch, end);
}

static int unwind_thread(struct process_stacks *s, struct thread_stack *t, struct unwind_frame *scratch, bool *extended)
{
	struct reader reader = { s, t, false };

	if (t->way == STACK_NONE || !t->registers.known || !s->space)
		return 0;
	size_t n = walk(&reader, &t->registers, scratch, &t->end);
	if (t->end == UNWIND_NO_REGISTER && !(t->registers.known & 1u << UNWIND_RBP))
		n = walk_by_search(&reader, scratch, n, &t->end);
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
