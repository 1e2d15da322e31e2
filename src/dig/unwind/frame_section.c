#include <errno.h>

#include "dig/unwind/frame_section.h"

/* Real ones: up to 8 letters, up to 60 bytes of program (a few hundred in vDSOs of old). The bounds keep the work
 * linear when every FDE names another CIE in the midst of others' bytes. */
enum { REGISTER_RETURN = 16, LETTERS_MAX = 32, CIE_PROGRAM_MAX = 1024 };

struct entry {
	struct dwarf_bytes rest; /* behind the id */
	uint64_t id;
	uint64_t id_offset;
};

void frame_entries_deinit(struct frame_entries *e)
{
	vec_free(&e->cie);
	vec_free(&e->fde);
	map_deinit(&e->cie_at);
}

static uint64_t offset_of(const struct frame_section *s, const uint8_t *p)
{
	return (uint64_t)(p - s->base.section);
}

/* 1: an entry; 0: the terminator; -EBADMSG: it leaves the section. */
static int next_entry(const struct frame_section *s, struct dwarf_bytes *b, struct entry *ret)
{
	uint64_t length = dwarf_u32(b);
	bool wide = length == UINT32_MAX;

	if (wide)
		length = dwarf_u64(b);
	if (b->failed)
		return -EBADMSG;
	if (length == 0)
		return 0;
	ret->rest = dwarf_take(b, length);
	if (b->failed)
		return -EBADMSG;
	ret->id_offset = offset_of(s, ret->rest.p);
	ret->id = wide && s->debug_frame ? dwarf_u64(&ret->rest) : dwarf_u32(&ret->rest);
	/* One mark for a CIE, whatever the section and its width. */
	if (s->debug_frame && ret->id == (wide ? UINT64_MAX : UINT32_MAX))
		ret->id = UINT64_MAX;
	else if (!s->debug_frame && ret->id == 0)
		ret->id = UINT64_MAX;
	return 1;
}

static bool augmentation_data(const struct frame_section *s, const char *letters, size_t n, struct dwarf_bytes data,
			      struct frame_cie *c)
{
	for (size_t i = 0; i < n; i++) {
		switch (letters[i]) {
		case 'L': dwarf_u8(&data); break;
		case 'R': c->pointer_encoding = dwarf_u8(&data); break;
		case 'S': c->signal_frame = true; break;
		case 'B': break;
		case 'P': {
			unsigned encoding = dwarf_u8(&data);
			/* The routine itself is of no interest, and may be stored where we do not look. */
			dwarf_pointer(&data, encoding & ~(unsigned)DWARF_POINTER_INDIRECT, &s->base);
			break;
		}
		default: return !data.failed; /* the length passes over what is not known */
		}
	}
	return !data.failed;
}

static bool augmentation(const struct frame_section *s, struct dwarf_bytes *b, const char *letters, size_t n,
			 struct frame_cie *c)
{
	if (n == 0)
		return true;
	if (letters[0] == 'z') {
		c->augmented = true;
		return augmentation_data(s, letters + 1, n - 1, dwarf_take(b, dwarf_uleb(b)), c);
	}
	/* Without a length there are only letters that carry no data. */
	for (size_t i = 0; i < n; i++)
		if (letters[i] == 'S')
			c->signal_frame = true;
		else if (letters[i] != 'B')
			return false;
	return true;
}

static void parse_cie(const struct frame_section *s, struct dwarf_bytes b, struct frame_cie *ret)
{
	struct frame_cie c = { .pointer_encoding = DWARF_POINTER_ABSOLUTE };
	unsigned version = dwarf_u8(&b);
	const char *letters = (const char *)b.p;
	size_t left = (size_t)(b.end - b.p);
	const uint8_t *nul = memchr(b.p, 0, left < LETTERS_MAX ? left : LETTERS_MAX);

	*ret = c;
	if (!nul || (version != 1 && version != 3 && version != 4))
		return;
	size_t n = (size_t)(nul - b.p);
	b.p = nul + 1;
	/* gcc 2's: a pointer to exception data stands here. */
	bool old = n >= 2 && letters[0] == 'e' && letters[1] == 'h';
	if (old) {
		dwarf_u64(&b);
		letters += 2;
		n -= 2;
	}
	if (version == 4) {
		unsigned address_size = dwarf_u8(&b), segment_size = dwarf_u8(&b);
		if (address_size != 8 || segment_size != 0)
			return;
	}
	c.code_factor = dwarf_uleb(&b);
	c.data_factor = dwarf_sleb(&b);
	c.return_column = version == 1 ? dwarf_u8(&b) : dwarf_uleb(&b);
	if (!augmentation(s, &b, letters, n, &c))
		return;
	c.program = b;
	c.usable = !b.failed && c.return_column <= REGISTER_RETURN && b.end - b.p <= CIE_PROGRAM_MAX;
	*ret = c;
}

static int cie_at(const struct frame_section *s, uint64_t offset, struct frame_entries *e, uint32_t *ret)
{
	uint32_t known = map_get(&e->cie_at, offset + 1);
	struct dwarf_bytes b = { s->base.section + offset, s->base.section + s->bytes.n, false };
	struct frame_cie *c;
	struct entry entry;

	if (known != MAP_NONE) {
		*ret = known;
		return 0;
	}
	if (!(c = vec_push(&e->cie)))
		return -ENOMEM;
	if (next_entry(s, &b, &entry) == 1 && entry.id == UINT64_MAX)
		parse_cie(s, entry.rest, c);
	*ret = (uint32_t)(e->cie.n - 1);
	return map_set(&e->cie_at, offset + 1, *ret);
}

/* The offset of an FDE's CIE; UINT64_MAX: outside. */
static uint64_t cie_offset(const struct frame_section *s, const struct entry *f)
{
	uint64_t offset = s->debug_frame ? f->id : f->id_offset - f->id;

	return offset < s->bytes.n ? offset : UINT64_MAX;
}

static int parse_fde(const struct frame_section *s, struct entry *entry, uint64_t low, uint64_t high,
		     struct frame_entries *e, uint64_t *last_offset, uint32_t *last_cie)
{
	struct dwarf_bytes b = entry->rest;
	uint64_t offset = cie_offset(s, entry);
	int rc;

	if (offset == UINT64_MAX)
		return 0;
	if (offset != *last_offset) {
		if ((rc = cie_at(s, offset, e, last_cie)) < 0)
			return rc;
		*last_offset = offset;
	}
	const struct frame_cie *c = &e->cie.v[*last_cie];
	if (!c->usable)
		return 0;
	uint64_t start = dwarf_pointer(&b, c->pointer_encoding, &s->base);
	uint64_t size = dwarf_pointer(&b, c->pointer_encoding, NULL);
	if (c->augmented)
		dwarf_take(&b, dwarf_uleb(&b));
	if (b.failed || size == 0 || start < low || start >= high || (uint64_t)(b.end - b.p) > UINT32_MAX)
		return 0;
	struct frame_fde *f = vec_push(&e->fde);
	if (!f)
		return -ENOMEM;
	*f = (struct frame_fde){ start, size > high - start ? high : start + size, b.p, (uint32_t)(b.end - b.p),
				 *last_cie };
	return 0;
}

int frame_section_parse(struct frame_section *s, uint64_t low, uint64_t high, struct frame_entries *ret)
{
	struct frame_entries e = { 0 };
	uint64_t last_offset = UINT64_MAX;
	uint32_t last_cie = 0;
	struct entry entry;

	s->base.section = (const uint8_t *)s->bytes.p;
	struct dwarf_bytes b = { s->base.section, s->base.section + s->bytes.n, false };
	while (b.p < b.end) {
		int rc = next_entry(s, &b, &entry);
		if (rc < 0 || (rc == 0 && !s->searched && !s->debug_frame))
			break;
		if (rc == 1 && entry.id != UINT64_MAX && !entry.rest.failed &&
		    (rc = parse_fde(s, &entry, low, high, &e, &last_offset, &last_cie)) < 0) {
			frame_entries_deinit(&e);
			return rc;
		}
	}
	*ret = e;
	return 0;
}
