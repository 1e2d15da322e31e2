#include "dig/fiber/fiber_list.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/huge_pages.h"
#include "base/order.h"
#include "dig/fiber/fiber_batches.h"
#include "dig/fiber/fiber_walk.h"

#define FIBERS_MAX (1u << 24)
#define ROOM_AT_ONCE (1u << 21) /* fibers: 100 MB, of which only what is filled is used */
#define THREADS_MAX 65536u
#define PROCESSORS_MAX 4096u
#define NAME_MAX_BYTES 64u
#define NAMES_BYTES_MAX (64u << 20)

/* What a reading needs on its way. */
struct reader {
	struct address_space *a;
	const struct fiber_root *root;
	const struct inspect_root *is;
	const struct fiber_list_wish *wish;
	struct fiber_list *to;
	struct fiber_table tables[FIBER_TABLES_MAX];
	size_t ntables;
	struct fiber_walks *walks;
	struct map names; /* by the address of the text */
	struct map origin_of; /* by hash: the last one */
	struct fiber_beside last; /* of `last_origin`: nearly always the next one is alike */
	VEC(struct known_origin {
		struct fiber_beside of;
		uint32_t next; /* of the same hash, + 1 */
	}) known; /* beside `origin` of the list */
	uint32_t last_origin;
	struct map thread_of; /* by the address of the fiber that is run */
	struct map leaving; /* addresses of fibers that were on their way off a thread at first */
	size_t done, all;
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
		if ((t->running && map_set(&r->thread_of, t->running, (uint32_t)n) < 0) ||
		    (t->running && map_set(&r->leaving, t->running, 1) < 0) || (t->left && map_set(&r->leaving, t->left, 1) < 0))
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

/* ---- fibers ---- */

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

static struct fiber_table read_table(const struct reader *r, uint32_t i)
{
	const struct inspect_root *is = r->is;
	char b[FIBER_STRUCT_MAX];
	size_t n = is->tables.stride;

	if (read_at(r, is->tables.address + (uint64_t)i * n, b, n) < 0)
		return (struct fiber_table){ 0 };
	return (struct fiber_table){ fiber_field(b, n, is->table_fibers), fiber_field(b, n, is->table_stacks),
				     fiber_field(b, n, is->table_stack_bytes), fiber_field(b, n, is->table_used) };
}

static void read_tables(struct reader *r)
{
	uint64_t room = FIBERS_MAX;

	for (uint32_t i = 0; i < r->is->tables.count; i++) {
		struct fiber_table t = read_table(r, i);
		t.used = t.fibers && t.used < room ? t.used : t.fibers ? room : 0;
		room -= t.used;
		r->all += t.used;
		r->tables[r->ntables++] = t;
	}
}

static bool alike(const struct fiber_beside *a, const struct fiber_beside *b)
{
	return a->creator == b->creator && a->function == b->function && a->created_at == b->created_at && a->name == b->name;
}

static int new_origin(struct reader *r, const struct fiber_beside *b, uint64_t hash, uint32_t last, uint32_t *ret)
{
	struct fiber_origin o = { b->creator, b->function, b->created_at, 0 }, *to;
	struct known_origin *known;

	if (take_name(r, b->name, &o.name) < 0 || !(to = vec_push(&r->to->origin)) || !(known = vec_push(&r->known)))
		return -ENOMEM;
	*to = o;
	*known = (struct known_origin){ *b, last == MAP_NONE ? 0 : last + 1 };
	*ret = (uint32_t)(r->to->origin.n - 1);
	return map_set(&r->origin_of, hash, *ret);
}

static int take_origin(struct reader *r, const struct fiber_beside *b, uint32_t *ret)
{
	uint64_t hash = b->creator;

	if (r->known.n && alike(b, &r->last)) {
		*ret = r->last_origin;
		return 0;
	}
	hash = (hash ^ b->function) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ b->created_at) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32 ^ b->name) * 0x9e3779b97f4a7c15ull;
	hash = hash ? hash : 1;
	uint32_t last = map_get(&r->origin_of, hash), i = last;
	while (i != MAP_NONE && !alike(b, &r->known.v[i].of))
		i = r->known.v[i].next ? r->known.v[i].next - 1 : MAP_NONE;
	if (i == MAP_NONE && new_origin(r, b, hash, last, &i) < 0)
		return -ENOMEM;
	r->last = *b;
	r->last_origin = *ret = i;
	return 0;
}

static int take_running(struct reader *r, const struct fiber_batch *b, size_t i)
{
	uint32_t thread = map_get(&r->thread_of, b->beside[i].address);
	uint64_t at = (b->beside[i].address - b->table->fibers) / r->is->fiber_stride;
	struct fiber_running *running;

	if (thread == MAP_NONE)
		return 0;
	running = vec_push(&r->to->running);
	if (!running)
		return -ENOMEM;
	*running = (struct fiber_running){ .id = b->row[i].id, .thread = thread,
					   .stack_low = b->table->stacks + at * b->table->stack_bytes };
	running->stack_high = running->stack_low + b->table->stack_bytes;
	return map_set(&r->to->running_of, running->id, (uint32_t)(r->to->running.n - 1));
}

static int take_stack(struct reader *r, struct fiber_batch *b, size_t i)
{
	struct copied_stack *stack;

	if (b->beside[i].stack == FIBER_NO_STACK)
		return 0;
	stack = &b->stacks.stack.v[b->beside[i].stack];
	if (fiber_walk(r->walks, stack, &b->row[i].stack) < 0)
		return -ENOMEM;
	/* What lay too deep was read later than it was looked whether the fiber has moved. */
	if (stack->page_n && !fiber_batch_still(b, r->a, r->root, i))
		b->row[i].torn = true;
	return 0;
}

/* What could not be known from the batch alone. */
static int take_row(struct reader *r, struct fiber_batch *b, size_t i)
{
	struct fiber_row *f = &b->row[i];

	if (take_origin(r, &b->beside[i], &f->origin) < 0 || take_stack(r, b, i) < 0)
		return -ENOMEM;
	if (f->standing != INSPECT_RUNNING && map_get(&r->leaving, b->beside[i].address) != MAP_NONE)
		f->torn = true;
	r->to->torn += f->torn;
	r->to->cold += f->cold;
	r->to->by_standing[f->standing]++;
	if (f->standing == INSPECT_PARKED && f->wait != FIBER_NO_WAIT)
		r->to->by_wait[f->wait]++;
	return f->standing == INSPECT_RUNNING ? take_running(r, b, i) : 0;
}

static int take_batch(struct reader *r, struct fiber_batch *b)
{
	struct fiber_list *l = r->to;

	r->done += b->n;
	l->gone += b->gone;
	l->unread += b->unread;
	if (b->nrows == 0)
		return 0;
	if (vec_reserve(&l->fiber, b->nrows) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < b->nrows; i++)
		if (take_row(r, b, i) < 0)
			return -ENOMEM;
	memcpy(l->fiber.v + l->fiber.n, b->row, b->nrows * sizeof b->row[0]);
	l->fiber.n += b->nrows;
	if (r->wish->progress)
		r->wish->progress(r->wish->arg, r->done, r->all);
	return 0;
}

static int read_fibers(struct reader *r, struct fiber_now now)
{
	struct fiber_list *l = r->to;
	struct fiber_batches *batches;
	struct fiber_batch *b;
	int rc;

	/* Counts need not be true: what goes beyond, grows as it fills. */
	size_t room = r->all < ROOM_AT_ONCE ? r->all : ROOM_AT_ONCE;
	if (r->a->pid > 0 && vec_reserve(&l->fiber, room) == 0)
		memory_will_fill(l->fiber.v, room * sizeof l->fiber.v[0]);
	rc = fiber_batches_new(r->a, r->root, r->tables, r->ntables, now, &batches);
	if (rc < 0)
		return rc;
	while ((rc = fiber_batches_next(batches, &b)) > 0) {
		rc = take_batch(r, b);
		if (rc < 0)
			break;
	}
	fiber_batches_free(batches);
	return rc;
}

/* A fiber that leaves its thread has a state that is true and a stack pointer that is not yet: those that did at first are marked already,
 * and now those that do by the end. */
static void mark_leaving(struct reader *r)
{
	vec_each(t, &r->to->threads) {
		uint64_t at[] = { far_field(r, t->address, r->is->thread_running), left_by(r, t->address) };
		for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
			uint64_t id = far_field(r, at[i], r->is->fiber_id);
			struct fiber_row *f = id ? (struct fiber_row *)(uintptr_t)fiber_by_id(r->to, id) : NULL;
			if (!f || f->standing == INSPECT_RUNNING || f->torn)
				continue;
			f->torn = true;
			r->to->torn++;
		}
	}
}

/* ---- in the order of their ids ---- */

#define AHEAD 8 /* rows that are fetched while others are moved: they lie anywhere */

/* Each row is moved once: round each circle of places. */
static void put_in_order(struct fiber_row *row, uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (from[i] == i)
			continue;
		struct fiber_row first = row[i];
		size_t at = i, ahead = i;
		for (unsigned k = 0; k < AHEAD; k++) {
			ahead = from[ahead];
			__builtin_prefetch(&row[ahead]);
		}
		while (from[at] != i) {
			size_t next = from[at];
			ahead = from[ahead];
			__builtin_prefetch(&row[ahead]);
			row[at] = row[next];
			from[at] = (uint32_t)at;
			at = next;
		}
		row[at] = first;
		from[at] = (uint32_t)at;
	}
}

static int order_by_id(struct fiber_list *l)
{
	uint32_t *from = malloc((l->fiber.n + 1) * sizeof *from);
	int rc = -ENOMEM;

	if (from && l->fiber.n)
		rc = order_of((struct order_keys){ &l->fiber.v[0].id, sizeof l->fiber.v[0] }, l->fiber.n, from);
	else if (from)
		rc = 0;
	if (rc == 0)
		put_in_order(l->fiber.v, from, l->fiber.n);
	free(from);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct fiber_row *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* ---- all of it ---- */

static struct fiber_now look_at_clock(const struct reader *r)
{
	uint64_t clock = 0;

	if (!r->is->clock)
		return (struct fiber_now){ 0 };
	r->to->own_clock = r->to->of_core || r->wish->no_clock;
	if (!r->to->own_clock)
		return (struct fiber_now){ (int64_t)clock_mono_ns() + r->wish->clock_ahead_ns, true };
	bool read = read_at(r, r->is->clock, &clock, 8) == 0;
	return (struct fiber_now){ (int64_t)clock, read };
}

static int read_all(struct reader *r)
{
	int rc;

	if (!r->walks || buf_append(&r->to->names, "", 1) < 0)
		return -ENOMEM;
	r->to->grain_ns = r->is->grain_ns;
	rc = read_threads(r);
	read_processors(r);
	read_tables(r);
	if (rc == 0)
		rc = read_fibers(r, look_at_clock(r));
	if (rc < 0)
		return rc;
	rc = order_by_id(r->to);
	if (rc == 0)
		mark_leaving(r);
	return rc;
}

int fiber_list_read(struct address_space *a, const struct fiber_root *root, const struct fiber_list_wish *wish,
		    struct fiber_list *ret)
{
	static const struct fiber_list_wish none = { 0 };
	struct fiber_list list = { .root = root, .of_core = a->pid == 0 };
	struct reader r = { .a = a, .root = root, .is = &root->is, .wish = wish ? wish : &none, .to = &list };
	int rc;

	r.walks = fiber_walks_new(a, &list);
	rc = read_all(&r);
	fiber_walks_free(r.walks);
	map_deinit(&r.names);
	map_deinit(&r.origin_of);
	vec_free(&r.known);
	map_deinit(&r.thread_of);
	map_deinit(&r.leaving);
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
	vec_free(&l->origin);
	vec_free(&l->running);
	map_deinit(&l->running_of);
	buf_deinit(&l->names);
}

/* ---- what a row says ---- */

const char *fiber_name(const struct fiber_list *l, const struct fiber_row *f)
{
	return l->names.data + l->origin.v[f->origin].name;
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

const struct fiber_running *fiber_running_of(const struct fiber_list *l, const struct fiber_row *f)
{
	uint32_t i = f->standing == INSPECT_RUNNING ? map_get(&l->running_of, f->id) : MAP_NONE;

	return i != MAP_NONE ? &l->running.v[i] : NULL;
}

const struct fiber_origin *fiber_origin_of(const struct fiber_list *l, const struct fiber_row *f)
{
	return &l->origin.v[f->origin];
}
