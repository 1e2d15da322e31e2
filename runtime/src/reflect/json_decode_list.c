/* Arrays of the text: into lists, and in place. */
#include "reflect/json_decoder.h"

#include <errno.h>
#include <string.h>

#include "reflect/clear.h"
#include "reflect/memory.h"

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
			r = decode_value(d, element, NULL, s->p + n * size, &here, s->deeper);
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

int decode_list(struct decoder *d, const struct rt_type *t, const struct rt_field *f, const struct place *at, struct scratch *s,
		void **ret, uint64_t *ret_n)
{
	int c = json_next(&d->t);
	const char *from = d->t.p;
	size_t size = t->element->size;
	uint64_t n = 0;
	void *p = NULL;

	if (c != '[')
		return decoder_mismatch(d, at, "an array");
	int r = elements(d, t->element, at, s, &n);
	if (r < 0)
		return r;
	r = decoder_length_check(d, f, n, from, at);
	if (r == 0 && n)
		r = decoder_get(d, n * size, at, &p);
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

int decode_array(struct decoder *d, const struct rt_type *t, const struct rt_field *f, char *to, const struct place *at,
		 struct scratch *s, uint64_t *ret_n)
{
	struct place here = { at, NULL, 0 };
	int c = json_next(&d->t);
	const char *from = d->t.p;
	uint64_t n = 0;

	if (c != '[')
		return decoder_mismatch(d, at, "an array");
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
				r = decode_value(d, t->element, NULL, to + n++ * t->element->size, &here, s);
			if (r == 0)
				r = json_more(&d->t, at, ']');
		} while (r == 1);
	}
	json_leave(&d->t);
	if (r == 0 && n < t->count && !(f && f->count >= 0))
		r = json_problem(&d->t, -ERANGE, from, at, "%ju elements, expected %u", (uintmax_t)n, t->count);
	if (r == 0)
		r = decoder_length_check(d, f, n, from, at);
	if (r < 0) {
		/* The count is not stored: these would be nobody's. */
		clear_elements(t->element, to, n, d->memory);
		return r;
	}
	*ret_n = n;
	return 0;
}
