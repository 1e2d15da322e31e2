#include "dig/core/core_xstate.h"

#include "base/check.h"

/* As an AMD processor lays AVX-512 and PKRU. */
static const struct xstate_part amd[XSTATE_PARTS] = {
	[2] = { 576, 256 }, [5] = { 832, 64 }, [6] = { 896, 512 }, [7] = { 1408, 1024 }, [9] = { 2432, 8 },
};
static const struct xstate_part intel[XSTATE_PARTS] = {
	[2] = { 576, 256 }, [5] = { 1088, 64 }, [6] = { 1152, 512 }, [7] = { 1664, 1024 }, [9] = { 2688, 8 },
};

int main(void)
{
	unsigned char area[2440] = { 0 }, out[XSTATE_STANDARD_SIZE];
	uint64_t xcr0 = 0x2e7, seen;

	memcpy(area + 464, &xcr0, sizeof xcr0);
	memcpy(area + 512, &xcr0, sizeof xcr0);
	area[0] = 1, area[576] = 2, area[832] = 5, area[896] = 6, area[1408] = 7, area[2439] = 9;
	CHECK_U64(xstate_standard(area, sizeof area, amd, out), 2696);
	CHECK(out[0] == 1 && out[576] == 2 && out[1088] == 5 && out[1152] == 6 && out[1664] == 7 && out[2695] == 9);
	CHECK(out[832] == 0 && out[1408] == 0);
	memcpy(&seen, out + 464, sizeof seen);
	CHECK_U64(seen, xcr0);
	CHECK(xstate_standard(area, sizeof area, intel, out) == 0);
	/* Without PKRU it ends behind AVX-512, with AVX alone nothing has to move. */
	xcr0 = 0xe7;
	memcpy(area + 464, &xcr0, sizeof xcr0);
	CHECK_U64(xstate_standard(area, 2432, amd, out), 2688);
	xcr0 = 7;
	memcpy(area + 464, &xcr0, sizeof xcr0);
	CHECK(xstate_standard(area, 832, amd, out) == 0);
	/* Shorter than it says: what is there is taken. */
	xcr0 = 0xe7;
	memcpy(area + 464, &xcr0, sizeof xcr0);
	CHECK_U64(xstate_standard(area, 900, amd, out), 2688);
	CHECK(out[1088] == 5 && out[1152] == 0);
	CHECK(xstate_standard(area, 100, amd, out) == 0);
	return check_exit();
}
