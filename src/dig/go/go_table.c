#include "dig/go/go_table.h"

#include <errno.h>

#define STEPS_MAX 100000 /* of one value program: a function of a megabyte has fewer */

enum { PCDATA_INLINE_INDEX = 2, FUNCDATA_INLINE_TREE = 3 };

static bool get(struct span s, uint64_t at, void *to, size_t n)
{
	if (at > s.n || n > s.n - at)
		return false;
	memcpy(to, s.p + at, n);
	return true;
}

static uint32_t get_u32(struct span s, uint64_t at)
{
	uint32_t value = 0;

	(void)get(s, at, &value, sizeof value);
	return value;
}

static uint64_t get_u64(struct span s, uint64_t at)
{
	uint64_t value = 0;

	(void)get(s, at, &value, sizeof value);
	return value;
}

static const char *get_string(struct span s, uint64_t at)
{
	return at < s.n && memchr(s.p + at, '\0', s.n - at) ? s.p + at : NULL;
}

static bool format_of(struct span bytes, enum go_format *ret)
{
	static const uint32_t magics[] = { [GO_1_16] = 0xfffffffa, [GO_1_18] = 0xfffffff0, [GO_1_20] = 0xfffffff1 };
	uint32_t magic;

	if (!get(bytes, 0, &magic, 4) || bytes.n < 72 || bytes.p[4] || bytes.p[5] || bytes.p[6] != 1 || bytes.p[7] != 8)
		return false;
	for (unsigned i = 0; i < sizeof magics / sizeof *magics; i++)
		if (magics[i] == magic) {
			*ret = (enum go_format)i;
			return true;
		}
	return false;
}

static bool part(struct span bytes, uint64_t at, struct span *ret)
{
	uint64_t offset = get_u64(bytes, at);

	if (offset >= bytes.n)
		return false;
	*ret = (struct span){ bytes.p + offset, bytes.n - offset };
	return true;
}

static size_t entry_size(const struct go_table *t)
{
	return t->format == GO_1_16 ? 16 : 8;
}

int go_table_parse(struct span bytes, uint64_t text, struct go_table *ret)
{
	struct go_table t = { .bytes = bytes };
	uint64_t at = 24;

	if (!format_of(bytes, &t.format))
		return -EBADMSG;
	t.nfunctions = get_u64(bytes, 8);
	if (t.format != GO_1_16) {
		t.text = get_u64(bytes, at) ? get_u64(bytes, at) : text;
		at += 8;
	}
	if (!part(bytes, at, &t.names) || !part(bytes, at + 8, &t.units) || !part(bytes, at + 16, &t.files) ||
	    !part(bytes, at + 24, &t.values) || !part(bytes, at + 32, &t.functions))
		return -EBADMSG;
	if (!t.nfunctions || t.nfunctions > t.functions.n / entry_size(&t) - 1)
		return -EBADMSG;
	*ret = t;
	return 0;
}

size_t go_table_scan(struct span bytes, size_t from)
{
	struct go_table t;
	enum go_format format;

	for (size_t i = from; i + 72 <= bytes.n; i += 8) {
		struct span rest = { bytes.p + i, bytes.n - i };

		if (format_of(rest, &format) && go_table_parse(rest, 1, &t) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* ---- functions ---- */

static uint64_t entry_at(const struct go_table *t, uint64_t i)
{
	return t->format == GO_1_16 ? get_u64(t->functions, i * 16) : t->text + get_u32(t->functions, i * 8);
}

static bool function_at(const struct go_table *t, uint64_t i, struct go_function *ret)
{
	uint64_t record = t->format == GO_1_16 ? get_u64(t->functions, i * 16 + 8) : get_u32(t->functions, i * 8 + 4);
	const char *name;

	if (record > t->functions.n || t->functions.n - record < 48)
		return false;
	name = get_string(t->names, get_u32(t->functions, record + (t->format == GO_1_16 ? 8 : 4)));
	*ret = (struct go_function){ entry_at(t, i), entry_at(t, i + 1), name ? name : "", record };
	return true;
}

bool go_table_find(const struct go_table *t, uint64_t pc, struct go_function *ret)
{
	uint64_t low = 0, high = t->nfunctions;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (entry_at(t, middle) <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low && pc < entry_at(t, low) && function_at(t, low - 1, ret);
}

bool go_table_named(const struct go_table *t, const char *name, struct go_function *ret)
{
	for (uint64_t i = 0; i < t->nfunctions; i++)
		if (function_at(t, i, ret) && strcmp(ret->name, name) == 0)
			return true;
	return false;
}

/* ---- values by pc ---- */

static bool varint(struct span s, size_t *at, uint32_t *ret)
{
	uint32_t value = 0;

	for (unsigned shift = 0; *at < s.n && shift < 35; shift += 7) {
		unsigned char byte = (unsigned char)s.p[(*at)++];

		value |= shift < 32 ? (uint32_t)(byte & 127) << shift : 0;
		if (byte < 128) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* The value that holds at pc; -1: none is told. Offset 0 is "no program". */
static int64_t value_at(const struct go_table *t, const struct go_function *f, uint32_t program, uint64_t pc)
{
	uint64_t reached = f->entry;
	int32_t value = -1;
	uint32_t step, length;
	size_t at = program;

	if (!program)
		return -1;
	for (unsigned i = 0; i < STEPS_MAX && varint(t->values, &at, &step) && (step || !i); i++) {
		if (!varint(t->values, &at, &length))
			break;
		value = (int32_t)((uint32_t)value + (step & 1 ? ~(step >> 1) : step >> 1));
		reached += length;
		if (pc < reached)
			return value;
	}
	return -1;
}

/* The fields of a record behind its entry and name: see struct _func in runtime2.go. */
enum field { PCSP, PCFILE, PCLN, NPCDATA, UNIT };

static uint64_t field_at(const struct go_table *t, const struct go_function *f, enum field field)
{
	return f->at + (t->format == GO_1_16 ? 20 : 16) + 4 * (uint64_t)field;
}

static uint32_t field_of(const struct go_table *t, const struct go_function *f, enum field field)
{
	return get_u32(t->functions, field_at(t, f, field));
}

/* funcID, flag, padding and the number of funcdata make up the last word; Go 1.20 has the first line before it. */
static uint64_t tail_at(const struct go_table *t, const struct go_function *f)
{
	return field_at(t, f, UNIT) + (t->format == GO_1_20 ? 8 : 4);
}

static uint32_t pcdata(const struct go_table *t, const struct go_function *f, uint32_t number)
{
	return number < field_of(t, f, NPCDATA) ? get_u32(t->functions, tail_at(t, f) + 4 + 4ull * number) : 0;
}

/* The address; 0: it has none. */
static uint64_t funcdata(const struct go_table *t, const struct go_function *f, uint32_t number)
{
	uint64_t tail = tail_at(t, f), at = tail + 4 + 4ull * field_of(t, f, NPCDATA);
	unsigned count = get_u32(t->functions, tail) >> 24;

	if (number >= count)
		return 0;
	if (t->format == GO_1_16) {
		at = (at + 7) & ~7ull;
		return get_u64(t->functions, at + 8ull * number);
	}
	uint32_t offset = get_u32(t->functions, at + 4ull * number);
	return offset == UINT32_MAX || !t->funcdata ? 0 : t->funcdata + offset;
}

int64_t go_table_frame_size(const struct go_table *t, const struct go_function *f, uint64_t pc)
{
	return value_at(t, f, field_of(t, f, PCSP), pc);
}

static const char *file_name(const struct go_table *t, const struct go_function *f, int64_t number)
{
	uint32_t offset;

	if (number < 0 || !get(t->units, 4 * ((uint64_t)field_of(t, f, UNIT) + (uint64_t)number), &offset, 4) ||
	    offset == UINT32_MAX)
		return NULL;
	return get_string(t->files, offset);
}

static void line_at(const struct go_table *t, const struct go_function *f, uint64_t pc, struct go_line *ret)
{
	int64_t line = value_at(t, f, field_of(t, f, PCLN), pc);

	ret->file = file_name(t, f, value_at(t, f, field_of(t, f, PCFILE), pc));
	ret->line = line > 0 ? (unsigned)line : 0;
}

/* One call of the tree. Before 1.20 it tells parent, file and line of the call; since then only a pc at the
 * call's place, whose own values tell these. */
struct inlined {
	const char *function;
	int32_t parent;	   /* before 1.20 */
	struct go_line at; /* before 1.20: the place of the call */
	uint64_t parent_pc;
};

static bool inlined_at(const struct go_table *t, const struct go_function *f, uint64_t tree, int64_t index,
		       struct inlined *ret)
{
	size_t size = t->format == GO_1_20 ? 16 : 20;
	char raw[20];
	struct span s = { raw, size };

	if (index > 65535 || t->read(t->arg, tree + size * (uint64_t)index, raw, size) < 0)
		return false;
	*ret = (struct inlined){ .parent = -1 };
	if (t->format == GO_1_20) {
		ret->function = get_string(t->names, get_u32(s, 4));
		ret->parent_pc = f->entry + get_u32(s, 8);
	} else {
		int16_t parent;

		(void)get(s, 0, &parent, 2);
		ret->parent = parent;
		ret->at.file = file_name(t, f, (int32_t)get_u32(s, 4));
		ret->at.line = get_u32(s, 8);
		ret->function = get_string(t->names, get_u32(s, 12));
	}
	return ret->function != NULL;
}

size_t go_table_lines(const struct go_table *t, const struct go_function *f, uint64_t pc, struct go_line *ret,
		      size_t max)
{
	uint64_t tree = t->read ? funcdata(t, f, FUNCDATA_INLINE_TREE) : 0;
	int64_t index = tree ? value_at(t, f, pcdata(t, f, PCDATA_INLINE_INDEX), pc) : -1;
	struct go_line line = { 0 };
	struct inlined call;
	size_t n = 0;

	line_at(t, f, pc, &line);
	while (n + 1 < max && n < GO_INLINE_MAX && index >= 0 && inlined_at(t, f, tree, index, &call)) {
		ret[n++] = (struct go_line){ call.function, line.file, line.line, true };
		if (t->format == GO_1_20) {
			index = value_at(t, f, pcdata(t, f, PCDATA_INLINE_INDEX), call.parent_pc);
			line_at(t, f, call.parent_pc, &line);
		} else {
			index = call.parent;
			line = call.at;
		}
	}
	if (n < max)
		ret[n++] = (struct go_line){ f->name, line.file, line.line, false };
	return n;
}
