/* Call frame tables from any bytes, and walks by them over any memory; the first byte selects. They must end, stay in
 * bounds, and make no more rows than the bytes allow. */
#include <errno.h>
#include <stdlib.h>

#include "dig/unwind/dwarf_expression.h"
#include "dig/unwind/frame_section.h"
#include "dig/unwind/unwind.h"
#include "dig/unwind/unwind_cache.h"
#include "dig/unwind/unwind_compact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOW = 0x10000, HIGH = 0x14000, FRAMES = 64 };

/* Memory: these bytes again and again, in every other 8 pages. */
static struct span hostile;

static int read_hostile(void *arg, uint64_t address, void *to, size_t n)
{
	(void)arg;
	if (hostile.n == 0 || address >> 12 & 8)
		return -EFAULT;
	for (size_t i = 0; i < n; i++)
		((char *)to)[i] = hostile.p[(address + i) % hostile.n];
	return 0;
}
static const struct unwind_memory memory = { read_hostile, NULL };

static struct unwind_registers registers_of(struct span bytes)
{
	struct unwind_registers r = { .known = 1u << UNWIND_RSP | 1u << UNWIND_RIP };

	for (size_t i = 0; i < UNWIND_REGISTERS; i++)
		if (bytes.n >= (i + 1) * 8)
			memcpy(&r.value[i], bytes.p + i * 8, 8);
	r.known |= (uint32_t)r.value[0] & ((1u << UNWIND_REGISTERS) - 1);
	r.value[UNWIND_RIP] = LOW + r.value[UNWIND_RIP] % (HIGH - LOW);
	return r;
}

static void check_table(const struct unwind_table *t, size_t most)
{
	if (t->nrows > most || t->nrules > t->nrows)
		abort();
	for (size_t i = 0; i < t->nrows; i++) {
		if (i && t->row[i].pc <= t->row[i - 1].pc)
			abort();
		if (t->row[i].rule >= t->nrules && t->row[i].rule != UINT32_MAX)
			abort();
		if (unwind_table_row(t, t->base + t->row[i].pc) != i)
			abort();
	}
}

static void apply(const struct unwind_table *t)
{
	struct unwind_registers r = registers_of(hostile), to;

	for (size_t i = 0; i < t->nrules && i < 256; i++)
		if (unwind_rule_apply(t, &t->rule[i], LOW, &r, &memory, &to) == 1 &&
		    !(to.known >> UNWIND_RSP & to.known >> UNWIND_RIP & 1))
			abort();
}

static void compact(const struct unwind_table *t)
{
	struct unwind_compact_row *row;
	size_t n;

	if (unwind_compact(t, &row, &n) < 0)
		return;
	if (n > t->nrows)
		abort();
	for (size_t i = 0; i < n; i++) {
		struct unwind_compact_frame f = { LOW + row[i].pc, (uint64_t)hostile.n * 64, 0x1000, i & 1, true };
		if (row[i].kind >= UNWIND_COMPACT_KINDS || unwind_compact_find(row, n, row[i].pc) != &row[i])
			abort();
		(void)!unwind_compact_step(&row[i], &f, &memory, &f);
	}
	free(row);
}

/* One mapping with code, whose file has this table. */
static void walk(struct unwind_table *t)
{
	struct memory_map map = { 0 };
	struct elf_image elf = { .fd = -1, .memory = hostile };
	struct image image = { .elf = &elf, .unwind = t, .unwind_tried = true };
	struct unwind_registers r = registers_of(hostile);
	struct unwind_frame frame[FRAMES];
	struct address_space *a = NULL;
	struct image_store *store;
	enum unwind_end end;

	if (image_store_new(&store) < 0)
		return;
	struct mapping *m = vec_push(&map.mapping);
	if (!m)
		abort();
	*m = (struct mapping){ .start = LOW, .end = HIGH, .flags = MAPPING_READ | MAPPING_EXECUTE, .name = "" };
	if (address_space_of_map(store, &map, &a) < 0)
		abort();
	a->images.v[0].image = &image;
	a->images.v[0].tried = true;
	size_t n = unwind_walk(a, &r, &memory, frame, FRAMES, &end);
	if (n == 0 || n > FRAMES || end > UNWIND_OUTSIDE || (end == UNWIND_FULL && n != FRAMES))
		abort();
	for (size_t i = 1; i < n; i++)
		if (frame[i].pc < LOW || frame[i].pc > HIGH)
			abort();
	address_space_free(a);
	image_store_free(store);
}

static int read_address(void *arg, uint64_t address, uint64_t *ret)
{
	(void)arg;
	return read_hostile(NULL, address, ret, sizeof *ret);
}

static void sections(struct span bytes, unsigned flags)
{
	size_t half = flags & 8 ? bytes.n / 2 : bytes.n;
	struct frame_section eh = { .bytes = { bytes.p, half },
				    .base = { .section_address = HIGH, .text = LOW, .data = HIGH, .read = read_address },
				    .searched = flags & 1 };
	struct frame_section debug = { .bytes = { bytes.p + (flags & 8 ? half : 0), flags & 8 ? bytes.n - half : half },
				       .base = eh.base,
				       .debug_frame = true };
	struct unwind_table *t;

	if (unwind_table_of_sections(flags & 2 ? NULL : &eh, flags & 10 ? &debug : NULL, LOW, HIGH, &t) < 0)
		return;
	check_table(t, bytes.n + 2);
	apply(t);
	compact(t);
	walk(t);
	unwind_table_free(t);
}

static void expression(struct span bytes)
{
	struct unwind_registers r = registers_of(hostile);
	uint64_t cfa = 0x1000, value;
	struct dwarf_expression_context context = { &r, &memory, LOW, &cfa };
	int rc = dwarf_expression(bytes, &context, bytes.n & 1 ? &cfa : NULL, &value);

	if (rc < 0 && rc != -ENODATA && rc != -EFAULT && rc != -EBADMSG)
		abort();
}

static void file(struct span bytes)
{
	struct elf_image *e;
	struct unwind_table *t;

	if (elf_image_open_memory(bytes, &e, NULL) < 0)
		return;
	if (unwind_table_build(e, &t) == 0) {
		apply(t);
		compact(t);
		unwind_table_free(t);
	}
	if (unwind_cache_parse(bytes, e, &t) == 0)
		unwind_table_free(t);
	elf_image_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span bytes = { (const char *)data + 1, size - 1 };
	hostile = bytes;
	switch (data[0] >> 4 & 3) {
	case 0:
	case 1: sections(bytes, data[0] & 15); break;
	case 2: expression(bytes); break;
	case 3: file(bytes); break;
	}
	return 0;
}
