#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "reflect/number_text.h"
#include "reflect/out.h"
#include "reflect/utf8.h"
#include "reflect/value.h"

#define DEPTH 4
#define ELEMENTS 16
#define STRING_BYTES 128
#define PAGE 4096u
#define NESTED 64		/* structs within structs, without pointers */

/* What is being shown, from the innermost outwards. */
struct shown {
	const struct shown *outer;
	uint64_t address;
	const struct rt_type *type;
};

struct printer {
	struct out out;
	struct rt_print_options o;
	unsigned indent;
	uint64_t root, root_bytes;	/* in this process: may be read as it is */
};

static void value(struct printer *p, const struct rt_type *t, uint64_t at, unsigned depth, const struct shown *outer);

/* Memory of this process that may not be there. */
static int read_self(struct printer *p, uint64_t address, void *ret, size_t bytes)
{
	struct iovec to = { ret, bytes }, from = { (void *)(uintptr_t)address, bytes };
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	if (n == (ssize_t)bytes)
		return 0;
	/* Where the system call is filtered, the object that the caller vouches for is shown, and nothing is
	 * followed. */
	if (n < 0 && errno != EFAULT && address - p->root < p->root_bytes && bytes <= p->root_bytes - (address - p->root)) {
		memcpy(ret, (const void *)(uintptr_t)address, bytes);
		return 0;
	}
	return -EFAULT;
}

static int load(struct printer *p, uint64_t address, void *ret, size_t bytes)
{
	return p->o.read ? p->o.read(p->o.arg, address, ret, bytes) : read_self(p, address, ret, bytes);
}

static void unread(struct printer *p)
{
	out_text(&p->out, "(cannot be read)");
}

static void line(struct printer *p)
{
	out_byte(&p->out, '\n');
	for (unsigned i = 0; i < p->indent; i++)
		out_bytes(&p->out, "  ", 2);
}

static bool number(struct printer *p, const struct rt_field *f, uint64_t object, int64_t *ret)
{
	struct rt_field here = *f;
	char bytes[16] = { 0 };

	here.offset = 0;
	if (load(p, object + f->offset, bytes, f->bits ? (f->bit + f->bits + 7u) / 8 : f->type->size) != 0)
		return false;
	*ret = value_field(&here, bytes);
	return true;
}

static void integer_show(struct printer *p, const struct rt_type *t, int64_t v)
{
	for (uint32_t i = 0; t->kind == RT_KIND_ENUM && i < t->count; i++) {
		if (t->enumerators[i].value != v)
			continue;
		out_format(&p->out, "%s", t->enumerators[i].name);
		return;
	}
	if (t->kind == RT_KIND_BOOL)
		out_text(&p->out, v ? "true" : "false");
	else
		out_format(&p->out, t->is_signed ? "%jd" : "%ju", (intmax_t)v);
	if (t->size == 1 && t->kind != RT_KIND_BOOL && strcmp(t->name, "char") == 0 && v >= 0x20 && v < 0x7f)
		out_format(&p->out, " '%c'", (char)v);
}

static void float_show(struct printer *p, const struct rt_type *t, const void *bytes)
{
	char *o = out_room(&p->out, NUMBER_TEXT);
	double d;
	float s;

	memcpy(&d, bytes, 8);
	memcpy(&s, bytes, 4);
	if (t->size == 4 ? !isfinite(s) : !isfinite(d))
		out_format(&p->out, "%f", t->size == 4 ? (double)s : d);
	else
		p->out.p += t->size == 4 ? number_float(s, o) : number_double(d, o);
}

static void scalar(struct printer *p, const struct rt_type *t, uint64_t at)
{
	char bytes[8] = { 0 };

	if (load(p, at, bytes, t->size) != 0)
		unread(p);
	else if (t->kind == RT_KIND_FLOAT)
		float_show(p, t, bytes);
	else
		integer_show(p, t, value_plain(t, bytes));
}

static void text_show(struct printer *p, const unsigned char *s, size_t n)
{
	static const char from[] = "\n\t\r\"\\", to[] = "ntr\"\\";

	for (size_t i = 0; i < n;) {
		const char *e = s[i] ? strchr(from, s[i]) : NULL;
		size_t bytes = s[i] >= 0x80 ? utf8_length(s + i, n - i) : 1;
		if (e)
			out_format(&p->out, "\\%c", to[e - from]);
		else if (bytes == 0 || s[i] < 0x20 || s[i] == 0x7f)
			out_format(&p->out, "\\x%02x", s[i]);
		else
			out_bytes(&p->out, (const char *)s + i, bytes);
		i += bytes ? bytes : 1;
	}
}

/* To '\0', at most `most` bytes; page by page, for behind the end there may be nothing. */
static void string(struct printer *p, uint64_t at, size_t most, bool ends_there)
{
	size_t left = most < p->o.string_bytes ? most : p->o.string_bytes;
	bool cut = left < most || !ends_there;
	unsigned char bytes[256];

	out_byte(&p->out, '"');
	while (left) {
		size_t n = left < sizeof bytes ? left : sizeof bytes;
		n = n < PAGE - at % PAGE ? n : PAGE - at % PAGE;
		if (load(p, at, bytes, n) != 0) {
			out_text(&p->out, "\" ");
			unread(p);
			return;
		}
		unsigned char *end = memchr(bytes, '\0', n);
		text_show(p, bytes, end ? (size_t)(end - bytes) : n);
		if (end) {
			cut = false;
			break;
		}
		at += n;
		left -= n;
	}
	out_text(&p->out, cut ? "\"..." : "\"");
}

static bool is_scalar(const struct rt_type *t)
{
	return t->kind <= RT_KIND_ENUM;
}

static void elements(struct printer *p, const struct rt_type *element, uint64_t at, uint64_t n, unsigned depth, const struct shown *outer)
{
	uint64_t shown = n < p->o.elements ? n : p->o.elements;

	out_byte(&p->out, '{');
	p->indent++;
	for (uint64_t i = 0; i < shown && !p->out.result; i++) {
		if (!is_scalar(element)) {
			line(p);
			out_format(&p->out, "[%ju] = ", (uintmax_t)i);
		} else if (i) {
			out_bytes(&p->out, ", ", 2);
		}
		value(p, element, at + i * element->size, depth, outer);
	}
	if (shown < n) {
		if (is_scalar(element))
			out_bytes(&p->out, ", ", 2);
		else
			line(p);
		out_format(&p->out, "... %ju more", (uintmax_t)(n - shown));
	}
	p->indent--;
	if (n && !is_scalar(element))
		line(p);
	out_byte(&p->out, '}');
}

/* Whether there is more to show behind this address. */
static bool follow(struct printer *p, const struct rt_type *t, uint64_t address, unsigned depth, const struct shown *outer)
{
	out_format(&p->out, "0x%jx", (uintmax_t)address);
	for (const struct shown *s = outer; s; s = s->outer) {
		if (s->address != address || s->type != t)
			continue;
		out_text(&p->out, " (shown above)");
		return false;
	}
	if (depth >= p->o.depth)
		return false;
	out_text(&p->out, " -> ");
	return true;
}

static bool pointer_load(struct printer *p, uint64_t at, uint64_t *ret)
{
	if (load(p, at, ret, sizeof *ret) != 0) {
		unread(p);
		return false;
	}
	if (*ret == 0)
		out_text(&p->out, "NULL");
	return *ret != 0;
}

static void pointer(struct printer *p, const struct rt_type *t, uint64_t at, unsigned depth, const struct shown *outer)
{
	uint64_t address;

	if (!pointer_load(p, at, &address))
		return;
	if (t->kind == RT_KIND_STRING)
		string(p, address, SIZE_MAX, false);
	else if (!t->element)
		out_format(&p->out, "0x%jx", (uintmax_t)address);
	else if (follow(p, t->element, address, depth, outer))
		value(p, t->element, address, depth + 1, outer);
}

static bool picked(struct printer *p, const struct rt_type *outer, const struct rt_field *f, uint64_t object, const struct rt_field **ret)
{
	int64_t pick;

	if (!number(p, &outer->fields[f->by], object, &pick))
		return false;
	*ret = NULL;
	for (uint32_t i = 0; i < f->type->count; i++)
		if (f->type->fields[i].pick == pick)
			*ret = &f->type->fields[i];
	return true;
}

static void union_show(struct printer *p, const struct rt_type *outer, const struct rt_field *f, uint64_t object, unsigned depth,
		       const struct shown *shown)
{
	const struct rt_field *there;

	if (!picked(p, outer, f, object, &there)) {
		unread(p);
		return;
	}
	if (!there) {
		out_text(&p->out, "{}");
		return;
	}
	out_format(&p->out, "{ .%s = ", there->name);
	int64_t v;
	if (there->flags & RT_FIELD_SECRET && !p->o.secrets)
		out_text(&p->out, "(secret)");
	else if (!there->bits)
		value(p, there->type, object + f->offset + there->offset, depth, shown);
	else if (number(p, there, object + f->offset, &v))
		integer_show(p, there->type, v);
	else
		unread(p);
	out_text(&p->out, " }");
}

static void counted(struct printer *p, const struct rt_type *outer, const struct rt_field *f, uint64_t object, unsigned depth,
		    const struct shown *shown)
{
	uint64_t at = object + f->offset;
	int64_t n = f->type->count;

	if (f->count >= 0 && !number(p, &outer->fields[f->count], object, &n)) {
		unread(p);
		return;
	}
	if (f->type->kind == RT_KIND_ARRAY && (n < 0 || n > (int64_t)f->type->count)) {
		out_format(&p->out, "(count %jd of %u) ", (intmax_t)n, f->type->count);
		n = f->type->count;
	} else if (n < 0) {
		out_format(&p->out, "(count %jd)", (intmax_t)n);
		return;
	}
	if (f->type->kind == RT_KIND_LIST) {
		if (!pointer_load(p, at, &at))
			return;
		out_format(&p->out, "0x%jx", (uintmax_t)at);
		if (depth >= p->o.depth)
			return;
		out_text(&p->out, " -> ");
		depth++;
	}
	elements(p, f->type->element, at, (uint64_t)n, depth, shown);
}

static void field(struct printer *p, const struct rt_type *t, const struct rt_field *f, uint64_t object, unsigned depth,
		  const struct shown *shown)
{
	int64_t v;

	line(p);
	out_format(&p->out, "%s = ", f->name);
	if (f->flags & RT_FIELD_SECRET && !p->o.secrets) {
		out_text(&p->out, "(secret)");
		return;
	}
	switch (f->type->kind) {
	case RT_KIND_LIST:
	case RT_KIND_TAIL:
	case RT_KIND_ARRAY:
		counted(p, t, f, object, depth, shown);
		break;
	case RT_KIND_UNION:
		union_show(p, t, f, object, depth, shown);
		break;
	default:
		if (!f->bits)
			value(p, f->type, object + f->offset, depth, shown);
		else if (number(p, f, object, &v))
			integer_show(p, f->type, v);
		else
			unread(p);
	}
	if (f->unit)
		out_format(&p->out, " %s", f->unit);
}

static bool is_there(struct printer *p, const struct rt_type *t, const struct rt_field *f, uint64_t object)
{
	int64_t v;

	if (f->has >= 0 && number(p, &t->fields[f->has], object, &v) && !v)
		return false;
	return !(f->flags & RT_FIELD_PICKED) || f->by < 0 || !number(p, &t->fields[f->by], object, &v) || v == f->pick;
}

static void object_show(struct printer *p, const struct rt_type *t, uint64_t at, unsigned depth, const struct shown *outer)
{
	struct shown here = { outer, at, t };

	if (*t->name)
		out_format(&p->out, "%s ", t->name);
	out_byte(&p->out, '{');
	if (p->indent >= NESTED) {
		out_text(&p->out, "...}");
		return;
	}
	p->indent++;
	for (uint32_t i = 0; i < t->count && !p->out.result; i++)
		if (is_there(p, t, &t->fields[i], at))
			field(p, t, &t->fields[i], at, depth, &here);
	p->indent--;
	line(p);
	out_byte(&p->out, '}');
}

static void value(struct printer *p, const struct rt_type *t, uint64_t at, unsigned depth, const struct shown *outer)
{
	uint64_t address;

	switch (t->kind) {
	case RT_KIND_STRUCT:
		object_show(p, t, at, depth, outer);
		break;
	case RT_KIND_STRING:
	case RT_KIND_POINTER:
		pointer(p, t, at, depth, outer);
		break;
	case RT_KIND_FUNCTION:
		if (pointer_load(p, at, &address))
			out_format(&p->out, "0x%jx", (uintmax_t)address);
		break;
	case RT_KIND_TEXT:
		string(p, at, t->count, true);
		break;
	case RT_KIND_ARRAY:
		elements(p, t->element, at, t->count, depth, outer);
		break;
	case RT_KIND_UNION:
		out_text(&p->out, "(a union)");
		break;
	default:
		scalar(p, t, at);
	}
}

int rt_print(const struct rt_type *type, const void *object, const struct rt_print_options *options, rt_writer *write, void *arg)
{
	struct printer p = { .root = (uintptr_t)object, .root_bytes = type->size };

	if (options)
		p.o = *options;
	p.o.depth = p.o.depth ? p.o.depth : DEPTH;
	p.o.elements = p.o.elements ? p.o.elements : ELEMENTS;
	p.o.string_bytes = p.o.string_bytes ? p.o.string_bytes : STRING_BYTES;
	out_init(&p.out, write, arg);
	value(&p, type, p.root, 0, NULL);
	out_byte(&p.out, '\n');
	return out_end(&p.out);
}
