/* C types from BTF: of gcc -gbtf, of clang -target bpf, of pahole -J. It tells no lines. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "c_type.h"
#include "tool.h"

struct btf_source {
	struct c_source base;
	struct btf *btf;
	struct c_type **types;
};

static struct c_type *type_at(struct btf_source *s, uint32_t id);

static const char *name_of(struct btf_source *s, uint32_t offset)
{
	const char *name = btf__name_by_offset(s->btf, offset);

	return name ? name : "";
}

static void integer_read(const struct btf_type *b, struct c_type *t)
{
	int encoding = btf_int_encoding(b);

	t->is_signed = encoding & BTF_INT_SIGNED;
	t->is_char = strcmp(t->name, "char") == 0;
	/* pahole writes them as integers, if it is not told otherwise. */
	if (strcmp(t->name, "double") == 0 || strcmp(t->name, "float") == 0)
		t->kind = C_FLOAT;
	else
		t->kind = t->size > 8 ? C_STRANGE : encoding & BTF_INT_BOOL || strcmp(t->name, "_Bool") == 0 ? C_BOOL : C_INTEGER;
}

static void members_read(struct btf_source *s, const struct btf_type *b, struct c_type *t)
{
	for (uint32_t i = 0; i < btf_vlen(b); i++) {
		const struct btf_member *from = &btf_members(b)[i];
		ADD(t->members, t->nmembers) = (struct c_member){
			.name = name_of(s, from->name_off),
			.type = type_at(s, from->type),
			.offset_bits = btf_member_bit_offset(b, i),
			.bits = btf_member_bitfield_size(b, i),
			.origin = "",
		};
	}
}

static void enumerators_read(struct btf_source *s, const struct btf_type *b, struct c_type *t)
{
	/* Those of 32 bits did not tell their sign before Linux 6.0. */
	for (uint32_t i = 0; btf_is_enum(b) && i < btf_vlen(b); i++)
		t->is_signed |= btf_enum(b)[i].val < 0;
	for (uint32_t i = 0; i < btf_vlen(b); i++) {
		struct c_enumerator e;
		if (btf_is_enum64(b))
			e = (struct c_enumerator){ name_of(s, btf_enum64(b)[i].name_off),
						   (int64_t)btf_enum64_value(&btf_enum64(b)[i]) };
		else
			e = (struct c_enumerator){ name_of(s, btf_enum(b)[i].name_off),
						   t->is_signed ? btf_enum(b)[i].val : (int64_t)(uint32_t)btf_enum(b)[i].val };
		ADD(t->enumerators, t->nenumerators) = e;
	}
}

static void type_read(struct btf_source *s, const struct btf_type *b, struct c_type *t)
{
	const char *keyword = btf_is_struct(b) || (btf_is_fwd(b) && !btf_kflag(b)) ? "struct " :
			      btf_is_union(b) || btf_is_fwd(b) ? "union " : btf_is_any_enum(b) ? "enum " : "";
	const char *name = name_of(s, b->name_off);

	t->name = *name ? text_of("%s%s", keyword, name) : "";
	t->origin = "";
	t->size = btf_is_composite(b) || btf_is_int(b) || btf_is_any_enum(b) || btf_is_float(b) ? b->size : 0;
	t->is_signed = btf_kflag(b);
	switch (btf_kind(b)) {
	case BTF_KIND_INT:
		integer_read(b, t);
		break;
	case BTF_KIND_FLOAT:
		t->kind = t->size == 4 || t->size == 8 ? C_FLOAT : C_STRANGE;
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		t->kind = btf_is_union(b) ? C_UNION : C_STRUCT;
		members_read(s, b, t);
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		t->kind = btf_vlen(b) ? C_ENUM : C_DECLARED;
		enumerators_read(s, b, t);
		break;
	case BTF_KIND_PTR:
		t->kind = C_POINTER;
		t->size = 8;
		t->target = type_at(s, b->type);
		break;
	case BTF_KIND_ARRAY:
		t->kind = C_ARRAY;
		t->target = type_at(s, btf_array(b)->type);
		t->count = btf_array(b)->nelems;
		t->size = t->target->size * (uint64_t)t->count;
		/* gcc 12 writes int[2][3] as int[3][2]. */
		if (t->target->kind == C_ARRAY && t->target->count != t->count) {
			t->kind = C_STRANGE;
			t->name = "an array of arrays, of which BTF may have the wrong order (DWARF has not: -g),";
		}
		break;
	case BTF_KIND_FUNC_PROTO:
		t->kind = C_FUNCTION;
		break;
	case BTF_KIND_FWD:
		t->kind = C_DECLARED;
		break;
	default:
		t->kind = b->name_off || btf_kind(b) != BTF_KIND_UNKN ? C_STRANGE : C_VOID;
	}
}

static struct c_type *type_at(struct btf_source *s, uint32_t id)
{
	const char *by_typedef = "";
	const struct btf_type *b = btf__type_by_id(s->btf, id);

	while (b && id && (btf_is_mod(b) || btf_is_typedef(b) || btf_kind(b) == BTF_KIND_TYPE_TAG)) {
		if (btf_is_typedef(b))
			by_typedef = name_of(s, b->name_off);
		id = b->type;
		b = btf__type_by_id(s->btf, id);
	}
	if (!b)
		fail("the BTF has no type %u", id);
	if (s->types[id])
		return s->types[id];
	struct c_type *t = s->types[id] = get(sizeof *t);
	if (id == 0)
		t->name = t->origin = "";
	else
		type_read(s, b, t);
	if (!*t->name && (btf_is_composite(b) || btf_is_any_enum(b)))
		t->name = by_typedef;
	return t;
}

static struct c_type *find(struct c_source *source, const char *name)
{
	struct btf_source *s = (struct btf_source *)source;
	struct c_type *found = NULL;

	for (uint32_t id = 1; id < btf__type_cnt(s->btf); id++) {
		const struct btf_type *b = btf__type_by_id(s->btf, id);
		if (!btf_is_composite(b) && !btf_is_any_enum(b) && !btf_is_typedef(b))
			continue;
		/* A typedef is called as it is, what stands behind it with its keyword. */
		if (btf_is_typedef(b) ? strcmp(name_of(s, b->name_off), name) != 0 : strcmp(type_at(s, id)->name, name) != 0)
			continue;
		struct c_type *t = type_at(s, id);
		if (t->kind == C_DECLARED)
			continue;
		if (found && !c_type_same(found, t))
			fail("two types are called %s, and differ", name);
		found = found ? found : t;
	}
	return found;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level;
	(void)format;
	(void)ap;
	return 0;
}

struct c_source *c_source_btf(const char *path)
{
	struct btf_source *s = get(sizeof *s);

	libbpf_set_print(quiet);
	s->base.find = find;
	s->btf = btf__parse_elf(path, NULL);
	if (!s->btf)
		return NULL;
	s->types = get(btf__type_cnt(s->btf) * sizeof *s->types);
	return &s->base;
}
