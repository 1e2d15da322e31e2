/* A list that is dropped is collected, and says so. */
#include <osprey/rt.h>
#include <stddef.h>
#include <stdio.h>

struct node {
	struct node *next;
	long value;
};

static const uint32_t pointers[] = { offsetof(struct node, next) };
static const struct rt_gc_map map = { sizeof(struct node), 1, pointers };

int main(void)
{
	struct node *volatile list = NULL;
	struct rt_gc_state state;

	for (long i = 0; i < 10000; i++) {
		struct node *n = rt_gc_alloc(sizeof *n, &map);
		if (!n)
			return 1;
		n->value = i;
		n->next = i % 1000 ? list : NULL;
		list = n;
	}
	if (rt_gc_collect() < 0)
		return 1;
	rt_gc_look(&state);
	printf("%s of 10000 nodes are left\n", state.live_blocks < 5000 ? "few" : "most");
	return list->value == 9999 ? 0 : 1;
}
