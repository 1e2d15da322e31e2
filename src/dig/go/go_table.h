/* Go's table of functions (.gopclntab): names, files, lines, frame sizes and inlined calls of a program, also
 * of a stripped one.
 *
 * Formats: magic 0xfffffffa (Go 1.16, 1.17), 0xfffffff0 (1.18, 1.19), 0xfffffff1 (1.20 on). A function's values are
 * run-length programs: pairs of varints, a zigzag step of the value and a step of the pc; the frame size gives the
 * caller of any pc exactly, without frame pointers. Sources: "Go 1.2 Runtime Symbol Information"
 * (golang.org/s/go12symtab), Go's runtime/symtab.go, runtime/runtime2.go (_func),
 * cmd/link/internal/ld/pcln.go of 1.17 to 1.24.
 *
 * Pure. Any bytes are taken; hostile ones give wrong names within bounds. x86-64 (quantum 1, pointers of 8
 * bytes). Cost: a binary search and up to some hundred steps of varints, ~0.5 us. Addresses are the file's
 * own. */
#ifndef OSPREY_DIG_GO_GO_TABLE_H
#define OSPREY_DIG_GO_GO_TABLE_H

#include "base/span.h"

#define GO_INLINE_MAX 64

enum go_format { GO_1_16, GO_1_18, GO_1_20 };

struct go_table {
	struct span bytes; /* the caller's; must stay */
	enum go_format format;
	uint64_t nfunctions;
	uint64_t text;		/* to which entries are relative; GO_1_16: 0, as they are absolute */
	struct span names, units, files, values, functions;
	/* Where inline trees lie, and how to read them; read NULL: inlined calls are not told. */
	uint64_t funcdata; /* go.func.*: 0 with GO_1_16, whose pointers are absolute */
	int (*read)(void *arg, uint64_t address, void *to, size_t n);
	void *arg;
};

struct go_function {
	uint64_t entry, end;
	const char *name; /* in the table */
	size_t at;	  /* of its record, in `functions` */
};

struct go_line {
	const char *function, *file; /* file NULL: not known */
	unsigned line;
	bool inlined;
};

/* -EBADMSG: no such table. `text`: what to use where the table does not tell (0 in it), as in
 * position-independent programs. */
int go_table_parse(struct span bytes, uint64_t text, struct go_table *ret) __attribute__((warn_unused_result));
/* How far a table reaches cannot be told; this looks for its first bytes. The offset, or SIZE_MAX. `from`: a
 * multiple of 8. */
size_t go_table_scan(struct span bytes, size_t from);
/* False: no function covers it. */
bool go_table_find(const struct go_table *t, uint64_t pc, struct go_function *ret);
/* Bytes between the stack pointer at pc and the return address; -1: not told. */
int64_t go_table_frame_size(const struct go_table *t, const struct go_function *f, uint64_t pc);
/* Innermost first; the number, at least 1 when max is. */
size_t go_table_lines(const struct go_table *t, const struct go_function *f, uint64_t pc, struct go_line *ret,
		      size_t max);
/* By name, whole; false: there is none. Linear. */
bool go_table_named(const struct go_table *t, const char *name, struct go_function *ret);

#endif
