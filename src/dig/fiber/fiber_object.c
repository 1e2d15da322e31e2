#include "dig/fiber/fiber_object.h"

#include <errno.h>

static uint64_t far_field(const struct address_space *a, uint64_t structure, struct inspect_field f)
{
	char bytes[8] = { 0 };

	if (!f.bytes || !a->read || a->read(a->arg, structure + f.offset, bytes, f.bytes) < 0)
		return 0;
	return fiber_field(bytes, sizeof bytes, (struct inspect_field){ 0, f.bytes });
}

static bool readable(const struct address_space *a, uint64_t address)
{
	char byte;

	return a->read && a->read(a->arg, address, &byte, 1) == 0;
}

static void read_facts(const struct address_space *a, const struct inspect_wait *w, struct fiber_object *o)
{
	for (size_t i = 0; i < INSPECT_FACTS && readable(a, o->address); i++) {
		const struct inspect_fact *f = &w->fact[i];
		if (f->name[0])
			o->fact[o->nfacts++] = (struct fiber_fact){ f->name, (enum inspect_role)f->role,
								    far_field(a, o->address, f->field) & f->mask };
	}
}

bool fiber_object_read(const struct address_space *a, const struct fiber_list *l, const struct fiber_row *f,
		       struct fiber_object *ret)
{
	const struct inspect_wait *w = fiber_wait_of(l, f);

	if (!w || !f->object)
		return false;
	*ret = (struct fiber_object){ .what = w->object[0] ? w->object : "object", .address = f->object };
	read_facts(a, w, ret);
	return true;
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
