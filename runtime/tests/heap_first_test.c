/* The first block that a process allocates, of any kind: what it is allocated by, and in which mode, the heap
 * knows when it is freed. Each is a process of its own, and this one allocates none. */
#include <stdlib.h>

#include "child.h"

static unsigned kind;

static void *allocates(void)
{
	switch (kind) {
	case 0: return rt_malloc(100);
	case 1: return rt_malloc(100000);
	case 2: return rt_calloc(1, 100);
	case 3: return rt_calloc(1, 100000);
	case 4: return rt_calloc(1, 4 << 20);
	case 5: return rt_realloc(NULL, 100000);
	case 6: return rt_aligned(4096, 100000);
	default: return NULL;
	}
}
#define KINDS 7

static void first(unsigned debug)
{
	/* When it is the first, it is asked which mode it is. */
	setenv("RT_HEAP_DEBUG", debug ? "1" : "0", 1);
	char *block = allocates(), *second = rt_malloc(1);

	CHECK(block && second && rt_usable(block) >= 100);
	memset(block, 1, 100);
	rt_free(second);
	rt_free(block);
}

int main(void)
{
	for (kind = 0; kind < KINDS; kind++)
		for (unsigned debug = 0; debug < 2; debug++)
			child_check("the first block", first, debug, 100, 0, "");
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
