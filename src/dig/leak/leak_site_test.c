/* Equal stacks are one site, others are not. */
#include "dig/leak/leak_site.h"

#include "base/check.h"

static uint32_t site_of(struct leak_sites *s, uint64_t a, uint64_t b, size_t n, enum unwind_end end)
{
	const struct unwind_frame frames[] = { { .pc = a, .sp = a * 3 }, { .pc = b } };
	uint32_t at = UINT32_MAX;

	CHECK(leak_site_of(s, frames, n, end, &at) == 0);
	return at;
}

int main(void)
{
	struct leak_sites s = { 0 };

	CHECK_U64(site_of(&s, 1, 2, 2, UNWIND_OUTERMOST), 0);
	CHECK_U64(site_of(&s, 2, 1, 2, UNWIND_OUTERMOST), 1);
	CHECK_U64(site_of(&s, 1, 2, 1, UNWIND_OUTERMOST), 2);
	CHECK_U64(site_of(&s, 1, 2, 2, UNWIND_NO_MEMORY), 3);
	CHECK_U64(site_of(&s, 1, 2, 0, UNWIND_OUTERMOST), 4);
	for (uint64_t i = 0; i < 20000; i++)
		CHECK_U64(site_of(&s, 100 + i % 5000, i % 2500, 2, UNWIND_OUTERMOST), 5 + i % 5000);
	CHECK_U64(site_of(&s, 1, 2, 2, UNWIND_OUTERMOST), 0);
	CHECK_U64(site_of(&s, 1, 2, 2, UNWIND_NO_MEMORY), 3);
	CHECK_U64(s.site.n, 5005);
	CHECK_U64(s.site.v[0].frames[1].pc, 2);
	leak_sites_deinit(&s);
	return check_exit();
}
