/* Unwind rows as the kernel walks them: shared by programs and user space.
 * SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * 8 bytes a row, sorted by pc; the row of an address is the last one whose pc is not above it. What user code on
 * x86-64 does nearly everywhere: the CFA is a register and a multiple of 8, the return address stands at CFA - 8, and
 * the caller's rsp is the CFA. Look up pc itself for the innermost frame and behind a signal frame; pc - 1 else. */
#ifndef OSPREY_DIG_UNWIND_UNWIND_COMPACT_BPF_H
#define OSPREY_DIG_UNWIND_UNWIND_COMPACT_BPF_H

#ifndef __bpf__
#include <stdint.h>
#endif

enum unwind_compact_kind {
	UNWIND_COMPACT_NONE,	    /* not described; also: before the first row */
	UNWIND_COMPACT_RSP,	    /* CFA = rsp + 8 * offset */
	UNWIND_COMPACT_RBP,	    /* CFA = rbp + 8 * offset */
	UNWIND_COMPACT_PLT,	    /* CFA = rsp + ((pc & 15) >= offset ? 16 : 8) */
	UNWIND_COMPACT_DEREF_RBP,   /* CFA = *(rbp + 8 * offset): realigned stacks */
	UNWIND_COMPACT_DEREF_RSP_8, /* CFA = *(rsp + 8 * offset) + 8: hand-written code that realigns (OpenSSL) */
	/* the caller's pc, rsp and rbp are at rsp + UNWIND_COMPACT_SIGNAL_…; its pc is exact */
	UNWIND_COMPACT_SIGNAL,
	UNWIND_COMPACT_END,	    /* the outermost frame */
	UNWIND_COMPACT_UNSUPPORTED, /* described, but not for the kernel: the walk ends here */
	UNWIND_COMPACT_KINDS,
};

/* The caller's rbp; else it stands at CFA + 8 * rbp, which is negative. */
#define UNWIND_COMPACT_RBP_SAME 0
#define UNWIND_COMPACT_RBP_AT_RBP 127 /* *(rbp) */
#define UNWIND_COMPACT_RBP_LOST 126   /* go on without: rows that need it end the walk */

/* struct rt_sigframe of x86-64, from where the handler returns to. */
#define UNWIND_COMPACT_SIGNAL_RBP 120
#define UNWIND_COMPACT_SIGNAL_RSP 160
#define UNWIND_COMPACT_SIGNAL_PC 168

struct unwind_compact_row {
	uint32_t pc;	/* as in struct unwind_row */
	int16_t offset; /* in words of 8 bytes; of PLT a number below 16 */
	uint8_t kind;
	int8_t rbp;
};

#endif
