/* Numbers, words and strings. Nothing here goes deeper into the text, and none of it is inlined where
 * something does: its variables are not to be in the frames of all levels. */
#include "reflect/json_decoder.h"

#include <errno.h>
#include <math.h>

#include "reflect/number_text.h"
#include "reflect/value.h"

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

int decode_integer(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	struct json_number n;
	int c = json_next(&d->t);
	const char *from = d->t.p;

	if (!decoder_at_number(d, c))
		return decoder_mismatch(d, at, "a number");
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

int decode_floating(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	struct json_number n;
	int c = json_next(&d->t);
	const char *from = d->t.p;
	double v = 0;
	float s = 0;

	if (!decoder_at_number(d, c))
		return decoder_mismatch(d, at, "a number");
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
	/* What is no number (nan, of TOML) is neither. */
	bool low = f && f->flags & RT_FIELD_MIN && !(v >= f->min.d), high = f && f->flags & RT_FIELD_MAX && !(v <= f->max.d);
	if (low || high)
		return json_problem(&d->t, -ERANGE, from, at, "%.*s is %s %g", n.n > 40 ? 40 : (int)n.n, n.p,
				    v != v ? "not comparable with" : low ? "below" : "above", low ? f->min.d : f->max.d);
	if (t->size == 8)
		memcpy(to, &v, 8);
	else
		memcpy(to, &s, 4);
	return 0;
}

int decode_boolean(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	int c = json_next(&d->t);

	if (c != 't' && c != 'f')
		return decoder_mismatch(d, at, "true or false");
	int r = json_word(&d->t, at, c == 't' ? "true" : "false");
	if (r == 0)
		integer_set(t, f, to, c == 't');
	return r;
}

int decode_enumeration(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at)
{
	struct json_string s;
	int c = json_next(&d->t);
	const char *from = d->t.p;
	char word[256];

	if (decoder_at_number(d, c))
		return decode_integer(d, t, f, to, at);
	if (c != '"')
		return decoder_mismatch(d, at, "a word");
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

int decode_string(struct decoder *d, const struct rt_type *t, const struct rt_field *f, char *to, const struct place *at)
{
	struct json_string s;
	const char *from = (json_next(&d->t), d->t.p);
	char *p = to;

	if (from == d->t.end || *from != '"')
		return decoder_mismatch(d, at, "a string");
	int r = json_string(&d->t, at, &s);
	if (r == 0 && s.nul)
		r = json_problem(&d->t, -EINVAL, from, at, "a string with \\u0000 cannot be held");
	if (r == 0)
		r = decoder_length_check(d, f, s.bytes, from, at);
	if (r == 0 && t->kind == RT_KIND_TEXT && s.bytes >= t->count)
		r = json_problem(&d->t, -ERANGE, from, at, "a string of %zu bytes does not fit %u", s.bytes, t->count - 1);
	if (r == 0 && t->kind == RT_KIND_STRING)
		r = decoder_get(d, s.bytes + 1, at, &p);
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
