#include "look.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <osprey/rt/reflect.h>

#include "tool.h"

/* Whatever the target says is only believed within these. */
#define TYPES_MOST 100000u
#define PARTS_MOST 65536u
#define NAME_MOST 1000u

struct note {
	uint32_t version, type_bytes, field_bytes, enumerator_bytes;
	int64_t root;
};

struct fetched {
	uint64_t address;
	struct rt_type *type;
};

struct looking {
	struct target *target;
	struct note note;
	struct fetched *fetched;
	size_t nfetched;
	const char *wanted;
	uint64_t address;
	bool secrets, found;
	size_t notes;
};

static const struct rt_type *type_fetch(struct looking *l, uint64_t address);

static void must_read(struct looking *l, uint64_t address, void *ret, size_t bytes)
{
	if (target_read(l->target, address, ret, bytes) != 0)
		fail("the descriptors cannot be read at %#jx", (uintmax_t)address);
}

static const char *text_fetch(struct looking *l, const char *remote)
{
	char text[NAME_MOST + 1];
	size_t n = 0;

	if (!remote)
		return NULL;
	while (n < NAME_MOST) {
		must_read(l, (uintptr_t)remote + n, text + n, 1);
		if (!text[n])
			break;
		n++;
	}
	text[n] = '\0';
	return text_of("%s", text);
}

static void fields_fetch(struct looking *l, struct rt_type *t, uint64_t address)
{
	struct rt_field *fields = get(t->count * sizeof *fields);

	t->fields = fields;
	for (uint32_t i = 0; i < t->count; i++) {
		struct rt_field *f = &fields[i];
		must_read(l, address + i * (uint64_t)l->note.field_bytes, f, sizeof *f);
		f->name = text_fetch(l, f->name);
		f->key = text_fetch(l, f->key);
		f->unit = text_fetch(l, f->unit);
		f->type = type_fetch(l, (uintptr_t)f->type);
		if (!f->name || !f->type || f->count >= (int)t->count || f->has >= (int)t->count ||
		    (f->by >= (int)t->count) || f->bits > 64 || f->bit > 7)
			fail("a field of %s makes no sense", t->name);
	}
	for (uint32_t i = 0; i < t->count; i++) {
		const struct rt_field *f = &fields[i];
		const int16_t others[] = { f->count, f->has, f->by };
		for (size_t j = 0; j < 3; j++)
			if (others[j] >= 0 && fields[others[j]].type->kind > RT_KIND_ENUM)
				fail("a field of %s makes no sense", t->name);
		if (f->type->kind == RT_KIND_UNION && f->by < 0)
			fail("a field of %s makes no sense", t->name);
	}
}

static void enumerators_fetch(struct looking *l, struct rt_type *t, uint64_t address)
{
	struct rt_enumerator *e = get(t->count * sizeof *e);

	for (uint32_t i = 0; i < t->count; i++) {
		must_read(l, address + i * (uint64_t)l->note.enumerator_bytes, &e[i], sizeof e[i]);
		e[i].name = text_fetch(l, e[i].name);
		e[i].word = text_fetch(l, e[i].word);
		if (!e[i].name)
			fail("an enumerator of %s has no name", t->name);
	}
	t->enumerators = e;
}

static void parts_fetch(struct looking *l, struct rt_type *t)
{
	bool element = t->kind == RT_KIND_ARRAY || t->kind == RT_KIND_LIST || t->kind == RT_KIND_TAIL;
	uint64_t fields = (uintptr_t)t->fields, enumerators = (uintptr_t)t->enumerators;

	t->fields = NULL;
	t->enumerators = NULL;
	if (t->element)
		t->element = type_fetch(l, (uintptr_t)t->element);
	else if (element)
		fail("%s has no element", t->name);
	if ((fields || enumerators) && t->count > PARTS_MOST)
		fail("%s has %u parts", t->name, t->count);
	if (fields)
		fields_fetch(l, t, fields);
	else if (t->kind == RT_KIND_STRUCT || t->kind == RT_KIND_UNION)
		t->count = 0;
	if (enumerators)
		enumerators_fetch(l, t, enumerators);
	else if (t->kind == RT_KIND_ENUM)
		t->count = 0;
}

static const struct rt_type *type_fetch(struct looking *l, uint64_t address)
{
	for (size_t i = 0; i < l->nfetched; i++)
		if (l->fetched[i].address == address)
			return l->fetched[i].type;
	if (!address || l->nfetched == TYPES_MOST)
		fail("the descriptors make no sense");
	struct rt_type *t = get(sizeof *t);
	must_read(l, address, t, sizeof *t);
	t->name = text_fetch(l, t->name);
	t->origin = text_fetch(l, t->origin);
	if (!t->name || t->kind == 0 || t->kind > RT_KIND_FUNCTION || (t->kind <= RT_KIND_ENUM && (t->size == 0 || t->size > 8)))
		fail("the type at %#jx makes no sense", (uintmax_t)address);
	ADD(l->fetched, l->nfetched) = (struct fetched){ address, t };
	parts_fetch(l, t);
	return t;
}

static int to_stdout(void *arg, const char *bytes, size_t n)
{
	(void)arg;
	return fwrite(bytes, 1, n, stdout) == n ? 0 : -EIO;
}

static void show(struct looking *l, const struct rt_type *t)
{
	struct rt_print_options o = { .read = target_read, .arg = l->target, .secrets = l->secrets };

	l->found = true;
	if (rt_print(t, (const void *)(uintptr_t)l->address, &o, to_stdout, NULL) != 0)
		fail("standard output: %m");
}

static void note_take(struct looking *l, uint64_t at, uint32_t bytes)
{
	uint64_t root[2];

	l->nfetched = 0;
	must_read(l, at, &l->note, sizeof l->note);
	if (l->note.version != RT_TYPES_VERSION || bytes < sizeof l->note || l->note.type_bytes < sizeof(struct rt_type) ||
	    l->note.field_bytes < sizeof(struct rt_field) || l->note.enumerator_bytes < sizeof(struct rt_enumerator))
		fail("descriptors of version %u, which is not known here", l->note.version);
	l->notes++;
	must_read(l, at + offsetof(struct note, root) + (uint64_t)l->note.root, root, sizeof root);
	if (root[0] > TYPES_MOST)
		fail("the descriptors make no sense");
	for (uint64_t i = 0; i < root[0]; i++) {
		uint64_t address;
		must_read(l, root[1] + i * 8, &address, 8);
		const struct rt_type *t = type_fetch(l, address);
		if (!l->wanted)
			printf("%-32s %8u bytes  %s\n", t->name, t->size, t->origin ? t->origin : "");
		else if (!l->found && strcmp(t->name, l->wanted) == 0)
			show(l, t);
	}
}

static void notes_walk(struct looking *l, uint64_t at, uint64_t bytes)
{
	for (uint64_t end = at + bytes; at + sizeof(Elf64_Nhdr) <= end;) {
		Elf64_Nhdr h;
		char name[8] = { 0 };
		if (target_read(l->target, at, &h, sizeof h) != 0)
			return;
		uint64_t desc = at + sizeof h + ((h.n_namesz + 3ull) & ~3ull);
		if (h.n_type == RT_TYPES_NOTE && h.n_namesz == 7 && target_read(l->target, at + sizeof h, name, 7) == 0 &&
		    strcmp(name, "osprey") == 0)
			note_take(l, desc, h.n_descsz);
		at = desc + ((h.n_descsz + 3ull) & ~3ull);
	}
}

/* A file's first mapping begins with its headers, whose addresses are those of memory but for a shift. */
static void module_look(struct looking *l, const struct target_mapping *m)
{
	Elf64_Ehdr h;
	Elf64_Phdr p;
	uint64_t shift = 0;

	if (target_read(l->target, m->start, &h, sizeof h) != 0 || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof p)
		return;
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < h.e_phnum; i++) {
			if (target_read(l->target, m->start + h.e_phoff + i * sizeof p, &p, sizeof p) != 0)
				return;
			if (pass == 0 && p.p_type == PT_LOAD && p.p_offset == 0)
				shift = m->start - p.p_vaddr;
			else if (pass == 1 && p.p_type == PT_NOTE && p.p_align != 8)
				notes_walk(l, p.p_vaddr + shift, p.p_memsz);
		}
	}
}

int look(struct target *t, const char *type, uint64_t address, bool secrets)
{
	struct looking l = { .target = t, .wanted = type, .address = address, .secrets = secrets };

	for (size_t i = 0; i < t->nmappings; i++)
		if (t->mappings[i].offset == 0)
			module_look(&l, &t->mappings[i]);
	if (!l.notes)
		fail("no descriptors there: its program was not linked with what osprey-rt-types makes");
	if (type && !l.found)
		fail("%s is not described there; without a type all are listed", type);
	return 0;
}
