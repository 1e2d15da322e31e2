/* A writer for the few messages of profile.proto: https://github.com/google/pprof/blob/main/proto/profile.proto */
#include <errno.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "dig/profile/call_pprof.h"
#include "report/flame.h"

/* ---- protobuf ---- */

static int put_varint(struct buf *b, uint64_t value)
{
	unsigned char bytes[10];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (unsigned char)(value | 0x80);
	bytes[n++] = (unsigned char)value;
	return buf_append(b, bytes, n);
}

static int put_number(struct buf *b, unsigned field, uint64_t value)
{
	int r = value ? put_varint(b, field << 3) : 0;

	return value && r == 0 ? put_varint(b, value) : r;
}

static int put_bytes(struct buf *b, unsigned field, struct span bytes)
{
	int r = put_varint(b, field << 3 | 2);

	if (r == 0)
		r = put_varint(b, bytes.n);
	return r == 0 ? buf_append(b, bytes.p, bytes.n) : r;
}

/* ---- what is written ---- */

struct location_of_frames {
	size_t first, n; /* in `frames` of the writer, innermost first */
	uint32_t next_alike;
};

struct writer {
	const struct flame *flame;
	struct buf *out;
	struct buf message, inner;    /* under construction */
	struct call_tree strings;     /* for its names alone */
	struct map string_numbers;    /* by the pointer of the name */
	struct map mappings, functions, locations;
	uint64_t nstrings, nmappings, nfunctions;
	VEC(struct location_of_frames) location;
	call_stack frames, stack;
	VEC(uint64_t) ids;
};

static int string(struct writer *w, const char *text, uint64_t *ret)
{
	const char *own;
	int r = call_tree_name(&w->strings, span_from(text), &own);

	if (r < 0)
		return r;
	uint32_t known = map_get(&w->string_numbers, (uintptr_t)own);
	if (known == MAP_NONE) {
		known = (uint32_t)w->nstrings++;
		r = map_set(&w->string_numbers, (uintptr_t)own, known);
		if (r == 0)
			r = put_bytes(w->out, PPROF_STRING, span_from(own));
	}
	*ret = known;
	return r;
}

static int two_strings(struct writer *w, unsigned field, const char *first, const char *second)
{
	uint64_t a, b;
	int r = string(w, first, &a);

	if (r == 0)
		r = string(w, second, &b);
	buf_clear(&w->message);
	if (r == 0)
		r = put_number(&w->message, 1, a);
	if (r == 0)
		r = put_number(&w->message, 2, b);
	return r == 0 ? put_bytes(w->out, field, buf_span(&w->message)) : r;
}

/* Modules have no addresses here: each gets a range of its own, since readers tell them apart by it. */
static int mapping(struct writer *w, const char *module, uint64_t *ret)
{
	uint64_t name;
	int r = string(w, module, &name);

	if (r < 0 || !module[0]) {
		*ret = 0;
		return r;
	}
	uint32_t known = map_get(&w->mappings, name + 1);
	if (known == MAP_NONE) {
		known = (uint32_t)++w->nmappings;
		buf_clear(&w->message);
		r = map_set(&w->mappings, name + 1, known);
		const struct { unsigned field; uint64_t value; } members[] = {
			{ 1, known }, { 2, (uint64_t)known << 32 }, { 3, (uint64_t)(known + 1) << 32 }, { 5, name },
			{ 7, 1 }, { 8, 1 }, { 9, w->flame->tree->by_line }, { 10, 1 },
		};
		for (size_t i = 0; r == 0 && i < sizeof members / sizeof members[0]; i++)
			r = put_number(&w->message, members[i].field, members[i].value);
		if (r == 0)
			r = put_bytes(w->out, PPROF_MAPPING, buf_span(&w->message));
	}
	*ret = known;
	return r;
}

static int function(struct writer *w, const struct call_frame *f, uint64_t *ret)
{
	uint64_t name, file;
	int r = string(w, f->function, &name);

	if (r == 0)
		r = string(w, f->file, &file);
	if (r < 0)
		return r;
	uint64_t key = name << 32 | (file + 1);
	uint32_t known = map_get(&w->functions, key);
	if (known == MAP_NONE) {
		known = (uint32_t)++w->nfunctions;
		buf_clear(&w->inner);
		const struct { unsigned field; uint64_t value; } members[] = { { 1, known }, { 2, name }, { 3, name }, { 4, file } };
		r = map_set(&w->functions, key, known);
		for (size_t i = 0; r == 0 && i < sizeof members / sizeof members[0]; i++)
			r = put_number(&w->inner, members[i].field, members[i].value);
		if (r == 0)
			r = put_bytes(w->out, PPROF_FUNCTION, buf_span(&w->inner));
	}
	*ret = known;
	return r;
}

/* A line for each of the n frames, innermost first. */
static int write_location(struct writer *w, const uint32_t *frames, size_t n, uint64_t id)
{
	const struct call_tree *t = w->flame->tree;
	cleanup(buf_deinit) struct buf message = { 0 }, line = { 0 };
	uint64_t module, of;
	int r = mapping(w, t->frame.v[frames[0]].module, &module);

	if (r == 0)
		r = put_number(&message, 1, id);
	if (r == 0)
		r = put_number(&message, 2, module);
	if (r == 0 && module)
		r = put_number(&message, 3, (module << 32) + id);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct call_frame *f = &t->frame.v[frames[i]];

		buf_clear(&line);
		if ((r = function(w, f, &of)) == 0 && (r = put_number(&line, 1, of)) == 0 &&
		    (r = put_number(&line, 2, f->line)) == 0)
			r = put_bytes(&message, 4, buf_span(&line));
	}
	return r == 0 ? put_bytes(w->out, PPROF_LOCATION, buf_span(&message)) : r;
}

static int location(struct writer *w, const uint32_t *frames, size_t n, uint64_t *ret)
{
	uint64_t hash = map_hash(frames, n * sizeof *frames);
	uint32_t first = map_get(&w->locations, hash);

	for (uint32_t i = first; i != MAP_NONE; i = w->location.v[i].next_alike) {
		const struct location_of_frames *l = &w->location.v[i];
		if (l->n == n && memcmp(w->frames.v + l->first, frames, n * sizeof *frames) == 0) {
			*ret = i + 1;
			return 0;
		}
	}
	struct location_of_frames *new = vec_push(&w->location);
	if (!new || vec_reserve(&w->frames, n) < 0 || map_set(&w->locations, hash, (uint32_t)(w->location.n - 1)) < 0)
		return -ENOMEM;
	*new = (struct location_of_frames){ w->frames.n, n, first };
	memcpy(w->frames.v + w->frames.n, frames, n * sizeof *frames);
	w->frames.n += n;
	*ret = w->location.n;
	return write_location(w, frames, n, *ret);
}

/* Groups at the outer end become labels; each frame that is no inlined call ends a location. */
static int locations_of(struct writer *w, size_t *ret_groups)
{
	const struct call_tree *t = w->flame->tree;
	uint32_t run[64];
	size_t groups = 0, n = 0;
	int r = 0;

	while (groups < w->stack.n && t->frame.v[w->stack.v[groups]].kind == CALL_GROUP)
		groups++;
	w->ids.n = 0;
	for (size_t i = w->stack.n; r == 0 && i-- > groups;) {
		const struct call_frame *f = &t->frame.v[w->stack.v[i]];

		run[n++] = w->stack.v[i];
		if (f->inlined && i > groups && n < sizeof run / sizeof run[0])
			continue;
		uint64_t *slot = vec_push(&w->ids);
		r = slot ? location(w, run, n, slot) : -ENOMEM;
		n = 0;
	}
	*ret_groups = groups;
	return r;
}

static int put_ids(struct writer *w, struct buf *message)
{
	buf_clear(&w->inner);
	int r = 0;

	vec_each(id, &w->ids)
		if (r == 0)
			r = put_varint(&w->inner, *id);
	return r == 0 ? put_bytes(message, 1, buf_span(&w->inner)) : r;
}

static int put_label(struct writer *w, const struct call_frame *f, struct buf *message)
{
	uint64_t key, value;
	int r = string(w, f->module, &key);

	if (r == 0)
		r = string(w, f->function, &value);
	buf_clear(&w->inner);
	if (r == 0)
		r = put_number(&w->inner, 1, key);
	if (r == 0)
		r = put_number(&w->inner, 2, value);
	return r == 0 ? put_bytes(message, 3, buf_span(&w->inner)) : r;
}

static int put_sample(struct writer *w, uint32_t node)
{
	const struct call_tree *t = w->flame->tree;
	cleanup(buf_deinit) struct buf message = { 0 };
	uint64_t self = t->node.v[node].self;
	size_t groups = 0;
	int r = call_tree_stack(t, node, &w->stack);

	if (r == 0)
		r = locations_of(w, &groups);
	if (r == 0)
		r = put_ids(w, &message);
	buf_clear(&w->inner);
	if (r == 0)
		r = put_varint(&w->inner, self);
	if (r == 0 && w->flame->period_ns)
		r = put_varint(&w->inner, self * w->flame->period_ns);
	if (r == 0)
		r = put_bytes(&message, 2, buf_span(&w->inner));
	for (size_t i = 0; r == 0 && i < groups; i++)
		r = put_label(w, &t->frame.v[w->stack.v[i]], &message);
	return r == 0 ? put_bytes(w->out, PPROF_SAMPLE, buf_span(&message)) : r;
}

static int put_head(struct writer *w)
{
	static const char *const types[] = { "samples", "delay", "space", "count" };
	const struct flame *f = w->flame;
	uint64_t none, type, comment;
	int r = string(w, "", &none); /* the first string is the empty one */

	if (r == 0)
		r = two_strings(w, PPROF_SAMPLE_TYPE, types[f->tree->unit],
				f->tree->unit == CALL_SAMPLES ? "count" : call_unit_name(f->tree->unit));
	if (r == 0 && f->period_ns) {
		r = two_strings(w, PPROF_SAMPLE_TYPE, "cpu", "nanoseconds");
		if (r == 0)
			r = two_strings(w, PPROF_PERIOD_TYPE, "cpu", "nanoseconds");
		if (r == 0)
			r = put_number(w->out, PPROF_PERIOD, f->period_ns);
	}
	if (r == 0)
		r = string(w, types[f->tree->unit], &type);
	if (r == 0)
		r = put_number(w->out, PPROF_DEFAULT_TYPE, type);
	if (r == 0)
		r = put_number(w->out, PPROF_TIME, f->real_ns);
	if (r == 0)
		r = put_number(w->out, PPROF_DURATION, f->duration_ns);
	if (r == 0)
		r = string(w, f->title, &comment);
	return r == 0 ? put_number(w->out, PPROF_COMMENT, comment) : r;
}

static int pack(struct span bytes, struct buf *ret)
{
	z_stream z = { .next_in = (unsigned char *)bytes.p, .avail_in = (unsigned)bytes.n };

	if (bytes.n > UINT32_MAX)
		return -EFBIG;
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	size_t room = deflateBound(&z, bytes.n);
	int r = buf_reserve(ret, room);
	if (r == 0) {
		z.next_out = (unsigned char *)ret->data + ret->n;
		z.avail_out = (unsigned)room;
		r = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
		ret->n += room - z.avail_out;
	}
	deflateEnd(&z);
	return r;
}

int flame_pprof(const struct flame *f, struct buf *ret)
{
	cleanup(buf_deinit) struct buf out = { 0 };
	struct writer w = { .flame = f, .out = &out };
	const struct call_tree *t = f->tree;
	int r = call_tree_init(&w.strings, CALL_COUNT);

	if (r == 0)
		r = put_head(&w);
	for (uint32_t n = CALL_ROOT; r == 0 && n != CALL_NONE; n = call_tree_next(t, CALL_ROOT, n, NULL))
		if (t->node.v[n].self)
			r = put_sample(&w, n);
	if (r == 0)
		r = pack(buf_span(&out), ret);
	call_tree_deinit(&w.strings);
	buf_deinit(&w.message);
	buf_deinit(&w.inner);
	map_deinit(&w.string_numbers);
	map_deinit(&w.mappings);
	map_deinit(&w.functions);
	map_deinit(&w.locations);
	vec_free(&w.location);
	vec_free(&w.frames);
	vec_free(&w.stack);
	vec_free(&w.ids);
	return r;
}
