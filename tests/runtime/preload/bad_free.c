/* Frees what is no block. */
#include <stdlib.h>

int main(void)
{
	static char none[1 << 23];
	char *volatile p = none + (1 << 22) + 16;

	free(p);
	return 0;
}
