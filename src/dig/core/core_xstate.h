/* The extended registers of x86 in the layout that every reader knows.
 *
 * An XSAVE area lies as the processor says (CPUID leaf 0xd): AMD puts the parts of AVX-512 elsewhere than Intel, and
 * nothing in the core tells. gdb (up to 13, and its own gcore) takes Intel's offsets for granted, later versions guess
 * by the size. So parts are moved to Intel's offsets, and the area gets the size that belongs to them. Parts without
 * such an offset (AMX) are left out where something had to be moved. */
#ifndef OSPREY_DIG_CORE_CORE_XSTATE_H
#define OSPREY_DIG_CORE_CORE_XSTATE_H

#include <stddef.h>
#include <stdint.h>

#define XSTATE_PARTS 10
#define XSTATE_STANDARD_SIZE 2696

struct xstate_part {
	uint32_t offset, size; /* size 0: the processor has it not */
};

/* Of this processor; on others than x86 all are 0. */
void xstate_layout(struct xstate_part ret[XSTATE_PARTS]);
/* `area` of n bytes, as ptrace gives it. The size of *ret, or 0: it lies right already, or is no such area. */
size_t xstate_standard(const unsigned char *area, size_t n, const struct xstate_part layout[XSTATE_PARTS],
		       unsigned char ret[XSTATE_STANDARD_SIZE]);

#endif
