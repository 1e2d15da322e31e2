/* Are the rows of unwind_table.h those that libdw works out from the same file?
 *
 * usage: unwind_equal [-v] FILE…      files that are no ELF of x86-64 are passed over
 *        unwind_equal -              their names on stdin, a line each
 *
 * For each of our rows the addresses where libdw's rows begin and end in it, and the middle, are asked of both: CFA and
 * the rule of each register, of .eh_frame, else of .debug_frame. Where we have no rule, every 16th byte and the last are asked.
 * Prints what was compared, what differs (exit code 1), sizes and times. Exit code 3: nothing was compared. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "dig/unwind/dwarf_bytes.h"
#include "dig/unwind/unwind_rules.h"
#include "dig/unwind/unwind_table.h"

enum { OPS_MAX = 64, SHOWN_MAX = 5 };

static struct totals {
	uint64_t files, failed, rows, compared, differences, row_bytes, rule_bytes, frame_bytes;
	uint64_t build_ns, libdw_ns, lookup_ns, lookups;
} total;
static bool verbose;
static unsigned shown;

struct ops {
	Dwarf_Op op[OPS_MAX];
	size_t n;
};

struct peer {
	Dwarf_CFI *eh, *debug;
};

static void add(struct ops *o, uint8_t atom, uint64_t number, uint64_t number2)
{
	if (o->n < OPS_MAX)
		o->op[o->n++] = (Dwarf_Op){ .atom = atom, .number = number, .number2 = number2 };
}

/* The operands of operations that call frames are written with; false: another one. */
static bool decode(struct span bytes, struct ops *o)
{
	struct dwarf_bytes b = { (const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n, false };

	while (b.p < b.end) {
		uint8_t op = dwarf_u8(&b);
		uint64_t number = 0;
		if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
			number = (uint64_t)dwarf_sleb(&b);
		else if (op == DW_OP_plus_uconst || op == DW_OP_constu)
			number = dwarf_uleb(&b);
		else if (op == DW_OP_consts)
			number = (uint64_t)dwarf_sleb(&b);
		else if (op == DW_OP_const1u || op == DW_OP_deref_size || op == DW_OP_pick)
			number = dwarf_u8(&b);
		else if (op == DW_OP_const1s)
			number = (uint64_t)(int8_t)dwarf_u8(&b);
		else if (op == DW_OP_const2u)
			number = dwarf_u16(&b);
		else if (op == DW_OP_const2s)
			number = (uint64_t)(int16_t)dwarf_u16(&b);
		else if (op == DW_OP_const4u)
			number = dwarf_u32(&b);
		else if (op == DW_OP_const4s)
			number = (uint64_t)(int32_t)dwarf_u32(&b);
		else if (op == DW_OP_const8u || op == DW_OP_const8s || op == DW_OP_addr)
			number = dwarf_u64(&b);
		else if (op == DW_OP_bra || op == DW_OP_skip)
			return false;
		add(o, op, number, 0);
	}
	return !b.failed;
}

static bool our_cfa(const struct unwind_table *t, const struct unwind_rule *r, struct ops *o)
{
	switch (r->cfa) {
	case UNWIND_CFA_REGISTER:
		add(o, (uint8_t)(DW_OP_breg0 + r->cfa_register), (uint64_t)(int64_t)r->cfa_offset, 0);
		return true;
	case UNWIND_CFA_DEREF:
		add(o, (uint8_t)(DW_OP_breg0 + r->cfa_register), (uint64_t)(int64_t)r->cfa_offset, 0);
		add(o, DW_OP_deref, 0, 0);
		return true;
	case UNWIND_CFA_PLT: {
		uint8_t plt[] = { 0x77, 8, 0x80, 0, 0x3f, 0x1a, (uint8_t)(DW_OP_lit0 + r->cfa_offset),
				  0x2a, 0x33, 0x24, 0x22 };
		return decode((struct span){ (const char *)plt, sizeof plt }, o);
	}
	case UNWIND_CFA_EXPRESSION: return decode(unwind_expression_at(t->expressions, r->cfa_offset), o);
	}
	return false;
}

static bool our_register(const struct unwind_table *t, const struct unwind_rule *r, unsigned reg, struct ops *o)
{
	uint64_t offset = (uint64_t)(int64_t)r->offset[reg];

	switch (r->how[reg]) {
	case UNWIND_REGISTER: add(o, DW_OP_regx, offset, 0); return true;
	case UNWIND_AT_CFA:
	case UNWIND_CFA_PLUS:
		add(o, DW_OP_call_frame_cfa, 0, 0);
		if (offset)
			add(o, DW_OP_plus_uconst, offset, 0);
		if (r->how[reg] == UNWIND_CFA_PLUS)
			add(o, DW_OP_stack_value, 0, 0);
		return true;
	case UNWIND_AT_EXPRESSION:
	case UNWIND_IS_EXPRESSION:
		add(o, DW_OP_call_frame_cfa, 0, 0);
		if (!decode(unwind_expression_at(t->expressions, r->offset[reg]), o))
			return false;
		if (r->how[reg] == UNWIND_IS_EXPRESSION)
			add(o, DW_OP_stack_value, 0, 0);
		return true;
	}
	return true;
}

static bool same_ops(const struct ops *a, const Dwarf_Op *b, size_t n)
{
	if (a->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		Dwarf_Op x = a->op[i], y = b[i];
		if (y.atom == DW_OP_bregx && x.atom >= DW_OP_breg0 && x.atom <= DW_OP_breg31)
			x = (Dwarf_Op){ .atom = DW_OP_bregx, .number = x.atom - DW_OP_breg0, .number2 = x.number };
		if (x.atom != y.atom || x.number != y.number || x.number2 != y.number2)
			return false;
	}
	return true;
}

static Dwarf_Frame *peer_frame(const struct peer *p, uint64_t address)
{
	Dwarf_Frame *frame;

	if (p->eh && dwarf_cfi_addrframe(p->eh, address, &frame) == 0)
		return frame;
	if (p->debug && dwarf_cfi_addrframe(p->debug, address, &frame) == 0)
		return frame;
	return NULL;
}

static void differs(const char *path, uint64_t address, const char *what, unsigned reg)
{
	total.differences++;
	if (shown++ < SHOWN_MAX || verbose)
		printf("%s: 0x%" PRIx64 ": %s %u\n", path, address, what, reg);
}

/* "Nothing to do" has two forms, the caller's value and a value that is lost. libdw's defaults for the psABI take rax
 * (0) for rbx (3), so that it says rbx is lost and rax is not where no rule speaks of them. */
static bool same_nothing(const struct unwind_rule *r, unsigned reg, const Dwarf_Op *ops)
{
	return reg == 0 || reg == UNWIND_RBX || (ops == NULL) == (r->how[reg] == UNWIND_SAME);
}

/* The end of libdw's row, which is the next address to ask for. */
static uint64_t compare(const char *path, const struct unwind_table *t, const struct unwind_rule *r,
			const struct peer *p, uint64_t address)
{
	Dwarf_Frame *frame = peer_frame(p, address);
	Dwarf_Addr start, end = address + 1;
	bool signal_frame;
	Dwarf_Op *ops, memory[3];
	struct ops ours = { .n = 0 };
	size_t n;

	total.compared++;
	bool theirs = frame && dwarf_frame_cfa(frame, &ops, &n) == 0 && n > 0;
	if (!theirs || !r) {
		if (theirs != !!r)
			differs(path, address, r ? "libdw has no rule" : "we have no rule", 0);
		free(frame);
		return end;
	}
	if (!our_cfa(t, r, &ours) || !same_ops(&ours, ops, n))
		differs(path, address, "CFA", r->cfa);
	int column = dwarf_frame_info(frame, &start, &end, &signal_frame);
	if (signal_frame != !!r->signal_frame)
		differs(path, address, "signal frame", r->signal_frame);
	for (unsigned reg = 0; reg < UNWIND_REGISTERS; reg++) {
		int from = reg == UNWIND_RIP ? column : (int)reg;
		ours.n = 0;
		if (dwarf_frame_register(frame, from, memory, &ops, &n) < 0)
			differs(path, address, dwarf_errmsg(-1), reg);
		else if (!our_register(t, r, reg, &ours) || !same_ops(&ours, ops, n) ||
			 (n == 0 && !same_nothing(r, reg, ops)))
			differs(path, address, "register", reg);
	}
	free(frame);
	return end > address ? end : address + 1;
}

static void compare_row(const char *path, const struct unwind_table *t, size_t i, uint64_t high, const struct peer *p)
{
	const struct unwind_rule *r = t->row[i].rule < t->nrules ? &t->rule[t->row[i].rule] : NULL;
	uint64_t start = t->base + t->row[i].pc, end = i + 1 < t->nrows ? t->base + t->row[i + 1].pc : high;

	if (start >= end)
		return;
	for (uint64_t at = start; at < end;)
		if (r)
			at = compare(path, t, r, p, at);
		else
			compare(path, t, r, p, at), at += 16;
	compare(path, t, r, p, end - 1);
	compare(path, t, r, p, start + (end - start) / 2);
}

static void times(const struct unwind_table *t, const struct peer *p)
{
	uint64_t seed = 1, began;
	enum { LOOKUPS = 2000 };
	volatile const struct unwind_rule *sink;

	began = clock_thread_cpu_ns();
	for (int i = 0; i < LOOKUPS; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		sink = unwind_table_find(t, t->base + t->row[(seed >> 33) % t->nrows].pc);
	}
	(void)sink;
	total.lookup_ns += clock_thread_cpu_ns() - began;
	began = clock_thread_cpu_ns();
	for (int i = 0; i < LOOKUPS / 20; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		free(peer_frame(p, t->base + t->row[(seed >> 33) % t->nrows].pc));
	}
	total.libdw_ns += (clock_thread_cpu_ns() - began) * 20;
	total.lookups += LOOKUPS;
}

static uint64_t code_end(const struct elf_image *e)
{
	uint64_t high = 0;

	for (size_t i = 0; i < e->nsegments; i++)
		if (e->segment[i].p_type == PT_LOAD && (e->segment[i].p_flags & PF_X) &&
		    e->segment[i].p_vaddr + e->segment[i].p_memsz > high)
			high = e->segment[i].p_vaddr + e->segment[i].p_memsz;
	return high;
}

static void compare_table(const char *path, struct elf_image *e, const struct unwind_table *t)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	struct peer p = { dwarf_getcfi_elf(elf), dwarf ? dwarf_getcfi(dwarf) : NULL };
	struct span frames;

	for (size_t i = 0; i < t->nrows; i++)
		compare_row(path, t, i, code_end(e), &p);
	if (elf_image_section(e, ".eh_frame", &frames) == 0)
		total.frame_bytes += frames.n;
	if (elf_image_section(e, ".debug_frame", &frames) == 0)
		total.frame_bytes += frames.n;
	total.rows += t->nrows;
	total.row_bytes += t->nrows * sizeof *t->row;
	total.rule_bytes += t->nrules * sizeof *t->rule + t->expressions.n;
	total.files++;
	times(t, &p);
	if (p.eh)
		dwarf_cfi_end(p.eh);
	dwarf_end(dwarf);
	elf_end(elf);
	close(fd);
}

static void one_file(const char *path)
{
	struct elf_image *e;
	struct unwind_table *t;

	shown = 0;
	if (elf_image_open(path, &e, NULL) < 0)
		return;
	uint64_t began = clock_thread_cpu_ns();
	int rc = unwind_table_build(e, &t);
	uint64_t took_ns = clock_thread_cpu_ns() - began;
	if (rc == 0) {
		total.build_ns += took_ns;
		compare_table(path, e, t);
		if (verbose)
			printf("%s: %zu rows, %zu rules, %zu bytes of expressions, %.2f ms\n", path, t->nrows,
			       t->nrules, t->expressions.n, (double)took_ns / 1e6);
		unwind_table_free(t);
	} else if (rc != -ENOENT) {
		printf("%s: %s\n", path, strerror(-rc));
		total.failed++;
	}
	elf_image_free(e);
}

static void files_of_stdin(void)
{
	char line[4096];

	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		one_file(line);
	}
}

int main(int argc, char **argv)
{
	elf_version(EV_CURRENT);
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "-v") == 0)
			verbose = true;
		else if (strcmp(argv[i], "-") == 0)
			files_of_stdin();
		else
			one_file(argv[i]);
	if (total.files == 0)
		return 3;
	printf("%" PRIu64 " files, %" PRIu64 " rows, %" PRIu64 " addresses compared, %" PRIu64 " differences, %" PRIu64
	       " files that failed\n", total.files, total.rows, total.compared, total.differences, total.failed);
	printf("%.1f MB of rows, %.1f MB of rules and expressions, for %.1f MB of frame sections\n",
	       (double)total.row_bytes / 1e6, (double)total.rule_bytes / 1e6, (double)total.frame_bytes / 1e6);
	printf("built in %.1f ms, %.0f ns a row; a lookup: %.0f ns, libdw's: %.0f ns (%.0fx)\n",
	       (double)total.build_ns / 1e6, (double)total.build_ns / (double)total.rows,
	       (double)total.lookup_ns / (double)total.lookups, (double)total.libdw_ns / (double)total.lookups,
	       (double)total.libdw_ns / (double)total.lookup_ns);
	return total.differences || total.failed ? 1 : 0;
}
