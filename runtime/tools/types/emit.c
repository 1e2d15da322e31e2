#include "emit.h"

#include <inttypes.h>
#include <string.h>

#include "tool.h"

struct emitter {
	const struct descriptions *d;
	FILE *to;
};

static void text(FILE *to, const char *s)
{
	if (!s) {
		fputs("NULL", to);
		return;
	}
	fputc('"', to);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f || c == '?')
			fprintf(to, "\\%03o", c);
		else
			fputc(c, to);
	}
	fputc('"', to);
}

/* The name in the source; of one that is only part of others a number. */
static const char *symbol(const struct emitter *e, const struct rt_type *t)
{
	for (size_t i = 0; i < e->d->n; i++)
		if (&e->d->all[i]->type == t)
			return e->d->all[i]->nsymbols ? e->d->all[i]->symbols[0] : text_of("type_%zu", i);
	fail("a type is described nowhere");
}

static void reference(const struct emitter *e, const struct rt_type *t)
{
	fprintf(e->to, t ? "&%s" : "NULL", t ? symbol(e, t) : NULL);
}

static void value(FILE *to, const char *name, const struct rt_field *f, const union rt_value *v, bool bound)
{
	unsigned kind = f->type->kind;

	fprintf(to, ", .%s", name);
	if (kind == RT_KIND_FLOAT)
		fprintf(to, ".d = %a", v->d);
	else if (!bound && (kind == RT_KIND_STRING || kind == RT_KIND_TEXT))
		fputs(".s = ", to), text(to, v->s);
	else if (kind == RT_KIND_SIGNED || (kind == RT_KIND_ENUM && f->type->is_signed))
		fprintf(to, ".i = %" PRId64 "LL%s", v->i == INT64_MIN ? v->i + 1 : v->i, v->i == INT64_MIN ? " - 1" : "");
	else
		fprintf(to, ".u = %" PRIu64 "ULL", v->u);
}

static void field(const struct emitter *e, const struct rt_field *f)
{
	fputs("\t{ .name = ", e->to);
	text(e->to, f->name);
	fputs(", .key = ", e->to);
	text(e->to, f->key);
	fprintf(e->to, ", .key_bytes = %u, .type = ", f->key_bytes);
	reference(e, f->type);
	fprintf(e->to, ", .offset = %u, .bit = %u, .bits = %u, .flags = 0x%x,\n\t  .count = %d, .has = %d, .by = %d", f->offset, f->bit,
		f->bits, f->flags, f->count, f->has, f->by);
	if (f->flags & RT_FIELD_PICKED || f->pick)
		fprintf(e->to, ", .pick = %" PRId64 "LL%s", f->pick == INT64_MIN ? f->pick + 1 : f->pick,
			f->pick == INT64_MIN ? " - 1" : "");
	if (f->flags & RT_FIELD_INITIAL)
		value(e->to, "initial", f, &f->initial, false);
	if (f->flags & RT_FIELD_MIN)
		value(e->to, "min", f, &f->min, true);
	if (f->flags & RT_FIELD_MAX)
		value(e->to, "max", f, &f->max, true);
	fputs(", .unit = ", e->to);
	text(e->to, f->unit);
	fputs(" },\n", e->to);
}

static void parts(const struct emitter *e, const struct rt_type *t, size_t number)
{
	if (t->fields && t->count) {
		fprintf(e->to, "\nstatic const struct rt_field fields_%zu[] = {\n", number);
		for (uint32_t i = 0; i < t->count; i++)
			field(e, &t->fields[i]);
		fputs("};\n", e->to);
	}
	if (!t->enumerators)
		return;
	fprintf(e->to, "\nstatic const struct rt_enumerator enumerators_%zu[] = {\n", number);
	for (uint32_t i = 0; i < t->count; i++) {
		const struct rt_enumerator *n = &t->enumerators[i];
		fputs("\t{ ", e->to);
		text(e->to, n->name);
		fputs(", ", e->to);
		text(e->to, n->word);
		fprintf(e->to, ", %" PRId64 "LL%s },\n", n->value == INT64_MIN ? n->value + 1 : n->value,
			n->value == INT64_MIN ? " - 1" : "");
	}
	fputs("};\n", e->to);
}

static void type(const struct emitter *e, const struct described *d, size_t number)
{
	const struct rt_type *t = &d->type;

	parts(e, t, number);
	fprintf(e->to, "\n%sconst struct rt_type %s = {\n\t.name = ", d->nsymbols ? "" : "static ", symbol(e, t));
	text(e->to, t->name && *t->name ? t->name : d->name ? d->name : "");
	fprintf(e->to, ", .kind = %u, .is_signed = %u, .align = %u, .size = %u, .count = %u,\n\t.element = ", t->kind, t->is_signed,
		t->align, t->size, t->count);
	reference(e, t->element);
	fputs(", .fields = ", e->to);
	fprintf(e->to, t->fields && t->count ? "fields_%zu" : "NULL", number);
	fputs(", .enumerators = ", e->to);
	fprintf(e->to, t->enumerators && t->count ? "enumerators_%zu" : "NULL", number);
	fputs(", .origin = ", e->to);
	text(e->to, t->origin);
	fputs(",\n};\n", e->to);
	for (size_t i = 1; i < d->nsymbols; i++)
		fprintf(e->to, "extern const struct rt_type %s __attribute__((alias(\"%s\")));\n", d->symbols[i], d->symbols[0]);
}

static void checks(const struct emitter *e, const struct described *d)
{
	const char *name = d->name && d->nsymbols ? d->name : NULL;

	if (!name)
		return;
	fprintf(e->to, "_Static_assert(sizeof(%s) == %u, \"%s has changed: run osprey-rt-types again\");\n", name, d->type.size, name);
	for (uint32_t i = 0; d->type.fields && i < d->type.count; i++)
		if (!d->type.fields[i].bits)
			fprintf(e->to, "_Static_assert(__builtin_offsetof(%s, %s) == %u, \"%s has changed: run osprey-rt-types again\");\n",
				name, d->type.fields[i].name, d->type.fields[i].offset, name);
}

/* Two such sources may be in one program. */
static uint64_t hash(const struct descriptions *d)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; j < d->all[i]->nsymbols; j++)
			for (const char *p = d->all[i]->symbols[j]; *p; p++)
				h = (h ^ (unsigned char)*p) * 0x100000001b3;
	return h;
}

static void root(const struct emitter *e)
{
	char name[64];
	size_t n = 0;

	snprintf(name, sizeof name, "rt_types_%016" PRIx64, hash(e->d));
	fputs("\nstatic const struct rt_type *const types[] = {\n", e->to);
	for (size_t i = 0; i < e->d->n; i++) {
		if (!e->d->all[i]->nsymbols || !e->d->all[i]->type.kind)
			continue;
		fprintf(e->to, "\t&%s,\n", e->d->all[i]->symbols[0]);
		n++;
	}
	fprintf(e->to, "};\n\n/* For those who look from outside: see RT_TYPES_NOTE. */\n"
		       "extern const struct rt_types %s;\n"
		       "__attribute__((used, visibility(\"hidden\"))) const struct rt_types %s = { %zu, types };\n", name, name, n);
	fprintf(e->to, "__asm__(\".pushsection .note.osprey.types,\\\"a\\\",%%note\\n\\t.balign 4\\n\\t.long 7, 24, 0x%x\\n\\t\"\n"
		       "\t\".asciz \\\"osprey\\\"\\n\\t.balign 4\\n\\t.long %d, %zu, %zu, %zu\\n\\t.quad %s - .\\n\\t.popsection\");\n",
		RT_TYPES_NOTE, RT_TYPES_VERSION, sizeof(struct rt_type), sizeof(struct rt_field), sizeof(struct rt_enumerator), name);
}

void emit(const struct descriptions *d, const char *const *headers, size_t nheaders, FILE *to)
{
	struct emitter e = { d, to };

	fputs("/* Made by osprey-rt-types. */\n#include <osprey/rt/reflect.h>\n", to);
	for (size_t i = 0; i < nheaders; i++) {
		fputs("#include ", to);
		text(to, headers[i]);
		fputc('\n', to);
	}
	fprintf(to, "\n_Static_assert(sizeof(struct rt_type) == %zu && sizeof(struct rt_field) == %zu,\n"
		    "\t       \"osprey/rt/reflect.h is of another version than osprey-rt-types\");\n",
		sizeof(struct rt_type), sizeof(struct rt_field));
	for (size_t i = 0; nheaders && i < d->n; i++)
		checks(&e, d->all[i]);
	fputc('\n', to);
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->type.kind)
			fprintf(to, "%s const struct rt_type %s;\n", d->all[i]->nsymbols ? "extern" : "static",
				symbol(&e, &d->all[i]->type));
	for (size_t i = 0; i < d->n; i++)
		if (d->all[i]->type.kind)
			type(&e, d->all[i], i);
	root(&e);
}
