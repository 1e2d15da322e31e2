/* Objects of the text: into structs, in their order or in two passes where one member says what another
 * is. */
#include "reflect/json_decoder.h"

#include <errno.h>

#include "reflect/clear.h"
#include "reflect/memory.h"
#include "reflect/value.h"

#define FIELDS 1024
/* What is called within a level, and goes no deeper: its variables are not to be in the frames of all
 * levels. */
#define OUTLINE __attribute__((noinline))

/* Elements of a flexible array, until the object that they belong to has its size. */
struct tail {
	void *p;
	uint64_t n;
	const struct rt_field *field;
};

/* One struct that is being filled. */
struct filling {
	const struct rt_type *type;
	char *object;
	struct tail *tail;		/* NULL: its memory is not its own */
	const struct place *at;
	bool defers;			/* a member of a union came before what says which */
	uint64_t seen[FIELDS / 64], waited[FIELDS / 64];	/* waited: came before what says which */
};

static const struct rt_field *key_find(const struct rt_type *t, const char *key, size_t n, uint32_t first)
{
	const struct rt_field *f = t->fields;

	/* Most texts have their keys in the order of the fields. */
	for (uint32_t i = first; i < t->count; i++)
		if (f[i].key_bytes == n && !(f[i].flags & (RT_FIELD_HIDDEN | RT_FIELD_OPAQUE)) && memcmp(f[i].key, key, n) == 0)
			return &f[i];
	for (uint32_t i = 0; i < first; i++)
		if (f[i].key_bytes == n && !(f[i].flags & (RT_FIELD_HIDDEN | RT_FIELD_OPAQUE)) && memcmp(f[i].key, key, n) == 0)
			return &f[i];
	return NULL;
}

/* Keys are at most 1000 bytes long. */
OUTLINE static const struct rt_field *field_escaped(const struct rt_type *t, const struct json_string *key, uint32_t first)
{
	char room[1024];

	if (key->bytes > sizeof room)
		return NULL;
	json_string_resolve(key, room);
	return key_find(t, room, key->bytes, first);
}

static const struct rt_field *field_of(const struct rt_type *t, const struct json_string *key, uint32_t first)
{
	return key->escapes ? field_escaped(t, key, first) : key_find(t, key->p, key->n, first);
}

static bool is_seen(const struct filling *o, uint32_t i)
{
	return o->seen[i / 64] >> i % 64 & 1;
}

static void see(struct filling *o, uint32_t i)
{
	o->seen[i / 64] |= UINT64_C(1) << i % 64;
}

static int count_set(struct decoder *d, struct filling *o, const struct rt_field *f, uint64_t n, const struct place *at)
{
	const struct rt_field *c = &o->type->fields[f->count];

	if (!value_fits(c->type, c->bits, false, n))
		return json_problem(&d->t, -ERANGE, d->t.p, at, "%ju elements are more than %s can count", (uintmax_t)n, c->name);
	value_field_set(c, o->object, (int64_t)n);
	return 0;
}

static int list_field(struct decoder *d, struct filling *o, const struct rt_field *f, const struct place *at, struct scratch *lists)
{
	uint64_t n = 0;
	void *p = NULL;
	int r = decode_list(d, f->type, f, at, lists, &p, &n);

	if (r < 0)
		return r;
	if (f->type->kind == RT_KIND_TAIL)
		r = o->tail ? 0 : json_problem(&d->t, -ENOTSUP, d->t.p, at, "a flexible array has no memory here");
	if (r == 0)
		r = count_set(d, o, f, n, at);
	if (r < 0) {
		clear_elements(f->type->element, p, n, d->memory);
		memory_put(d->memory, p, n * f->type->element->size);
		return r;
	}
	if (f->type->kind == RT_KIND_TAIL) {
		/* Until the object has room for them it has none. */
		value_field_set(&o->type->fields[f->count], o->object, 0);
		*o->tail = (struct tail){ p, n, f };
	} else {
		value_pointer_set(o->object + f->offset, p);
	}
	return 0;
}

OUTLINE static int union_field(struct decoder *d, struct filling *o, const struct rt_field *f, const struct place *at, struct scratch *lists)
{
	const struct rt_field *there = value_told(o->type, f, o->object);
	struct json_string key;

	if (json_next(&d->t) != '{')
		return decoder_mismatch(d, at, "an object");
	int r = json_enter(&d->t, at);
	if (r < 0)
		return r;
	const char *from = (json_next(&d->t), d->t.p);
	if (from < d->t.end && *from == '}' && !there) {
		d->t.p++;
		json_leave(&d->t);
		return 0;
	}
	r = from < d->t.end && *from == '}' ? 0 : json_key(&d->t, at, &key);
	if (r < 0)
		return r;
	if (!there || *from == '}' || field_of(f->type, &key, 0) != there)
		return json_problem(&d->t, -EINVAL, from, at, "expected %s%s, for %s says so", there ? "the one key " : "no key",
				    there ? there->key : "", o->type->fields[f->by].key);
	struct place here = { at, there->key, there->key_bytes };
	r = decode_value(d, there->type, there, o->object + f->offset + there->offset, &here, lists);
	if (r == 0)
		r = json_more(&d->t, at, '}');
	json_leave(&d->t);
	return r == 1 ? json_problem(&d->t, -EINVAL, d->t.p, at, "more than one member of a union") : r;
}

static int null_field(struct decoder *d, struct filling *o, const struct rt_field *f, const struct place *at)
{
	const char *from = d->t.p;
	bool pointer = f->type->kind == RT_KIND_STRING || f->type->kind == RT_KIND_LIST || f->type->kind == RT_KIND_POINTER;
	int r = json_word(&d->t, at, "null");

	if (r < 0)
		return r;
	if (f->flags & RT_FIELD_REQUIRED || (!pointer && f->has < 0 && f->type->kind != RT_KIND_UNION))
		return json_problem(&d->t, -EINVAL, from, at, "null is no value for it");
	if (f->type->kind == RT_KIND_UNION && value_told(o->type, f, o->object))
		return json_problem(&d->t, -EINVAL, from, at, "null, but %s says that there is a value", o->type->fields[f->by].key);
	return 0;
}

static int field_value(struct decoder *d, struct filling *o, const struct rt_field *f, const struct place *at, struct scratch *lists)
{
	uint64_t n = 0;
	int r, c = json_next(&d->t);

	if (c == 'n' && !decoder_at_number(d, c))
		return null_field(d, o, f, at);
	switch (f->type->kind) {
	case RT_KIND_LIST:
	case RT_KIND_TAIL:
		r = list_field(d, o, f, at, lists);
		break;
	case RT_KIND_UNION:
		r = union_field(d, o, f, at, lists);
		break;
	case RT_KIND_ARRAY:
		r = decode_array(d, f->type, f, o->object + f->offset, at, lists, &n);
		if (r == 0 && f->count >= 0) {
			r = count_set(d, o, f, n, at);
			if (r < 0)
				clear_elements(f->type->element, o->object + f->offset, n, d->memory);
		}
		break;
	default:
		r = decode_value(d, f->type, f, o->object + f->offset, at, lists);
	}
	if (r == 0 && f->has >= 0)
		value_field_set(&o->type->fields[f->has], o->object, 1);
	return r;
}

static bool says_which(const struct rt_type *t, const struct rt_field *f)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->fields[i].by >= 0 && &t->fields[t->fields[i].by] == f)
			return true;
	return false;
}

/* As if it had not come. */
static void reset(struct decoder *d, struct filling *o, const struct rt_field *f)
{
	if (f->type->kind == RT_KIND_TAIL) {
		if (o->tail && o->tail->p) {
			clear_elements(f->type->element, o->tail->p, o->tail->n, d->memory);
			memory_put(d->memory, o->tail->p, o->tail->n * f->type->element->size);
			decoder_credit(d, o->tail->n * f->type->element->size);
			*o->tail = (struct tail){ 0 };
		}
		return;
	}
	clear_field(o->type, f, o->object, d->memory);
	if (f->bits)
		value_field_set(f, o->object, 0);
	else
		memset(o->object + f->offset, 0, f->type->size);
	if (f->count >= 0)
		value_field_set(&o->type->fields[f->count], o->object, 0);
	if (f->has >= 0)
		value_field_set(&o->type->fields[f->has], o->object, 0);
}

/* The key of a field that has a value already. */
static int again(struct decoder *d, struct filling *o, const struct rt_field *f, const char *from, const struct place *at)
{
	if (!(d->flags & RT_DECODE_LAST) || says_which(o->type, f))
		return json_problem(&d->t, -EINVAL, from, at, "the key comes twice");
	reset(d, o, f);
	return 0;
}

static bool is_conditional(const struct rt_field *f)
{
	return f->by >= 0 && (f->flags & RT_FIELD_PICKED || f->type->kind == RT_KIND_UNION);
}

static int conditional(struct decoder *d, struct filling *o, const struct rt_field *f, const char *from, const struct place *at)
{
	if (!(f->flags & RT_FIELD_PICKED) || value_field(&o->type->fields[f->by], o->object) == f->pick)
		return 0;
	return json_problem(&d->t, -EINVAL, from, at, "it does not belong there, for %s says so", o->type->fields[f->by].key);
}

/* What depends on a member that has not come yet is read in a second pass, with all that may depend on
 * one. */
static int member(struct decoder *d, struct filling *o, const struct rt_field *f, bool second, const char *from, const struct place *at,
		  struct scratch *lists)
{
	uint32_t i = (uint32_t)(f - o->type->fields);
	bool waits = is_conditional(f) && !second && !is_seen(o, (uint32_t)f->by);

	o->defers |= waits;
	if (waits)
		o->waited[i / 64] |= UINT64_C(1) << i % 64;
	if (waits || (second && !(o->waited[i / 64] >> i % 64 & 1)))
		return json_skip(&d->t, at);
	int r = is_seen(o, i) ? again(d, o, f, from, at) : 0;
	see(o, i);
	if (r == 0)
		r = conditional(d, o, f, from, at);
	return r < 0 ? r : field_value(d, o, f, at, lists);
}

static int members(struct decoder *d, struct filling *o, bool second, struct scratch *lists)
{
	uint32_t next = 0;
	int r;

	do {
		struct json_string key;
		const char *from = (json_next(&d->t), d->t.p);
		r = json_key(&d->t, o->at, &key);
		if (r < 0)
			return r;
		struct place here = { o->at, key.p, key.n };
		const struct rt_field *f = field_of(o->type, &key, next);
		if (f) {
			next = (uint32_t)(f - o->type->fields) + 1;
			r = member(d, o, f, second, from, &here, lists);
		} else if (d->flags & RT_DECODE_UNKNOWN) {
			r = json_skip(&d->t, &here);
		} else {
			r = json_problem(&d->t, -EINVAL, from, &here, "no such key");
		}
		if (r == 0)
			r = json_more(&d->t, o->at, '}');
	} while (r == 1);
	return r;
}

OUTLINE static int initial(struct decoder *d, struct filling *o, const struct rt_field *f)
{
	char *to = o->object + f->offset;
	float s = (float)f->initial.d;

	switch (f->type->kind) {
	case RT_KIND_FLOAT:
		memcpy(to, f->type->size == 8 ? (const void *)&f->initial.d : &s, f->type->size);
		return 0;
	case RT_KIND_TEXT:
		memcpy(to, f->initial.s, strlen(f->initial.s) + 1);
		return 0;
	case RT_KIND_STRING: {
		struct place here = { o->at, f->key, f->key_bytes };
		size_t n = strlen(f->initial.s) + 1;
		char *p;
		int r = decoder_get(d, n, &here, &p);
		if (r == 0) {
			memcpy(p, f->initial.s, n);
			value_pointer_set(to, p);
		}
		return r;
	}
	default:
		value_field_set(f, o->object, f->initial.i);
		return 0;
	}
}

static bool is_picked(const struct filling *o, const struct rt_field *f)
{
	return !(f->flags & RT_FIELD_PICKED) || value_field(&o->type->fields[f->by], o->object) == f->pick;
}

/* What did not come. What says which member is there gets its initial value before those that depend on
 * it. */
static int absent(struct decoder *d, struct filling *o, bool conditionals, const char *from)
{
	for (uint32_t i = 0; i < o->type->count; i++) {
		const struct rt_field *f = &o->type->fields[i];
		if (!(f->flags & (RT_FIELD_INITIAL | RT_FIELD_REQUIRED)) || is_seen(o, i) || f->flags & (RT_FIELD_HIDDEN | RT_FIELD_OPAQUE) ||
		    is_conditional(f) != conditionals || !is_picked(o, f))
			continue;
		if (f->flags & RT_FIELD_REQUIRED) {
			struct place here = { o->at, f->key, f->key_bytes };
			return json_problem(&d->t, -EINVAL, from, &here, "it is required, and is not there");
		}
		int r = initial(d, o, f);
		if (r < 0)
			return r;
	}
	return 0;
}

static int members_again(struct decoder *d, struct filling *o, const char *first, struct scratch *lists)
{
	const char *end = d->t.p;

	for (uint32_t i = 0; i < o->type->count; i++) {
		if (!(o->waited[i / 64] >> i % 64 & 1) || !is_seen(o, i))
			continue;
		reset(d, o, &o->type->fields[i]);
		o->seen[i / 64] &= ~(UINT64_C(1) << i % 64);
	}
	d->t.p = first;
	int r = members(d, o, true, lists);
	if (r == 0)
		d->t.p = end;
	return r;
}

/* Into zeroed memory; on failure the caller clears it. */
static int fill(struct decoder *d, const struct rt_type *t, void *to, struct tail *tail, const struct place *at, struct scratch *lists)
{
	struct filling o = { .type = t, .object = to, .tail = tail, .at = at };
	int r, c = json_next(&d->t);
	const char *from = d->t.p;

	if (c != '{')
		return decoder_mismatch(d, at, "an object");
	if (t->count > FIELDS)
		return json_problem(&d->t, -ENOTSUP, from, at, "%s has more than %d members", t->name, FIELDS);
	r = json_enter(&d->t, at);
	if (r < 0)
		return r;
	const char *first = d->t.p;
	if (json_next(&d->t) == '}')
		d->t.p++;
	else
		r = members(d, &o, false, lists);
	if (r == 0)
		r = absent(d, &o, false, from);
	if (r == 0 && o.defers)
		r = members_again(d, &o, first, lists);
	if (r == 0)
		r = absent(d, &o, true, from);
	json_leave(&d->t);
	return r;
}

int decode_object(struct decoder *d, const struct rt_type *t, void *to, const struct place *at, struct scratch *lists)
{
	return fill(d, t, to, NULL, at, lists);
}

int decode_object_new(struct decoder *d, const struct rt_type *t, const struct place *at, struct scratch *lists, void **ret)
{
	struct tail tail = { 0 };
	void *p, *whole;
	int r = decoder_get(d, t->size, at, &p);

	if (r < 0)
		return r;
	memset(p, 0, t->size);
	r = t->kind == RT_KIND_STRUCT ? fill(d, t, p, &tail, at, lists) : decode_value(d, t, NULL, p, at, lists);
	size_t tail_bytes = tail.field ? tail.n * tail.field->type->element->size : 0;
	size_t bytes = tail.field ? tail.field->offset + tail_bytes : 0;
	if (r == 0 && bytes > t->size) {
		/* Of what it is made of, nothing is left. */
		decoder_credit(d, t->size + tail_bytes);
		r = decoder_get(d, bytes, at, &whole);
		if (r == 0) {
			memcpy(whole, p, t->size);
			memory_put(d->memory, p, t->size);
			p = whole;
		}
	}
	if (r < 0) {
		rt_clear(t, p, d->memory);
		memory_put(d->memory, p, t->size);
		if (tail.field)
			clear_elements(tail.field->type->element, tail.p, tail.n, d->memory);
	} else if (tail.n) {
		memcpy((char *)p + tail.field->offset, tail.p, tail.n * tail.field->type->element->size);
		value_field_set(&t->fields[tail.field->count], p, (int64_t)tail.n);
	}
	if (tail.p)
		memory_put(d->memory, tail.p, tail.n * tail.field->type->element->size);
	if (r == 0)
		*ret = p;
	return r;
}
