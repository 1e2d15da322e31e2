#include "dig/fiber/fiber_list.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "dig/image/memory_pieces.h"

#define BATCH 1024u /* fibers */
#define FIBERS_MAX (1u << 24)
#define THREADS_MAX 65536u
#define PROCESSORS_MAX 4096u
#define NAME_MAX_BYTES 64u
#define NAMES_BYTES_MAX (64u << 20)

/* What a reading needs on its way. */
struct reader {
	struct address_space *a;
	const struct fiber_root *root;
	const struct inspect_root *is;
	struct fiber_list *to;
	char *before, *after; /* a batch of fibers each */
	struct copied_stacks stacks;
	size_t *stack_of; /* beside the rows of a batch */
	struct map names; /* by the address of the text */
	struct map by_hash; /* of stacks: the last with that hash */
	VEC(uint32_t) next; /* beside `stack`: another one of the same hash, + 1 */
	struct map thread_of; /* by the address of the fiber that is run or left */
	int64_t now;
};

static int read_at(const struct reader *r, uint64_t address, void *to, size_t n)
{
	return r->a->read ? r->a->read(r->a->arg, address, to, n) : -EFAULT;
}

/* ---- threads and processors ---- */

/* A field of a structure somewhere in the target; 0 when it cannot be read. */
static uint64_t far_field(const struct reader *r, uint64_t structure, struct inspect_field f)
{
	char bytes[8] = { 0 };

	if (!f.bytes || !structure || read_at(r, structure + f.offset, bytes, f.bytes) < 0)
		return 0;
	return fiber_field(bytes, sizeof bytes, (struct inspect_field){ 0, f.bytes });
}

static void read_processors(struct reader *r)
{
	uint64_t n = far_field(r, r->is->scheduler, r->is->scheduler_nprocessors);
	uint64_t at = far_field(r, r->is->scheduler, r->is->scheduler_processors);
	char processor[FIBER_STRUCT_MAX];

	n = n < PROCESSORS_MAX ? n : PROCESSORS_MAX;
	for (uint64_t i = 0; at && i < n; i++, at += r->is->processor_stride) {
		if (read_at(r, at, processor, r->is->processor_stride) < 0)
			break;
		r->to->processors++;
		r->to->timers += fiber_field(processor, r->is->processor_stride, r->is->processor_timers);
		r->to->alive += fiber_field(processor, r->is->processor_stride, r->is->processor_alive);
	}
}

static uint64_t left_by(const struct reader *r, uint64_t thread)
{
	return far_field(r, thread, r->is->thread_leave) ? far_field(r, thread, r->is->thread_left) : 0;
}

static int read_threads(struct reader *r)
{
	const struct inspect_root *is = r->is;
	uint64_t at = far_field(r, is->scheduler, is->scheduler_threads);

	for (size_t n = 0; at && n < THREADS_MAX; n++, at = far_field(r, at, is->thread_next)) {
		struct fiber_thread *t = vec_push(&r->to->threads);
		if (!t)
			return -ENOMEM;
		uint64_t processor = far_field(r, at, is->thread_processor);
		*t = (struct fiber_thread){
			.address = at, .tid = (int)far_field(r, at, is->thread_tid),
			.running = far_field(r, at, is->thread_running), .left = left_by(r, at),
			.processor = processor ? (int)far_field(r, processor, is->processor_number) : -1,
			.blocked = far_field(r, at, is->thread_blocked) != 0,
		};
		if (t->running && map_set(&r->thread_of, t->running, (uint32_t)n) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- names ---- */

static int take_name(struct reader *r, uint64_t address, uint32_t *ret)
{
	char text[NAME_MAX_BYTES] = "";
	uint32_t known = address ? map_get(&r->names, address) : 0;

	if (known != MAP_NONE) {
		*ret = known;
		return 0;
	}
	/* It may end a mapping. */
	for (size_t n = sizeof text - 1; n > 0 && address_space_read(r->a, address, text, n) < 0; n /= 2)
		text[0] = '\0';
	text[sizeof text - 1] = '\0';
	size_t n = strlen(text) + 1;
	*ret = 0;
	if (n == 1 || r->to->names.n + n > NAMES_BYTES_MAX)
		return 0;
	*ret = (uint32_t)r->to->names.n;
	if (buf_append(&r->to->names, text, n) < 0)
		return -ENOMEM;
	return map_set(&r->names, address, *ret);
}

/* ---- stacks ---- */

int fiber_stack_keep(struct fiber_list *l, const struct unwind_frame *frames, size_t n, enum unwind_end end, uint32_t *ret)
{
	struct fiber_stack *s = vec_push(&l->stack);

	if (!s || vec_reserve(&l->frame, n) < 0)
		return -ENOMEM;
	*s = (struct fiber_stack){ (uint32_t)l->frame.n, (uint32_t)n, end };
	memcpy(l->frame.v + l->frame.n, frames, n * sizeof *frames);
	l->frame.n += n;
	*ret = (uint32_t)(l->stack.n - 1);
	return 0;
}

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

static int keep_once(struct reader *r, const struct unwind_frame *frames, size_t n, enum unwind_end end, uint32_t *ret)
{
	uint64_t hash = end + 1;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ frames[i].pc) * 0x9e3779b97f4a7c15ull;
	hash = hash ^ hash >> 32 ? hash ^ hash >> 32 : 1;
	uint32_t last = map_get(&r->by_hash, hash);
	for (uint32_t i = last; i != MAP_NONE; i = r->next.v[i] ? r->next.v[i] - 1 : MAP_NONE)
		if (stack_equals(r->to, &r->to->stack.v[i], frames, n, end)) {
			*ret = i;
			return 0;
		}
	uint32_t *next = vec_push(&r->next);
	if (!next || fiber_stack_keep(r->to, frames, n, end, ret) < 0)
		return -ENOMEM;
	*next = last == MAP_NONE ? 0 : last + 1;
	return map_set(&r->by_hash, hash, *ret);
}

/* It stands where the switch away from it has put its registers. */
static bool stands(const struct reader *r, struct copied_stack *stack, struct unwind_registers *ret)
{
	uint64_t word;

	*ret = (struct unwind_registers){ .known = 1u << UNWIND_RSP | 1u << UNWIND_RIP };
	for (uint32_t i = 0; i < r->is->registers; i++) {
		unsigned number = r->is->saved[i].number;
		if (number >= UNWIND_REGISTERS || copied_stack_read(stack, stack->sp + r->is->saved[i].at, &word, 8) < 0)
			continue;
		ret->value[number] = word;
		ret->known |= 1u << number;
	}
	/* gdb's gcore writes zeros from the first guard on that it meets. */
	if (copied_stack_read(stack, stack->sp + r->is->pc_at, &word, 8) < 0 || word == 0)
		return false;
	ret->value[UNWIND_RIP] = word;
	ret->value[UNWIND_RSP] = stack->sp + r->is->context_bytes;
	return true;
}

static int walk(struct reader *r, struct fiber_row *f, struct copied_stack *stack)
{
	struct unwind_memory memory = { copied_stack_read, stack };
	struct unwind_frame frames[FIBER_FRAMES_MAX];
	struct unwind_registers from;
	enum unwind_end end;

	if (!stands(r, stack, &from))
		return 0;
	size_t n = unwind_walk(r->a, &from, &memory, frames, FIBER_FRAMES_MAX, &end);
	/* What was saved is where the switch returns to. */
	frames[0].exact = false;
	return keep_once(r, frames, n, end, &f->stack);
}

/* ---- fibers ---- */

static reading since(const struct reader *r, uint64_t moment)
{
	if (!moment || !r->is->clock)
		return READING_ABSENT;
	return (int64_t)moment < r->now ? (uint64_t)r->now - moment : 0;
}

/* False: no fiber stands there at present. */
static bool describe(const struct reader *r, const char *b, struct fiber_row *f)
{
	const struct inspect_root *is = r->is;
	size_t n = is->fiber_stride;
	uint64_t state = fiber_field(b, n, is->fiber_state);

	*f = (struct fiber_row){
		.id = fiber_field(b, n, is->fiber_id), .creator = fiber_field(b, n, is->fiber_creator),
		.object = fiber_field(b, n, is->fiber_object), .function = fiber_field(b, n, is->fiber_function),
		.created_at = fiber_field(b, n, is->fiber_created_at), .sp = fiber_field(b, n, is->fiber_sp),
		.age_ns = since(r, fiber_field(b, n, is->fiber_born)), .state_ns = since(r, fiber_field(b, n, is->fiber_since)),
		.turns = (uint32_t)fiber_field(b, n, is->fiber_turns), .wait = (uint16_t)fiber_field(b, n, is->fiber_wait),
		.state = (uint8_t)state, .cancelled = fiber_field(b, n, is->fiber_cancelled) != 0,
		.stack = FIBER_NO_STACK, .thread = -1,
	};
	if (state >= r->root->nstates)
		return false;
	f->standing = (uint8_t)r->root->state[state].standing;
	if (f->standing != INSPECT_PARKED)
		f->object = 0;
	return f->id && f->standing != INSPECT_FREE;
}

static bool has_stack(const struct reader *r, const struct fiber_row *f)
{
	return r->is->machine == EM_X86_64 && (f->standing == INSPECT_PARKED || f->standing == INSPECT_READY) && f->turns &&
	       f->sp >= f->stack_low && f->sp < f->stack_high && f->stack_high - f->sp >= r->is->context_bytes;
}

/* Its address, and that of its stack, which lies at the same place of another array. */
struct table {
	uint64_t fibers, stacks, stack_bytes, used;
};

static struct table read_table(const struct reader *r, uint32_t i)
{
	const struct inspect_root *is = r->is;
	char b[FIBER_STRUCT_MAX];
	size_t n = is->tables.stride;

	if (read_at(r, is->tables.address + (uint64_t)i * n, b, n) < 0)
		return (struct table){ 0 };
	struct table t = { fiber_field(b, n, is->table_fibers), fiber_field(b, n, is->table_stacks),
			   fiber_field(b, n, is->table_stack_bytes), fiber_field(b, n, is->table_used) };
	t.used = t.used < FIBERS_MAX ? t.used : FIBERS_MAX;
	return t;
}

/* Rows of a batch, from `first` on in the list. */
static int take_rows(struct reader *r, const struct table *t, uint64_t from, size_t n)
{
	copied_stacks_clear(&r->stacks);
	for (size_t i = 0; i < n; i++) {
		const char *b = r->before + i * r->is->fiber_stride;
		struct fiber_row f;

		if (!describe(r, b, &f))
			continue;
		f.address = t->fibers + (from + i) * r->is->fiber_stride;
		f.stack_low = t->stacks + (from + i) * t->stack_bytes;
		f.stack_high = f.stack_low + t->stack_bytes;
		if (take_name(r, fiber_field(b, r->is->fiber_stride, r->is->fiber_name), &f.name) < 0)
			return -ENOMEM;
		uint32_t thread = map_get(&r->thread_of, f.address);
		if (f.standing == INSPECT_RUNNING && thread != MAP_NONE)
			f.thread = (int32_t)thread;
		r->stack_of[i] = SIZE_MAX;
		if (has_stack(r, &f)) {
			r->stack_of[i] = r->stacks.stack.n;
			if (copied_stacks_want(&r->stacks, f.sp, f.stack_high) < 0)
				return -ENOMEM;
		}
		struct fiber_row *row = vec_push(&r->to->fiber);
		if (!row)
			return -ENOMEM;
		*row = f;
	}
	return copied_stacks_read(&r->stacks, r->a);
}

static bool same(const struct fiber_row *a, const struct fiber_row *b)
{
	return a->turns == b->turns && a->state == b->state && a->sp == b->sp;
}

/* After the stacks were copied and walked: who has run meanwhile? */
static void look_again(struct reader *r, size_t first, size_t n, bool had)
{
	size_t to = first, at = first;

	for (size_t i = 0; i < n; i++) {
		struct fiber_row now;

		if (!describe(r, r->before + i * r->is->fiber_stride, &now))
			continue;
		struct fiber_row *row = &r->to->fiber.v[at++];
		bool there = had && describe(r, r->after + i * r->is->fiber_stride, &now);
		if (had && (!there || now.id != row->id)) {
			r->to->gone++;
			continue;
		}
		row->torn = row->standing != INSPECT_RUNNING && (!had || !same(row, &now));
		r->to->fiber.v[to++] = *row;
	}
	r->to->fiber.n = to;
}

static int read_batch(struct reader *r, const struct table *t, uint64_t from, size_t n)
{
	uint64_t address = t->fibers + from * r->is->fiber_stride;
	size_t bytes = n * r->is->fiber_stride, first = r->to->fiber.n, row = first;
	struct memory_piece again = { address, r->after, bytes, false };

	if (read_at(r, address, r->before, bytes) < 0) {
		r->to->unread += n;
		return 0;
	}
	int rc = take_rows(r, t, from, n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct fiber_row unused;
		if (!describe(r, r->before + i * r->is->fiber_stride, &unused))
			continue;
		if (r->stack_of[i] != SIZE_MAX)
			rc = walk(r, &r->to->fiber.v[row], &r->stacks.stack.v[r->stack_of[i]]);
		row++;
	}
	if (rc < 0)
		return rc;
	memory_pieces_read(r->a, &again, 1);
	look_again(r, first, n, again.had);
	return 0;
}

/* A fiber that leaves its thread has a state that is true and a stack pointer that is not yet. */
static int mark_leaving(struct reader *r)
{
	struct map leaving = { 0 };
	int rc = 0;

	vec_each(t, &r->to->threads) {
		uint64_t seen[] = { t->running, t->left, far_field(r, t->address, r->is->thread_running),
				    left_by(r, t->address) };
		for (size_t i = 0; rc == 0 && i < sizeof seen / sizeof *seen; i++)
			rc = seen[i] ? map_set(&leaving, seen[i], 1) : 0;
	}
	vec_each(f, &r->to->fiber) {
		if (f->standing != INSPECT_RUNNING && map_get(&leaving, f->address) != MAP_NONE)
			f->torn = true;
		r->to->torn += f->torn;
	}
	map_deinit(&leaving);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct fiber_row *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int read_all(struct reader *r)
{
	int rc = read_threads(r);

	read_processors(r);
	for (uint32_t i = 0; rc == 0 && i < r->is->tables.count; i++) {
		struct table t = read_table(r, i);
		uint64_t room = FIBERS_MAX - r->to->fiber.n;
		t.used = t.used < room ? t.used : room;
		for (uint64_t from = 0; rc == 0 && t.fibers && from < t.used; from += BATCH) {
			size_t before = r->to->unread;
			rc = read_batch(r, &t, from, t.used - from < BATCH ? t.used - from : BATCH);
			/* A count that is not true leads to nowhere, and on and on. */
			if (r->to->unread - before)
				break;
		}
	}
	if (rc == 0)
		rc = mark_leaving(r);
	if (rc == 0 && r->to->fiber.n)
		qsort(r->to->fiber.v, r->to->fiber.n, sizeof r->to->fiber.v[0], by_id);
	return rc;
}

static int set_up(struct reader *r)
{
	size_t bytes = (size_t)BATCH * r->is->fiber_stride;
	uint64_t clock = 0;

	r->before = malloc(bytes);
	r->after = malloc(bytes);
	r->stack_of = calloc(BATCH, sizeof *r->stack_of);
	if (!r->before || !r->after || !r->stack_of || buf_append(&r->to->names, "", 1) < 0)
		return -ENOMEM;
	if (r->is->clock && read_at(r, r->is->clock, &clock, 8) < 0)
		clock = 0;
	r->now = r->to->of_core ? (int64_t)clock : (int64_t)clock_mono_ns();
	r->to->grain_ns = r->is->grain_ns;
	return 0;
}

int fiber_list_read(struct address_space *a, const struct fiber_root *root, struct fiber_list *ret)
{
	struct fiber_list list = { .root = root, .of_core = a->pid == 0 };
	struct reader r = { .a = a, .root = root, .is = &root->is, .to = &list };
	int rc = set_up(&r);

	if (rc == 0)
		rc = read_all(&r);
	free(r.before);
	free(r.after);
	free(r.stack_of);
	copied_stacks_deinit(&r.stacks);
	map_deinit(&r.names);
	map_deinit(&r.by_hash);
	map_deinit(&r.thread_of);
	vec_free(&r.next);
	if (rc < 0) {
		fiber_list_deinit(&list);
		return rc;
	}
	*ret = list;
	return 0;
}

void fiber_list_deinit(struct fiber_list *l)
{
	vec_free(&l->fiber);
	vec_free(&l->stack);
	vec_free(&l->frame);
	vec_free(&l->threads);
	buf_deinit(&l->names);
}

/* ---- what a row says ---- */

const char *fiber_name(const struct fiber_list *l, const struct fiber_row *f)
{
	return f->name < l->names.n ? l->names.data + f->name : "";
}

const char *fiber_state_words(const struct fiber_list *l, const struct fiber_row *f)
{
	return f->state < l->root->nstates ? l->root->state[f->state].name : "?";
}

const struct inspect_wait *fiber_wait_of(const struct fiber_list *l, const struct fiber_row *f)
{
	return f->standing == INSPECT_PARKED && f->wait < l->root->nwaits ? &l->root->wait[f->wait] : NULL;
}

const struct fiber_row *fiber_by_id(const struct fiber_list *l, uint64_t id)
{
	struct fiber_row key = { .id = id };

	return l->fiber.n ? bsearch(&key, l->fiber.v, l->fiber.n, sizeof key, by_id) : NULL;
}
