/* Rows for the kernel say what the full rules say: every rule of some files, applied to made-up registers and
 * memory. */
#include <errno.h>

#include "base/check.h"
#include "dig/unwind/unwind_compact.h"
#include "dig/unwind/unwind_rules.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 29) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 32;
}

/* Every address has a word, but those the test takes away. */
static uint64_t hole;
static int read_made_up(void *arg, uint64_t address, void *to, size_t n)
{
	uint64_t value = mix(address);

	(void)arg;
	if (n > sizeof value || address == hole)
		return -EFAULT;
	memcpy(to, &value, n);
	return 0;
}
static const struct unwind_memory memory = { read_made_up, NULL };

static void compare(const struct unwind_table *t, const struct unwind_rule *rule, uint64_t seed, uint32_t known)
{
	struct unwind_compact_row row = unwind_compact_rule(t, rule);
	struct unwind_registers r = { .known = known }, full;
	struct unwind_compact_frame f = { .exact = true }, to;

	for (size_t i = 0; i < UNWIND_REGISTERS; i++)
		r.value[i] = mix(seed + i);
	f.pc = r.value[UNWIND_RIP];
	f.rsp = r.value[UNWIND_RSP];
	f.rbp = r.value[UNWIND_RBP];
	f.has_rbp = known >> UNWIND_RBP & 1;
	int wanted = unwind_rule_apply(t, rule, 0, &r, &memory, &full);
	int rc = unwind_compact_step(&row, &f, &memory, &to);
	if (rc == -EOPNOTSUPP)
		return;
	CHECK(rc == wanted);
	if (rc != 1 || wanted != 1)
		return;
	CHECK_U64(to.pc, full.value[UNWIND_RIP]);
	CHECK_U64(to.rsp, full.value[UNWIND_RSP]);
	CHECK(to.exact == rule->signal_frame);
	if (to.has_rbp)
		CHECK(full.known >> UNWIND_RBP & 1 && to.rbp == full.value[UNWIND_RBP]);
	else
		CHECK(row.rbp == UNWIND_COMPACT_RBP_LOST || !(full.known >> UNWIND_RBP & 1));
}

static uint32_t all_known(void)
{
	return (1u << UNWIND_REGISTERS) - 1;
}

static void check_rows(const struct unwind_table *t)
{
	struct unwind_compact_row *row;
	size_t n, unsupported = 0;

	CHECK(unwind_compact(t, &row, &n) == 0);
	CHECK(n > 0 && n <= t->nrows);
	for (size_t i = 0; i < t->nrows; i++) {
		const struct unwind_rule *rule = t->row[i].rule < t->nrules ? &t->rule[t->row[i].rule] : NULL;
		struct unwind_compact_row wanted = unwind_compact_rule(t, rule);
		const struct unwind_compact_row *found = unwind_compact_find(row, n, t->row[i].pc);
		CHECK(found && found->kind == wanted.kind && found->offset == wanted.offset &&
		      found->rbp == wanted.rbp);
		unsupported += wanted.kind == UNWIND_COMPACT_UNSUPPORTED;
	}
	CHECK(unwind_compact_find(row, n, row[0].pc - 1) == NULL || row[0].pc == 0);
	CHECK(unwind_compact_find(row, n, UINT32_MAX) == &row[n - 1]);
	CHECK(unsupported * 100 < t->nrows);
	free(row);
}

static void test_file(const char *path)
{
	struct elf_image *e;
	struct unwind_table *t;

	if (elf_image_open(path, &e, NULL) < 0)
		return;
	if (unwind_table_build(e, &t) == 0) {
		check_rows(t);
		for (size_t i = 0; i < t->nrules; i++)
			for (uint64_t seed = 1; seed < 20; seed++) {
				compare(t, &t->rule[i], seed, all_known());
				compare(t, &t->rule[i], seed, all_known() & ~(1u << UNWIND_RBP));
			}
		unwind_table_free(t);
	}
	elf_image_free(e);
}

static struct unwind_rule plain(void)
{
	struct unwind_rule r = { .cfa = UNWIND_CFA_REGISTER, .cfa_register = UNWIND_RSP, .cfa_offset = 24 };

	memset(r.how, UNWIND_UNDEFINED, sizeof r.how);
	r.how[UNWIND_RSP] = UNWIND_CFA_PLUS;
	r.how[UNWIND_RIP] = UNWIND_AT_CFA;
	r.offset[UNWIND_RIP] = -8;
	r.how[UNWIND_RBP] = UNWIND_AT_CFA;
	r.offset[UNWIND_RBP] = -16;
	return r;
}

static void expect(const struct unwind_table *t, struct unwind_rule rule, unsigned kind, int offset, int rbp)
{
	struct unwind_compact_row row = unwind_compact_rule(t, &rule);

	CHECK_U64(row.kind, kind);
	CHECK(row.offset == offset);
	CHECK(row.rbp == rbp);
	for (uint64_t seed = 1; seed < 50; seed++)
		compare(t, &rule, seed, all_known());
}

/* One change from the plain rule at a time. */
static void test_rules(void)
{
	static const char expressions[] = "\2\x76\0" "\5\x77\x28\x06\x23\x08" "\5\x77\x28\x06\x23\x10" "\2\x76\x08";
	struct unwind_table t = { .expressions = SPAN(expressions) };
	struct unwind_rule r = plain();

	CHECK(unwind_compact_rule(&t, NULL).kind == UNWIND_COMPACT_NONE);
	expect(&t, r, UNWIND_COMPACT_RSP, 3, -2);
	r.cfa_offset = 25;
	expect(&t, r, UNWIND_COMPACT_UNSUPPORTED, 0, 0);
	r.cfa_offset = INT16_MAX * 8;
	expect(&t, r, UNWIND_COMPACT_RSP, INT16_MAX, -2);
	r.cfa_offset += 8;
	expect(&t, r, UNWIND_COMPACT_UNSUPPORTED, 0, 0);
	r = plain();
	r.offset[UNWIND_RBP] = -1024;
	expect(&t, r, UNWIND_COMPACT_RSP, 3, -128);
	r.offset[UNWIND_RBP] = -1032;
	expect(&t, r, UNWIND_COMPACT_RSP, 3, UNWIND_COMPACT_RBP_LOST);
	r.offset[UNWIND_RBP] = 8;
	expect(&t, r, UNWIND_COMPACT_RSP, 3, UNWIND_COMPACT_RBP_LOST);
	r.how[UNWIND_RBP] = UNWIND_SAME;
	expect(&t, r, UNWIND_COMPACT_RSP, 3, 0);
	r.how[UNWIND_RBP] = UNWIND_AT_EXPRESSION;
	r.offset[UNWIND_RBP] = 0;
	expect(&t, r, UNWIND_COMPACT_RSP, 3, UNWIND_COMPACT_RBP_AT_RBP);
	r.offset[UNWIND_RBP] = 15;
	expect(&t, r, UNWIND_COMPACT_RSP, 3, UNWIND_COMPACT_RBP_LOST);
	r = plain();
	r.cfa_register = UNWIND_RBP;
	expect(&t, r, UNWIND_COMPACT_RBP, 3, -2);
	r.cfa = UNWIND_CFA_DEREF;
	r.cfa_offset = -8;
	expect(&t, r, UNWIND_COMPACT_DEREF_RBP, -1, -2);
	r.cfa_register = 10;
	expect(&t, r, UNWIND_COMPACT_UNSUPPORTED, 0, 0);
	r.cfa = UNWIND_CFA_PLT;
	r.cfa_offset = 11;
	expect(&t, r, UNWIND_COMPACT_PLT, 11, -2);
	r.cfa = UNWIND_CFA_EXPRESSION;
	r.cfa_offset = 3;
	expect(&t, r, UNWIND_COMPACT_DEREF_RSP_8, 5, -2);
	r.cfa_offset = 9;
	expect(&t, r, UNWIND_COMPACT_UNSUPPORTED, 0, 0);
	r = plain();
	r.offset[UNWIND_RIP] = -16;
	expect(&t, r, UNWIND_COMPACT_UNSUPPORTED, 0, 0);
	r.how[UNWIND_RIP] = UNWIND_UNDEFINED;
	expect(&t, r, UNWIND_COMPACT_END, 0, 0);
	r = plain();
	r.signal_frame = 1;
	expect(&t, r, UNWIND_COMPACT_UNSUPPORTED, 0, 0);
}

static void test_missing_memory(void)
{
	struct unwind_compact_row row = { .kind = UNWIND_COMPACT_RSP, .offset = 2, .rbp = -2 };
	struct unwind_compact_frame f = { .pc = 1, .rsp = 0x1000, .rbp = 5, .has_rbp = true }, to = { .pc = 77 };

	hole = 0x1008;
	CHECK(unwind_compact_step(&row, &f, &memory, &to) == -EFAULT && to.pc == 77);
	hole = 0x1000;
	CHECK(unwind_compact_step(&row, &f, &memory, &to) == 1 && !to.has_rbp && to.pc == mix(0x1008));
	hole = 0;
	row.kind = UNWIND_COMPACT_NONE;
	CHECK(unwind_compact_step(&row, &f, &memory, &to) == -ENOENT);
	CHECK(unwind_compact_step(NULL, &f, &memory, &to) == -ENOENT);
}

int main(void)
{
	CHECK(sizeof(struct unwind_compact_row) == 8);
	test_rules();
	test_missing_memory();
	test_file("/proc/self/exe");
	test_file("/usr/lib/x86_64-linux-gnu/libc.so.6");
	test_file("/usr/lib/x86_64-linux-gnu/libcrypto.so.3");
	return check_exit();
}
