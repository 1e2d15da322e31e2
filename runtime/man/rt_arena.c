/* All memory of a request at once: it goes when the scope is closed. */
#include <osprey/rt.h>
#include <stdio.h>

static int request(void *arg)
{
	struct rt_scope scope;
	struct rt_arena *arena;
	char *line = NULL;

	rt_scope_open(&scope, rt_now() + 1000000000);
	int r = rt_arena_of_scope(&scope, NULL, &arena);
	if (r == 0)
		line = rt_arena_printf(arena, "hello %s, %d", (const char *)arg, 42);
	if (line)
		puts(line);
	int result = rt_scope_close(&scope);
	return r < 0 ? r : line ? result : 1;
}

int main(void)
{
	return rt_run(NULL, request, "osprey");
}
