#include "dig/stack/stack_group.h"

#include "base/check.h"

static struct unwind_frame a[] = { { .pc = 1 }, { .pc = 2 } }, b[] = { { .pc = 1 }, { .pc = 3 } };
static uint64_t kernel[] = { 9 };

static void groups_equal_ones(void)
{
	struct thread_stack t[] = {
		{ .tid = 10, .frames = a, .nframes = 2, .state = 'S' },
		{ .tid = 11, .frames = b, .nframes = 2, .state = 'S' },
		{ .tid = 12, .frames = b, .nframes = 2, .state = 'S' },
		{ .tid = 13, .frames = a, .nframes = 2, .state = 'R' },
		{ .tid = 14, .frames = a, .nframes = 2, .state = 'S', .kernel = kernel, .nkernel = 1 },
		{ .tid = 15, .frames = b, .nframes = 2, .state = 'S' },
	};
	struct process_stacks s = { .threads = { t, 6, 6 } };
	struct equal_groups g;

	CHECK(stack_groups_make(&s, false, &g) == 0);
	CHECK_U64(g.groups.n, 4);
	CHECK_U64(g.groups.v[0].member[0], 3); /* it runs */
	CHECK_U64(g.groups.v[1].n, 3);
	CHECK(g.groups.v[1].member[0] == 1 && g.groups.v[1].member[1] == 2 && g.groups.v[1].member[2] == 5);
	CHECK_U64(g.groups.v[2].member[0], 0);
	CHECK_U64(g.groups.v[3].member[0], 4);
	equal_groups_deinit(&g);
	CHECK(stack_groups_make(&s, true, &g) == 0);
	CHECK_U64(g.groups.n, 6);
	for (size_t i = 0; i < 6; i++)
		CHECK(g.groups.v[i].n == 1 && g.groups.v[i].member[0] == i);
	equal_groups_deinit(&g);
}

static void takes_none(void)
{
	struct process_stacks s = { 0 };
	struct equal_groups g;

	CHECK(stack_groups_make(&s, false, &g) == 0);
	CHECK_U64(g.groups.n, 0);
	equal_groups_deinit(&g);
}

int main(void)
{
	groups_equal_ones();
	takes_none();
	return check_exit();
}
