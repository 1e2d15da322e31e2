#include "describe_field.h"

#include <float.h>
#include <limits.h>
#include <string.h>

#include "tool.h"

/* A field, and what is looked up when all are known. */
struct pending {
	struct rt_field field;
	struct tag_member *tags;
	const struct c_type *type;
	const char *path, *origin;
	bool in_union;
};

struct members {
	struct descriptions *d;
	const struct scope *scope;
	const struct c_type *outer;
	const struct c_type *picker;
	struct pending *all;
	size_t n;
};

#define COMPLAIN(m, p, format, ...) complain((p)->origin, "member %s of %s: " format, (p)->path, (m)->scope->type, ##__VA_ARGS__)

static const char *word_value(struct members *m, struct pending *p, const char *word)
{
	struct tag *t = tag_of(p->tags, word);

	if (t && !t->value)
		COMPLAIN(m, p, "%s takes a value", word);
	return t ? t->value : NULL;
}

static const char *word_text(struct members *m, struct pending *p, const char *word)
{
	const char *value = word_value(m, p, word);
	char *s = NULL;

	if (value && !value_string(value, &s))
		COMPLAIN(m, p, "%s takes a text in quotes", word);
	return s;
}

/* A member of the C type by name, also of what is part of it without a name. */
static const struct c_type *member_type(const struct c_type *t, const char *name)
{
	for (size_t i = 0; i < t->nmembers; i++) {
		const struct c_member *c = &t->members[i];
		if (*c->name && strcmp(c->name, name) == 0)
			return c->type;
		const struct c_type *inner = *c->name ? NULL : member_type(c->type, name);
		if (inner)
			return inner;
	}
	return NULL;
}

static const struct c_type *picker_of(struct members *m, struct pending *p, const char *by)
{
	const struct c_type *t = member_type(m->outer, by);

	if (!t || (t->kind != C_ENUM && t->kind != C_INTEGER && t->kind != C_BOOL)) {
		COMPLAIN(m, p, "by = %s: there is no such member of an integer type", by);
		return NULL;
	}
	return t;
}

/* A field that says how many, or whether, or which. */
static int16_t index_of(struct members *m, struct pending *p, const char *word, unsigned kinds)
{
	const char *name = word_value(m, p, word);

	if (!name)
		return -1;
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->all[i].field.name, name) != 0)
			continue;
		if (!m->all[i].field.type || !(kinds & 1u << m->all[i].field.type->kind) || &m->all[i] == p)
			break;
		return (int16_t)i;
	}
	COMPLAIN(m, p, "%s = %s: there is no such member of a fitting type", word, name);
	return -1;
}

static const struct rt_type *flexible(struct members *m, struct pending *p, uint64_t offset_bits)
{
	const struct c_type *element = p->type->target;

	if (m->outer->kind != C_STRUCT || offset_bits / 8 + element->size < m->outer->size) {
		COMPLAIN(m, p, "a flexible array has to be the last member");
		return NULL;
	}
	const struct rt_type *t = element_describe(m->d, element, m->scope, p->origin);
	return t ? made_type(m->d, RT_KIND_TAIL, t, 0) : NULL;
}

static const struct rt_type *pointed(struct members *m, struct pending *p, const struct scope *inner)
{
	const struct c_type *target = p->type->target;
	bool list = tag_of(p->tags, "count"), one = tag_of(p->tags, "one");

	if (tag_of(p->tags, "borrowed")) {
		p->field.flags |= RT_FIELD_BORROWED;
		if (target->kind != C_FUNCTION && !is_annotated(m->d, target) && !(target->is_char && !list))
			return made_type(m->d, RT_KIND_POINTER, NULL, 0);
	}
	if ((list || one) && target->kind != C_VOID && target->kind != C_FUNCTION && target->kind != C_DECLARED) {
		const struct rt_type *element = list ? element_describe(m->d, target, inner, p->origin) :
						       type_describe(m->d, target, inner, p->origin);
		return element ? made_type(m->d, list ? RT_KIND_LIST : RT_KIND_POINTER, element, 0) : NULL;
	}
	return type_describe(m->d, p->type, inner, p->origin);
}

static const struct rt_type *field_type(struct members *m, struct pending *p, uint64_t offset_bits)
{
	struct scope inner = *m->scope;
	const char *by;

	inner.prefix = text_of("%s.", p->path);
	if (p->type->kind == C_POINTER)
		return pointed(m, p, &inner);
	if (p->type->kind == C_UNION && (by = word_value(m, p, "by"))) {
		const struct c_type *picker = picker_of(m, p, by);
		return picker ? union_describe(m->d, p->type, &inner, picker, p->origin) : NULL;
	}
	if (p->type->kind == C_ARRAY && p->type->count <= 0 && tag_of(p->tags, "count"))
		return flexible(m, p, offset_bits);
	if (p->type->kind == C_ARRAY && p->type->count > 0 && p->type->target->is_char && tag_of(p->tags, "bytes"))
		return made_type(m->d, RT_KIND_ARRAY, type_describe(m->d, p->type->target, &inner, p->origin),
				 (uint32_t)p->type->count);
	return type_describe(m->d, p->type, &inner, p->origin);
}

static bool is_plain(const char *key)
{
	for (; *key; key++)
		if (*key < 0x20 || *key == 0x7f || *key == '"' || *key == '\\')
			return false;
	return true;
}

static void simple_tags(struct members *m, struct pending *p)
{
	static const struct {
		const char *word;
		unsigned flag;
	} words[] = { { "required", RT_FIELD_REQUIRED }, { "omitempty", RT_FIELD_OMIT_EMPTY }, { "secret", RT_FIELD_SECRET } };
	struct rt_field *f = &p->field;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (tag_of(p->tags, words[i].word))
			f->flags |= words[i].flag;
	f->key = word_text(m, p, "name");
	f->key = f->key ? f->key : f->name;
	if (strlen(f->key) > 1000)
		COMPLAIN(m, p, "its name is too long");
	f->key_bytes = (uint16_t)strlen(f->key);
	f->flags |= is_plain(f->key) ? RT_FIELD_PLAIN_KEY : 0;
	f->unit = word_text(m, p, "unit");
}

static void gather(struct members *m, const struct c_type *t, uint64_t base_bits, bool in_union);

static void member_add(struct members *m, const struct c_member *c, uint64_t base_bits, bool in_union)
{
	struct pending p = { .type = c->type, .in_union = in_union, .origin = c->origin };
	uint64_t at = base_bits + c->offset_bits;

	p.path = text_of("%s%s", m->scope->prefix, c->name);
	if (!*p.origin)
		p.origin = m->scope->annotation ? m->scope->annotation->origin : "";
	p.tags = annotation_member(m->scope->annotation, p.path);
	if (p.tags)
		p.tags->used = true;
	if (tag_of(p.tags, "skip"))
		return;
	p.field = (struct rt_field){ .name = c->name, .offset = (uint32_t)(at / 8), .bit = at % 8, .bits = (uint8_t)c->bits,
				     .count = -1, .has = -1, .by = -1 };
	simple_tags(m, &p);
	p.field.type = field_type(m, &p, at);
	if (p.field.type && has_tail(p.field.type))
		COMPLAIN(m, &p, "it ends with a flexible array, which cannot be within another type");
	ADD(m->all, m->n) = p;
}

static void gather(struct members *m, const struct c_type *t, uint64_t base_bits, bool in_union)
{
	for (size_t i = 0; i < t->nmembers; i++) {
		const struct c_member *c = &t->members[i];
		if (*c->name)
			member_add(m, c, base_bits, in_union);
		else if (c->type->kind == C_STRUCT || c->type->kind == C_UNION)
			gather(m, c->type, base_bits + c->offset_bits, in_union || c->type->kind == C_UNION);
	}
}

#define COUNTED (1u << RT_KIND_LIST | 1u << RT_KIND_TAIL | 1u << RT_KIND_ARRAY)
#define LENGTH (COUNTED | 1u << RT_KIND_STRING | 1u << RT_KIND_TEXT)
#define INTEGERS (1u << RT_KIND_SIGNED | 1u << RT_KIND_UNSIGNED)
#define PICKERS (INTEGERS | 1u << RT_KIND_ENUM | 1u << RT_KIND_BOOL)

static bool fits(const struct rt_field *f, __int128 value)
{
	unsigned bits = f->bits ? f->bits : f->type->size * 8;

	if (f->type->is_signed)
		return value >= -((__int128)1 << (bits - 1)) && value < (__int128)1 << (bits - 1);
	return value >= 0 && value < (f->type->kind == RT_KIND_BOOL ? 2 : (__int128)1 << bits);
}

static bool value_read(struct pending *p, const char *text, bool bound, union rt_value *ret)
{
	const struct rt_type *t = p->field.type;
	__int128 value;
	char *s;

	if (t->kind == RT_KIND_FLOAT)
		return value_float(text, &ret->d);
	if (!bound && (t->kind == RT_KIND_STRING || t->kind == RT_KIND_TEXT)) {
		if (!value_string(text, &s) || (t->kind == RT_KIND_TEXT && strlen(s) >= t->count))
			return false;
		ret->s = s;
		return true;
	}
	if (!value_integer(text, p->type, &value))
		return false;
	if (bound && LENGTH & 1u << t->kind) {
		ret->u = (uint64_t)value;
		return value >= 0;
	}
	ret->u = (uint64_t)value;
	return PICKERS & 1u << t->kind && (bound ? INTEGERS & 1u << t->kind : 1) && fits(&p->field, value);
}

static void values_read(struct members *m, struct pending *p)
{
	const struct {
		const char *word;
		unsigned flag;
		union rt_value *to;
	} words[] = { { "initial", RT_FIELD_INITIAL, &p->field.initial },
		      { "min", RT_FIELD_MIN, &p->field.min },
		      { "max", RT_FIELD_MAX, &p->field.max } };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *text = word_value(m, p, words[i].word);
		if (!text)
			continue;
		p->field.flags |= words[i].flag;
		if (!value_read(p, text, i > 0, words[i].to))
			COMPLAIN(m, p, "%s = %s does not fit its type", words[i].word, text);
	}
}

/* Which value of which member makes a member of a union be there. */
static void case_read(struct members *m, struct pending *p)
{
	struct rt_field *f = &p->field;
	const char *text = word_value(m, p, "case");
	const struct c_type *picker = m->picker;
	__int128 value;

	if (!m->picker) {
		f->by = index_of(m, p, "by", PICKERS);
		picker = f->by >= 0 ? m->all[f->by].type : NULL;
	}
	f->flags |= RT_FIELD_PICKED;
	if (!text || (!m->picker && f->by < 0))
		COMPLAIN(m, p, "nothing tells when it is there: a member of a union needs %scase = value, or skip",
			 m->picker ? "" : "by = member, ");
	else if (!value_integer(text, picker, &value))
		COMPLAIN(m, p, "case = %s is no value", text);
	else
		f->pick = (int64_t)value;
}

static void finish(struct members *m, struct pending *p)
{
	struct rt_field *f = &p->field;
	unsigned kind = 1u << f->type->kind;

	if (p->in_union)
		case_read(m, p);
	else if (f->type->kind == RT_KIND_UNION)
		f->by = index_of(m, p, "by", PICKERS);
	if (kind & COUNTED)
		f->count = index_of(m, p, "count", INTEGERS);
	if (f->count < 0 && kind & (1u << RT_KIND_LIST | 1u << RT_KIND_TAIL))
		COMPLAIN(m, p, "it has no count");
	f->has = index_of(m, p, "has", 1u << RT_KIND_BOOL);
	values_read(m, p);
	if (f->count >= 0)
		m->all[f->count].field.flags |= RT_FIELD_HIDDEN;
	if (f->has >= 0)
		m->all[f->has].field.flags |= RT_FIELD_HIDDEN;
	if (f->type->kind == RT_KIND_FUNCTION || (f->type->kind == RT_KIND_POINTER && !f->type->element) ||
	    f->flags & RT_FIELD_BORROWED)
		f->flags |= RT_FIELD_OPAQUE;
}

/* What is hidden or opaque has no key. */
static void keys_check(struct members *m)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(m->all[i].field.key, m->all[j].field.key) == 0 &&
			    !((m->all[i].field.flags | m->all[j].field.flags) & (RT_FIELD_HIDDEN | RT_FIELD_OPAQUE)))
				COMPLAIN(m, &m->all[i], "member %s has the key %s too", m->all[j].path, m->all[i].field.key);
}

/* Of a type that has been complained about there is nothing more to say. */
static void tags_ignore(struct tag_member *m)
{
	for (size_t i = 0; m && i < m->ntags; i++)
		m->tags[i].used = true;
}

static uint16_t align_of(const struct members *m)
{
	uint16_t align = 1;

	for (size_t i = 0; i < m->n; i++)
		if (m->all[i].field.type && m->all[i].field.type->align > align)
			align = m->all[i].field.type->align;
	return align;
}

void fields_describe(struct descriptions *d, const struct c_type *t, const struct scope *scope, const struct c_type *picker,
		     struct rt_type *to)
{
	struct members m = { .d = d, .scope = scope, .outer = t, .picker = picker };
	size_t whole = 0;

	gather(&m, t, 0, picker != NULL);
	if (m.n > 1024)
		fail("%s has too many members", scope->type);
	for (size_t i = 0; i < m.n; i++)
		whole += m.all[i].field.type != NULL;
	for (size_t i = 0; i < m.n; i++) {
		if (whole == m.n)
			finish(&m, &m.all[i]);
		else
			tags_ignore(m.all[i].tags);
	}
	keys_check(&m);
	to->align = align_of(&m);
	struct rt_field *fields = get(m.n * sizeof *fields);
	for (size_t i = 0; i < m.n; i++)
		fields[i] = m.all[i].field;
	to->fields = fields;
	to->count = (uint32_t)m.n;
}
