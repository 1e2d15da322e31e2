/* Buffers that grow by a half each time, as strings and arrays do, to 4 KiB, 256 KiB and 16 MiB. */
#include "heap.h"

int main(void)
{
	static const struct { size_t most; int times; } kinds[] = { { 4096, 60000 }, { 256 << 10, 4000 }, { 16 << 20, 12 } };
	double from = cpu_ns();
	size_t calls = 0;

	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < kinds[k].times; i++) {
			char *p = NULL;
			for (size_t size = 16; size < kinds[k].most; size += size / 2, calls++) {
				p = realloc(p, size);
				memset(p + size * 2 / 3, 1, size - size * 2 / 3);
			}
			free(p);
		}
	}
	printf("ns %.2f\n", (cpu_ns() - from) / (double)calls);
	return 0;
}
