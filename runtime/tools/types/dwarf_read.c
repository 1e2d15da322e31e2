/* C types from DWARF 2 to 5, of objects, libraries and programs. libdwfl relocates what stands in an
 * object. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

#include "c_type.h"
#include "tool.h"

struct known {
	Dwarf_Off offset;
	struct c_type *type;
};

struct dwarf_source {
	struct c_source base;
	Dwarf *dwarf;
	struct known *known;
	size_t nknown;
};

static struct c_type *type_at(struct dwarf_source *s, Dwarf_Die *die);

static const char *name_of(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	return name ? name : "";
}

static const char *origin_of(Dwarf_Die *die)
{
	const char *file = dwarf_decl_file(die);
	int line;

	return file && dwarf_decl_line(die, &line) == 0 ? text_of("%s:%d", file, line) : "";
}

static uint64_t number_of(Dwarf_Die *die, unsigned attribute, uint64_t otherwise)
{
	Dwarf_Attribute a;
	Dwarf_Word value;

	return dwarf_attr_integrate(die, attribute, &a) && dwarf_formudata(&a, &value) == 0 ? value : otherwise;
}

/* The type a DIE points to; without one it is void. */
static struct c_type *target_of(struct dwarf_source *s, Dwarf_Die *die)
{
	Dwarf_Attribute a;
	Dwarf_Die target;

	if (!dwarf_attr_integrate(die, DW_AT_type, &a) || !dwarf_formref_die(&a, &target)) {
		struct c_type *t = get(sizeof *t);
		t->name = t->origin = "";
		return t;
	}
	return type_at(s, &target);
}

static void base_read(Dwarf_Die *die, struct c_type *t)
{
	uint64_t encoding = number_of(die, DW_AT_encoding, 0);

	t->kind = C_STRANGE;
	t->is_signed = encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
	t->is_char = strcmp(t->name, "char") == 0;
	if (encoding == DW_ATE_boolean)
		t->kind = C_BOOL;
	else if (encoding == DW_ATE_float && (t->size == 4 || t->size == 8))
		t->kind = C_FLOAT;
	else if ((t->is_signed || encoding == DW_ATE_unsigned || encoding == DW_ATE_unsigned_char || encoding == DW_ATE_UTF) && t->size <= 8)
		t->kind = C_INTEGER;
}

/* Before DWARF 4, and by gcc up to it, a bit-field is told by its storage unit and the distance from that
 * one's high end. */
static uint64_t member_offset_bits(Dwarf_Die *die, const struct c_type *type, unsigned bits)
{
	uint64_t at = number_of(die, DW_AT_data_bit_offset, UINT64_MAX);

	if (at != UINT64_MAX)
		return at;
	at = number_of(die, DW_AT_data_member_location, 0) * 8;
	uint64_t from_high = number_of(die, DW_AT_bit_offset, UINT64_MAX);
	if (bits && from_high != UINT64_MAX)
		at += number_of(die, DW_AT_byte_size, type->size) * 8 - bits - from_high;
	return at;
}

static void members_read(struct dwarf_source *s, Dwarf_Die *die, struct c_type *t)
{
	Dwarf_Die child;

	for (int r = dwarf_child(die, &child); r == 0; r = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_member || dwarf_hasattr(&child, DW_AT_external))
			continue;
		struct c_member m = { .name = name_of(&child), .type = target_of(s, &child), .origin = origin_of(&child) };
		m.bits = (unsigned)number_of(&child, DW_AT_bit_size, 0);
		m.offset_bits = member_offset_bits(&child, m.type, m.bits);
		ADD(t->members, t->nmembers) = m;
	}
}

static void enumerators_read(Dwarf_Die *die, struct c_type *t)
{
	Dwarf_Die child;

	for (int r = dwarf_child(die, &child); r == 0; r = dwarf_siblingof(&child, &child)) {
		Dwarf_Attribute a;
		Dwarf_Sword value;
		if (dwarf_tag(&child) != DW_TAG_enumerator || !dwarf_attr(&child, DW_AT_const_value, &a) ||
		    dwarf_formsdata(&a, &value) != 0)
			continue;
		/* gcc writes those of an enumeration without sign as plain data, of which 200 is not -56. */
		Dwarf_Word plain;
		unsigned form = dwarf_whatform(&a);
		if (form != DW_FORM_sdata && form != DW_FORM_implicit_const && dwarf_formudata(&a, &plain) == 0)
			value = (Dwarf_Sword)plain;
		ADD(t->enumerators, t->nenumerators) = (struct c_enumerator){ name_of(&child), value };
	}
}

static bool enum_is_signed(Dwarf_Die *die)
{
	Dwarf_Attribute a;
	Dwarf_Die base, child;

	if (dwarf_attr_integrate(die, DW_AT_type, &a) && dwarf_formref_die(&a, &base)) {
		Dwarf_Die peeled;
		if (dwarf_peel_type(&base, &peeled) == 0)
			return number_of(&peeled, DW_AT_encoding, 0) == DW_ATE_signed;
	}
	for (int r = dwarf_child(die, &child); r == 0; r = dwarf_siblingof(&child, &child))
		if (dwarf_attr(&child, DW_AT_const_value, &a) && dwarf_whatform(&a) == DW_FORM_sdata)
			return true;
	return false;
}

/* int a[2][3] is one DIE with two ranges. */
static void array_read(struct dwarf_source *s, Dwarf_Die *die, struct c_type *t)
{
	struct c_type *element = target_of(s, die);
	int64_t counts[8];
	int n = 0;
	Dwarf_Die child;

	for (int r = dwarf_child(die, &child); r == 0 && n < 8; r = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_subrange_type)
			continue;
		Dwarf_Attribute a;
		Dwarf_Sword value;
		counts[n] = -1;
		if (dwarf_attr(&child, DW_AT_count, &a) && dwarf_formsdata(&a, &value) == 0)
			counts[n] = (int64_t)number_of(&child, DW_AT_count, 0);
		else if (dwarf_attr(&child, DW_AT_upper_bound, &a))
			counts[n] = (int64_t)number_of(&child, DW_AT_upper_bound, UINT64_MAX - 1) + 1;
		n++;
	}
	for (t->kind = C_ARRAY; n > 1; n--) {
		struct c_type *inner = get(sizeof *inner);
		*inner = (struct c_type){ .kind = C_ARRAY, .name = "", .origin = "", .target = element, .count = counts[n - 1],
					  .size = element->size * (uint64_t)counts[n - 1] };
		element = inner;
	}
	t->target = element;
	t->count = n ? counts[0] : -1;
	t->size = t->count < 0 ? 0 : element->size * (uint64_t)t->count;
}

static void type_read(struct dwarf_source *s, Dwarf_Die *die, int tag, struct c_type *t)
{
	const char *keyword = tag == DW_TAG_structure_type || tag == DW_TAG_class_type ? "struct " :
			      tag == DW_TAG_union_type ? "union " : tag == DW_TAG_enumeration_type ? "enum " : "";
	Dwarf_Attribute a;
	bool declared = false;

	t->name = *name_of(die) ? text_of("%s%s", keyword, name_of(die)) : "";
	t->origin = origin_of(die);
	t->size = number_of(die, DW_AT_byte_size, 0);
	if (dwarf_attr(die, DW_AT_declaration, &a))
		dwarf_formflag(&a, &declared);
	if (*keyword && declared) {
		t->kind = C_DECLARED;
		return;
	}
	switch (tag) {
	case DW_TAG_base_type:
		base_read(die, t);
		break;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		t->kind = tag == DW_TAG_union_type ? C_UNION : C_STRUCT;
		members_read(s, die, t);
		break;
	case DW_TAG_enumeration_type:
		t->kind = C_ENUM;
		t->is_signed = enum_is_signed(die);
		enumerators_read(die, t);
		break;
	case DW_TAG_pointer_type:
		t->kind = C_POINTER;
		t->size = 8;
		t->target = target_of(s, die);
		break;
	case DW_TAG_array_type:
		t->kind = C_ARRAY;
		if (dwarf_hasattr(die, DW_AT_GNU_vector))
			t->kind = C_STRANGE;
		else
			array_read(s, die, t);
		break;
	case DW_TAG_subroutine_type:
		t->kind = C_FUNCTION;
		break;
	default:
		t->kind = tag == DW_TAG_unspecified_type ? C_VOID : C_STRANGE;
	}
}

static struct c_type *type_at(struct dwarf_source *s, Dwarf_Die *die)
{
	const char *by_typedef = "";
	Dwarf_Die here = *die;
	int tag;

	/* Qualifiers change nothing; a typedef names what has no name. */
	while ((tag = dwarf_tag(&here)) == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
	       tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type) {
		Dwarf_Attribute a;
		if (tag == DW_TAG_typedef)
			by_typedef = name_of(&here);
		if (!dwarf_attr_integrate(&here, DW_AT_type, &a) || !dwarf_formref_die(&a, &here))
			return target_of(s, &here); /* const void */
	}
	Dwarf_Off offset = dwarf_dieoffset(&here);
	for (size_t i = 0; i < s->nknown; i++)
		if (s->known[i].offset == offset)
			return s->known[i].type;
	struct c_type *t = get(sizeof *t);
	ADD(s->known, s->nknown) = (struct known){ offset, t };
	type_read(s, &here, tag, t);
	if (!*t->name && (tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type))
		t->name = by_typedef;
	return t;
}

/* `name` as it is written in C. */
static bool is_called(Dwarf_Die *die, const char *name)
{
	const char *keyword;

	switch (dwarf_tag(die)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
		keyword = "struct ";
		break;
	case DW_TAG_union_type:
		keyword = "union ";
		break;
	case DW_TAG_enumeration_type:
		keyword = "enum ";
		break;
	case DW_TAG_typedef:
		keyword = "";
		break;
	default:
		return false;
	}
	return strncmp(name, keyword, strlen(keyword)) == 0 && strcmp(name_of(die), name + strlen(keyword)) == 0;
}

static struct c_type *find(struct c_source *source, const char *name)
{
	struct dwarf_source *s = (struct dwarf_source *)source;
	struct c_type *found = NULL;
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit, die;

	while (dwarf_get_units(s->dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0) {
		for (int r = dwarf_child(&unit, &die); r == 0; r = dwarf_siblingof(&die, &die)) {
			if (!is_called(&die, name))
				continue;
			struct c_type *t = type_at(s, &die);
			if (t->kind == C_DECLARED)
				continue;
			if (found && !c_type_same(found, t))
				fail("two types are called %s: %s and %s", name, found->origin, t->origin);
			found = found ? found : t;
		}
	}
	return found;
}

struct c_source *c_source_dwarf(const char *path)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	struct dwarf_source *s = get(sizeof *s);
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwarf_Addr bias;

	if (!dwfl)
		fail("%s: %s", path, dwfl_errmsg(-1));
	Dwfl_Module *module = dwfl_report_offline(dwfl, "", path, -1);
	if (!module)
		fail("%s: %s", path, dwfl_errmsg(-1));
	dwfl_report_end(dwfl, NULL, NULL);
	s->base.find = find;
	s->dwarf = dwfl_module_getdwarf(module, &bias);
	return s->dwarf ? &s->base : NULL;
}
