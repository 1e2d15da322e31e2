#include "dig/fiber/fiber_root.h"

#include <errno.h>
#include <stdlib.h>

#include "dig/unwind/unwind_table.h"

#define NOTES_MAX (64u << 10)
#define SEGMENTS_MAX 64
#define FIBER_STRIDE_MIN 32

bool fiber_note_find(struct span notes, size_t align, int64_t *ret_distance, size_t *ret_at)
{
	static const char name[] = INSPECT_NOTE_NAME;
	const char *start = notes.p;
	struct elf_note n;

	while (elf_note_next(&notes, align, &n)) {
		if (n.type != INSPECT_NOTE_ROOT || n.name.n != sizeof name - 1 || memcmp(n.name.p, name, n.name.n) != 0 ||
		    n.desc.n != sizeof *ret_distance)
			continue;
		memcpy(ret_distance, n.desc.p, sizeof *ret_distance);
		*ret_at = (size_t)(n.desc.p - start);
		return true;
	}
	return false;
}

/* ---- parsing ---- */

static bool field_fits(struct inspect_field f, uint32_t within)
{
	return f.bytes == 0 || ((f.bytes == 1 || f.bytes == 2 || f.bytes == 4 || f.bytes == 8) && f.bytes <= within &&
				f.offset <= within - f.bytes);
}

/* Fields stand one after the other in the root. */
static bool fields_fit(const struct inspect_field *first, const struct inspect_field *last, uint32_t within)
{
	for (; first <= last; first++)
		if (!field_fits(*first, within))
			return false;
	return true;
}

static bool is_address(struct inspect_field f)
{
	return f.bytes == 8;
}

static bool table_fits(struct inspect_table t, uint32_t least, uint32_t most)
{
	return t.count <= most && t.stride >= least && t.stride <= FIBER_STRUCT_MAX;
}

static const char *fibers_wrong(const struct inspect_root *r)
{
	if (!table_fits(r->tables, 1, FIBER_TABLES_MAX) || !fields_fit(&r->table_fibers, &r->table_used, r->tables.stride))
		return "its tables";
	if (!is_address(r->table_fibers) || !r->table_used.bytes)
		return "its tables lack fields";
	if (r->fiber_stride < FIBER_STRIDE_MIN || r->fiber_stride > FIBER_STRUCT_MAX ||
	    !fields_fit(&r->fiber_id, &r->fiber_cancelled, r->fiber_stride) ||
	    !fields_fit(&r->fiber_copy, &r->fiber_copy_bytes, r->fiber_stride))
		return "its fibers";
	if (!r->fiber_id.bytes || !r->fiber_state.bytes)
		return "its fibers lack fields";
	return NULL;
}

static const char *contexts_wrong(const struct inspect_root *r)
{
	if (r->registers > INSPECT_REGISTERS || r->context_bytes > FIBER_STRUCT_MAX || r->context_bytes < 8 ||
	    r->pc_at > r->context_bytes - 8)
		return "its contexts";
	for (uint32_t i = 0; i < r->registers; i++)
		if (r->saved[i].at > r->context_bytes - 8)
			return "its contexts";
	return NULL;
}

static const char *rest_wrong(const struct inspect_root *r)
{
	if (!table_fits(r->states, sizeof(struct inspect_state), FIBER_STATES_MAX) ||
	    !table_fits(r->waits, sizeof(struct inspect_wait), FIBER_WAITS_MAX))
		return "its names";
	if (!fields_fit(&r->scheduler_threads, &r->scheduler_nqueue, FIBER_STRUCT_MAX) ||
	    !fields_fit(&r->thread_next, &r->thread_blocked, FIBER_STRUCT_MAX) || r->processor_stride > FIBER_STRUCT_MAX ||
	    !fields_fit(&r->processor_number, &r->processor_timers, r->processor_stride))
		return "its scheduler";
	if (!fields_fit(&r->selection_cases, &r->selection_count, FIBER_STRUCT_MAX) || r->case_stride > FIBER_STRUCT_MAX ||
	    !fields_fit(&r->case_channel, &r->case_send, r->case_stride))
		return "its cases";
	return NULL;
}

int fiber_root_parse(struct span bytes, struct inspect_root *ret, struct note *note)
{
	struct inspect_root r = { 0 };

	if (bytes.n < 16)
		return note_set(note, -EBADMSG, "the root of its fibers is cut");
	memcpy(&r, bytes.p, bytes.n < sizeof r ? bytes.n : sizeof r);
	if (r.magic != INSPECT_MAGIC)
		return note_set(note, -EBADMSG, "a note leads to what is no root of fibers: the memory is damaged");
	if (r.version != INSPECT_VERSION)
		return note_set(note, -EPROTO, "its fibers are described in version %u, and osprey reads version %u", r.version,
				INSPECT_VERSION);
	/* What a root of an older library does not have is zero. */
	if (r.bytes < INSPECT_ROOT_LEAST || bytes.n < (r.bytes < sizeof r ? r.bytes : sizeof r))
		return note_set(note, -EBADMSG, "the root of its fibers is too short");
	if (r.bytes < sizeof r)
		memset((char *)&r + r.bytes, 0, sizeof r - r.bytes);
	const char *wrong = fibers_wrong(&r);
	wrong = wrong ? wrong : contexts_wrong(&r);
	wrong = wrong ? wrong : rest_wrong(&r);
	if (wrong)
		return note_set(note, -EBADMSG, "the root of its fibers makes no sense (%s): the memory is damaged", wrong);
	*ret = r;
	return 0;
}

static void make_plain(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void fiber_states_parse(struct span bytes, uint32_t stride, struct fiber_root *ret)
{
	ret->nstates = 0;
	while (ret->nstates < FIBER_STATES_MAX && bytes.n >= stride && stride >= sizeof ret->state[0]) {
		struct inspect_state *s = &ret->state[ret->nstates++];
		memcpy(s, bytes.p, sizeof *s);
		make_plain(s->name, sizeof s->name);
		if (s->standing > INSPECT_ENDED)
			s->standing = INSPECT_FREE;
		bytes.p += stride;
		bytes.n -= stride;
	}
}

void fiber_waits_parse(struct span bytes, uint32_t stride, struct fiber_root *ret)
{
	ret->nwaits = 0;
	while (ret->nwaits < FIBER_WAITS_MAX && bytes.n >= stride && stride >= sizeof ret->wait[0]) {
		struct inspect_wait *w = &ret->wait[ret->nwaits++];
		memcpy(w, bytes.p, sizeof *w);
		make_plain(w->name, sizeof w->name);
		make_plain(w->object, sizeof w->object);
		for (size_t i = 0; i < INSPECT_FACTS; i++) {
			struct inspect_fact *f = &w->fact[i];
			make_plain(f->name, sizeof f->name);
			if (!f->field.bytes || !field_fits(f->field, FIBER_STRUCT_MAX))
				f->name[0] = '\0';
		}
		bytes.p += stride;
		bytes.n -= stride;
	}
}

uint64_t fiber_field(const void *structure, size_t n, struct inspect_field f)
{
	const char *at = (const char *)structure + f.offset;
	uint64_t value = 0;

	if (f.bytes > n || f.offset > n - f.bytes)
		return 0;
	/* Little endian, as all machines of osprey are. Copies of a fixed size are one instruction. */
	switch (f.bytes) {
	case 8: memcpy(&value, at, 8); break;
	case 4: memcpy(&value, at, 4); break;
	case 2: memcpy(&value, at, 2); break;
	case 1: memcpy(&value, at, 1); break;
	}
	return value;
}

/* ---- finding ---- */

static int read_at(const struct address_space *a, uint64_t address, void *to, size_t n)
{
	return a->read ? a->read(a->arg, address, to, n) : -EFAULT;
}

static bool note_in(struct address_space *a, uint64_t address, const Elf64_Phdr *p, uint64_t *ret_root)
{
	size_t n = p->p_memsz < NOTES_MAX ? p->p_memsz : NOTES_MAX, at;
	char *bytes = malloc(n + 1);
	int64_t distance;
	bool found = bytes && address_space_read(a, address, bytes, n) == 0 &&
		     fiber_note_find((struct span){ bytes, n }, p->p_align == 8 ? 8 : 4, &distance, &at);

	if (found)
		*ret_root = address + at + (uint64_t)distance;
	free(bytes);
	return found;
}

/* An ELF file that is mapped from its start on tells its own segments there. */
static bool root_of(struct address_space *a, const struct mapping *m, uint64_t *ret_root)
{
	Elf64_Phdr segment[SEGMENTS_MAX];
	uint64_t bias = 0;
	Elf64_Ehdr h;

	if (address_space_read(a, m->start, &h, sizeof h) < 0 || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_phentsize != sizeof *segment || h.e_phnum > SEGMENTS_MAX ||
	    h.e_phoff > m->end - m->start || address_space_read(a, m->start + h.e_phoff, segment, h.e_phnum * sizeof *segment) < 0)
		return false;
	for (size_t i = h.e_phnum; i-- > 0;)
		if (segment[i].p_type == PT_LOAD)
			bias = m->start - (segment[i].p_vaddr - segment[i].p_offset);
	for (size_t i = 0; i < h.e_phnum; i++)
		if (segment[i].p_type == PT_NOTE && note_in(a, segment[i].p_vaddr + bias, &segment[i], ret_root))
			return true;
	return false;
}

static void read_table(const struct address_space *a, struct inspect_table t, struct fiber_root *r,
		       void (*parse)(struct span bytes, uint32_t stride, struct fiber_root *ret))
{
	size_t n = (size_t)t.count * t.stride;
	char *bytes = malloc(n + 1);

	if (bytes && read_at(a, t.address, bytes, n) == 0)
		parse((struct span){ bytes, n }, t.stride, r);
	free(bytes);
}

static int read_root(const struct address_space *a, struct fiber_root *r, struct note *note)
{
	struct inspect_root bytes = { 0 };

	/* An older one may end where its mapping does. */
	if (read_at(a, r->address, &bytes, sizeof bytes) < 0 && read_at(a, r->address, &bytes, INSPECT_ROOT_LEAST) < 0)
		return note_set(note, -EBADMSG, "the root of its fibers at 0x%llx cannot be read",
				(unsigned long long)r->address);
	int rc = fiber_root_parse((struct span){ (const char *)&bytes, sizeof bytes }, &r->is, note);
	if (rc < 0)
		return rc;
	read_table(a, r->is.states, r, fiber_states_parse);
	read_table(a, r->is.waits, r, fiber_waits_parse);
	return r->nstates ? 0 : note_set(note, -EBADMSG, "the states of its fibers have no names: the memory is damaged");
}

/* A program and a library that it loads may both have the runtime: the one that has fibers counts. */
static bool has_fibers(const struct address_space *a, const struct inspect_root *r)
{
	char table[FIBER_STRUCT_MAX];

	for (uint32_t i = 0; i < r->tables.count; i++)
		if (read_at(a, r->tables.address + (uint64_t)i * r->tables.stride, table, r->tables.stride) == 0 &&
		    fiber_field(table, r->tables.stride, r->table_used))
			return true;
	return false;
}

int fiber_root_find(struct address_space *a, struct fiber_root **ret, struct note *note)
{
	struct fiber_root *r = calloc(1, sizeof *r), found;
	int rc = -ENOENT;

	if (!r)
		return note_set(note, -ENOMEM, "out of memory");
	vec_each(m, &a->map.mapping) {
		uint64_t address;
		if (m->offset || !(m->flags & MAPPING_READ) || !root_of(a, m, &address))
			continue;
		found = (struct fiber_root){ .address = address };
		int read = read_root(a, &found, note);
		if (read < 0 && rc == -ENOENT)
			rc = read;
		if (read < 0 || (rc == 0 && !has_fibers(a, &found.is)))
			continue;
		*r = found;
		rc = 0;
		if (has_fibers(a, &r->is))
			break;
	}
	if (rc == -ENOENT && !a->map.mapping.n)
		note_set(note, rc, "it has no memory: a kernel thread, or it has ended");
	else if (rc == -ENOENT)
		note_set(note, rc, "no fibers: none of its files holds libospreyrt");
	if (rc < 0) {
		free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void fiber_root_free(struct fiber_root *r)
{
	free(r);
}
