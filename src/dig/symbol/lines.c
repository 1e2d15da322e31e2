#include "dig/symbol/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <libelf.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dig/image/elf_debug.h"
#include "dig/symbol/lines_die.h"
#include "dig/symbol/range_index.h"

/* A function, or a call that was inlined. */
struct scope {
	Dwarf_Die die;
	uint32_t parent; /* RANGE_NONE: the function itself */
	bool inlined;
};

struct unit {
	Dwarf_Die lines; /* of the skeleton, when it is split */
	Dwarf_Die tree;
	bool walked;
	VEC(struct scope) scope;
	struct range_index index;
};

struct lines {
	Elf *elf;
	Dwarf *dwarf;
	VEC(struct unit) unit;
	struct range_index index;
	uint64_t budget; /* DIEs and ranges that may still be looked at: no more than .debug_info has bytes, twice */
	bool broken;	 /* memory ran out inside libdw: it is not to be trusted, not even to free itself */
	int fd;
	char *unpacked; /* NULL: libdw reads the file itself */
	size_t unpacked_bytes;
};

/* libdw ends the program when memory runs out, unless its handler does not return. */
static _Thread_local jmp_buf *out_of_memory;

__attribute__((noreturn)) static void no_memory(void)
{
	if (out_of_memory)
		longjmp(*out_of_memory, 1);
	abort();
}

static bool spend(struct lines *l)
{
	return l->budget && l->budget--;
}

/* ---- ranges ---- */

static int add_ranges(struct lines *l, Dwarf_Die *die, uint64_t rank, uint32_t value, range_list *to)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while (spend(l) && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		struct range *r;

		if (start == 0 || end <= start) /* 0: code that the linker dropped */
			continue;
		r = vec_push(to);
		if (!r)
			return -ENOMEM;
		*r = (struct range){ start, end, rank, value };
	}
	return 0;
}

static int add_unit(struct lines *l, const Dwarf_Die *die, range_list *ranges)
{
	struct unit *u = vec_push(&l->unit);

	if (!u)
		return -ENOMEM;
	u->lines = u->tree = *die;
	return add_ranges(l, &u->lines, 0, (uint32_t)(l->unit.n - 1), ranges);
}

static int read_units(struct lines *l, range_list *ranges)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	Dwarf_Half version;
	uint8_t type;
	int rc = 0;

	while (rc == 0 && spend(l) && dwarf_get_units(l->dwarf, cu, &cu, &version, &type, &die, NULL) == 0)
		if (type == DW_UT_compile || type == DW_UT_skeleton)
			rc = add_unit(l, &die, ranges);
	return rc;
}

static int index_units(struct lines *l)
{
	range_list ranges = { 0 };
	int rc = read_units(l, &ranges);

	if (rc == 0)
		rc = range_index_build(ranges.v, ranges.n, &l->index);
	vec_free(&ranges);
	return rc;
}

/* ---- opening ---- */

static bool has_dwarf(const struct elf_image *e)
{
	const struct elf_section *s = elf_image_find(e, ".debug_info");

	if (!s)
		s = elf_image_find(e, ".zdebug_info");
	return e->fd >= 0 && s && s->header.sh_type != SHT_NOBITS && s->header.sh_size;
}

/* Sections that say they unpack into more than we would ourselves make libdw ask for that memory. */
static bool sane(const struct elf_image *e)
{
	for (size_t i = 0; i < e->nsections; i++) {
		const Elf64_Shdr *h = &e->section[i].header;
		Elf64_Chdr c;

		if (!(h->sh_flags & SHF_COMPRESSED) || h->sh_type == SHT_NOBITS)
			continue;
		if (elf_image_read(e, h->sh_offset, &c, sizeof c) < 0 || c.ch_size > 4ull * ELF_IMAGE_SECTION_MAX ||
		    c.ch_size / 20000 > h->sh_size)
			return false;
	}
	return true;
}

static int begin(struct lines *l, const struct elf_image *e, bool places)
{
	int r = elf_debug_unpack(e, places, &l->unpacked, &l->unpacked_bytes);

	if (r < 0 && r != -ENOENT && r != -EFBIG)
		return r;
	(void)elf_version(EV_CURRENT);
	l->fd = e->fd;
	/* No mmap: a file that is cut while it is mapped would end us by SIGBUS. */
	l->elf = l->unpacked ? elf_memory(l->unpacked, l->unpacked_bytes) : elf_begin(e->fd, ELF_C_READ, NULL);
	l->dwarf = l->elf ? dwarf_begin_elf(l->elf, DWARF_C_READ, NULL) : NULL;
	if (!l->dwarf)
		return -EBADMSG;
	dwarf_new_oom_handler(l->dwarf, no_memory);
	l->budget = 2 * (e->file_size > l->unpacked_bytes ? e->file_size : l->unpacked_bytes) + 1000;
	return 0;
}

/* What of libdw runs goes through here: 0 and the outcome, or -ENOMEM from the depth of it. */
static int guarded(struct lines *l, int (*run)(struct lines *, void *), void *arg)
{
	jmp_buf here;
	int rc;

	if (l->broken)
		return -ENOMEM;
	out_of_memory = &here;
	if (setjmp(here) == 0) {
		rc = run(l, arg);
	} else {
		l->broken = true;
		rc = -ENOMEM;
	}
	out_of_memory = NULL;
	return rc;
}

struct opening {
	const struct elf_image *e;
	bool places;
};

static int open_guarded(struct lines *l, void *arg)
{
	const struct opening *o = arg;
	int rc = begin(l, o->e, o->places);

	return rc < 0 ? rc : index_units(l);
}

int lines_open(struct elf_image *e, bool places, struct lines **ret)
{
	struct opening o = { e, places };
	struct lines *l;
	int rc;

	if (!has_dwarf(e))
		return -ENOENT;
	if (!sane(e))
		return -EBADMSG;
	l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	rc = guarded(l, open_guarded, &o);
	if (rc < 0) {
		lines_close(l);
		return rc;
	}
	*ret = l;
	return 0;
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	vec_each(u, &l->unit) {
		vec_free(&u->scope);
		range_index_deinit(&u->index);
	}
	vec_free(&l->unit);
	range_index_deinit(&l->index);
	if (!l->broken && l->dwarf)
		dwarf_end(l->dwarf);
	if (!l->broken && l->elf)
		elf_end(l->elf);
	elf_debug_free(l->unpacked, l->unpacked_bytes);
	free(l);
}

/* ---- the functions of a unit ---- */

static bool not_regular(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0 && !S_ISREG(s.st_mode);
}

/* libdw opens what the skeleton names, in two places; a named pipe there would hold us for ever. */
static bool split_is_safe(const struct lines *l, Dwarf_Die *skeleton)
{
	Dwarf_Attribute a;
	const char *name = dwarf_formstring(dwarf_attr(skeleton, DW_AT_dwo_name, &a));
	const char *dir = dwarf_formstring(dwarf_attr(skeleton, DW_AT_comp_dir, &a));
	char link[64], path[2 * PATH_MAX], file[PATH_MAX];
	ssize_t n;

	if (!name)
		name = dwarf_formstring(dwarf_attr(skeleton, DW_AT_GNU_dwo_name, &a));
	if (!name || not_regular(name))
		return false;
	snprintf(path, sizeof path, "%s/%s", dir ? dir : ".", name);
	if (not_regular(path))
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", l->fd);
	n = readlink(link, file, sizeof file - 1);
	if (n <= 0)
		return false;
	file[n] = '\0';
	*(strrchr(file, '/') ? strrchr(file, '/') : file) = '\0';
	snprintf(path, sizeof path, "%s/%s", file, name);
	return !not_regular(path);
}

static void follow_split(struct lines *l, struct unit *u)
{
	Dwarf_Die split;
	uint8_t type;

	if (dwarf_cu_info(u->lines.cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) == 0 && type == DW_UT_skeleton &&
	    split_is_safe(l, &u->lines) &&
	    dwarf_cu_info(u->lines.cu, NULL, NULL, NULL, &split, NULL, NULL, NULL) == 0 && split.addr)
		u->tree = split;
}

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block: return true;
	default: return false;
	}
}

static int add_scope(struct lines *l, struct unit *u, Dwarf_Die *die, bool inlined, uint32_t parent, unsigned depth,
		     range_list *ranges)
{
	size_t before = ranges->n;
	struct scope *s = u->scope.n < RANGE_NONE - 1 ? vec_push(&u->scope) : NULL;

	if (!s || add_ranges(l, die, depth, (uint32_t)(u->scope.n - 1), ranges) < 0)
		return -ENOMEM;
	*s = (struct scope){ *die, parent, inlined };
	if (ranges->n == before) /* a declaration, or the abstract one that is inlined elsewhere */
		u->scope.n--;
	return 0;
}

static int walk(struct lines *l, struct unit *u, Dwarf_Die *of, uint32_t parent, unsigned depth, range_list *ranges)
{
	Dwarf_Die die;
	int rc = 0, more = depth < LINES_DEPTH_MAX ? dwarf_child(of, &die) : 1;

	for (; rc == 0 && more == 0 && spend(l); more = dwarf_siblingof(&die, &die)) {
		int tag = dwarf_tag(&die);
		uint32_t scopes = (uint32_t)u->scope.n;

		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) {
			bool inlined = tag == DW_TAG_inlined_subroutine;

			rc = add_scope(l, u, &die, inlined, inlined ? parent : RANGE_NONE, depth, ranges);
			if (rc == 0 && u->scope.n > scopes)
				rc = walk(l, u, &die, scopes, depth + 1, ranges);
			else if (rc == 0 && !inlined) /* a local class may have methods that are real */
				rc = walk(l, u, &die, RANGE_NONE, depth + 1, ranges);
		} else if (may_hold_functions(tag)) {
			rc = walk(l, u, &die, parent, depth + 1, ranges);
		}
	}
	return rc;
}

static int walk_unit(struct lines *l, struct unit *u)
{
	range_list ranges = { 0 };
	int rc;

	u->walked = true;
	follow_split(l, u);
	rc = walk(l, u, &u->tree, RANGE_NONE, 1, &ranges);
	if (rc == 0)
		rc = range_index_build(ranges.v, ranges.n, &u->index);
	vec_free(&ranges);
	return rc;
}

/* ---- questions ---- */

static const char *function_name(Dwarf_Die *die)
{
	static const unsigned int attributes[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name };
	Dwarf_Attribute a;

	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
		const char *name = dwarf_formstring(dwarf_attr_integrate(die, attributes[i], &a));

		if (name && name[0])
			return name;
	}
	return NULL;
}

static void call_site(struct unit *u, Dwarf_Die *die, struct line_frame *ret)
{
	Dwarf_Attribute a;
	Dwarf_Files *files;
	Dwarf_Word number;
	size_t n;

	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &a), &number) == 0 && number <= UINT_MAX)
		ret->line = (unsigned)number;
	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &a), &number) == 0 &&
	    dwarf_getsrcfiles(&u->tree, &files, &n) == 0 && number < n)
		ret->file = dwarf_filesrc(files, number, NULL, NULL);
}

static void line_of(struct unit *u, uint64_t address, struct line_frame *ret)
{
	Dwarf_Line *line = dwarf_getsrc_die(&u->lines, address);
	int number;

	if (!line)
		return;
	ret->file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &number) == 0 && number > 0)
		ret->line = (unsigned)number;
}

struct question {
	uint64_t address;
	struct line_frame *to;
	size_t max, n;
};

static int answer(struct lines *l, void *arg)
{
	struct question *q = arg;
	uint32_t at = range_index_find(&l->index, q->address);
	struct unit *u = at == RANGE_NONE ? NULL : &l->unit.v[at];
	int rc = u && !u->walked ? walk_unit(l, u) : 0;

	if (!u || rc < 0)
		return rc;
	q->to[0] = (struct line_frame){ 0 };
	line_of(u, q->address, &q->to[0]);
	for (at = range_index_find(&u->index, q->address); at != RANGE_NONE; at = u->scope.v[at].parent) {
		struct scope *s = &u->scope.v[at];

		q->to[q->n].function = function_name(&s->die);
		q->to[q->n].inlined = s->inlined && s->parent != RANGE_NONE;
		if (s->parent == RANGE_NONE && dwarf_lowpc(&s->die, &q->to[q->n].start) != 0)
			q->to[q->n].start = 0;
		if (++q->n == q->max || s->parent == RANGE_NONE)
			break;
		q->to[q->n] = (struct line_frame){ 0 };
		call_site(u, &s->die, &q->to[q->n]);
	}
	if (!q->n && q->to[0].line)
		q->n = 1;
	return 0;
}

int lines_find(struct lines *l, uint64_t address, struct line_frame *ret, size_t max, size_t *ret_n)
{
	struct question q = { address, ret, max, 0 };
	int rc = max ? guarded(l, answer, &q) : 0;

	if (rc == 0)
		*ret_n = q.n;
	return rc;
}

struct function_question {
	uint64_t start;
	int (*read)(void *arg, Dwarf_Die *function);
	void *arg;
};

static int ask_function(struct lines *l, void *arg)
{
	struct function_question *q = arg;
	uint32_t at = range_index_find(&l->index, q->start);
	struct unit *u = at == RANGE_NONE ? NULL : &l->unit.v[at];
	int rc = u && !u->walked ? walk_unit(l, u) : 0;
	Dwarf_Addr low;

	if (!u || rc < 0)
		return rc < 0 ? rc : -ENOENT;
	for (at = range_index_find(&u->index, q->start); at != RANGE_NONE; at = u->scope.v[at].parent) {
		struct scope *s = &u->scope.v[at];

		if (s->parent == RANGE_NONE)
			return dwarf_lowpc(&s->die, &low) == 0 && low == q->start ? q->read(q->arg, &s->die) : -ENOENT;
	}
	return -ENOENT;
}

int lines_function(struct lines *l, uint64_t start, int (*read)(void *arg, Dwarf_Die *function), void *arg)
{
	struct function_question q = { start, read, arg };

	return guarded(l, ask_function, &q);
}
