/* From addresses to names: functions, inlined calls, source lines.
 *
 * In this order, per file: .symtab; .gnu_debugdata (a small .symtab, xz-packed); the separate debug file
 * (/usr/lib/debug/.build-id/xx/….debug, .gnu_debuglink); .dynsym. Lines and inlined calls where DWARF is
 * there (libdw; DWARF 2 to 5, split and compressed sections as libdw reads them). Names of C++ (Itanium ABI),
 * Rust (legacy and v0) and D are demangled (libiberty). .plt stubs are "read@plt". Go: see dig/go. JITs:
 * /tmp/perf-PID.map of the target's own mount and pid namespace. Kernel: kernel_names.h, else /proc/kallsyms
 * (addresses need CAP_SYSLOG); modules in brackets.
 *
 * Cost: the first question into a file reads its tables (~1 ms for 10 000 symbols), later ones ~100 ns and,
 * with DWARF, ~2 us; the DWARF of a unit is read when an address is first asked for in it. Answers are kept
 * per address. */
#ifndef OSPREY_DIG_SYMBOL_SYMBOL_H
#define OSPREY_DIG_SYMBOL_SYMBOL_H

#include "dig/image/address_space.h"
#include "dig/symbol/demangle.h"

struct symbol {
	const char *function; /* demangled; "": no symbol covers it. Lives as long as the symbolizer */
	/* base name of the file, "[vdso]", "[kernel]", "[nf_tables]", "[jit]", "[anon]"; "": in no mapping */
	const char *module;
	uint64_t offset;      /* in the function; of the file's (bias removed) address when there is none */
	const char *file;     /* source, as DWARF has it; NULL: not known */
	unsigned line;	      /* 0: not known */
	bool inlined;	      /* this function's body stands in the next one's */
};

struct symbolizer;
struct symbolizer_options {
	bool no_lines; /* leave DWARF alone: functions of the symbol tables only */
	bool mangled;  /* names as the tables have them */
};
int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret)
	__attribute__((warn_unused_result));
void symbolizer_free(struct symbolizer *s);

/* What an address of the process stands for, innermost inlined call first. `exact`: see struct unwind_frame; else the
 * call before it is looked up (the offset is still that of `pc`). At least one symbol comes, perhaps without
 * a name. The array lives until the next call; its strings as long as the symbolizer. -ENOMEM. */
int symbolize(struct symbolizer *s, struct address_space *a, uint64_t pc, bool exact, const struct symbol **ret,
	      size_t *ret_n) __attribute__((warn_unused_result));
/* Of the kernel. Without the right to see addresses the name is "" (once: symbolizer_kernel_why says it). */
int symbolize_kernel(struct symbolizer *s, uint64_t pc, const struct symbol **ret) __attribute__((warn_unused_result));
/* The same ahead for many at once (each may stand there several times), which spares a look for each. -ENOMEM. */
int symbolize_kernel_many(struct symbolizer *s, const uint64_t *pcs, size_t n) __attribute__((warn_unused_result));
/* NULL: names are there, or none was asked for. */
const char *symbolizer_kernel_why(struct symbolizer *s);

/* The value of a symbol of a file, by its table name: 0 and the file's own address; -ENOENT. For probes,
 * allocators, run times. */
int image_symbol(struct image *i, const char *name, uint64_t *ret_address, uint64_t *ret_size)
	__attribute__((warn_unused_result));
/* The variable of a program or library that an address of the process lies in, by its table name: not what lies on heaps or stacks.
 * The name lives as long as the image. -ENOENT; -ENOMEM. Reads the whole table: for few addresses. */
int variable_at(struct address_space *a, uint64_t address, const char **ret_name, uint64_t *ret_offset)
	__attribute__((warn_unused_result));

#endif
