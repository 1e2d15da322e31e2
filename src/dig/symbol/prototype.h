/* Parameters and result of a function, by its DWARF: names, types, and where each is when the function begins.
 *
 * Where: what DWARF itself says of the first instruction, when that is one register; else, of C and C++, by the calling
 * convention (System V ABI, AMD64 supplement, 3.2.3: classes of eightbytes, six registers for integers, results in memory take
 * the first of them). Compilers change parameters of clones (".constprop.0", ".isra.0"): of these DWARF alone is believed.
 * Go, Rust and others have conventions of their own: DWARF alone. DWARF is hostile; the walk is bounded. x86-64 alone. */
#ifndef OSPREY_DIG_SYMBOL_PROTOTYPE_H
#define OSPREY_DIG_SYMBOL_PROTOTYPE_H

#include "dig/symbol/lines.h"

#define PROTOTYPE_PARAMETERS 32

enum parameter_where {
	PARAMETER_NOWHERE,  /* a floating point register, pieces, optimized away, not known */
	PARAMETER_REGISTER, /* `at`: its number in DWARF (0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8…15) */
	PARAMETER_STACK,    /* `at` bytes above the stack pointer */
};

struct parameter {
	char name[48]; /* "": has none */
	char type[72]; /* "const char *", "struct x *", "unsigned long" */
	enum parameter_where where;
	unsigned at;
	unsigned bytes; /* 1, 2, 4, 8; 0: no number */
	bool is_signed, is_pointer;
	bool is_text; /* char * */
	unsigned target_bytes; /* of the number that a pointer points to; 0: of none */
	bool target_signed;
};

struct prototype {
	struct parameter parameter[PROTOTYPE_PARAMETERS];
	size_t n;
	bool variadic;		/* more follow, without names */
	unsigned registers;	/* of the six for integers that the parameters take */
	struct parameter result; /* its type "void": none */
};

/* Of the function that starts at this address (the file's own). `clone`: its name says that it was changed. -ENOENT: no
 * function of DWARF starts there, or not on this machine; -ENOMEM. */
int prototype_read(struct lines *l, uint64_t start, bool clone, struct prototype *ret)
	__attribute__((warn_unused_result));

#endif
