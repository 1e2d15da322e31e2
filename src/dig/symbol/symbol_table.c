#include "dig/symbol/symbol_table.h"

#include <errno.h>
#include <stdlib.h>

#define IFUNC_SLOTS_MAX 4096 /* are looked up one by one */

/* One table and its strings. Symbols are copied out one by one: the section's place in memory need not be aligned. */
struct raw {
	struct elf_image *image;
	struct span symbols, strings;
};

void symbol_table_deinit(struct symbol_table *t)
{
	vec_free(&t->entry);
	range_index_deinit(&t->index);
}

static int raw_open(struct elf_image *e, const char *section, struct raw *ret)
{
	const struct elf_section *s = elf_image_find(e, section);
	struct raw r = { .image = e };
	int rc;

	if (!s)
		return -ENOENT;
	rc = elf_image_section(e, section, &r.symbols);
	if (rc == 0)
		rc = elf_image_section_at(e, s->header.sh_link, &r.strings);
	if (rc == 0)
		*ret = r;
	return rc;
}

static bool raw_at(const struct raw *r, size_t i, Elf64_Sym *ret_symbol, const char **ret_name)
{
	Elf64_Sym s;

	if (i >= r->symbols.n / sizeof s)
		return false;
	memcpy(&s, r->symbols.p + i * sizeof s, sizeof s);
	*ret_symbol = s;
	*ret_name = "";
	if (s.st_name < r->strings.n && memchr(r->strings.p + s.st_name, '\0', r->strings.n - s.st_name))
		*ret_name = r->strings.p + s.st_name;
	return true;
}

static bool in_code(const struct elf_image *e, const Elf64_Sym *s)
{
	return s->st_shndx < e->nsections && e->section[s->st_shndx].header.sh_flags & SHF_EXECINSTR;
}

static bool is_function(const struct elf_image *e, const Elf64_Sym *s, const char *name)
{
	unsigned type = ELF64_ST_TYPE(s->st_info);

	if (!name[0] || s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_COMMON)
		return false;
	if (type == STT_NOTYPE)
		return in_code(e, s) && name[0] != '.';
	return type == STT_FUNC || type == STT_GNU_IFUNC;
}

static uint8_t binding_rank(const Elf64_Sym *s)
{
	switch (ELF64_ST_BIND(s->st_info)) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE: return 3;
	case STB_WEAK: return 2;
	default: return 1;
	}
}

static int push(struct symbol_table *t, const struct symbol_entry *entry)
{
	struct symbol_entry *to = t->entry.n < RANGE_NONE - 1 ? vec_push(&t->entry) : NULL;

	if (!to)
		return -ENOMEM;
	*to = *entry;
	to->order = (uint32_t)(t->entry.n - 1);
	return 0;
}

int symbol_table_add(struct symbol_table *t, struct elf_image *e, const char *section)
{
	struct raw r;
	Elf64_Sym s;
	const char *name;
	int rc = raw_open(e, section, &r);

	for (size_t i = 1; rc == 0 && raw_at(&r, i, &s, &name); i++)
		if (is_function(e, &s, name))
			rc = push(t, &(struct symbol_entry){
					     .address = s.st_value, .name = name,
					     .size = s.st_size < UINT32_MAX ? (uint32_t)s.st_size : UINT32_MAX,
					     .binding = binding_rank(&s),
					     .indirect = ELF64_ST_TYPE(s.st_info) == STT_GNU_IFUNC });
	return rc;
}

/* ---- PLT ---- */

struct slot {
	uint64_t address; /* of the GOT */
	const char *name;
};
typedef VEC(struct slot) slot_list;

static int by_address(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* An IRELATIVE slot has no name but the resolver's address. */
static const char *slot_name(const struct symbol_table *t, const struct raw *dynamic, const Elf64_Rela *r,
			     size_t nth)
{
	const char *name = "";
	Elf64_Sym s;

	if (ELF64_R_TYPE(r->r_info) != R_X86_64_IRELATIVE)
		return raw_at(dynamic, ELF64_R_SYM(r->r_info), &s, &name) ? name : "";
	for (size_t i = 0; nth < IFUNC_SLOTS_MAX && i < t->entry.n; i++)
		if (t->entry.v[i].indirect && t->entry.v[i].address == (uint64_t)r->r_addend)
			return t->entry.v[i].name;
	return "";
}

static int add_slots(struct symbol_table *t, const struct raw *dynamic, const char *section, slot_list *slots)
{
	struct span bytes;
	Elf64_Rela r;
	int rc = elf_image_section(dynamic->image, section, &bytes);

	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	for (size_t i = 0; i < bytes.n / sizeof r; i++) {
		struct slot *slot;
		unsigned type;

		memcpy(&r, bytes.p + i * sizeof r, sizeof r);
		type = ELF64_R_TYPE(r.r_info);
		if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_IRELATIVE)
			continue;
		slot = vec_push(slots);
		if (!slot)
			return -ENOMEM;
		*slot = (struct slot){ r.r_offset, slot_name(t, dynamic, &r, slots->n) };
	}
	return 0;
}

/* The slot that the stub's `jmp *disp(%rip)` goes through, or, where a lazy stub does not jump itself, the
 * one of the relocation that it pushes the number of. NULL: it is the first entry, which leads to the
 * linker. */
static const struct slot *stub_slot(const unsigned char *code, size_t n, uint64_t address, const slot_list *slots,
				    const slot_list *lazy)
{
	for (size_t i = 0; i + 6 <= n; i++) {
		int32_t to;
		struct slot key;

		if (code[i] == 0xff && code[i + 1] == 0x25) {
			memcpy(&to, code + i + 2, 4);
			key.address = address + i + 6 + (uint64_t)(int64_t)to;
			return slots->n ? bsearch(&key, slots->v, slots->n, sizeof key, by_address) : NULL;
		}
	}
	for (size_t i = 0; i + 5 <= n && i <= 4; i += 4) {
		uint32_t number;

		memcpy(&number, code + i + 1, 4);
		if (code[i] == 0x68 && number < lazy->n)
			return &lazy->v[number];
	}
	return NULL;
}

static int add_section_stubs(struct symbol_table *t, struct elf_image *e, const char *section, uint32_t size,
			     const slot_list *slots, const slot_list *lazy)
{
	const struct elf_section *s = elf_image_find(e, section);
	struct span bytes;
	int rc = s ? elf_image_section(e, section, &bytes) : -ENOENT;

	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	if (s->header.sh_entsize == 8 || s->header.sh_entsize == 16)
		size = (uint32_t)s->header.sh_entsize;
	for (size_t i = 0; i + size <= bytes.n && rc == 0; i += size) {
		uint64_t address = s->header.sh_addr + i;
		const struct slot *slot =
			stub_slot((const unsigned char *)bytes.p + i, size, address, slots, lazy);

		if (slot && slot->name[0])
			rc = push(t, &(struct symbol_entry){ .address = address, .name = slot->name, .size = size,
							     .binding = 1, .stub = true });
	}
	return rc;
}

/* Relocations are numbered by their place in .rela.plt alone: a copy of that order is kept beside the sorted one. */
static int stubs(struct symbol_table *t, const struct raw *dynamic, slot_list *slots, slot_list *lazy)
{
	int rc = add_slots(t, dynamic, ".rela.plt", lazy);

	if (rc == 0)
		rc = add_slots(t, dynamic, ".rela.plt", slots);
	if (rc == 0)
		rc = add_slots(t, dynamic, ".rela.dyn", slots);
	if (rc < 0)
		return rc;
	if (slots->n)
		qsort(slots->v, slots->n, sizeof *slots->v, by_address);
	rc = add_section_stubs(t, dynamic->image, ".plt", 16, slots, lazy);
	if (rc == 0)
		rc = add_section_stubs(t, dynamic->image, ".plt.sec", 16, slots, lazy);
	if (rc == 0)
		rc = add_section_stubs(t, dynamic->image, ".plt.got", 8, slots, lazy);
	return rc;
}

int symbol_table_add_stubs(struct symbol_table *t, struct elf_image *e)
{
	slot_list slots = { 0 }, lazy = { 0 };
	struct raw dynamic = { .image = e };
	int rc = raw_open(e, ".dynsym", &dynamic);

	if (rc != -ENOMEM && e->header.e_machine == EM_X86_64) /* a static program has stubs for its IFUNCs, too */
		rc = stubs(t, &dynamic, &slots, &lazy);
	vec_free(&slots);
	vec_free(&lazy);
	return rc == -ENOMEM ? rc : 0;
}

/* ---- the index ---- */

static int better_first(const void *a, const void *b)
{
	const struct symbol_entry *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->binding != y->binding)
		return x->binding > y->binding ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* Sections with code, by address: their ends bound what has no size. */
static int code_index(const struct elf_image *e, struct range_index *ret)
{
	struct range *r = calloc(e->nsections + 1, sizeof *r);
	size_t n = 0;
	int rc;

	if (!r)
		return -ENOMEM;
	for (size_t i = 0; i < e->nsections; i++) {
		const Elf64_Shdr *h = &e->section[i].header;

		if (h->sh_flags & SHF_EXECINSTR)
			r[n++] = (struct range){ h->sh_addr, h->sh_addr + h->sh_size, 0, (uint32_t)i };
	}
	rc = range_index_build(r, n, ret);
	free(r);
	return rc;
}

static uint64_t section_end(const struct elf_image *e, const struct range_index *code, uint64_t address)
{
	uint32_t i = range_index_find(code, address);

	return i == RANGE_NONE ? address : e->section[i].header.sh_addr + e->section[i].header.sh_size;
}

/* The start decides first, so it is the rank; at one start the better entry, which is the lower value. */
static size_t make_ranges(const struct symbol_table *t, const struct elf_image *e, const struct range_index *code,
			  struct range *r)
{
	uint64_t covered = 0, end;
	size_t n = 0;

	for (size_t i = 0; i < t->entry.n; i++) {
		const struct symbol_entry *s = &t->entry.v[i];
		size_t next = i + 1;

		if (s->size) {
			end = s->address + s->size < s->address ? UINT64_MAX : s->address + s->size;
			covered = end > covered ? end : covered;
		} else {
			while (next < t->entry.n && t->entry.v[next].address == s->address)
				next++;
			end = s->address < covered ? 0 : section_end(e, code, s->address);
			if (next < t->entry.n && t->entry.v[next].address < end)
				end = t->entry.v[next].address;
		}
		r[n++] = (struct range){ s->address, end, s->size ? s->address + 1 : 0, (uint32_t)i };
	}
	return n;
}

int symbol_table_finish(struct symbol_table *t, const struct elf_image *e)
{
	struct range_index code = { 0 };
	struct range *r = malloc((t->entry.n + 1) * sizeof *r);
	int rc = r ? code_index(e, &code) : -ENOMEM;

	if (rc == 0) {
		if (t->entry.n)
			qsort(t->entry.v, t->entry.n, sizeof *t->entry.v, better_first);
		rc = range_index_build(r, make_ranges(t, e, &code, r), &t->index);
	}
	range_index_deinit(&code);
	free(r);
	return rc;
}

const struct symbol_entry *symbol_table_find(const struct symbol_table *t, uint64_t address)
{
	uint32_t i = range_index_find(&t->index, address);

	return i == RANGE_NONE ? NULL : &t->entry.v[i];
}

struct span symbol_entry_name(const struct symbol_entry *s)
{
	const char *at = s->name[0] ? strchr(s->name + 1, '@') : NULL;

	return at ? (struct span){ s->name, (size_t)(at - s->name) } : span_from(s->name);
}

const struct symbol_entry *symbol_table_named(const struct symbol_table *t, struct span name)
{
	const struct symbol_entry *best = NULL;

	vec_each(s, &t->entry)
		if (!s->stub && (!best || s->binding > best->binding) && span_equal(symbol_entry_name(s), name))
			best = s;
	return best;
}

int symbol_section_value(struct elf_image *e, const char *section, struct span name, uint64_t *ret_address,
			 uint64_t *ret_size)
{
	struct symbol_entry best = { 0 };
	uint64_t best_size = 0;
	struct raw r;
	Elf64_Sym s;
	const char *text;
	int rc = raw_open(e, section, &r);

	if (rc < 0)
		return rc;
	for (size_t i = 1; raw_at(&r, i, &s, &text); i++) {
		struct symbol_entry is = { .name = text, .address = s.st_value, .binding = binding_rank(&s) };

		if (s.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s.st_info) == STT_TLS || is.binding <= best.binding ||
		    !span_equal(symbol_entry_name(&is), name))
			continue;
		best = is;
		best_size = s.st_size;
	}
	if (!best.binding)
		return -ENOENT;
	*ret_address = best.address;
	*ret_size = best_size;
	return 0;
}

int symbol_section_variable(struct elf_image *e, const char *section, uint64_t address, const char **ret_name,
			    uint64_t *ret_offset)
{
	uint8_t best = 0;
	struct raw r;
	Elf64_Sym s;
	const char *text;
	int rc = raw_open(e, section, &r);

	if (rc < 0)
		return rc;
	for (size_t i = 1; raw_at(&r, i, &s, &text); i++) {
		if (s.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s.st_info) != STT_OBJECT || address < s.st_value ||
		    address - s.st_value >= s.st_size || binding_rank(&s) <= best || !text[0])
			continue;
		best = binding_rank(&s);
		*ret_name = text;
		*ret_offset = address - s.st_value;
	}
	return best ? 0 : -ENOENT;
}
