#include "describe.h"

#include <ctype.h>
#include <string.h>

#include "describe_field.h"
#include "tool.h"

static struct described *room(struct descriptions *d, const struct c_type *from)
{
	struct described *new = get(sizeof *new);

	new->from = from;
	new->type.name = from ? from->name : "";
	new->type.origin = from ? from->origin : "";
	new->type.align = 1;
	ADD(d->all, d->n) = new;
	return new;
}

static struct described *known(struct descriptions *d, const struct c_type *from)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->from == from)
			return d->all[i];
	return NULL;
}

/* The annotation of a type, by whichever of its names; those of a type without one of its own stand with the
 * outer type. */
static struct annotation *annotation_of(struct descriptions *d, const struct c_type *t)
{
	for (size_t i = 0; *t->name && i < d->annotations.n; i++)
		if (strcmp(d->annotations.all[i].type, t->name) == 0)
			return &d->annotations.all[i];
	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; d->all[i]->from == t && d->all[i]->name && j < d->annotations.n; j++)
			if (strcmp(d->annotations.all[j].type, d->all[i]->name) == 0)
				return &d->annotations.all[j];
	return NULL;
}

bool is_annotated(struct descriptions *d, const struct c_type *t)
{
	return annotation_of(d, t) != NULL;
}

struct scope scope_of(struct descriptions *d, const struct c_type *t, const struct scope *outer)
{
	struct annotation *a = annotation_of(d, t);

	if (a || *t->name || !outer)
		return (struct scope){ .annotation = a, .prefix = "", .type = *t->name ? t->name : a ? a->type : "a type without a name" };
	return *outer;
}

const struct rt_type *made_type(struct descriptions *d, enum rt_kind kind, const struct rt_type *element, uint32_t count)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct rt_type *t = &d->all[i]->type;
		if (!d->all[i]->from && t->kind == kind && t->element == element && t->count == count)
			return t;
	}
	bool text = kind == RT_KIND_TEXT, array = kind == RT_KIND_ARRAY, tail = kind == RT_KIND_TAIL;
	struct rt_type *new = &room(d, NULL)->type;
	new->kind = kind;
	new->element = element;
	new->count = count;
	new->size = text ? count : array ? element->size * count : tail ? 0 : 8;
	new->align = text ? 1 : array || tail ? element->align : 8;
	return new;
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void enumerators_describe(struct descriptions *d, const struct c_type *t, const struct scope *scope, struct rt_type *to)
{
	struct annotation *a = annotation_of(d, t);
	struct tag_member *all = annotation_member(a, "*");
	struct tag *prefix = tag_of(all, "prefix");
	struct rt_enumerator *e = get(t->nenumerators * sizeof *e);
	char *before = "";

	if (prefix && (!prefix->value || !value_string(prefix->value, &before)))
		complain(a->origin, "%s: prefix takes a text", scope->type);
	for (size_t i = 0; i < t->nenumerators; i++) {
		const char *name = t->enumerators[i].name;
		struct tag_member *m = annotation_member(a, name);
		struct tag *given = tag_of(m, "name");
		size_t n = strncmp(name, before, strlen(before)) == 0 ? strlen(before) : 0;
		char *word = text_of("%s", name + n);
		if (tag_of(all, "lower"))
			lower(word);
		if (given && (!given->value || !value_string(given->value, &word)))
			complain(a->origin, "%s: name takes a text", name);
		if (m)
			m->used = true;
		for (size_t j = 0; j < i; j++)
			if (strcmp(e[j].word, word) == 0)
				complain(t->origin, "%s: %s and %s have the same word %s", scope->type, e[j].name, name, word);
		e[i] = (struct rt_enumerator){ name, word, t->enumerators[i].value };
	}
	if (all)
		all->used = true;
	to->enumerators = e;
	to->count = (uint32_t)t->nenumerators;
}

/* Compilers call the same type "short int" and "short". */
static const char *scalar_name(enum rt_kind kind, const struct c_type *t)
{
	if (kind == RT_KIND_ENUM || kind == RT_KIND_FLOAT || t->is_char)
		return t->name;
	return kind == RT_KIND_BOOL ? "bool" : text_of("%sint%d_t", t->is_signed ? "" : "u", (int)t->size * 8);
}

static void scalar(struct rt_type *to, enum rt_kind kind, const struct c_type *t)
{
	to->name = scalar_name(kind, t);
	to->kind = kind;
	to->is_signed = t->is_signed;
	to->size = (uint32_t)t->size;
	to->align = (uint16_t)t->size;
}

static const struct rt_type *pointer_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer,
					      const char *origin)
{
	const struct c_type *target = t->target;

	if (target->kind == C_FUNCTION)
		return made_type(d, RT_KIND_FUNCTION, NULL, 0);
	if (target->kind == C_VOID || target->kind == C_DECLARED)
		return made_type(d, RT_KIND_POINTER, NULL, 0);
	if (target->kind == C_INTEGER && target->is_char)
		return made_type(d, RT_KIND_STRING, NULL, 0);
	const struct rt_type *element = type_describe(d, target, outer, origin);
	return element ? made_type(d, RT_KIND_POINTER, element, 0) : NULL;
}

bool has_tail(const struct rt_type *t)
{
	return t->kind == RT_KIND_STRUCT && t->count && t->fields && t->fields[t->count - 1].type &&
	       t->fields[t->count - 1].type->kind == RT_KIND_TAIL;
}

const struct rt_type *element_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer, const char *origin)
{
	const struct rt_type *element = type_describe(d, t, outer, origin);

	if (!element || !has_tail(element))
		return element;
	complain(origin, "%s ends with a flexible array: it cannot be the element of an array or a list", element->name);
	return NULL;
}

static const struct rt_type *array_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer,
					    const char *origin)
{
	if (t->count > UINT32_MAX / 2 || t->size > UINT32_MAX / 2) {
		complain(origin, "an array of %ju bytes is too large", (uintmax_t)t->size);
		return NULL;
	}
	if (t->count <= 0) {
		complain(origin, "a flexible array needs count = member, and to be the last member");
		return NULL;
	}
	if (t->target->kind == C_INTEGER && t->target->is_char)
		return made_type(d, RT_KIND_TEXT, NULL, (uint32_t)t->count);
	const struct rt_type *element = element_describe(d, t->target, outer, origin);
	return element ? made_type(d, RT_KIND_ARRAY, element, (uint32_t)t->count) : NULL;
}

static const char *described_as(const struct c_type *t)
{
	return *t->name ? t->name : "a type without a name";
}

const struct rt_type *type_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer, const char *origin)
{
	struct described *at = known(d, t);

	if (at && at->type.kind)
		return &at->type;
	switch (t->kind) {
	case C_POINTER:
		return pointer_describe(d, t, outer, origin);
	case C_ARRAY:
		return array_describe(d, t, outer, origin);
	case C_UNION:
		complain(origin, "nothing tells which member of %s is there: say by = member for a member of this type itself, or skip",
			 described_as(t));
		return NULL;
	case C_VOID:
	case C_FUNCTION:
	case C_DECLARED:
	case C_STRANGE:
		complain(origin, "%s of %ju bytes cannot be described: say skip", described_as(t), (uintmax_t)t->size);
		return NULL;
	default:
		break;
	}
	if (!at)
		at = room(d, t);
	struct scope scope = scope_of(d, t, outer);
	switch (t->kind) {
	case C_BOOL:
		scalar(&at->type, RT_KIND_BOOL, t);
		break;
	case C_INTEGER:
		scalar(&at->type, t->is_signed ? RT_KIND_SIGNED : RT_KIND_UNSIGNED, t);
		break;
	case C_FLOAT:
		scalar(&at->type, RT_KIND_FLOAT, t);
		break;
	case C_ENUM:
		scalar(&at->type, RT_KIND_ENUM, t);
		enumerators_describe(d, t, &scope, &at->type);
		break;
	default:
		at->type.kind = RT_KIND_STRUCT;
		at->type.size = (uint32_t)t->size;
		fields_describe(d, t, &scope, NULL, &at->type);
	}
	return &at->type;
}

const struct rt_type *union_describe(struct descriptions *d, const struct c_type *t, const struct scope *outer,
				     const struct c_type *picker, const char *origin)
{
	struct described *at = known(d, t);

	if (at && at->type.kind) {
		if (at->picker != picker)
			complain(origin, "the cases of %s are of another type elsewhere", described_as(t));
		return &at->type;
	}
	if (!at)
		at = room(d, t);
	at->type.kind = RT_KIND_UNION;
	at->type.size = (uint32_t)t->size;
	at->picker = picker;
	struct scope scope = scope_of(d, t, outer);
	fields_describe(d, t, &scope, picker, &at->type);
	return &at->type;
}

/* "struct order" becomes rt_type_struct_order, as the macro makes it. */
static const char *symbol_of(const char *name)
{
	char *s = text_of("rt_type_%s", name);

	for (char *p = s; *p; p++)
		if (*p == ' ')
			*p = '_';
	return s;
}

static const struct c_type *look_for(const struct annotation *a, struct c_source **sources, size_t nsources)
{
	struct c_type *found = NULL;

	for (size_t i = 0; i < nsources; i++) {
		struct c_type *t = c_source_find(sources[i], a->type);
		if (found && t && !c_type_same(found, t))
			fail("%s differs from object to object: %s and %s", a->type, found->origin, t->origin);
		found = found ? found : t;
	}
	return found;
}

static void unused_tell(const struct annotation *a)
{
	for (size_t i = 0; i < a->nmembers; i++) {
		const struct tag_member *m = &a->members[i];
		if (!m->used)
			complain(a->origin, "%s has no member %s", a->type, m->path);
		for (size_t j = 0; m->used && j < m->ntags; j++)
			if (!m->tags[j].used)
				complain(a->origin, "%s, member %s: %s is no tag, or none for this type", a->type, m->path,
					 m->tags[j].word);
	}
}

void describe_all(struct descriptions *d, struct c_source **sources, size_t nsources)
{
	const struct c_type **types = get(d->annotations.n * sizeof *types);

	for (size_t i = 0; i < d->annotations.n; i++) {
		struct annotation *a = &d->annotations.all[i];
		types[i] = look_for(a, sources, nsources);
		if (!types[i] || (types[i]->kind != C_STRUCT && types[i]->kind != C_UNION && types[i]->kind != C_ENUM)) {
			complain(a->origin, types[i] ? "%s is no struct, union or enumeration" :
				 "%s is not in the debug information: was it compiled with -g?", a->type);
			types[i] = NULL;
			continue;
		}
		struct described *at = known(d, types[i]);
		if (!at) {
			at = room(d, types[i]);
			at->name = a->type;
		}
		ADD(at->symbols, at->nsymbols) = symbol_of(a->type);
	}
	for (size_t i = 0; i < d->annotations.n; i++)
		if (types[i] && types[i]->kind != C_UNION)
			type_describe(d, types[i], NULL, d->annotations.all[i].origin);
	for (size_t i = 0; i < d->annotations.n; i++)
		if (types[i] && known(d, types[i])->type.kind)
			unused_tell(&d->annotations.all[i]);
}
