#include "reflect/json_decode.h"

#include <errno.h>
#include <math.h>

#include "reflect/clear.h"
#include "reflect/json_text.h"
#include "reflect/memory.h"
#include "reflect/number_text.h"
#include "reflect/value.h"

#define FIELDS 1024
/* What is called within a level, and goes no deeper: its variables are not to be in the frames of all levels. */
#define OUTLINE __attribute__((noinline))
#define TEXT_BYTES ((size_t)1 << 30)

/* Where the elements of the list that is being read are: one for each level of lists, used again by the next list there. */
struct scratch {
	struct scratch *deeper;
	char *p;
	size_t bytes;
};

struct decoder {
	struct json_text t;
	unsigned flags;
	size_t budget;
	const struct rt_memory *memory;
	struct scratch lists;
};

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
	uint64_t seen[FIELDS / 64];
};

static int value(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at,
		 struct scratch *lists);
static int object_new(struct decoder *d, const struct rt_type *t, const struct place *at, struct scratch *lists, void **ret);

static int get(struct decoder *d, size_t bytes, const struct place *at, void *ret)
{
	if (bytes > d->budget)
		return json_problem(&d->t, -EMSGSIZE, d->t.p, at, "the result takes more memory than allowed");
	void *p = memory_get(d->memory, bytes);
	if (!p)
		return json_problem(&d->t, -ENOMEM, d->t.p, at, "no memory for %zu bytes", bytes);
	d->budget -= bytes;
	memcpy(ret, &p, sizeof p);
	return 0;
}

OUTLINE static int mismatch(struct decoder *d, const struct place *at, const char *wanted)
{
	int c = json_next(&d->t);
	const char *from = d->t.p;
	int r = json_skip(&d->t, at);	/* what is no JSON at all is told as that */

	return r < 0 ? r : json_problem(&d->t, -EINVAL, from, at, "expected %s, got %s", wanted, json_kind(c));
}

/* Bounds of a length, in bytes of a string or elements. */
static int length_check(struct decoder *d, const struct rt_field *f, uint64_t n, const char *from, const struct place *at)
{
	if (f && f->flags & RT_FIELD_MIN && n < f->min.u)
		return json_problem(&d->t, -ERANGE, from, at, "a length of %ju is below %ju", (uintmax_t)n, (uintmax_t)f->min.u);
	if (f && f->flags & RT_FIELD_MAX && n > f->max.u)
		return json_problem(&d->t, -ERANGE, from, at, "a length of %ju is above %ju", (uintmax_t)n, (uintmax_t)f->max.u);
	return 0;
}

static int bounds_check(struct decoder *d, const struct rt_type *t, const struct rt_field *f, int64_t v, const char *from,
			const struct place *at)
{
	bool low = f && f->flags & RT_FIELD_MIN && (t->is_signed ? v < f->min.i : (uint64_t)v < f->min.u);
	bool high = f && f->flags & RT_FIELD_MAX && (t->is_signed ? v > f->max.i : (uint64_t)v > f->max.u);

	if (!low && !high)
		return 0;
	const union rt_value *bound = low ? &f->min : &f->max;
	return t->is_signed ? json_problem(&d->t, -ERANGE, from, at, "%jd is %s %jd", (intmax_t)v, low ? "below" : "above", (intmax_t)bound->i) :
			      json_problem(&d->t, -ERANGE, from, at, "%ju is %s %ju", (uintmax_t)v, low ? "below" : "above", (uintmax_t)bound->u);
}

static void integer_set(const struct rt_type *t, const struct rt_field *f, void *to, int64_t v)
{
	if (f && f->bits)
		value_field_set(f, (char *)to - f->offset, v);
	else
		memcpy(to, &v, t->size);
}

static bool is_number(struct decoder *d, int c)
{
	return c == '-' || (c >= '0' && c <= '9') ||
	       (d->t.not_finite && (c == 'i' || (c == 'n' && d->t.end - d->t.p > 1 && d->t.p[1] == 'a')));
}

OUTLINE static int integer(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	struct json_number n;
	int c = json_next(&d->t);
	const char *from = d->t.p;

	if (!is_number(d, c))
		return mismatch(d, at, "a number");
	int r = json_number(&d->t, at, &n);
	if (r < 0)
		return r;
	if (!n.integer)
		return json_problem(&d->t, -EINVAL, from, at, "expected a number without fraction and exponent");
	uint64_t v = n.negative ? -n.digits : n.digits;
	bool negative = n.negative && n.digits != 0;
	if (n.too_large || (negative && n.digits > UINT64_C(1) << 63) || !value_fits(t, f ? f->bits : 0, negative, v))
		return json_problem(&d->t, -ERANGE, from, at, "%.*s does not fit %s", n.n > 40 ? 40 : (int)n.n, n.p, t->name);
	r = bounds_check(d, t, f, (int64_t)v, from, at);
	if (r == 0)
		integer_set(t, f, to, (int64_t)v);
	return r;
}

OUTLINE static int floating(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	struct json_number n;
	int c = json_next(&d->t);
	const char *from = d->t.p;
	double v = 0;
	float s = 0;

	if (!is_number(d, c))
		return mismatch(d, at, "a number");
	int r = json_number(&d->t, at, &n);
	if (r < 0)
		return r;
	if (n.not_finite) {
		v = n.p[n.n - 1] == 'n' ? (double)NAN : (double)INFINITY;
		v = *n.p == '-' ? -v : v;
		s = (float)v;
	} else {
		r = t->size == 8 ? number_double_read(n.p, n.n, &v) : number_float_read(n.p, n.n, &s);
	}
	if (r < 0)
		return json_problem(&d->t, r, from, at, r == -ENOMEM ? "no memory" : "%.*s does not fit %s", n.n > 40 ? 40 : (int)n.n, n.p, t->name);
	if (t->size == 4)
		v = (double)s;
	if ((f && f->flags & RT_FIELD_MIN && !(v >= f->min.d)) || (f && f->flags & RT_FIELD_MAX && !(v <= f->max.d)))
		return json_problem(&d->t, -ERANGE, from, at, "%.*s is not between its bounds", n.n > 40 ? 40 : (int)n.n, n.p);
	if (t->size == 8)
		memcpy(to, &v, 8);
	else
		memcpy(to, &s, 4);
	return 0;
}

OUTLINE static int boolean(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	int c = json_next(&d->t);

	if (c != 't' && c != 'f')
		return mismatch(d, at, "true or false");
	int r = json_word(&d->t, at, c == 't' ? "true" : "false");
	if (r == 0)
		integer_set(t, f, to, c == 't');
	return r;
}

OUTLINE static int enumeration(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	struct json_string s;
	int c = json_next(&d->t);
	const char *from = d->t.p;
	char word[256];

	if (is_number(d, c))
		return integer(d, t, f, to, at);
	if (c != '"')
		return mismatch(d, at, "a word");
	int r = json_string(&d->t, at, &s);
	if (r < 0)
		return r;
	if (s.bytes < sizeof word)
		json_string_resolve(&s, word);
	for (uint32_t i = 0; s.bytes < sizeof word && i < t->count; i++) {
		const struct rt_enumerator *e = &t->enumerators[i];
		if (strlen(e->word) == s.bytes && memcmp(e->word, word, s.bytes) == 0) {
			integer_set(t, f, to, e->value);
			return 0;
		}
	}
	return json_problem(&d->t, -EINVAL, from, at, "\"%.*s\" is no word of %s", s.n > 40 ? 40 : (int)s.n, s.p, t->name);
}

OUTLINE static int string(struct decoder *d, const struct rt_type *t, const struct rt_field *f, char *to, const struct place *at)
{
	struct json_string s;
	const char *from = (json_next(&d->t), d->t.p);
	char *p = to;

	if (from == d->t.end || *from != '"')
		return mismatch(d, at, "a string");
	int r = json_string(&d->t, at, &s);
	if (r == 0 && s.nul)
		r = json_problem(&d->t, -EINVAL, from, at, "a string with \\u0000 cannot be held");
	if (r == 0)
		r = length_check(d, f, s.bytes, from, at);
	if (r == 0 && t->kind == RT_KIND_TEXT && s.bytes >= t->count)
		r = json_problem(&d->t, -ERANGE, from, at, "a string of %zu bytes does not fit %u", s.bytes, t->count - 1);
	if (r == 0 && t->kind == RT_KIND_STRING)
		r = get(d, s.bytes + 1, at, &p);
	if (r < 0)
		return r;
	json_string_resolve(&s, p);
	if (t->kind == RT_KIND_STRING) {
		p[s.bytes] = '\0';
		value_pointer_set(to, p);
	} else {
		memset(p + s.bytes, 0, t->count - s.bytes);
	}
	return 0;
}

static int scratch_room(struct decoder *d, struct scratch *s, size_t used, size_t bytes, const struct place *at)
{
	if (used + bytes <= s->bytes)
		return 0;
	size_t size = s->bytes ? 2 * s->bytes : 256;
	while (size < used + bytes)
		size *= 2;
	if (d->budget < used)
		return json_problem(&d->t, -EMSGSIZE, d->t.p, at, "the result takes more memory than allowed");
	char *p = memory_get(memory_passing(d->memory), size);
	if (!p)
		return json_problem(&d->t, -ENOMEM, d->t.p, at, "no memory for %zu bytes", size);
	if (used)
		memcpy(p, s->p, used);
	memory_put(memory_passing(d->memory), s->p, s->bytes);
	s->p = p;
	s->bytes = size;
	return 0;
}

static int scratch_deeper(struct decoder *d, struct scratch *s, const struct place *at)
{
	if (s->deeper)
		return 0;
	s->deeper = memory_get(memory_passing(d->memory), sizeof *s);
	if (!s->deeper)
		return json_problem(&d->t, -ENOMEM, d->t.p, at, "no memory for %zu bytes", sizeof *s);
	*s->deeper = (struct scratch){ 0 };
	return 0;
}

/* The elements, in scratch memory; on failure nothing is left of them. */
static int elements(struct decoder *d, const struct rt_type *element, const struct place *at, struct scratch *s, uint64_t *ret_n)
{
	struct place here = { at, NULL, 0 };
	size_t size = element->size, n = 0;
	int r = scratch_deeper(d, s, at);

	if (r == 0)
		r = json_enter(&d->t, at);
	if (r < 0)
		return r;
	if (json_next(&d->t) == ']') {
		d->t.p++;
		r = 0;
	} else {
		do {
			here.n = n;
			r = scratch_room(d, s, n * size, size, &here);
			if (r < 0)
				break;
			memset(s->p + n * size, 0, size);
			r = value(d, element, NULL, s->p + n * size, &here, s->deeper);
			n++;
			if (r == 0)
				r = json_more(&d->t, at, ']');
		} while (r == 1);
	}
	json_leave(&d->t);
	if (r < 0)
		clear_elements(element, s->p, n, d->memory);
	else
		*ret_n = n;
	return r;
}

/* A list or a flexible array, into memory of its own: NULL without elements. */
static int list(struct decoder *d, const struct rt_type *t, const struct rt_field *f, const struct place *at, struct scratch *s,
		void **ret, uint64_t *ret_n)
{
	int c = json_next(&d->t);
	const char *from = d->t.p;
	size_t size = t->element->size;
	uint64_t n = 0;
	void *p = NULL;

	if (c != '[')
		return mismatch(d, at, "an array");
	int r = elements(d, t->element, at, s, &n);
	if (r < 0)
		return r;
	r = length_check(d, f, n, from, at);
	if (r == 0 && n)
		r = get(d, n * size, at, &p);
	if (r < 0) {
		clear_elements(t->element, s->p, n, d->memory);
		return r;
	}
	if (n)
		memcpy(p, s->p, n * size);
	*ret = p;
	*ret_n = n;
	return 0;
}

/* In place. Without a count all elements have to be there. */
static int array(struct decoder *d, const struct rt_type *t, const struct rt_field *f, char *to, const struct place *at,
		 struct scratch *s, uint64_t *ret_n)
{
	struct place here = { at, NULL, 0 };
	int c = json_next(&d->t);
	const char *from = d->t.p;
	uint64_t n = 0;

	if (c != '[')
		return mismatch(d, at, "an array");
	int r = json_enter(&d->t, at);
	if (r < 0)
		return r;
	if (json_next(&d->t) == ']') {
		d->t.p++;
	} else {
		do {
			here.n = n;
			if (n == t->count)
				r = json_problem(&d->t, -ERANGE, d->t.p, at, "more than %u elements", t->count);
			else
				r = value(d, t->element, NULL, to + n++ * t->element->size, &here, s);
			if (r == 0)
				r = json_more(&d->t, at, ']');
		} while (r == 1);
	}
	json_leave(&d->t);
	if (r == 0 && n < t->count && !(f && f->count >= 0))
		r = json_problem(&d->t, -ERANGE, from, at, "%ju elements, expected %u", (uintmax_t)n, t->count);
	if (r == 0)
		r = length_check(d, f, n, from, at);
	if (r < 0) {
		/* The count is not stored: these would be nobody's. */
		clear_elements(t->element, to, n, d->memory);
		return r;
	}
	*ret_n = n;
	return 0;
}

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
	int r = list(d, f->type, f, at, lists, &p, &n);

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
	const struct rt_field *there = value_picked(o->type, f, o->object);
	struct json_string key;

	if (json_next(&d->t) != '{')
		return mismatch(d, at, "an object");
	int r = json_enter(&d->t, at);
	if (r < 0)
		return r;
	const char *from = (json_next(&d->t), d->t.p);
	if (from < d->t.end && *from == '}' && !there) {
		d->t.p++;
		json_leave(&d->t);
		return 0;
	}
	r = json_key(&d->t, at, &key);
	if (r < 0)
		return r;
	if (!there || field_of(f->type, &key, 0) != there)
		return json_problem(&d->t, -EINVAL, from, at, "expected %s%s, for %s says so", there ? "the one key " : "no key",
				    there ? there->key : "", o->type->fields[f->by].key);
	struct place here = { at, there->key, there->key_bytes };
	r = value(d, there->type, there, o->object + f->offset + there->offset, &here, lists);
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
	if (f->type->kind == RT_KIND_UNION && value_picked(o->type, f, o->object))
		return json_problem(&d->t, -EINVAL, from, at, "null, but %s says that there is a value", o->type->fields[f->by].key);
	return 0;
}

static int field_value(struct decoder *d, struct filling *o, const struct rt_field *f, const struct place *at, struct scratch *lists)
{
	uint64_t n = 0;
	int r, c = json_next(&d->t);

	if (c == 'n' && !is_number(d, c))
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
		r = array(d, f->type, f, o->object + f->offset, at, lists, &n);
		if (r == 0 && f->count >= 0) {
			r = count_set(d, o, f, n, at);
			if (r < 0)
				clear_elements(f->type->element, o->object + f->offset, n, d->memory);
		}
		break;
	default:
		r = value(d, f->type, f, o->object + f->offset, at, lists);
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

/* What depends on a member that has not come yet is read in a second pass, with all that may depend on one. */
static int member(struct decoder *d, struct filling *o, const struct rt_field *f, bool second, const char *from, const struct place *at,
		  struct scratch *lists)
{
	uint32_t i = (uint32_t)(f - o->type->fields);
	bool waits = is_conditional(f) && !second && !is_seen(o, (uint32_t)f->by);

	o->defers |= waits;
	if (waits || (second && !is_conditional(f)))
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
		int r = get(d, n, &here, &p);
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

/* What did not come. What says which member is there gets its initial value before those that depend on it. */
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
		if (!is_conditional(&o->type->fields[i]) || !is_seen(o, i))
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
static int object(struct decoder *d, const struct rt_type *t, void *to, struct tail *tail, const struct place *at, struct scratch *lists)
{
	struct filling o = { .type = t, .object = to, .tail = tail, .at = at };
	int r, c = json_next(&d->t);
	const char *from = d->t.p;

	if (c != '{')
		return mismatch(d, at, "an object");
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

static int object_new(struct decoder *d, const struct rt_type *t, const struct place *at, struct scratch *lists, void **ret)
{
	struct tail tail = { 0 };
	void *p, *whole;
	int r = get(d, t->size, at, &p);

	if (r < 0)
		return r;
	memset(p, 0, t->size);
	r = t->kind == RT_KIND_STRUCT ? object(d, t, p, &tail, at, lists) : value(d, t, NULL, p, at, lists);
	size_t bytes = tail.field ? tail.field->offset + tail.n * tail.field->type->element->size : 0;
	if (r == 0 && bytes > t->size) {
		r = get(d, bytes, at, &whole);
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

static int pointer(struct decoder *d, const struct rt_type *t, void *to, const struct place *at, struct scratch *lists)
{
	void *p = NULL;
	int r = t->element ? object_new(d, t->element, at, lists, &p) : mismatch(d, at, "nothing");

	if (r == 0)
		value_pointer_set(to, p);
	return r;
}

/* Of a kind that is whole by itself; `f` is the field that it is in, if it is. */
static int value(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at,
		 struct scratch *lists)
{
	uint64_t n;
	int c;

	switch (t->kind) {
	case RT_KIND_BOOL:
		return boolean(d, t, f, to, at);
	case RT_KIND_SIGNED:
	case RT_KIND_UNSIGNED:
		return integer(d, t, f, to, at);
	case RT_KIND_FLOAT:
		return floating(d, t, f, to, at);
	case RT_KIND_ENUM:
		return enumeration(d, t, f, to, at);
	case RT_KIND_STRING:
	case RT_KIND_POINTER:
		c = json_next(&d->t);
		if (c == 'n' && !is_number(d, c))
			return json_word(&d->t, at, "null");
		return t->kind == RT_KIND_STRING ? string(d, t, f, to, at) : pointer(d, t, to, at, lists);
	case RT_KIND_TEXT:
		return string(d, t, f, to, at);
	case RT_KIND_ARRAY:
		return array(d, t, NULL, to, at, lists, &n);
	case RT_KIND_STRUCT:
		return object(d, t, to, NULL, at, lists);
	default:
		return json_problem(&d->t, -ENOTSUP, d->t.p, at, "a value of its kind has no text");
	}
}

static void scratch_free(struct decoder *d)
{
	const struct rt_memory *m = memory_passing(d->memory);

	memory_put(m, d->lists.p, d->lists.bytes);
	for (struct scratch *s = d->lists.deeper, *deeper; s; s = deeper) {
		deeper = s->deeper;
		memory_put(m, s->p, s->bytes);
		memory_put(m, s, sizeof *s);
	}
}

static int whole(struct decoder *d, const struct rt_type *type, void **ret)
{
	static const struct place root;
	int r = object_new(d, type, &root, &d->lists, ret);

	if (r < 0)
		return r;
	int c = json_next(&d->t);
	if (d->t.p == d->t.end)
		return 0;
	rt_object_free(type, *ret, d->memory);
	return json_problem(&d->t, -EBADMSG, d->t.p, &root, c >= 0x20 && c < 0x7f ? "expected the end, got '%c'" : "expected the end, got byte %d", c);
}

int json_decode(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, bool not_finite,
		void *ret, void **ret_new, struct rt_problem *ret_problem)
{
	static const struct rt_decode_options none;
	const struct rt_decode_options *o = options ? options : &none;
	unsigned depth = o->depth ? o->depth : RT_DEPTH;
	struct decoder d = {
		.t = { .start = text, .p = text, .end = text + n, .depth = depth < RT_DEPTH_MOST ? depth : RT_DEPTH_MOST,
		       .not_finite = not_finite, .problem = ret_problem, .problem_at = text },
		.flags = o->flags,
		.budget = o->memory_bytes ? o->memory_bytes : SIZE_MAX,
		.memory = o->memory,
	};
	static const struct place root;
	void *made = NULL;
	int r;

	if (n > (o->text_bytes ? o->text_bytes : TEXT_BYTES))
		r = json_problem(&d.t, -EMSGSIZE, text, &root, "a text of %zu bytes is too long", n);
	else if (!ret_new && value_tail(type))
		r = json_problem(&d.t, -ENOTSUP, text, &root, "%s has a flexible array", type->name);
	else
		r = whole(&d, type, &made);
	scratch_free(&d);
	if (r < 0) {
		problem_locate(ret_problem, text, n, (size_t)(d.t.problem_at - text));
		return r;
	}
	if (ret_new) {
		*ret_new = made;
	} else {
		memcpy(ret, made, type->size);
		memory_put(d.memory, made, type->size);
	}
	return 0;
}

int rt_json_decode(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, void *ret,
		   struct rt_problem *ret_problem)
{
	return json_decode(type, text, n, options, false, ret, NULL, ret_problem);
}

int rt_json_decode_new(const struct rt_type *type, const char *text, size_t n, const struct rt_decode_options *options, void **ret,
		       struct rt_problem *ret_problem)
{
	return json_decode(type, text, n, options, false, NULL, ret, ret_problem);
}
