#include "dig/fiber/fiber_walk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"

#define SHAPES_MAX 65536 /* more come of programs that mean no good */
#define TRIED 16 /* shapes of one first pc and one size that are compared: others are walked */

/* Words follow each other in `word`; 0 is none of the shapes. */
struct shape {
	uint64_t pc;
	size_t bytes; /* of the stack, in use */
	uint32_t first, nwords;
	uint32_t stack;
	uint32_t next; /* of the same pc and size, + 1 */
};

struct fiber_walks {
	struct address_space *a;
	const struct inspect_root *is;
	struct fiber_list *list;
	VEC(struct shape) shape;
	VEC(struct shape_word {
		uint64_t value; /* of one that points: from the stack pointer on */
		uint32_t at;	/* behind the stack pointer */
		bool points;
	}) word;
	struct map shape_of; /* by pc and size: the one that fitted last */
	struct map by_hash;  /* of stacks: the last with that hash */
	VEC(uint32_t) next;  /* beside list->stack: another one of the same hash, + 1 */
	struct unwind_trace trace;
};

struct fiber_walks *fiber_walks_new(struct address_space *a, struct fiber_list *list)
{
	struct fiber_walks *w = calloc(1, sizeof *w);

	if (w)
		*w = (struct fiber_walks){ .a = a, .is = &list->root->is, .list = list };
	return w;
}

void fiber_walks_free(struct fiber_walks *w)
{
	if (!w)
		return;
	vec_free(&w->shape);
	vec_free(&w->word);
	vec_free(&w->next);
	map_deinit(&w->shape_of);
	map_deinit(&w->by_hash);
	free(w);
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
	hash = (hash ^ more) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static uint64_t key_of(uint64_t hash)
{
	return hash ? hash : 1;
}

/* ---- each once ---- */

static bool stack_equals(const struct fiber_list *l, const struct fiber_stack *s, const struct unwind_frame *frames, size_t n,
			 enum unwind_end end)
{
	if (s->nframes != n || s->end != end)
		return false;
	for (size_t i = 0; i < n; i++)
		if (l->frame.v[s->first + i].pc != frames[i].pc)
			return false;
	return true;
}

static int keep_once(struct fiber_walks *w, const struct unwind_frame *frames, size_t n, enum unwind_end end, uint32_t *ret)
{
	uint64_t hash = end + 1;

	for (size_t i = 0; i < n; i++)
		hash = mix(hash, frames[i].pc);
	hash = key_of(hash);
	uint32_t last = map_get(&w->by_hash, hash);
	for (uint32_t i = last; i != MAP_NONE; i = w->next.v[i] ? w->next.v[i] - 1 : MAP_NONE)
		if (stack_equals(w->list, &w->list->stack.v[i], frames, n, end)) {
			*ret = i;
			return 0;
		}
	uint32_t *next = vec_push(&w->next);
	if (!next || fiber_stack_keep(w->list, frames, n, end, ret) < 0)
		return -ENOMEM;
	*next = last == MAP_NONE ? 0 : last + 1;
	return map_set(&w->by_hash, hash, *ret);
}

/* ---- shapes ---- */

static uint64_t word_at(const struct copied_stack *stack, uint64_t at)
{
	uint64_t word;

	memcpy(&word, stack->bytes + at, sizeof word);
	return word;
}

static bool fits(const struct fiber_walks *w, const struct shape *s, uint64_t pc, const struct copied_stack *stack)
{
	const struct shape_word *word = w->word.v + s->first;

	if (s->pc != pc || s->bytes != stack->end - stack->sp)
		return false;
	for (uint32_t i = 0; i < s->nwords; i++)
		if (word_at(stack, word[i].at) - (word[i].points ? stack->sp : 0) != word[i].value)
			return false;
	return true;
}

static uint64_t shape_key(uint64_t pc, const struct copied_stack *stack)
{
	return key_of(mix(pc, stack->end - stack->sp));
}

/* Its stack, or FIBER_NO_STACK. */
static uint32_t find_shape(const struct fiber_walks *w, uint64_t pc, const struct copied_stack *stack)
{
	uint32_t i = map_get(&w->shape_of, shape_key(pc, stack));

	for (unsigned tried = 0; i != MAP_NONE && tried < TRIED; tried++) {
		const struct shape *s = &w->shape.v[i];
		if (fits(w, s, pc, stack))
			return s->stack;
		i = s->next ? s->next - 1 : MAP_NONE;
	}
	return FIBER_NO_STACK;
}

/* Words must lie in what is copied: to look for others costs more than it saves. */
static bool can_be_shape(const struct fiber_walks *w, const struct copied_stack *stack)
{
	const struct unwind_trace *t = &w->trace;

	for (size_t i = 0; i < t->n; i++)
		if (t->word[i].address < stack->sp || stack->n < 8 || t->word[i].address - stack->sp > stack->n - 8)
			return false;
	return t->whole;
}

static int keep_shape(struct fiber_walks *w, uint64_t pc, const struct copied_stack *stack, uint32_t of)
{
	uint64_t key = shape_key(pc, stack);
	uint32_t last = map_get(&w->shape_of, key);
	struct shape *s;

	if (w->shape.n >= SHAPES_MAX || !can_be_shape(w, stack))
		return 0;
	if (vec_reserve(&w->word, w->trace.n) < 0 || !(s = vec_push(&w->shape)))
		return -ENOMEM;
	*s = (struct shape){ pc, stack->end - stack->sp, (uint32_t)w->word.n, (uint32_t)w->trace.n, of,
			     last == MAP_NONE ? 0 : last + 1 };
	for (size_t i = 0; i < w->trace.n; i++) {
		uint64_t at = w->trace.word[i].address - stack->sp;
		bool points = w->trace.word[i].points;
		w->word.v[w->word.n++] = (struct shape_word){ word_at(stack, at) - (points ? stack->sp : 0), (uint32_t)at, points };
	}
	return map_set(&w->shape_of, key, (uint32_t)(w->shape.n - 1));
}

/* ---- a walk ---- */

/* It stands where the switch away from it has put its registers. */
static void saved_registers(struct fiber_walks *w, struct copied_stack *stack, uint64_t pc, struct unwind_registers *ret)
{
	uint64_t word;

	memset(w->trace.read_at, 0, sizeof w->trace.read_at);
	*ret = (struct unwind_registers){ .known = 1u << UNWIND_RSP | 1u << UNWIND_RIP };
	for (uint32_t i = 0; i < w->is->registers; i++) {
		unsigned number = w->is->saved[i].number;
		if (number >= UNWIND_REGISTERS || copied_stack_read(stack, stack->sp + w->is->saved[i].at, &word, 8) < 0)
			continue;
		ret->value[number] = word;
		ret->known |= 1u << number;
		w->trace.read_at[number] = stack->sp + w->is->saved[i].at;
	}
	ret->value[UNWIND_RIP] = pc;
	ret->value[UNWIND_RSP] = stack->sp + w->is->context_bytes;
}

int fiber_walk(struct fiber_walks *w, struct copied_stack *stack, uint32_t *ret)
{
	struct unwind_memory memory = { copied_stack_read, stack };
	struct unwind_frame frames[FIBER_FRAMES_MAX];
	struct unwind_registers from;
	enum unwind_end end;
	uint64_t pc;

	*ret = FIBER_NO_STACK;
	/* gdb's gcore writes zeros from the first guard on that it meets. */
	if (copied_stack_read(stack, stack->sp + w->is->pc_at, &pc, 8) < 0 || pc == 0)
		return 0;
	*ret = find_shape(w, pc, stack);
	if (*ret != FIBER_NO_STACK)
		return 0;
	saved_registers(w, stack, pc, &from);
	size_t n = unwind_walk_traced(w->a, &from, &memory, frames, FIBER_FRAMES_MAX, &end, &w->trace);
	/* What was saved is where the switch returns to. */
	frames[0].exact = false;
	int rc = keep_once(w, frames, n, end, ret);
	return rc == 0 && end == UNWIND_OUTERMOST ? keep_shape(w, pc, stack, *ret) : rc;
}
