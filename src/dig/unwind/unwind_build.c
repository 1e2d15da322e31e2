/* unwind_table_build: which bytes of a file hold its frames. */
#include <errno.h>
#include <stdlib.h>

#include "dig/unwind/frame_section.h"
#include "dig/unwind/unwind_table.h"

static bool code_range(const struct elf_image *e, uint64_t *ret_low, uint64_t *ret_high)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < e->nsegments; i++) {
		const Elf64_Phdr *p = &e->segment[i];
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || p->p_vaddr + p->p_memsz < p->p_vaddr)
			continue;
		if (p->p_vaddr < low)
			low = p->p_vaddr;
		if (p->p_vaddr + p->p_memsz > high)
			high = p->p_vaddr + p->p_memsz;
	}
	*ret_low = low;
	*ret_high = high;
	return low < high;
}

/* The segment that has the address in the file; *ret_left: bytes of the file from there. */
static bool file_offset(const struct elf_image *e, uint64_t address, uint64_t *ret, uint64_t *ret_left)
{
	for (size_t i = 0; i < e->nsegments; i++) {
		const Elf64_Phdr *p = &e->segment[i];
		if (p->p_type == PT_LOAD && address >= p->p_vaddr && address - p->p_vaddr < p->p_filesz) {
			*ret = p->p_offset + (address - p->p_vaddr);
			*ret_left = p->p_filesz - (address - p->p_vaddr);
			return true;
		}
	}
	return false;
}

static int read_address(void *arg, uint64_t address, uint64_t *ret)
{
	const struct elf_image *e = arg;
	uint64_t offset, left;

	if (!file_offset(e, address, &offset, &left) || left < sizeof *ret)
		return -EFAULT;
	return elf_image_read(e, offset, ret, sizeof *ret);
}

static uint64_t section_address(const struct elf_image *e, const char *name)
{
	const struct elf_section *s = elf_image_find(e, name);

	return s ? s->header.sh_addr : 0;
}

static void bases(struct elf_image *e, struct frame_section *s)
{
	s->base.text = section_address(e, ".text");
	/* DT_PLTGOT's value on x86-64. */
	s->base.data = section_address(e, ".got.plt");
	if (!s->base.data)
		s->base.data = section_address(e, ".got");
	s->base.read = read_address;
	s->base.arg = e;
}

/* .eh_frame_hdr: version, three encodings, the address of .eh_frame, the count and the sorted table. */
static bool linker_table(struct elf_image *e, bool *ret_searched, uint64_t *ret_eh_frame)
{
	uint8_t bytes[32] = { 0 };

	for (size_t i = 0; i < e->nsegments; i++) {
		const Elf64_Phdr *p = &e->segment[i];
		size_t n = p->p_filesz < sizeof bytes ? (size_t)p->p_filesz : sizeof bytes;
		if (p->p_type != PT_GNU_EH_FRAME || n < 8 || elf_image_read(e, p->p_offset, bytes, n) < 0)
			continue;
		struct dwarf_pointer_base base = { bytes, p->p_vaddr, 0, p->p_vaddr, 0, read_address, e };
		struct dwarf_bytes b = { bytes + 4, bytes + n, false };
		*ret_searched = bytes[2] != DWARF_POINTER_NONE && bytes[3] != DWARF_POINTER_NONE;
		*ret_eh_frame = dwarf_pointer(&b, bytes[1], &base);
		return bytes[0] == 1 && !b.failed;
	}
	return false;
}

/* Without section headers, up to the terminator or the end of the segment. */
static int read_eh_frame(struct elf_image *e, uint64_t address, char **ret_bytes, struct span *ret)
{
	uint64_t offset, left;
	int rc;

	if (!file_offset(e, address, &offset, &left))
		return -ENOENT;
	if (left > ELF_IMAGE_SECTION_MAX)
		return -EFBIG;
	char *bytes = malloc((size_t)left);
	if (!bytes)
		return -ENOMEM;
	if ((rc = elf_image_read(e, offset, bytes, (size_t)left)) < 0) {
		free(bytes);
		return rc;
	}
	*ret_bytes = bytes;
	*ret = (struct span){ bytes, (size_t)left };
	return 0;
}

static int find_eh_frame(struct elf_image *e, struct frame_section *s, char **ret_bytes)
{
	uint64_t address = 0;
	bool header = linker_table(e, &s->searched, &address);
	int rc = elf_image_section(e, ".eh_frame", &s->bytes);

	bases(e, s);
	s->base.section_address = section_address(e, ".eh_frame");
	if (rc == -ENOENT && header) {
		s->base.section_address = address;
		s->searched = false;
		rc = read_eh_frame(e, address, ret_bytes, &s->bytes);
	}
	return rc;
}

int unwind_table_build(struct elf_image *e, struct unwind_table **ret)
{
	struct frame_section eh = { 0 }, debug = { .debug_frame = true };
	uint64_t low, high;
	char *bytes = NULL;

	if (e->header.e_machine != EM_X86_64 || !code_range(e, &low, &high))
		return -ENOENT;
	int has_eh = find_eh_frame(e, &eh, &bytes), has_debug = elf_image_section(e, ".debug_frame", &debug.bytes);
	bases(e, &debug);
	int rc = has_eh == -ENOMEM || has_debug == -ENOMEM ? -ENOMEM : 0;
	if (rc == 0 && has_eh < 0 && has_debug < 0)
		rc = has_eh != -ENOENT ? has_eh : has_debug;
	if (rc == 0)
		rc = unwind_table_of_sections(has_eh < 0 ? NULL : &eh, has_debug < 0 ? NULL : &debug, low, high, ret);
	free(bytes);
	return rc;
}
