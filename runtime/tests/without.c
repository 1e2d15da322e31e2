/* without WHAT... -- COMMAND...: runs a command where the kernel refuses what tests/refuse.h lists. Exit code
 * 77: it cannot. */
#include <stdio.h>
#include <unistd.h>

#include "refuse.h"

int main(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		int r = refuse(argv[i]);
		if (r < 0) {
			printf("skip: %s: %s\n", argv[i], strerror(-r));
			return 77;
		}
	}
	if (i + 1 >= argc)
		return 2;
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
