#include "dig/fiber/fiber_list.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/order.h"
#include "dig/fiber/fiber_batches.h"
#include "dig/fiber/fiber_walk.h"

#define FIBERS_MAX (1u << 24)
#define ROOM_AT_ONCE (1u << 21) /* fibers: 176 MB, of which only what is filled is used */
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
	size_t first[FIBER_TABLES_MAX + 1]; /* beside the tables: their first rows; and behind the last */
	struct fiber_walks *walks;
	struct map names; /* by the address of the text */
	struct map thread_of; /* by the address of the fiber that is run or left */
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
		r->to->tables[r->to->ntables++] = t;
	}
}

/* What could not be known from the batch alone. */
static int take_row(struct reader *r, struct fiber_batch *b, size_t i)
{
	struct fiber_row *f = &b->row[i];

	if (take_name(r, b->name[i], &f->name) < 0)
		return -ENOMEM;
	if (f->standing == INSPECT_RUNNING) {
		uint32_t thread = map_get(&r->thread_of, f->address);
		f->thread = thread != MAP_NONE ? (int32_t)thread : -1;
	}
	if (b->stack[i] == FIBER_NO_STACK)
		return 0;
	struct copied_stack *stack = &b->stacks.stack.v[b->stack[i]];
	if (fiber_walk(r->walks, stack, &f->stack) < 0)
		return -ENOMEM;
	/* What lay too deep was read later than it was looked whether the fiber has moved. */
	if (stack->page_n && !fiber_batch_still(b, r->a, r->root, i))
		f->torn = true;
	return 0;
}

static int take_batch(struct reader *r, struct fiber_batch *b)
{
	struct fiber_list *l = r->to;

	r->done += b->n;
	l->gone += b->gone;
	l->unread += b->unread;
	if (b->unread)
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
	size_t table = 0;
	int rc;

	/* Counts need not be true: what goes beyond, grows as it fills. */
	size_t room = r->all < ROOM_AT_ONCE ? r->all : ROOM_AT_ONCE;
	if (r->a->pid > 0 && vec_reserve(&l->fiber, room) == 0)
		memory_will_fill(l->fiber.v, room * sizeof l->fiber.v[0]);
	rc = fiber_batches_new(r->a, r->root, l->tables, l->ntables, now, &batches);
	if (rc < 0)
		return rc;
	while ((rc = fiber_batches_next(batches, &b)) > 0) {
		while (b->table > &l->tables[table])
			r->first[++table] = l->fiber.n;
		rc = take_batch(r, b);
		if (rc < 0)
			break;
	}
	while (table < l->ntables)
		r->first[++table] = l->fiber.n;
	fiber_batches_free(batches);
	return rc;
}

/* ---- those on their way ---- */

static int by_address(const void *a, const void *b)
{
	const struct fiber_row *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* Before they are in the order of their ids, those of a table lie as they do there. */
static struct fiber_row *row_at(const struct reader *r, uint64_t address)
{
	struct fiber_row key = { .address = address }, *found = NULL;

	for (size_t i = 0; !found && address && i < r->to->ntables; i++) {
		size_t n = r->first[i + 1] - r->first[i];
		if (n)
			found = bsearch(&key, r->to->fiber.v + r->first[i], n, sizeof key, by_address);
	}
	return found;
}

/* A fiber that leaves its thread has a state that is true and a stack pointer that is not yet. */
static void mark_leaving(struct reader *r)
{
	vec_each(t, &r->to->threads) {
		uint64_t seen[] = { t->running, t->left, far_field(r, t->address, r->is->thread_running),
				    left_by(r, t->address) };
		for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
			struct fiber_row *f = row_at(r, seen[i]);
			if (f && f->standing != INSPECT_RUNNING)
				f->torn = true;
		}
	}
	vec_each(f, &r->to->fiber)
		r->to->torn += f->torn;
}

/* ---- in the order of their ids ---- */

/* Each row is moved once: round each circle of places. */
static void put_in_order(struct fiber_row *row, uint32_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (from[i] == i)
			continue;
		struct fiber_row first = row[i];
		size_t at = i;
		while (from[at] != i) {
			size_t next = from[at];
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
	size_t n = l->fiber.n ? l->fiber.n : 1;
	uint64_t *id = malloc(n * sizeof *id);
	uint32_t *from = malloc(n * sizeof *from);
	int rc = id && from ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < l->fiber.n; i++)
		id[i] = l->fiber.v[i].id;
	if (rc == 0)
		rc = order_of(id, l->fiber.n, from);
	free(id);
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
	if (!r->to->of_core)
		return (struct fiber_now){ (int64_t)clock_mono_ns() + r->wish->clock_ahead_ns, !r->wish->no_clock };
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
	mark_leaving(r);
	return order_by_id(r->to);
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
	map_deinit(&r.thread_of);
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

void fiber_stack_bounds(const struct fiber_list *l, const struct fiber_row *f, uint64_t *ret_low, uint64_t *ret_high)
{
	*ret_low = *ret_high = 0;
	for (size_t i = 0; i < l->ntables; i++) {
		const struct fiber_table *t = &l->tables[i];
		uint64_t at = (f->address - t->fibers) / l->root->is.fiber_stride;
		if (f->address < t->fibers || at >= t->used)
			continue;
		*ret_low = t->stacks + at * t->stack_bytes;
		*ret_high = *ret_low + t->stack_bytes;
		return;
	}
}
