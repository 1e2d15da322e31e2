#include "base/vec.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int vec_reserve_bytes(void **v, size_t *capacity, size_t n, size_t more, size_t size)
{
	size_t need;

	if (__builtin_add_overflow(n, more, &need))
		return -ENOMEM;
	if (need <= *capacity)
		return 0;
	if (need > PTRDIFF_MAX / size)
		return -ENOMEM; /* then neither growing by half nor the bytes can overflow */
	size_t wanted = *capacity ? *capacity : 8;
	while (wanted < need)
		wanted += wanted / 2;
	void *grown = realloc(*v, wanted * size);
	if (!grown)
		return -ENOMEM;
	*v = grown;
	*capacity = wanted;
	return 0;
}

void *vec_push_bytes(void **v, size_t *n, size_t *capacity, size_t size)
{
	if (vec_reserve_bytes(v, capacity, *n, 1, size) < 0)
		return NULL;
	return memset((char *)*v + (*n)++ * size, 0, size);
}

void vec_free_bytes(void **v, size_t *n, size_t *capacity)
{
	free(*v);
	*v = NULL;
	*n = *capacity = 0;
}
