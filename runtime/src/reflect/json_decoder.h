/* What the parts of the JSON decoder share: json_decode.c (the whole, and which part reads a value),
 * json_decode_scalar.c, json_decode_list.c, json_decode_object.c.
 *
 * All return 0/-errno, the problem noted. Each reads one value of the text; `f` is the field that it is for,
 * or NULL, and `at` where in the text it is. `to` is zeroed memory of the type: on failure the caller clears
 * it. */
#ifndef RT_REFLECT_JSON_DECODER_H
#define RT_REFLECT_JSON_DECODER_H

#include "osprey/rt/json.h"
#include "reflect/json_text.h"

/* Where the elements of the list that is being read are: one for each level of lists, used again by the next
 * list there. */
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

static inline bool decoder_at_number(struct decoder *d, int c)
{
	return c == '-' || (c >= '0' && c <= '9') ||
	       (d->t.not_finite && (c == 'i' || (c == 'n' && d->t.end - d->t.p > 1 && d->t.p[1] == 'a')));
}

/* Memory for the result, within the budget; `ret` is a pointer's address. */
int decoder_get(struct decoder *d, size_t bytes, const struct place *at, void *ret);

/* Back into the budget, with what is released; memory without a function for that keeps it. */
static inline void decoder_credit(struct decoder *d, size_t bytes)
{
	if (!d->memory || d->memory->release)
		d->budget += bytes;
}

/* -EINVAL, or what is wrong with the text itself. */
int decoder_mismatch(struct decoder *d, const struct place *at, const char *wanted);

/* Bounds of a length, in bytes of a string or elements. */
int decoder_length_check(struct decoder *d, const struct rt_field *f, uint64_t n, const char *from, const struct place *at);

int decode_integer(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at);
int decode_floating(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at);
int decode_boolean(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at);
int decode_enumeration(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at);
int decode_string(struct decoder *d, const struct rt_type *t, const struct rt_field *f, char *to, const struct place *at);

/* A list or a flexible array, into memory of its own: NULL without elements. */
int decode_list(struct decoder *d, const struct rt_type *t, const struct rt_field *f, const struct place *at, struct scratch *s,
		void **ret, uint64_t *ret_n);

/* In place; on failure nothing is left of the elements. Without a count all have to be there. */
int decode_array(struct decoder *d, const struct rt_type *t, const struct rt_field *f, char *to, const struct place *at,
		 struct scratch *s, uint64_t *ret_n);

/* A struct in memory that is another's, where it can have no flexible array. */
int decode_object(struct decoder *d, const struct rt_type *t, void *to, const struct place *at, struct scratch *lists);

/* A value of any type that is whole by itself, in memory of its own. */
int decode_object_new(struct decoder *d, const struct rt_type *t, const struct place *at, struct scratch *lists, void **ret);

/* Of a kind that is whole by itself. */
int decode_value(struct decoder *d, const struct rt_type *t, const struct rt_field *f, void *to, const struct place *at,
		 struct scratch *lists);

#endif
