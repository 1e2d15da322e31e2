/* What event_stacks.sh looks at: built without frame pointers, it allocates and writes through the C library's stdio below
 * main → outer → middle → inner. "N": so often; waits for a line on stdin first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline)) static void inner(int n)
{
	char bytes[200];

	memset(bytes, 'x', sizeof bytes);
	char *more = malloc(12345);
	__asm__ volatile("" : : "r"(more) : "memory");
	fwrite(bytes, 1, sizeof bytes, stdout);
	fflush(stdout);
	free(more);
	sink += n;
}

__attribute__((noinline)) static void middle(int n)
{
	volatile char room[300];

	room[n & 7] = 1;
	inner(n);
	sink += room[0];
}

__attribute__((noinline)) static void outer(int n)
{
	middle(n + 1);
	sink++;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 3;

	if (argc > 1 && getchar() == EOF)
		return 1;
	for (int i = 0; i < n; i++)
		outer(i);
	return 0;
}
