#include "dig/image/elf_debug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dig/image/section_unpack.h"

/* In the order that the file in memory has them; the first section of ELF is none, the last holds the names. */
static const char *const wanted[] = { ".debug_info", ".debug_types", ".debug_abbrev", ".debug_line", ".debug_str",
				      ".debug_line_str", ".debug_str_offsets", ".debug_ranges", ".debug_rnglists",
				      ".debug_loc", ".debug_loclists" };
#define WANTED (sizeof wanted / sizeof *wanted)
#define WITHOUT_PLACES (WANTED - 2)
#define SECTIONS (WANTED + 2)
#define NAME_MAX_BYTES 32

struct plan {
	const struct elf_section *from[WANTED]; /* NULL: the file has none */
	Elf64_Chdr packed[WANTED];		/* ch_type 0: it is not */
	size_t at[WANTED], size[WANTED], total;
};

static int plan_section(const struct elf_image *e, struct plan *p, size_t i)
{
	const Elf64_Shdr *h = &p->from[i]->header;
	int r = 0;

	p->size[i] = h->sh_size;
	if (h->sh_size > ELF_IMAGE_SECTION_MAX)
		return -EFBIG;
	if (h->sh_flags & SHF_COMPRESSED) {
		if (h->sh_size < sizeof p->packed[i])
			return -EBADMSG;
		r = elf_image_read(e, h->sh_offset, &p->packed[i], sizeof p->packed[i]);
		if (r == 0)
			r = section_unpackable(&p->packed[i], h->sh_size);
		p->size[i] = p->packed[i].ch_size;
	}
	p->at[i] = p->total;
	p->total += (p->size[i] + 15) & ~(size_t)15;
	return r;
}

static int make_plan(const struct elf_image *e, bool places, struct plan *p)
{
	size_t n = places ? WANTED : WITHOUT_PLACES;
	bool packed = false;
	int r = 0;

	if (elf_image_find(e, ".debug_addr") || elf_image_find(e, ".gnu_debugaltlink"))
		return -ENOENT;
	p->total = (sizeof(Elf64_Ehdr) + 15) & ~(size_t)15;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct elf_section *s = elf_image_find(e, wanted[i]);

		if (!s || s->header.sh_type == SHT_NOBITS || !s->header.sh_size)
			continue;
		p->from[i] = s;
		r = plan_section(e, p, i);
		packed |= s->header.sh_flags & SHF_COMPRESSED;
	}
	return r < 0 ? r : packed ? 0 : -ENOENT;
}

static int unpack_one(const struct elf_image *e, const struct plan *p, size_t i, char *to)
{
	const Elf64_Shdr *h = &p->from[i]->header;

	if (!(h->sh_flags & SHF_COMPRESSED))
		return elf_image_read(e, h->sh_offset, to, h->sh_size);
	char *raw = malloc(h->sh_size);
	if (!raw)
		return -ENOMEM;
	int r = elf_image_read(e, h->sh_offset, raw, h->sh_size);
	if (r == 0)
		r = section_unpack(&p->packed[i], raw + sizeof(Elf64_Chdr), h->sh_size - sizeof(Elf64_Chdr), to);
	free(raw);
	return r;
}

/* Headers and names, behind the sections. */
static void write_headers(const struct elf_image *e, const struct plan *p, char *bytes)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
	Elf64_Shdr *section = (Elf64_Shdr *)(bytes + p->total);
	size_t names = p->total + SECTIONS * sizeof *section;

	*header = e->header;
	header->e_phoff = header->e_phnum = 0;
	header->e_shoff = p->total;
	header->e_shnum = SECTIONS;
	header->e_shentsize = sizeof *section;
	header->e_shstrndx = SECTIONS - 1;
	for (size_t i = 0; i < WANTED; i++) {
		Elf64_Word name = (Elf64_Word)((i + 1) * NAME_MAX_BYTES);

		strcpy(bytes + names + name, wanted[i]);
		if (p->from[i])
			section[i + 1] = (Elf64_Shdr){ .sh_name = name, .sh_type = SHT_PROGBITS, .sh_offset = p->at[i],
						       .sh_size = p->size[i], .sh_addralign = 1 };
	}
	section[SECTIONS - 1] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = names, .sh_size = SECTIONS * NAME_MAX_BYTES,
					      .sh_addralign = 1 };
}

/* Zeroed. A fault for each small page would cost about as much as what is unpacked into it. */
static char *map_memory(size_t size)
{
	char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return NULL;
	(void)madvise(bytes, size, MADV_HUGEPAGE); /* a kernel without them gives small ones */
	return bytes;
}

void elf_debug_free(char *bytes, size_t size)
{
	if (bytes)
		munmap(bytes, size);
}

int elf_debug_unpack(const struct elf_image *e, bool places, char **ret, size_t *ret_size)
{
	struct plan p = { .total = 0 };
	int r = make_plan(e, places, &p);

	if (r < 0)
		return r;
	size_t size = p.total + SECTIONS * (sizeof(Elf64_Shdr) + NAME_MAX_BYTES);
	char *bytes = map_memory(size);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < WANTED; i++)
		if (p.from[i])
			r = unpack_one(e, &p, i, bytes + p.at[i]);
	if (r < 0) {
		elf_debug_free(bytes, size);
		return r;
	}
	write_headers(e, &p, bytes);
	*ret = bytes;
	*ret_size = size;
	return 0;
}
