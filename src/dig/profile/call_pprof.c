#include "dig/profile/call_pprof.h"

#include <errno.h>
#include <zlib.h>

#include "base/cleanup.h"

/* ---- protobuf ---- */

struct field {
	uint64_t number, value; /* value: of varints and fixed numbers */
	struct span bytes;
	bool is_bytes;
};

static bool take_varint(struct span *s, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (s->n == 0)
			return false;
		unsigned char byte = (unsigned char)*s->p;
		s->p++;
		s->n--;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool take_bytes(struct span *s, uint64_t n, struct span *ret)
{
	if (n > s->n)
		return false;
	*ret = (struct span){ s->p, (size_t)n };
	s->p += n;
	s->n -= (size_t)n;
	return true;
}

/* 1: a field; 0: the end; -EBADMSG. */
static int take_field(struct span *s, struct field *ret)
{
	uint64_t tag, n = 0;

	if (s->n == 0)
		return 0;
	if (!take_varint(s, &tag))
		return -EBADMSG;
	*ret = (struct field){ .number = tag >> 3 };
	switch (tag & 7) {
	case 0:
		return take_varint(s, &ret->value) ? 1 : -EBADMSG;
	case 1:
		return take_bytes(s, 8, &ret->bytes) ? 1 : -EBADMSG;
	case 2:
		ret->is_bytes = true;
		return take_varint(s, &n) && take_bytes(s, n, &ret->bytes) ? 1 : -EBADMSG;
	case 5:
		return take_bytes(s, 4, &ret->bytes) ? 1 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

/* Repeated numbers stand packed, or one by one. */
typedef VEC(uint64_t) numbers;
static int take_numbers(const struct field *f, numbers *ret)
{
	struct span rest = f->bytes;
	uint64_t value = f->value;

	do {
		if (f->is_bytes && rest.n && !take_varint(&rest, &value))
			return -EBADMSG;
		if (f->is_bytes && f->bytes.n == 0)
			return 0;
		uint64_t *slot = vec_push(ret);
		if (!slot)
			return -ENOMEM;
		*slot = value;
	} while (f->is_bytes && rest.n);
	return 0;
}

/* ---- the tables ---- */

struct place_of_code {
	uint64_t id, mapping;
	struct span message; /* its lines are read when it is used */
};
struct named {
	uint64_t id, name, file;
};

struct profile {
	VEC(struct span) string;
	VEC(struct place_of_code) location;
	VEC(struct named) function, mapping;
	VEC(struct named) type; /* name: what; file: unit */
	struct map locations, functions, mappings;
	uint64_t default_type;
	numbers ids, values;
};

static void profile_deinit(struct profile *p)
{
	vec_free(&p->string);
	vec_free(&p->location);
	vec_free(&p->function);
	vec_free(&p->mapping);
	vec_free(&p->type);
	vec_free(&p->ids);
	vec_free(&p->values);
	map_deinit(&p->locations);
	map_deinit(&p->functions);
	map_deinit(&p->mappings);
}

/* Mappings, functions and types are alike: numbers of an id, a name and a file. */
static int read_named(struct span message, unsigned id, unsigned name, unsigned file, struct named *ret)
{
	struct field f;
	int r;

	*ret = (struct named){ 0 };
	while ((r = take_field(&message, &f)) > 0) {
		if (f.number == id)
			ret->id = f.value;
		else if (f.number == name)
			ret->name = f.value;
		else if (f.number == file)
			ret->file = f.value;
	}
	return r;
}

static int read_location(struct span message, struct place_of_code *ret)
{
	struct span rest = message;
	struct field f;
	int r;

	*ret = (struct place_of_code){ .message = message };
	while ((r = take_field(&rest, &f)) > 0) {
		if (f.number == 1)
			ret->id = f.value;
		else if (f.number == 2)
			ret->mapping = f.value;
	}
	return r;
}

#define KEEP(vec, index, item)                                                                  \
	({                                                                                      \
		__auto_type slot_ = vec_push(vec);                                              \
		int r_ = slot_ ? 0 : -ENOMEM;                                                   \
		if (slot_) {                                                                    \
			*slot_ = (item);                                                        \
			if ((item).id)                                                          \
				r_ = map_set(index, (item).id, (uint32_t)((vec)->n - 1));       \
		}                                                                               \
		r_;                                                                             \
	})

static int read_table(struct profile *p, const struct field *f)
{
	struct place_of_code location;
	struct named named;
	int r = 0;

	switch (f->number) {
	case PPROF_SAMPLE_TYPE:
		r = read_named(f->bytes, 0, 1, 2, &named);
		return r < 0 ? r : ({ __auto_type s = vec_push(&p->type); s ? (*s = named, 0) : -ENOMEM; });
	case PPROF_MAPPING:
		r = read_named(f->bytes, 1, 5, 0, &named);
		return r < 0 ? r : KEEP(&p->mapping, &p->mappings, named);
	case PPROF_FUNCTION:
		r = read_named(f->bytes, 1, 2, 4, &named);
		return r < 0 ? r : KEEP(&p->function, &p->functions, named);
	case PPROF_LOCATION:
		r = read_location(f->bytes, &location);
		return r < 0 ? r : KEEP(&p->location, &p->locations, location);
	case PPROF_STRING: {
		struct span *s = vec_push(&p->string);
		if (!s)
			return -ENOMEM;
		*s = f->bytes;
		return 0;
	}
	case PPROF_DEFAULT_TYPE:
		p->default_type = f->value;
		return 0;
	default:
		return 0;
	}
}

static struct span text_of(const struct profile *p, uint64_t i)
{
	return i < p->string.n ? p->string.v[i] : SPAN("");
}

/* ---- samples ---- */

/* Names of modules that are the kernel's stand in brackets, and so do a few of user space. */
static enum call_kind kind_of(struct span module)
{
	static const char *const user[] = { "[vdso]", "[vsyscall]", "[anon]", "[stack]", "[heap]" };

	if (module.n < 2 || module.p[0] != '[')
		return CALL_USER;
	if (span_is(module, "[jit]"))
		return CALL_JIT;
	for (size_t i = 0; i < sizeof user / sizeof user[0]; i++)
		if (span_is(module, user[i]))
			return CALL_USER;
	return CALL_KERNEL;
}

static struct span base_name(struct span path)
{
	struct span after;

	return path.n && path.p[0] != '[' && span_until_last(&path, '/', &after) ? after : path;
}

static int module_of(const struct profile *p, const struct place_of_code *l, struct call_tree *t, struct call_frame *f)
{
	uint32_t at = l->mapping ? map_get(&p->mappings, l->mapping) : MAP_NONE;
	struct span name = at == MAP_NONE ? SPAN("") : base_name(text_of(p, p->mapping.v[at].name));

	f->kind = kind_of(name);
	return call_tree_name(t, name, &f->module);
}

static int add_line(const struct profile *p, struct span line, struct call_tree *t, struct call_frame *f, uint32_t *at)
{
	struct named numbers_of; /* id: function; name: line */
	struct span name = SPAN(""), file = SPAN("");
	uint32_t frame;
	int r = read_named(line, 1, 2, 0, &numbers_of);

	if (r < 0)
		return r;
	uint32_t function = numbers_of.id ? map_get(&p->functions, numbers_of.id) : MAP_NONE;
	if (function != MAP_NONE) {
		name = text_of(p, p->function.v[function].name);
		file = text_of(p, p->function.v[function].file);
	}
	f->line = numbers_of.name <= INT32_MAX ? (unsigned)numbers_of.name : 0;
	if ((r = call_tree_name(t, name, &f->function)) < 0 || (r = call_tree_name(t, file, &f->file)) < 0 ||
	    (r = call_tree_frame(t, f, &frame)) < 0)
		return r;
	return call_tree_child(t, *at, frame, at);
}

/* Its lines stand innermost first, so they are taken from the last on. */
static int add_location(const struct profile *p, const struct place_of_code *l, struct call_tree *t, uint32_t *at)
{
	struct call_frame f = { .function = "", .file = "" };
	VEC(struct span) lines = { 0 };
	struct span rest = l->message;
	struct field field;
	int r = module_of(p, l, t, &f);

	while (r == 0 && (r = take_field(&rest, &field)) > 0) {
		struct span *slot = field.number == 4 && field.is_bytes ? vec_push(&lines) : NULL;
		r = field.number == 4 && field.is_bytes && !slot ? -ENOMEM : 0;
		if (slot)
			*slot = field.bytes;
	}
	if (r == 0 && lines.n == 0)
		r = add_line(p, SPAN(""), t, &f, at);
	for (size_t i = lines.n; r == 0 && i-- > 0; f.inlined = true)
		r = add_line(p, lines.v[i], t, &f, at);
	vec_free(&lines);
	return r;
}

static int add_label(const struct profile *p, struct span label, struct call_tree *t, uint32_t *at)
{
	static const char *const groups[] = { "process", "thread", "command", "cgroup", "state" };
	struct named n;
	int r = read_named(label, 0, 1, 2, &n);

	for (size_t i = 0; r == 0 && i < sizeof groups / sizeof groups[0]; i++) {
		struct call_frame f = { .module = groups[i], .file = "", .kind = CALL_GROUP };
		uint32_t frame;

		if (!span_is(text_of(p, n.name), groups[i]))
			continue;
		if ((r = call_tree_name(t, text_of(p, n.file), &f.function)) == 0 && (r = call_tree_frame(t, &f, &frame)) == 0)
			r = call_tree_child(t, *at, frame, at);
	}
	return r;
}

/* Depths and samples are bounded by the file's size but where one location is named again and again: by its
 * lines, so the product is bounded too. */
#define NODES_MAX (1u << 24)

static int add_sample(struct profile *p, struct span sample, size_t which, struct call_tree *t)
{
	uint32_t at = CALL_ROOT;
	struct span rest = sample;
	struct field f;
	int r;

	p->ids.n = p->values.n = 0;
	while ((r = take_field(&rest, &f)) > 0) {
		r = f.number == 1 ? take_numbers(&f, &p->ids) : f.number == 2 ? take_numbers(&f, &p->values) :
		    f.number == 3 && f.is_bytes ? add_label(p, f.bytes, t, &at) : 0;
		if (r < 0)
			return r;
	}
	for (size_t i = p->ids.n; r == 0 && i-- > 0;) {
		uint32_t location = p->ids.v[i] ? map_get(&p->locations, p->ids.v[i]) : MAP_NONE;

		if (t->node.n > NODES_MAX)
			return -EFBIG;
		r = location == MAP_NONE ? -EBADMSG : add_location(p, &p->location.v[location], t, &at);
	}
	if (r == 0 && which < p->values.n && p->values.v[which] <= INT64_MAX)
		t->node.v[at].self += p->values.v[which];
	return r;
}

static enum call_unit unit_of(struct span type, struct span unit)
{
	if (span_is(unit, "nanoseconds"))
		return CALL_NANOSECONDS;
	if (span_is(unit, "bytes"))
		return CALL_BYTES;
	return span_is(type, "samples") ? CALL_SAMPLES : CALL_COUNT;
}

static int read_samples(struct profile *p, struct span message, struct call_tree *t)
{
	size_t which = p->type.n ? p->type.n - 1 : 0;
	struct field f;
	int r;

	for (size_t i = 0; i < p->type.n; i++)
		if (p->default_type && p->type.v[i].name == p->default_type)
			which = i;
	if (p->type.n)
		t->unit = unit_of(text_of(p, p->type.v[which].name), text_of(p, p->type.v[which].file));
	while ((r = take_field(&message, &f)) > 0)
		if (f.number == PPROF_SAMPLE && f.is_bytes && (r = add_sample(p, f.bytes, which, t)) < 0)
			return r;
	return r;
}

static int parse(struct span message, struct call_tree *t)
{
	struct profile p = { 0 };
	struct span rest = message;
	struct field f;
	int r;

	while ((r = take_field(&rest, &f)) > 0)
		if ((r = read_table(&p, &f)) < 0)
			break;
	if (r == 0 && (p.type.n == 0 || p.string.n == 0))
		r = -EBADMSG;
	if (r == 0)
		r = read_samples(&p, message, t);
	profile_deinit(&p);
	return r;
}

/* ---- gzip ---- */

static int unpack(struct span bytes, struct buf *ret)
{
	z_stream z = { .next_in = (unsigned char *)bytes.p, .avail_in = (unsigned)bytes.n };
	int r = 0, state = Z_OK;

	if (bytes.n > UINT32_MAX)
		return -EFBIG;
	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return -ENOMEM;
	while (r == 0 && state == Z_OK) {
		r = ret->n > CALL_PPROF_MAX ? -EFBIG : buf_reserve(ret, 64u << 10);
		if (r < 0)
			break;
		z.next_out = (unsigned char *)ret->data + ret->n;
		z.avail_out = 64u << 10;
		state = inflate(&z, Z_NO_FLUSH);
		ret->n += (64u << 10) - z.avail_out;
	}
	inflateEnd(&z);
	return r < 0 ? r : state == Z_STREAM_END ? 0 : -EBADMSG;
}

bool call_pprof_is(struct span bytes)
{
	return bytes.n > 2 && (unsigned char)bytes.p[0] == 0x1f && (unsigned char)bytes.p[1] == 0x8b;
}

int call_pprof_parse(struct span bytes, struct call_tree *t)
{
	cleanup(buf_deinit) struct buf unpacked = { 0 };

	if (call_pprof_is(bytes)) {
		int r = unpack(bytes, &unpacked);
		if (r < 0)
			return r;
		bytes = buf_span(&unpacked);
	}
	return parse(bytes, t);
}
