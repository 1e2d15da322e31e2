#include "dig/go/go_image.h"

#include <errno.h>
#include <stdlib.h>

#include "dig/symbol/symbol.h"

#define SCAN_MAX (512u << 20) /* bytes of a segment */

unsigned go_version_minor(struct span version)
{
	unsigned minor = 0;

	for (size_t i = 0; i + 4 < version.n; i++)
		if (memcmp(version.p + i, "go1.", 4) == 0) {
			for (i += 4; i < version.n && version.p[i] >= '0' && version.p[i] <= '9' && minor < 1000; i++)
				minor = minor * 10 + (unsigned)(version.p[i] - '0');
			return minor;
		}
	return 0;
}

bool go_build_info_parse(struct span section, char *ret, size_t size)
{
	static const char magic[] = "\xff Go buildinf:";
	size_t at = 32, length = 0;
	unsigned shift = 0;

	if (section.n < 33 || memcmp(section.p, magic, sizeof magic - 1) != 0 || !(section.p[15] & 2))
		return false;
	for (; at < section.n && shift < 28; shift += 7) {
		unsigned char byte = (unsigned char)section.p[at++];

		length |= (size_t)(byte & 127) << shift;
		if (byte < 128)
			break;
	}
	if (!length || length > section.n - at)
		return false;
	span_copy((struct span){ section.p + at, length }, ret, size);
	return true;
}

static uint64_t word(struct span s, size_t at)
{
	uint64_t value;

	memcpy(&value, s.p + at, 8);
	return value;
}

/* moduledata begins with the table's address and the slice of names in it, and has go.func.* behind rodata. */
uint64_t go_funcdata_in(struct span data, const struct go_table *t, uint64_t table_address)
{
	size_t at = 8 * (t->format == GO_1_20 ? 40 : 38);
	uint64_t names = table_address + (uint64_t)(t->names.p - t->bytes.p);

	if (t->format == GO_1_16)
		return 0;
	for (size_t i = 0; i + at + 8 <= data.n; i += 8)
		if (word(data, i) == table_address && word(data, i + 8) == names)
			return word(data, i + at);
	return 0;
}

/* ---- the file ---- */

static int read_address(void *arg, uint64_t address, void *to, size_t n)
{
	const struct go_image *g = arg;

	for (size_t i = 0; i < g->elf->nsegments; i++) {
		const Elf64_Phdr *p = &g->elf->segment[i];

		if (p->p_type == PT_LOAD && address >= p->p_vaddr && address - p->p_vaddr < p->p_filesz)
			return elf_image_read(g->elf, p->p_offset + (address - p->p_vaddr), to, n);
	}
	return -EFAULT;
}

static uint64_t text_of(struct image *i)
{
	const struct elf_section *s = elf_image_find(i->elf, ".text");
	uint64_t address, size;

	if (image_symbol(i, "runtime.text", &address, &size) == 0)
		return address;
	return s ? s->header.sh_addr : 0;
}

static int by_section(struct image *i, struct go_image *g)
{
	static const char *const names[] = { ".gopclntab", ".data.rel.ro.gopclntab" };
	struct span bytes;

	for (size_t k = 0; k < 2; k++) {
		int rc = elf_image_section(i->elf, names[k], &bytes);

		if (rc == 0)
			rc = go_table_parse(bytes, text_of(i), &g->table);
		if (rc == 0)
			g->table_address = elf_image_find(i->elf, names[k])->header.sh_addr;
		if (rc == 0 || rc == -ENOMEM)
			return rc;
	}
	return -ENOENT;
}

static int scan_segment(struct image *i, struct go_image *g, const Elf64_Phdr *p)
{
	size_t at;
	int rc;

	buf_clear(&g->bytes);
	if (buf_reserve(&g->bytes, p->p_filesz) < 0)
		return -ENOMEM;
	rc = elf_image_read(i->elf, p->p_offset, g->bytes.data, p->p_filesz);
	if (rc < 0)
		return -ENOENT;
	g->bytes.n = p->p_filesz;
	at = go_table_scan(buf_span(&g->bytes), 0);
	if (at == SIZE_MAX)
		return -ENOENT;
	g->table_address = p->p_vaddr + at;
	return go_table_parse((struct span){ g->bytes.data + at, g->bytes.n - at }, text_of(i), &g->table);
}

/* Only what has no headers at all, or says that it is Go, is read through. */
static int by_scan(struct image *i, struct go_image *g)
{
	int rc = -ENOENT;

	if (i->elf->nsections && !elf_image_find(i->elf, ".go.buildinfo"))
		return rc;
	for (size_t k = 0; rc == -ENOENT && k < i->elf->nsegments; k++) {
		const Elf64_Phdr *p = &i->elf->segment[k];

		if (p->p_type == PT_LOAD && p->p_filesz && p->p_filesz <= SCAN_MAX && !(p->p_flags & PF_X))
			rc = scan_segment(i, g, p);
	}
	return rc == -ENOMEM ? rc : rc < 0 ? -ENOENT : 0;
}

static void find_version(struct image *i, struct go_image *g)
{
	struct span section;

	if (elf_image_section(i->elf, ".go.buildinfo", &section) == 0)
		(void)go_build_info_parse(section, g->version, sizeof g->version);
	g->minor = go_version_minor(span_from(g->version));
}

static int find_funcdata(struct image *i, struct go_image *g)
{
	static const char *const sections[] = { ".noptrdata", ".data", ".go.module", ".data.rel.ro" };
	uint64_t size;
	struct span data;

	g->table.read = read_address;
	g->table.arg = g;
	if (g->table.format == GO_1_16 || image_symbol(i, "go:func.*", &g->table.funcdata, &size) == 0 ||
	    image_symbol(i, "go.func.*", &g->table.funcdata, &size) == 0)
		return 0;
	for (size_t k = 0; k < sizeof sections / sizeof *sections && !g->table.funcdata; k++) {
		int rc = elf_image_section(i->elf, sections[k], &data);

		if (rc == -ENOMEM)
			return rc;
		if (rc == 0)
			g->table.funcdata = go_funcdata_in(data, &g->table, g->table_address);
	}
	return 0;
}

int go_image_open(struct image *i, struct go_image **ret)
{
	struct go_image *g = i->elf ? calloc(1, sizeof *g) : NULL;
	int rc = g ? 0 : i->elf ? -ENOMEM : -ENOENT;

	if (rc < 0)
		return rc;
	g->elf = i->elf;
	rc = by_section(i, g);
	if (rc == -ENOENT)
		rc = by_scan(i, g);
	if (rc == 0)
		rc = find_funcdata(i, g);
	if (rc < 0) {
		go_image_free(g);
		return rc;
	}
	find_version(i, g);
	*ret = g;
	return 0;
}

void go_image_free(struct go_image *g)
{
	if (!g)
		return;
	buf_deinit(&g->bytes);
	free(g);
}
