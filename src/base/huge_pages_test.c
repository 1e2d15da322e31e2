#include "base/huge_pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define BYTES (8u << 20)

int main(void)
{
	char *large = malloc(BYTES);

	CHECK(large);
	memory_will_fill(large, BYTES);
	memory_will_fill(large + 5, 100);
	memset(large, 7, BYTES);
	CHECK(large[BYTES - 1] == 7);
	free(large);
	return check_exit();
}
