#include "dig/fiber/fiber_batch.h"

#include <errno.h>
#include <stdlib.h>

struct fiber_batch *fiber_batch_new(const struct fiber_root *root)
{
	struct fiber_batch *b = calloc(1, sizeof *b);
	size_t bytes = (size_t)FIBER_BATCH * root->is.fiber_stride;

	if (!b)
		return NULL;
	b->stacks.first = STACK_COPIED;
	b->before = malloc(bytes);
	b->after = malloc(bytes);
	if (!b->before || !b->after) {
		fiber_batch_free(b);
		return NULL;
	}
	return b;
}

void fiber_batch_free(struct fiber_batch *b)
{
	if (!b)
		return;
	copied_stacks_deinit(&b->stacks);
	free(b->before);
	free(b->after);
	free(b);
}

/* ---- a fiber ---- */

/* What tells whether it has run. */
struct moment {
	uint64_t id, sp, copy;
	uint32_t turns;
	uint8_t state;
};

static struct moment moment_of(const struct inspect_root *is, const char *b)
{
	size_t n = is->fiber_stride;

	return (struct moment){ fiber_field(b, n, is->fiber_id), fiber_field(b, n, is->fiber_sp),
				fiber_field(b, n, is->fiber_copy), (uint32_t)fiber_field(b, n, is->fiber_turns),
				(uint8_t)fiber_field(b, n, is->fiber_state) };
}

static bool same(struct moment a, struct moment b)
{
	return a.id == b.id && a.sp == b.sp && a.copy == b.copy && a.turns == b.turns && a.state == b.state;
}

static reading since(struct fiber_now now, uint64_t moment)
{
	if (!moment || !now.known)
		return READING_ABSENT;
	return (int64_t)moment < now.ns ? (uint64_t)now.ns - moment : 0;
}

/* False: no fiber stands there at present. */
static bool describe(const struct fiber_root *root, struct fiber_now now, const char *b, struct fiber_row *f)
{
	const struct inspect_root *is = &root->is;
	size_t n = is->fiber_stride;
	uint64_t state = fiber_field(b, n, is->fiber_state), id = fiber_field(b, n, is->fiber_id);

	if (!id || state >= root->nstates || root->state[state].standing == INSPECT_FREE)
		return false;
	uint64_t wait = fiber_field(b, n, is->fiber_wait);
	*f = (struct fiber_row){
		.id = id, .age_ns = since(now, fiber_field(b, n, is->fiber_born)),
		.state_ns = since(now, fiber_field(b, n, is->fiber_since)),
		.turns = (uint32_t)fiber_field(b, n, is->fiber_turns), .stack = FIBER_NO_STACK,
		.wait = wait < root->nwaits ? (uint8_t)wait : FIBER_NO_WAIT, .state = (uint8_t)state,
		.standing = (uint8_t)root->state[state].standing,
		.cancelled = fiber_field(b, n, is->fiber_cancelled) != 0, .cold = fiber_field(b, n, is->fiber_copy) != 0,
	};
	if (f->standing == INSPECT_PARKED)
		f->object = fiber_field(b, n, is->fiber_object);
	return true;
}

/* ---- a batch ---- */

/* Where its stack has no memory, since it waits for long, what was in use of it lies in a copy. */
static int want_stack(struct fiber_batch *b, const struct inspect_root *is, const struct fiber_row *f, const char *fiber, uint64_t i,
		      uint32_t *ret)
{
	uint64_t sp = fiber_field(fiber, is->fiber_stride, is->fiber_sp), copy = fiber_field(fiber, is->fiber_stride, is->fiber_copy);
	uint64_t bytes = fiber_field(fiber, is->fiber_stride, is->fiber_copy_bytes);
	uint64_t low = b->table->stacks + i * b->table->stack_bytes, high = low + b->table->stack_bytes;

	*ret = FIBER_NO_STACK;
	if (is->machine != EM_X86_64 || (f->standing != INSPECT_PARKED && f->standing != INSPECT_READY) || !f->turns || sp < low ||
	    sp >= high || high - sp < is->context_bytes)
		return 0;
	*ret = (uint32_t)b->stacks.stack.n;
	return copy ? copied_stacks_want_from(&b->stacks, sp, bytes < high - sp ? sp + bytes : high, copy) :
		      copied_stacks_want(&b->stacks, sp, high);
}

static int take_rows(struct fiber_batch *b, const struct fiber_root *root, struct fiber_now now)
{
	const struct inspect_root *is = &root->is;

	for (size_t i = 0; i < b->n; i++) {
		const char *bytes = b->before + i * is->fiber_stride;
		struct fiber_row *f = &b->row[b->nrows];

		if (!describe(root, now, bytes, f))
			continue;
		size_t n = is->fiber_stride;
		struct fiber_beside *beside = &b->beside[b->nrows];
		*beside = (struct fiber_beside){
			.address = b->table->fibers + (b->from + i) * n, .creator = fiber_field(bytes, n, is->fiber_creator),
			.function = fiber_field(bytes, n, is->fiber_function),
			.created_at = fiber_field(bytes, n, is->fiber_created_at), .name = fiber_field(bytes, n, is->fiber_name),
		};
		if (want_stack(b, is, f, bytes, b->from + i, &beside->stack) < 0)
			return -ENOMEM;
		b->nrows++;
	}
	return 0;
}

static struct moment moment_in(const struct fiber_batch *b, const struct inspect_root *is, const char *of, size_t row)
{
	return moment_of(is, of + (b->beside[row].address - b->table->fibers - b->from * is->fiber_stride));
}

/* Who has run meanwhile? */
static void look_again(struct fiber_batch *b, const struct fiber_root *root, bool had)
{
	const struct inspect_root *is = &root->is;
	size_t to = 0;

	for (size_t at = 0; at < b->nrows; at++) {
		struct fiber_row *f = &b->row[at];
		struct moment was = moment_in(b, is, b->before, at), now = had ? moment_in(b, is, b->after, at) : was;
		if (now.id != was.id || now.state >= root->nstates || root->state[now.state].standing == INSPECT_FREE) {
			b->gone++;
			continue;
		}
		f->torn = f->standing != INSPECT_RUNNING && (!had || !same(was, now));
		if (to != at) {
			b->row[to] = *f;
			b->beside[to] = b->beside[at];
		}
		to++;
	}
	b->nrows = to;
}

int fiber_batch_read(struct fiber_batch *b, const struct address_space *a, const struct fiber_root *root, struct fiber_now now)
{
	uint64_t address = b->table->fibers + b->from * root->is.fiber_stride;
	struct memory_piece first = { address, b->before, b->n * root->is.fiber_stride, false }, again = first;

	b->nrows = b->gone = b->unread = 0;
	copied_stacks_clear(&b->stacks);
	memory_pieces_read(a, &first, 1);
	if (!first.had) {
		b->unread = b->n;
		return 0;
	}
	int rc = take_rows(b, root, now);
	if (rc == 0)
		rc = copied_stacks_read(&b->stacks, a);
	if (rc < 0)
		return rc;
	again.to = b->after;
	memory_pieces_read(a, &again, 1);
	look_again(b, root, again.had);
	return 0;
}

bool fiber_batch_still(const struct fiber_batch *b, const struct address_space *a, const struct fiber_root *root, size_t row)
{
	const struct inspect_root *is = &root->is;
	char now[FIBER_STRUCT_MAX];
	struct memory_piece p = { b->beside[row].address, now, is->fiber_stride, false };

	memory_pieces_read(a, &p, 1);
	return p.had && same(moment_of(is, now), moment_in(b, is, b->before, row));
}
