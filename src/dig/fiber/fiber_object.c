#include "dig/fiber/fiber_object.h"

#include <errno.h>

static uint64_t far_field(const struct address_space *a, uint64_t structure, struct inspect_field f)
{
	char bytes[8] = { 0 };

	if (!f.bytes || !a->read || a->read(a->arg, structure + f.offset, bytes, f.bytes) < 0)
		return 0;
	return fiber_field(bytes, sizeof bytes, (struct inspect_field){ 0, f.bytes });
}

/* Facts lie close together: they are read at once. */
#define FACTS_BYTES 512

struct extent {
	uint64_t from;
	size_t n; /* 0: there are none, or too far apart */
};

static struct extent extent_of(const struct inspect_wait *w, uint64_t address)
{
	uint32_t low = UINT32_MAX, high = 0;

	for (size_t i = 0; i < INSPECT_FACTS; i++) {
		const struct inspect_fact *f = &w->fact[i];
		if (!f->name[0])
			continue;
		low = f->field.offset < low ? f->field.offset : low;
		high = f->field.offset + f->field.bytes > high ? f->field.offset + f->field.bytes : high;
	}
	return (struct extent){ address + low, high > low && high - low <= FACTS_BYTES ? high - low : 0 };
}

static void take_facts(const struct inspect_wait *w, struct extent e, const char *bytes, struct fiber_object *o)
{
	for (size_t i = 0; i < INSPECT_FACTS; i++) {
		const struct inspect_fact *f = &w->fact[i];
		struct inspect_field in = { (uint32_t)(o->address + f->field.offset - e.from), f->field.bytes };
		if (f->name[0])
			o->fact[o->nfacts++] = (struct fiber_fact){ f->name, (enum inspect_role)f->role,
								    fiber_field(bytes, e.n, in) & f->mask };
	}
}

/* One by one, where they are far apart. */
static void read_far_facts(const struct address_space *a, const struct inspect_wait *w, struct fiber_object *o)
{
	for (size_t i = 0; i < INSPECT_FACTS; i++) {
		const struct inspect_fact *f = &w->fact[i];
		if (f->name[0])
			o->fact[o->nfacts++] = (struct fiber_fact){ f->name, (enum inspect_role)f->role,
								    far_field(a, o->address, f->field) & f->mask };
	}
}

static void read_facts(const struct address_space *a, const struct inspect_wait *w, struct fiber_object *o)
{
	struct extent e = extent_of(w, o->address);
	char bytes[FACTS_BYTES];

	if (!e.n)
		read_far_facts(a, w, o);
	else if (a->read && a->read(a->arg, e.from, bytes, e.n) == 0)
		take_facts(w, e, bytes, o);
}

static bool begin_object(const struct fiber_list *l, const struct fiber_row *f, struct fiber_object *ret)
{
	const struct inspect_wait *w = fiber_wait_of(l, f);

	*ret = (struct fiber_object){ 0 };
	if (!w || !f->object)
		return false;
	ret->what = w->object[0] ? w->object : "object";
	ret->address = f->object;
	return true;
}

bool fiber_object_read(const struct address_space *a, const struct fiber_list *l, const struct fiber_row *f,
		       struct fiber_object *ret)
{
	struct fiber_object o;

	if (!begin_object(l, f, &o))
		return false;
	read_facts(a, fiber_wait_of(l, f), &o);
	*ret = o;
	return true;
}

void fiber_objects_of(const struct address_space *a, const struct fiber_list *l, const size_t *fiber, size_t n,
		      struct fiber_object *ret)
{
	char bytes[FIBER_OBJECTS][FACTS_BYTES];
	struct memory_piece piece[FIBER_OBJECTS];
	size_t of[FIBER_OBJECTS], pieces = 0;

	for (size_t i = 0; i < n; i++) {
		const struct fiber_row *f = &l->fiber.v[fiber[i]];
		if (!begin_object(l, f, &ret[i]))
			continue;
		struct extent e = extent_of(fiber_wait_of(l, f), f->object);
		if (!e.n) {
			read_far_facts(a, fiber_wait_of(l, f), &ret[i]);
			continue;
		}
		piece[pieces] = (struct memory_piece){ e.from, bytes[pieces], e.n, false };
		of[pieces++] = i;
	}
	memory_pieces_read(a, piece, pieces);
	for (size_t k = 0; k < pieces; k++)
		if (piece[k].had)
			take_facts(fiber_wait_of(l, &l->fiber.v[fiber[of[k]]]),
				   (struct extent){ piece[k].address, piece[k].n }, piece[k].to, &ret[of[k]]);
}

static bool any_wanted(const struct fiber_list *l, bool (*wanted)(const struct inspect_wait *w))
{
	for (unsigned i = 0; i < l->root->nwaits; i++)
		if (l->by_wait[i] && wanted(&l->root->wait[i]))
			return true;
	return false;
}

int fiber_objects_read(const struct address_space *a, const struct fiber_list *l, bool (*wanted)(const struct inspect_wait *w),
		       int (*take)(void *arg, size_t i, const struct fiber_object *o), void *arg)
{
	struct fiber_object o[FIBER_OBJECTS];
	size_t at[FIBER_OBJECTS], i = 0;
	int rc = 0;

	while (rc >= 0 && i < l->fiber.n && any_wanted(l, wanted)) {
		size_t n = 0;
		for (; i < l->fiber.n && n < FIBER_OBJECTS; i++) {
			const struct inspect_wait *w = fiber_wait_of(l, &l->fiber.v[i]);
			if (w && l->fiber.v[i].object && wanted(w))
				at[n++] = i;
		}
		fiber_objects_of(a, l, at, n, o);
		for (size_t k = 0; rc >= 0 && k < n; k++)
			rc = take(arg, at[k], &o[k]);
	}
	return rc < 0 ? rc : 0;
}

size_t fiber_cases_read(const struct address_space *a, const struct fiber_list *l, const struct fiber_row *f,
			struct fiber_object *ret, size_t max, uint64_t *ret_all)
{
	const struct inspect_wait *w = fiber_wait_of(l, f);
	const struct inspect_root *is = &l->root->is;
	size_t n = 0;

	*ret_all = 0;
	if (!w || !w->cases || !f->object || is->channel_wait >= l->root->nwaits)
		return 0;
	const struct inspect_wait *channel = &l->root->wait[is->channel_wait];
	uint64_t at = far_field(a, f->object, is->selection_cases);
	*ret_all = far_field(a, f->object, is->selection_count);
	for (uint64_t i = 0; i < *ret_all && i < 2 * max && n < max; i++, at += is->case_stride) {
		struct fiber_object o = { .what = channel->object, .address = far_field(a, at, is->case_channel),
					  .sends = far_field(a, at, is->case_send) != 0 };
		if (!o.address)
			continue;
		read_facts(a, channel, &o);
		ret[n++] = o;
	}
	return n;
}

uint64_t fiber_waits_for(const struct fiber_object *o)
{
	for (unsigned i = 0; i < o->nfacts; i++)
		if (o->fact[i].role == INSPECT_FIBER)
			return o->fact[i].value;
	return 0;
}
