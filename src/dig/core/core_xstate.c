#include "dig/core/core_xstate.h"

#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#define LEGACY_AND_HEADER 576
#define XCR0_AT 464 /* where the kernel leaves XCR0, in bytes that the processor does not use */
#define PRESENT_AT 512

/* Intel SDM volume 1, chapter 13: AVX, two of MPX, three of AVX-512, (8: none), PKRU. */
static const struct xstate_part standard[XSTATE_PARTS] = {
	[2] = { 576, 256 },  [3] = { 960, 64 },	   [4] = { 1024, 64 },	[5] = { 1088, 64 },
	[6] = { 1152, 512 }, [7] = { 1664, 1024 }, [9] = { 2688, 8 },
};

void xstate_layout(struct xstate_part ret[XSTATE_PARTS])
{
	memset(ret, 0, XSTATE_PARTS * sizeof *ret);
#ifdef __x86_64__
	for (unsigned i = 2; i < XSTATE_PARTS; i++) {
		unsigned size = 0, offset = 0, c, d;

		if (__get_cpuid_count(0xd, i, &size, &offset, &c, &d))
			ret[i] = (struct xstate_part){ offset, size };
	}
#endif
}

static size_t size_of(uint64_t xcr0)
{
	size_t n = LEGACY_AND_HEADER;

	for (unsigned i = 2; i < XSTATE_PARTS; i++) {
		if (xcr0 >> i & 1 && standard[i].size)
			n = standard[i].offset + standard[i].size;
	}
	return n;
}

size_t xstate_standard(const unsigned char *area, size_t n, const struct xstate_part layout[XSTATE_PARTS],
		       unsigned char ret[XSTATE_STANDARD_SIZE])
{
	uint64_t xcr0, present;
	bool moved = false;

	if (n < LEGACY_AND_HEADER)
		return 0;
	memcpy(&xcr0, area + XCR0_AT, sizeof xcr0);
	memcpy(&present, area + PRESENT_AT, sizeof present);
	for (unsigned i = 2; i < XSTATE_PARTS; i++)
		moved |= xcr0 >> i & 1 && standard[i].size && layout[i].offset != standard[i].offset;
	if (!moved)
		return 0;
	memset(ret, 0, XSTATE_STANDARD_SIZE);
	memcpy(ret, area, LEGACY_AND_HEADER);
	for (unsigned i = 2; i < XSTATE_PARTS; i++) {
		const struct xstate_part *from = &layout[i];

		if ((xcr0 >> i & 1) && standard[i].size && from->size >= standard[i].size && from->offset <= n &&
		    n - from->offset >= standard[i].size)
			memcpy(ret + standard[i].offset, area + from->offset, standard[i].size);
	}
	xcr0 &= (UINT64_C(1) << XSTATE_PARTS) - 1;
	present &= xcr0;
	memcpy(ret + XCR0_AT, &xcr0, sizeof xcr0);
	memcpy(ret + PRESENT_AT, &present, sizeof present);
	return size_of(xcr0);
}
