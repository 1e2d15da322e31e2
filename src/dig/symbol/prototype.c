#include "dig/symbol/prototype.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dig/symbol/lines_die.h"

#define TYPE_DEPTH 24
#define TYPE_STEPS 4000 /* entries that are looked at for one function */
#define INTEGER_REGISTERS 6
#define RAX 0

static const unsigned char integer_registers[INTEGER_REGISTERS] = { 5, 4, 1, 2, 8, 9 };

struct reading {
	struct prototype *to;
	uint64_t start;
	bool clone;
	bool convention; /* the language keeps to the ABI */
	bool silent;	 /* C++ before DWARF 5: it is not said which objects go by reference */
	unsigned steps;
	unsigned integers, vectors; /* registers that are taken */
	unsigned stack;		    /* bytes of arguments there */
};

/* ---- types ---- */

static bool type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
	Dwarf_Attribute a;

	return dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &a), ret) != NULL;
}

static bool only_names(int tag)
{
	return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
	       tag == DW_TAG_restrict_type || tag == DW_TAG_atomic_type;
}

/* Without typedef, const and the like. False: void, or nonsense. */
static bool plain(struct reading *r, Dwarf_Die type, Dwarf_Die *ret)
{
	for (unsigned i = 0; i < TYPE_DEPTH && r->steps && r->steps--; i++) {
		if (!only_names(dwarf_tag(&type))) {
			*ret = type;
			return true;
		}
		if (!type_of(&type, &type))
			return false;
	}
	return false;
}

static bool points(int tag)
{
	return tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type;
}

static const char *kind_word(int tag)
{
	return tag == DW_TAG_structure_type ? "struct " : tag == DW_TAG_union_type ? "union " :
	       tag == DW_TAG_enumeration_type ? "enum " : "";
}

static void name_type(struct reading *r, Dwarf_Die *type, unsigned depth, char *ret, size_t size)
{
	Dwarf_Die inner;
	char of[72] = "void";
	int tag = dwarf_tag(type);
	const char *name = dwarf_diename(type);

	if (depth == TYPE_DEPTH || !r->steps || !r->steps--) {
		snprintf(ret, size, "…");
		return;
	}
	bool qualified = tag == DW_TAG_const_type || (only_names(tag) && tag != DW_TAG_typedef);
	if (!points(tag) && !qualified && tag != DW_TAG_array_type) {
		snprintf(ret, size, "%s%.60s", kind_word(tag),
			 tag == DW_TAG_subroutine_type ? "(function)" : name && *name ? name : "(anonymous)");
		return;
	}
	if (type_of(type, &inner))
		name_type(r, &inner, depth + 1, of, sizeof of);
	size_t n = strlen(of);
	bool star = n && (of[n - 1] == '*' || of[n - 1] == '&');
	if (points(tag))
		snprintf(ret, size, "%.68s%s%s", of, star ? "" : " ",
			 tag == DW_TAG_pointer_type ? "*" : tag == DW_TAG_reference_type ? "&" : "&&");
	else if (tag == DW_TAG_array_type)
		snprintf(ret, size, "%.68s[]", of);
	else if (tag == DW_TAG_const_type)
		snprintf(ret, size, star ? "%.60s const" : "const %.60s", of);
	else
		snprintf(ret, size, "%.70s", of);
}

static uint64_t size_of(struct reading *r, Dwarf_Die *type)
{
	Dwarf_Word n;

	if (points(dwarf_tag(type)))
		return 8;
	return r->steps && r->steps-- && dwarf_aggregate_size(type, &n) == 0 ? n : 0;
}

static unsigned encoding_of(Dwarf_Die *base)
{
	Dwarf_Attribute a;
	Dwarf_Word n;

	return dwarf_formudata(dwarf_attr(base, DW_AT_encoding, &a), &n) == 0 && n < 256 ? (unsigned)n : 0;
}

static bool signed_base(unsigned encoding)
{
	return encoding == DW_ATE_signed || encoding == DW_ATE_signed_char;
}

/* ---- classes of eightbytes ---- */

enum class { CLASS_NONE, CLASS_INTEGER, CLASS_VECTOR, CLASS_MEMORY };

struct classes {
	enum class of[2];
};

static void merge(struct classes *c, uint64_t offset, uint64_t bytes, enum class with)
{
	if (offset >= 16 || offset + bytes > 16 || with == CLASS_MEMORY) {
		c->of[0] = CLASS_MEMORY;
		return;
	}
	for (uint64_t i = offset / 8; i <= (offset + (bytes ? bytes : 1) - 1) / 8; i++) {
		enum class *was = &c->of[i];

		if (*was == CLASS_MEMORY)
			return;
		*was = *was == CLASS_INTEGER || with == CLASS_INTEGER ? CLASS_INTEGER : with == CLASS_NONE ? *was : with;
	}
}

/* What x87 holds (long double) goes by memory; complex numbers and __float128 by vector registers. */
static enum class base_class(Dwarf_Die *base, uint64_t bytes)
{
	unsigned encoding = encoding_of(base);
	const char *name = dwarf_diename(base);

	if (encoding != DW_ATE_float && encoding != DW_ATE_complex_float)
		return CLASS_INTEGER;
	return bytes > 8 && name && strstr(name, "long double") ? CLASS_MEMORY : CLASS_VECTOR;
}

static void classify(struct reading *r, Dwarf_Die type, uint64_t offset, unsigned depth, struct classes *c);

static void classify_members(struct reading *r, Dwarf_Die *type, uint64_t offset, unsigned depth, struct classes *c)
{
	Dwarf_Die member, of;
	int more = dwarf_child(type, &member);

	for (; more == 0 && r->steps && r->steps--; more = dwarf_siblingof(&member, &member)) {
		int tag = dwarf_tag(&member);
		Dwarf_Attribute a;
		Dwarf_Word at = 0, bit;

		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) || dwarf_hasattr(&member, DW_AT_external) ||
		    !type_of(&member, &of))
			continue;
		if (dwarf_hasattr(&member, DW_AT_data_bit_offset)) {
			if (dwarf_formudata(dwarf_attr(&member, DW_AT_data_bit_offset, &a), &bit) == 0)
				merge(c, offset + bit / 8, 1, CLASS_INTEGER);
			continue;
		}
		if (dwarf_hasattr(&member, DW_AT_data_member_location) &&
		    dwarf_formudata(dwarf_attr(&member, DW_AT_data_member_location, &a), &at) != 0)
			at = 16; /* a virtual base: such an object goes by reference */
		classify(r, of, offset + at, depth + 1, c);
	}
}

static void classify_array(struct reading *r, Dwarf_Die *type, uint64_t offset, unsigned depth, struct classes *c)
{
	Dwarf_Die of;
	uint64_t bytes = size_of(r, type), each;
	Dwarf_Attribute a;
	bool is_vector = false;

	if (dwarf_formflag(dwarf_attr(type, DW_AT_GNU_vector, &a), &is_vector) == 0 && is_vector) {
		merge(c, offset, bytes > 16 ? 16 : bytes, CLASS_VECTOR);
		return;
	}
	each = type_of(type, &of) && plain(r, of, &of) ? size_of(r, &of) : 0;
	for (uint64_t at = 0; each && at < bytes && at < 16; at += each)
		classify(r, of, offset + at, depth + 1, c);
}

static void classify(struct reading *r, Dwarf_Die type, uint64_t offset, unsigned depth, struct classes *c)
{
	Dwarf_Die t;

	if (depth == TYPE_DEPTH || !plain(r, type, &t)) {
		c->of[0] = CLASS_MEMORY;
		return;
	}
	uint64_t bytes = size_of(r, &t);
	switch (dwarf_tag(&t)) {
	case DW_TAG_base_type:
		/* Fields out of their alignment put the whole into memory. */
		merge(c, offset, bytes, bytes && bytes <= 8 && offset % bytes ? CLASS_MEMORY : base_class(&t, bytes));
		return;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		if (bytes > 16)
			c->of[0] = CLASS_MEMORY;
		else
			classify_members(r, &t, offset, depth, c);
		return;
	case DW_TAG_array_type:
		classify_array(r, &t, offset, depth, c);
		return;
	default: /* pointers, references, enumerations, pointers to members */
		merge(c, offset, bytes ? bytes : 8, CLASS_INTEGER);
	}
}

/* C++ objects with a copy constructor or a destructor of their own go by a hidden pointer. */
static bool by_reference(Dwarf_Die *type)
{
	Dwarf_Attribute a;
	Dwarf_Word how;

	return dwarf_formudata(dwarf_attr_integrate(type, DW_AT_calling_convention, &a), &how) == 0 &&
	       how == DW_CC_pass_by_reference;
}

static bool is_composite(int tag)
{
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type || tag == DW_TAG_array_type;
}

/* ---- one value ---- */

static bool is_char(struct reading *r, Dwarf_Die *pointer)
{
	Dwarf_Die of;

	if (dwarf_tag(pointer) != DW_TAG_pointer_type || !type_of(pointer, &of) || !plain(r, of, &of) ||
	    dwarf_tag(&of) != DW_TAG_base_type)
		return false;
	const char *name = dwarf_diename(&of);
	return name && strcmp(name, "char") == 0;
}

static bool signed_enum(struct reading *r, Dwarf_Die *type)
{
	Dwarf_Die of;

	return type_of(type, &of) && plain(r, of, &of) && dwarf_tag(&of) == DW_TAG_base_type && signed_base(encoding_of(&of));
}

/* Its bytes, when it is a number; else 0. */
static unsigned number_bytes(struct reading *r, Dwarf_Die *t, bool *ret_signed)
{
	int tag = dwarf_tag(t);
	uint64_t bytes = tag == DW_TAG_unspecified_type ? 8 : size_of(r, t); /* nullptr_t */

	*ret_signed = tag == DW_TAG_base_type ? signed_base(encoding_of(t)) :
		      tag == DW_TAG_enumeration_type && signed_enum(r, t);
	if (is_composite(tag) || (tag == DW_TAG_base_type && base_class(t, bytes) != CLASS_INTEGER))
		return 0;
	return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 ? (unsigned)bytes : 0;
}

static void describe(struct reading *r, Dwarf_Die *type, Dwarf_Die *t, struct parameter *p)
{
	Dwarf_Die of;

	name_type(r, type, 0, p->type, sizeof p->type);
	p->is_pointer = points(dwarf_tag(t));
	p->is_text = is_char(r, t);
	p->bytes = number_bytes(r, t, &p->is_signed);
	if (p->is_pointer && type_of(t, &of) && plain(r, of, &of))
		p->target_bytes = number_bytes(r, &of, &p->target_signed);
}

static void to_stack(struct reading *r, uint64_t bytes, unsigned align, struct parameter *p)
{
	r->stack = (r->stack + align - 1) / align * align;
	if (p->bytes) {
		p->where = PARAMETER_STACK;
		p->at = 8 + r->stack; /* the return address is below them */
	}
	r->stack += bytes < 1 << 20 ? (unsigned)(bytes + 7) / 8 * 8 : 0;
}

/* By the convention; takes what registers it needs. */
static void place(struct reading *r, Dwarf_Die *t, struct parameter *p)
{
	struct classes c = { { CLASS_NONE, CLASS_NONE } };
	unsigned integers = 0, vectors = 0;
	uint64_t bytes = size_of(r, t);

	if (r->silent && is_composite(dwarf_tag(t))) {
		r->convention = false;
		return;
	}
	if (is_composite(dwarf_tag(t)) && by_reference(t))
		c.of[0] = CLASS_INTEGER;
	else
		classify(r, *t, 0, 0, &c);
	for (unsigned i = 0; i < 2; i++) {
		integers += c.of[i] == CLASS_INTEGER;
		/* A __m128 and a __float128 take one register for both halves. */
		vectors += c.of[i] == CLASS_VECTOR && !(i && dwarf_tag(t) != DW_TAG_structure_type && c.of[0] == CLASS_VECTOR &&
							dwarf_tag(t) != DW_TAG_union_type && dwarf_tag(t) != DW_TAG_class_type);
	}
	if (c.of[0] == CLASS_NONE && c.of[1] == CLASS_NONE)
		return;
	if (c.of[0] == CLASS_MEMORY || r->integers + integers > INTEGER_REGISTERS || r->vectors + vectors > 8) {
		to_stack(r, bytes, bytes >= 16 && dwarf_tag(t) == DW_TAG_base_type ? 16 : 8, p);
		return;
	}
	if (integers == 1 && !vectors && p->bytes) {
		p->where = PARAMETER_REGISTER;
		p->at = integer_registers[r->integers];
	}
	r->integers += integers;
	r->vectors += vectors;
}

/* What DWARF says of the first instruction. False: nothing that is one place. */
static bool located(struct reading *r, Dwarf_Die *die, struct parameter *p)
{
	Dwarf_Attribute a;
	Dwarf_Op *op;
	size_t n;

	if (dwarf_getlocation_addr(dwarf_attr_integrate(die, DW_AT_location, &a), r->start, &op, &n, 1) != 1 || n != 1)
		return false;
	bool reg = op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31;
	unsigned number = reg ? op->atom - DW_OP_reg0 : 0;
	if (!reg || number == 16)
		return false;
	p->where = number < 16 && p->bytes ? PARAMETER_REGISTER : PARAMETER_NOWHERE;
	p->at = number;
	return true;
}

static void add_parameter(struct reading *r, Dwarf_Die *die)
{
	struct parameter *p = &r->to->parameter[r->to->n++];
	const char *name = dwarf_diename(die);
	Dwarf_Die type, t;

	*p = (struct parameter){ .type = "a type that is not described" };
	snprintf(p->name, sizeof p->name, "%.47s", name ? name : "");
	if (!type_of(die, &type) || !plain(r, type, &t)) {
		r->convention = false; /* what follows it is not known either */
		return;
	}
	describe(r, &type, &t, p);
	if (r->convention)
		place(r, &t, p);
	(void)located(r, die, p);
}

/* ---- the function ---- */

static bool keeps_convention(Dwarf_Die *function, bool *ret_silent)
{
	Dwarf_Die unit;
	Dwarf_Half version = 0;

	*ret_silent = false;
	switch (dwarf_srclang(dwarf_diecu(function, &unit, NULL, NULL))) {
	case DW_LANG_C89: case DW_LANG_C: case DW_LANG_C99: case DW_LANG_C11: case DW_LANG_ObjC:
	case 0x2c: /* C 17: newer than this dwarf.h */
		return true;
	case DW_LANG_C_plus_plus: case DW_LANG_C_plus_plus_03: case DW_LANG_C_plus_plus_11: case DW_LANG_C_plus_plus_14:
	case DW_LANG_ObjC_plus_plus: case 0x2a: case 0x2b: /* C++ 17, C++ 20 */
		*ret_silent = dwarf_cu_info(function->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL) != 0 || version < 5;
		return true;
	default: return false;
	}
}

/* A result that goes by memory: the first register is where. */
static void read_result(struct reading *r, Dwarf_Die *function)
{
	struct parameter *p = &r->to->result;
	struct classes c = { { CLASS_NONE, CLASS_NONE } };
	Dwarf_Die type, t;

	*p = (struct parameter){ .type = "void" };
	if (!type_of(function, &type) || !plain(r, type, &t))
		return;
	describe(r, &type, &t, p);
	r->convention &= !r->silent || !is_composite(dwarf_tag(&t));
	classify(r, t, 0, 0, &c);
	if (is_composite(dwarf_tag(&t)) && (by_reference(&t) || c.of[0] == CLASS_MEMORY))
		r->integers++;
	else if (c.of[0] == CLASS_INTEGER && p->bytes && r->convention)
		p->where = PARAMETER_REGISTER, p->at = RAX;
}

/* Go calls its results parameters too. */
static bool is_result(Dwarf_Die *die)
{
	Dwarf_Attribute a;
	bool is = false;

	return dwarf_formflag(dwarf_attr(die, DW_AT_variable_parameter, &a), &is) == 0 && is;
}

static int read_function(void *arg, Dwarf_Die *function)
{
	struct reading *r = arg;
	Dwarf_Die die;

	r->convention = keeps_convention(function, &r->silent) && !r->clone;
	read_result(r, function);
	for (int more = dwarf_child(function, &die); more == 0 && r->steps && r->steps--; more = dwarf_siblingof(&die, &die)) {
		r->to->variadic |= dwarf_tag(&die) == DW_TAG_unspecified_parameters;
		if (dwarf_tag(&die) == DW_TAG_formal_parameter && !is_result(&die) && r->to->n < PROTOTYPE_PARAMETERS)
			add_parameter(r, &die);
	}
	r->to->registers = r->integers;
	return r->steps ? 0 : -ENOENT;
}

int prototype_read(struct lines *l, uint64_t start, bool clone, struct prototype *ret)
{
#ifdef __x86_64__
	struct prototype found = { .n = 0 };
	struct reading r = { .to = &found, .start = start, .clone = clone, .steps = TYPE_STEPS };
	int rc = lines_function(l, start, read_function, &r);

	if (rc == 0)
		*ret = found;
	return rc;
#else
	(void)l, (void)start, (void)clone, (void)ret;
	return -ENOENT;
#endif
}
