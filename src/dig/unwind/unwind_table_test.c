/* Frame sections put together byte by byte: every encoding, every instruction, and what is damaged. Every allocation in
 * turn fails. */
#include <errno.h>

#include "base/check.h"
#include "base/failing_allocator.h"
#include "dig/unwind/frame_section.h"
#include "dig/unwind/unwind_rules.h"
#include "dig/unwind/unwind_table.h"

enum { LOW = 0x10000, HIGH = 0x20000, SECTION = 0x40000, TEXT = 0x11000, DATA = 0x50000 };

struct section {
	uint8_t bytes[8192];
	size_t n;
	bool debug_frame, searched, wide;
	size_t entry; /* where the length of the open entry stands */
	size_t cie;
};

static void put(struct section *s, const void *bytes, size_t n)
{
	if (n) /* an empty piece has no place */
		memcpy(s->bytes + s->n, bytes, n);
	s->n += n;
}
#define PUT(s, ...) put(s, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void number(struct section *s, uint64_t value, size_t n)
{
	put(s, &value, n);
}

static void open_entry(struct section *s)
{
	if (s->wide)
		number(s, UINT32_MAX, 4);
	s->entry = s->n;
	number(s, 0, s->wide ? 8 : 4);
}

static void close_entry(struct section *s)
{
	uint64_t length = s->n - s->entry - (s->wide ? 8 : 4);

	memcpy(s->bytes + s->entry, &length, s->wide ? 8 : 4);
}

/* Leaves the entry open for initial instructions. `data`: of the augmentation, behind its length. */
static void cie_of(struct section *s, const char *augmentation, const uint8_t *data, size_t ndata, unsigned version,
		   unsigned column)
{
	s->cie = s->n;
	open_entry(s);
	if (s->debug_frame)
		number(s, UINT64_MAX, s->wide ? 8 : 4);
	else
		number(s, 0, 4);
	PUT(s, (uint8_t)version);
	put(s, augmentation, strlen(augmentation) + 1);
	if (version == 4)
		PUT(s, 8, 0);
	PUT(s, 1, 0x78 /* -8 */, (uint8_t)column);
	if (augmentation[0] == 'z')
		PUT(s, (uint8_t)ndata);
	put(s, data, ndata);
}

/* rsp + 8, return address at CFA - 8. */
static void cie(struct section *s, uint8_t encoding)
{
	if (s->debug_frame)
		cie_of(s, "", NULL, 0, 3, 16);
	else
		cie_of(s, "zR", &encoding, 1, 1, 16);
	PUT(s, 0x0c, 7, 8, 0x90, 1);
	close_entry(s);
}

static void open_fde(struct section *s)
{
	open_entry(s);
	if (s->debug_frame)
		number(s, s->cie, s->wide ? 8 : 4);
	else
		number(s, s->n - s->cie, 4);
}

static void fde(struct section *s, uint64_t start, uint64_t size, const uint8_t *program, size_t n)
{
	open_fde(s);
	number(s, start, 8);
	number(s, size, 8);
	if (!s->debug_frame)
		PUT(s, 0);
	put(s, program, n);
	close_entry(s);
}
#define FDE(s, start, size, ...) \
	fde(s, start, size, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static uint64_t indirect_value;
static int read_indirect(void *arg, uint64_t address, uint64_t *ret)
{
	(void)arg;
	if (address != DATA + 0x10)
		return -EFAULT;
	*ret = indirect_value;
	return 0;
}

static struct frame_section as_section(const struct section *s)
{
	return (struct frame_section){ .bytes = { (const char *)s->bytes, s->n },
				       .base = { .section_address = SECTION,
						 .text = TEXT,
						 .data = DATA,
						 .read = read_indirect },
				       .debug_frame = s->debug_frame,
				       .searched = s->searched };
}

static struct unwind_table *table_of(const struct section *a, const struct section *b)
{
	struct unwind_table *t = NULL;
	struct frame_section eh, debug;

	if (a)
		eh = as_section(a);
	if (b)
		debug = as_section(b);
	int rc = unwind_table_of_sections(a ? &eh : NULL, b ? &debug : NULL, LOW, HIGH, &t);
	CHECK(rc == 0 || rc == -ENOENT);
	CHECK((rc == 0) == (t != NULL));
	for (size_t i = 1; t && i < t->nrows; i++)
		CHECK(t->row[i].pc > t->row[i - 1].pc && t->row[i].rule != t->row[i - 1].rule);
	return t;
}

static const struct unwind_rule *rule_at(const struct unwind_table *t, uint64_t address)
{
	return t ? unwind_table_find(t, address) : NULL;
}

static int cfa_at(const struct unwind_table *t, uint64_t address)
{
	const struct unwind_rule *r = rule_at(t, address);

	return r && r->cfa == UNWIND_CFA_REGISTER && r->cfa_register == UNWIND_RSP ? r->cfa_offset : -1;
}

/* An FDE at LOW + 0x100, 16 bytes, its start written by `encoding` as `value`. */
static void check_encoding(uint8_t encoding, uint64_t value, size_t bytes, bool relative_to_here)
{
	struct section s = { .n = 0 };
	static const uint8_t uleb_value[] = { 0x80, 0x82, 0x04 };

	cie(&s, encoding);
	open_fde(&s);
	if ((encoding & 0x70) == DWARF_POINTER_ALIGNED)
		while ((SECTION + s.n) % 8)
			PUT(&s, 0);
	if (relative_to_here)
		value -= SECTION + s.n;
	if ((encoding & 15) == DWARF_POINTER_ULEB || (encoding & 15) == DWARF_POINTER_SLEB)
		put(&s, uleb_value, sizeof uleb_value); /* 0x10100 */
	else
		number(&s, value, bytes);
	if ((encoding & 15) == DWARF_POINTER_ULEB || (encoding & 15) == DWARF_POINTER_SLEB)
		PUT(&s, 16);
	else
		number(&s, 16, bytes);
	PUT(&s, 0, 0x44, 0x0e, 16); /* advance 4, CFA rsp + 16 */
	close_entry(&s);
	struct unwind_table *t = table_of(&s, NULL);
	CHECK(cfa_at(t, LOW + 0xff) == -1);
	CHECK(cfa_at(t, LOW + 0x100) == 8);
	CHECK(cfa_at(t, LOW + 0x103) == 8);
	CHECK(cfa_at(t, LOW + 0x104) == 16);
	CHECK(cfa_at(t, LOW + 0x10f) == 16);
	CHECK(cfa_at(t, LOW + 0x110) == -1);
	unwind_table_free(t);
}

static void test_encodings(void)
{
	const uint64_t at = LOW + 0x100;

	check_encoding(DWARF_POINTER_ABSOLUTE, at, 8, false);
	check_encoding(DWARF_POINTER_UDATA8, at, 8, false);
	check_encoding(DWARF_POINTER_SDATA8, at, 8, false);
	check_encoding(DWARF_POINTER_UDATA4, at, 4, false);
	check_encoding(DWARF_POINTER_SDATA4, at, 4, false);
	check_encoding(DWARF_POINTER_ULEB, at, 3, false);
	check_encoding(DWARF_POINTER_SLEB, at, 3, false);
	check_encoding(DWARF_POINTER_FROM_PC | DWARF_POINTER_SDATA4, at, 4, true);
	check_encoding(DWARF_POINTER_FROM_PC | DWARF_POINTER_SDATA8, at, 8, true);
	check_encoding(DWARF_POINTER_FROM_PC | DWARF_POINTER_ABSOLUTE, at, 8, true);
	check_encoding(DWARF_POINTER_FROM_TEXT | DWARF_POINTER_SDATA2, at - TEXT, 2, false);
	check_encoding(DWARF_POINTER_FROM_DATA | DWARF_POINTER_SDATA4, at - DATA, 4, false);
	check_encoding(DWARF_POINTER_FROM_DATA | DWARF_POINTER_SDATA8, at - DATA, 8, false);
	check_encoding(DWARF_POINTER_ALIGNED, at, 8, false);
	indirect_value = at;
	check_encoding(DWARF_POINTER_INDIRECT | DWARF_POINTER_UDATA4, DATA + 0x10, 4, false);
	check_encoding(DWARF_POINTER_INDIRECT | DWARF_POINTER_FROM_DATA | DWARF_POINTER_UDATA2, 0x10, 2, false);
}

static void check_none(uint8_t encoding)
{
	struct section s = { .n = 0 };

	cie(&s, encoding);
	FDE(&s, LOW + 0x100, 16, 0);
	CHECK(table_of(&s, NULL) == NULL);
}

static void test_bad_encodings(void)
{
	check_none(DWARF_POINTER_NONE);
	check_none(0x05);
	check_none(0x60);
	check_none(DWARF_POINTER_INDIRECT); /* nothing there to read */
}

static void one_fde(struct section *s, const uint8_t *program, size_t n)
{
	cie(s, 0);
	fde(s, LOW, 0x1000, program, n);
}
#define PROGRAM(s, ...) one_fde(s, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_cfa_instructions(void)
{
	struct section s = { .n = 0 };

	PROGRAM(&s, 0x41, 0x0e, 16,	     /* advance 1; def_cfa_offset */
		0x02, 1, 0x0d, 6,	     /* advance1; def_cfa_register rbp */
		0x03, 1, 0, 0x0c, 7, 0x80, 1, /* advance2; def_cfa rsp 128 */
		0x04, 1, 0, 0, 0, 0x12, 7, 0x7d, /* advance4; def_cfa_sf rsp -3 * -8 */
		0x41, 0x13, 0x7c,	     /* def_cfa_offset_sf -4 * -8 */
		0x41, 0x0a, 0x0e, 48,	     /* remember; offset 48 */
		0x41, 0x0a, 0x0e, 56,	     /* nested */
		0x41, 0x0b,		     /* 48 again */
		0x41, 0x0b,		     /* 32 again */
		0x41, 0x2e, 24,		     /* GNU_args_size */
		0x01, 0, 1, 1, 0, 0, 0, 0, 0, 0x0e, 64, /* set_loc LOW + 0x100 */
		0x00, 0x00);
	struct unwind_table *t = table_of(&s, NULL);
	CHECK(cfa_at(t, LOW) == 8);
	CHECK(cfa_at(t, LOW + 1) == 16);
	const struct unwind_rule *r = rule_at(t, LOW + 2);
	CHECK(r && r->cfa_register == UNWIND_RBP && r->cfa_offset == 16);
	CHECK(cfa_at(t, LOW + 3) == 128);
	CHECK(cfa_at(t, LOW + 4) == 24);
	CHECK(cfa_at(t, LOW + 5) == 32);
	CHECK(cfa_at(t, LOW + 6) == 48);
	CHECK(cfa_at(t, LOW + 7) == 56);
	CHECK(cfa_at(t, LOW + 8) == 48);
	CHECK(cfa_at(t, LOW + 9) == 32);
	CHECK(cfa_at(t, LOW + 0xff) == 32);
	CHECK(cfa_at(t, LOW + 0x100) == 64);
	CHECK(cfa_at(t, LOW + 0xfff) == 64);
	CHECK(cfa_at(t, LOW + 0x1000) == -1);
	CHECK(t && unwind_table_row(t, LOW - 1) == UNWIND_NO_ROW);
	unwind_table_free(t);
}

static void check_register(const struct unwind_table *t, uint64_t at, unsigned reg, unsigned how, int offset)
{
	const struct unwind_rule *r = rule_at(t, at);

	CHECK(r != NULL);
	if (!r)
		return;
	CHECK_U64(r->how[reg], how);
	CHECK(r->offset[reg] == offset);
}

static void test_register_instructions(void)
{
	struct section s = { .n = 0 };

	PROGRAM(&s, 0x41, 0x83, 2,	     /* offset rbx 2 * -8 */
		0x41, 0x05, 6, 3,	     /* offset_extended */
		0x41, 0x11, 12, 0x7e,	     /* offset_extended_sf: +16 */
		0x41, 0x2f, 13, 4,	     /* GNU_negative_offset_extended: +32 */
		0x41, 0x14, 14, 5,	     /* val_offset -40 */
		0x41, 0x15, 15, 0x7f,	     /* val_offset_sf +8 */
		0x41, 0x09, 0, 11,	     /* register rax in r11 */
		0x41, 0x07, 3,		     /* undefined rbx */
		0x41, 0x08, 1,		     /* same_value rdx */
		0x41, 0x10, 8, 2, 0x76, 0,   /* expression r8 */
		0x41, 0x16, 9, 2, 0x76, 0,   /* val_expression r9, the same */
		0x41, 0xc3, 0x06, 6,	     /* restore rbx, restore_extended rbp */
		0x41, 0x91, 5, 0x09, 1, 40); /* registers that are not followed */
	struct unwind_table *t = table_of(&s, NULL);
	check_register(t, LOW, 3, UNWIND_SAME, 0);
	check_register(t, LOW, 0, UNWIND_UNDEFINED, 0);
	check_register(t, LOW, UNWIND_RSP, UNWIND_CFA_PLUS, 0);
	check_register(t, LOW, UNWIND_RIP, UNWIND_AT_CFA, -8);
	check_register(t, LOW + 1, 3, UNWIND_AT_CFA, -16);
	check_register(t, LOW + 2, 6, UNWIND_AT_CFA, -24);
	check_register(t, LOW + 3, 12, UNWIND_AT_CFA, 16);
	check_register(t, LOW + 4, 13, UNWIND_AT_CFA, 32);
	check_register(t, LOW + 5, 14, UNWIND_CFA_PLUS, -40);
	check_register(t, LOW + 6, 15, UNWIND_CFA_PLUS, 8);
	check_register(t, LOW + 7, 0, UNWIND_REGISTER, 11);
	check_register(t, LOW + 8, 3, UNWIND_UNDEFINED, 0);
	check_register(t, LOW + 9, 1, UNWIND_SAME, 0);
	check_register(t, LOW + 10, 8, UNWIND_AT_EXPRESSION, 0);
	check_register(t, LOW + 11, 9, UNWIND_IS_EXPRESSION, 0);
	check_register(t, LOW + 12, 3, UNWIND_SAME, 0);
	check_register(t, LOW + 12, 6, UNWIND_SAME, 0);
	check_register(t, LOW + 13, 1, UNWIND_UNDEFINED, 0);
	CHECK(t && t->expressions.n == 3); /* kept once */
	unwind_table_free(t);
}

static void check_cfa(const uint8_t *expression, size_t n, unsigned cfa, unsigned reg, int offset)
{
	struct section s = { .n = 0 };
	uint8_t program[40] = { 0x0f, (uint8_t)n };

	memcpy(program + 2, expression, n);
	one_fde(&s, program, n + 2);
	struct unwind_table *t = table_of(&s, NULL);
	const struct unwind_rule *r = rule_at(t, LOW);
	CHECK(r && r->cfa == cfa && r->cfa_register == reg && r->cfa_offset == offset);
	if (r && cfa == UNWIND_CFA_EXPRESSION) {
		struct span kept = unwind_expression_at(t->expressions, r->cfa_offset);
		CHECK(kept.n == n && memcmp(kept.p, expression, n) == 0);
	}
	unwind_table_free(t);
}
#define CHECK_CFA(cfa, reg, offset, ...) \
	check_cfa((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), cfa, reg, offset)

static void test_cfa_expressions(void)
{
	CHECK_CFA(UNWIND_CFA_PLT, 0, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
	CHECK_CFA(UNWIND_CFA_PLT, 0, 10, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3a, 0x2a, 0x33, 0x24, 0x22);
	CHECK_CFA(UNWIND_CFA_EXPRESSION, 0, 0, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x32, 0x24, 0x22);
	CHECK_CFA(UNWIND_CFA_DEREF, 6, -8, 0x76, 0x78, 0x06);
	CHECK_CFA(UNWIND_CFA_REGISTER, 6, 16, 0x76, 16);
	CHECK_CFA(UNWIND_CFA_REGISTER, 7, 6, 0x77, 6); /* an offset that looks like deref */
	CHECK_CFA(UNWIND_CFA_EXPRESSION, 0, 0, 0x77, 40, 0x06, 0x23, 8);
	CHECK_CFA(UNWIND_CFA_EXPRESSION, 0, 0, 0x50);
}

/* The program ends at the address where it is damaged; before it holds. */
static void check_damaged(const uint8_t *program, size_t n)
{
	struct section s = { .n = 0 };
	uint8_t whole[64] = { 0x44 };

	memcpy(whole + 1, program, n);
	one_fde(&s, whole, n + 1);
	struct unwind_table *t = table_of(&s, NULL);
	CHECK(cfa_at(t, LOW + 3) == 8);
	CHECK(rule_at(t, LOW + 4) == NULL);
	unwind_table_free(t);
}
#define CHECK_DAMAGED(...) check_damaged((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_damage(void)
{
	CHECK_DAMAGED(0x0b);		 /* nothing remembered */
	CHECK_DAMAGED(0x3f);		 /* no instruction */
	CHECK_DAMAGED(0x0c, 60, 8);	 /* no register */
	CHECK_DAMAGED(0x0c, 7);		 /* cut */
	CHECK_DAMAGED(0x0f, 5, 0x77, 8); /* an expression that is longer than the program */
	CHECK_DAMAGED(0x01, 0, 0, 0, 0, 0, 0, 0, 0); /* backwards */
	CHECK_DAMAGED(0x0f, 1, 0x30, 0x0e, 8);	     /* the offset of what is no register */
	CHECK_DAMAGED(0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f); /* beyond 32 bits */
}

static void test_augmentations(void)
{
	static const uint8_t all[] = { 0x9b, 1, 2, 3, 4, 0x1b, DWARF_POINTER_ABSOLUTE }, more[] = { 0, 77, 78 };
	struct section s = { .n = 0 };
	struct unwind_table *t;

	cie_of(&s, "zPLRS", all, sizeof all, 1, 16);
	PUT(&s, 0x0c, 7, 8, 0x90, 1);
	close_entry(&s);
	FDE(&s, LOW, 16, 0);
	cie_of(&s, "zR?B", more, sizeof more, 3, 16); /* a letter that is not known, within the length */
	PUT(&s, 0x0c, 7, 16, 0x90, 1);
	close_entry(&s);
	FDE(&s, LOW + 16, 16, 0);
	cie_of(&s, "?", NULL, 0, 1, 16); /* without a length: not to be understood */
	PUT(&s, 0x0c, 7, 24, 0x90, 1);
	close_entry(&s);
	FDE(&s, LOW + 32, 16, 0);
	t = table_of(&s, NULL);
	const struct unwind_rule *r = rule_at(t, LOW);
	CHECK(r && r->signal_frame && cfa_at(t, LOW) == 8);
	r = rule_at(t, LOW + 16);
	CHECK(r && !r->signal_frame && cfa_at(t, LOW + 31) == 16);
	CHECK(!rule_at(t, LOW + 32));
	unwind_table_free(t);
}

static void test_return_column(void)
{
	struct section s = { .debug_frame = true };

	cie_of(&s, "", NULL, 0, 4, 11);
	PUT(&s, 0x0c, 7, 8);
	close_entry(&s);
	fde(&s, LOW, 16, (const uint8_t[]){ 0x08, 11, 0x44, 0x8b, 2, 0x44, 0x07, 11 }, 8);
	struct unwind_table *t = table_of(NULL, &s);
	check_register(t, LOW, UNWIND_RIP, UNWIND_REGISTER, 11);
	check_register(t, LOW + 4, UNWIND_RIP, UNWIND_AT_CFA, -16);
	check_register(t, LOW + 8, UNWIND_RIP, UNWIND_UNDEFINED, 0);
	unwind_table_free(t);
}

static void test_layout(bool wide)
{
	struct section s = { .wide = wide };

	cie(&s, 0);
	FDE(&s, LOW + 0x200, 16, 0x0e, 24);
	FDE(&s, LOW + 0x100, 16, 0x0e, 16); /* not in order of addresses */
	FDE(&s, HIGH + 8, 16, 0);	    /* outside of code */
	FDE(&s, LOW - 8, 16, 0);
	FDE(&s, LOW + 0x300, 0, 0);
	if (wide)
		number(&s, UINT32_MAX, 4), number(&s, 0, 8);
	else
		number(&s, 0, 4);
	FDE(&s, LOW + 0x400, 16, 0x0e, 32);
	struct unwind_table *t = table_of(&s, NULL);
	CHECK(t && t->base == LOW && t->nrows == 4);
	CHECK(cfa_at(t, LOW + 0x100) == 16 && cfa_at(t, LOW + 0x200) == 24 && !rule_at(t, LOW));
	CHECK(!rule_at(t, LOW + 0x400)); /* behind the terminator */
	unwind_table_free(t);
	s.searched = true;
	t = table_of(&s, NULL);
	CHECK(cfa_at(t, LOW + 0x400) == 32);
	unwind_table_free(t);
	s.n -= 3; /* the last entry leaves the section */
	t = table_of(&s, NULL);
	CHECK(cfa_at(t, LOW + 0x200) == 24 && !rule_at(t, LOW + 0x400));
	unwind_table_free(t);
}

/* A CIE may stand behind its FDEs in .debug_frame. */
static void test_debug_frame(bool wide)
{
	struct section s = { .debug_frame = true, .wide = wide };

	open_entry(&s);
	size_t pointer = s.n;
	number(&s, 0, wide ? 8 : 4);
	number(&s, LOW, 8);
	number(&s, 32, 8);
	PUT(&s, 0x44, 0x0e, 40);
	close_entry(&s);
	cie(&s, 0);
	uint64_t at = s.cie;
	memcpy(s.bytes + pointer, &at, wide ? 8 : 4);
	struct unwind_table *t = table_of(NULL, &s);
	CHECK(cfa_at(t, LOW) == 8 && cfa_at(t, LOW + 4) == 40);
	unwind_table_free(t);
}

static void test_overlaps(void)
{
	struct section s = { .n = 0 };

	cie(&s, 0);
	FDE(&s, LOW + 0x20, 0x20, 0x0e, 16);
	FDE(&s, LOW, 0x100, 0x0e, 24); /* around it */
	FDE(&s, LOW + 0x200, 0x10, 0x0e, 32);
	FDE(&s, LOW + 0x200, 0x20, 0x0e, 40); /* the same start */
	struct unwind_table *t = table_of(&s, NULL);
	CHECK(!rule_at(t, LOW) && cfa_at(t, LOW + 0x20) == 16 && !rule_at(t, LOW + 0x40));
	CHECK(cfa_at(t, LOW + 0x200) == 32 && !rule_at(t, LOW + 0x210));
	unwind_table_free(t);
	s.searched = true;
	t = table_of(&s, NULL);
	CHECK(cfa_at(t, LOW) == 24 && cfa_at(t, LOW + 0x20) == 16 && !rule_at(t, LOW + 0x40));
	CHECK(cfa_at(t, LOW + 0x200) == 40 && cfa_at(t, LOW + 0x21f) == 40);
	unwind_table_free(t);
}

static void both_sections(struct section *eh, struct section *debug)
{
	*eh = (struct section){ .n = 0 };
	*debug = (struct section){ .debug_frame = true };
	cie(eh, 0);
	FDE(eh, LOW + 0x20, 0x10, 0x0e, 16);
	FDE(eh, LOW + 0x40, 0x10, 0x48, 0x0e, 24);
	cie(debug, 0);
	FDE(debug, LOW + 0x10, 0x50, 0x0e, 32, 0x60, 0x0e, 40);
	FDE(debug, LOW + 0x100, 0x10, 0x0e, 48);
}

static void test_both(void)
{
	struct section eh, debug;

	both_sections(&eh, &debug);
	struct unwind_table *t = table_of(&eh, &debug);
	CHECK(!rule_at(t, LOW) && cfa_at(t, LOW + 0x10) == 32 && cfa_at(t, LOW + 0x20) == 16);
	CHECK(cfa_at(t, LOW + 0x30) == 40 && cfa_at(t, LOW + 0x40) == 8 && cfa_at(t, LOW + 0x48) == 24);
	CHECK(cfa_at(t, LOW + 0x50) == 40 && !rule_at(t, LOW + 0x60) && cfa_at(t, LOW + 0x100) == 48);
	unwind_table_free(t);
}

static void test_bounds(void)
{
	struct unwind_table *t = NULL;
	struct section s = { .n = 0 };

	cie(&s, 0);
	FDE(&s, LOW, 16, 0);
	struct frame_section f = as_section(&s);
	CHECK(unwind_table_of_sections(&f, NULL, LOW, LOW, &t) == -ENOENT);
	CHECK(unwind_table_of_sections(&f, NULL, LOW, LOW + (1ull << 32), &t) == -EFBIG);
	CHECK(unwind_table_of_sections(NULL, NULL, LOW, HIGH, &t) == -ENOENT);
	CHECK(t == NULL);
}

static void test_memory(void)
{
	struct section eh, debug;
	struct unwind_table *t;
	long failures = 0;

	if (!CAN_FAIL_ALLOCATIONS)
		return;
	both_sections(&eh, &debug);
	FDE(&eh, LOW + 0x42, 4, 0x0a, 0x10, 3, 2, 0x76, 0);
	for (;; failures++) {
		struct frame_section a = as_section(&eh), b = as_section(&debug);
		t = NULL;
		allocations_left = failures;
		int rc = unwind_table_of_sections(&a, &b, LOW, HIGH, &t);
		bool met = allocations_left == -1;
		allocations_left = -1;
		if (!met) {
			CHECK(rc == 0);
			break;
		}
		CHECK(rc == -ENOMEM && t == NULL);
	}
	CHECK(failures > 10);
	unwind_table_free(t);
}

int main(void)
{
	test_encodings();
	test_bad_encodings();
	test_cfa_instructions();
	test_register_instructions();
	test_cfa_expressions();
	test_damage();
	test_augmentations();
	test_return_column();
	test_layout(false);
	test_layout(true);
	test_debug_frame(false);
	test_debug_frame(true);
	test_overlaps();
	test_both();
	test_bounds();
	test_memory();
	return check_exit();
}
