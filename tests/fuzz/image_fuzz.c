/* ELF files and maps: any bytes. The first byte picks one. */
#include <assert.h>

#include "dig/image/elf_image.h"
#include "dig/image/memory_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void elf(struct span bytes)
{
	struct elf_image *e;
	struct span section;
	uint64_t address;
	char id[2 * BUILD_ID_MAX + 1];

	if (elf_image_open_memory(bytes, &e, NULL) < 0)
		return;
	for (size_t i = 0; i < e->nsections && i < 64; i++) {
		assert(memchr(e->section[i].name, '\0', 1 << 25));
		if (elf_image_section_at(e, i, &section) == 0)
			assert(section.n == 0 || section.p[0] + section.p[section.n - 1] < 512);
	}
	(void)!elf_image_address_of(e, 4096, &address);
	elf_image_build_id_text(e, id);
	elf_image_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_map m = { 0 };

	if (size == 0)
		return 0;
	struct span bytes = { (const char *)data + 1, size - 1 };
	if (data[0] % 2) {
		elf(bytes);
	} else if (memory_map_parse(bytes, &m) == 0) {
		for (size_t i = 0; i < m.mapping.n; i++)
			assert(memory_map_find(&m, m.mapping.v[i].start) == &m.mapping.v[i]);
		memory_map_deinit(&m);
	}
	return 0;
}
