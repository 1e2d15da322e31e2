#include "dig/image/elf_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dig/image/section_unpack.h"

#define SECTIONS_MAX 100000
#define SEGMENTS_MAX 100000
#define NAMES_MAX (16u << 20)
#define NOTES_MAX (1u << 20)

int elf_image_read(const struct elf_image *e, uint64_t offset, void *to, size_t n)
{
	if (offset > e->file_size || n > e->file_size - offset)
		return -EBADMSG;
	if (e->fd < 0) {
		memcpy(to, e->memory.p + offset, n);
		return 0;
	}
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(e->fd, (char *)to + done, n - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) /* 0: cut since it was opened */
			return got < 0 ? -errno : -EBADMSG;
		done += (size_t)got;
	}
	return 0;
}

/* A table of `n` entries: read, and to be freed. */
static int read_table(const struct elf_image *e, uint64_t offset, uint64_t n, size_t size, void **ret)
{
	void *table;

	if (n > e->file_size / size)
		return -EBADMSG;
	table = malloc(n > 0 ? n * size : 1);
	if (!table)
		return -ENOMEM;
	int r = elf_image_read(e, offset, table, n * size);
	if (r < 0) {
		free(table);
		return r;
	}
	*ret = table;
	return 0;
}

static int read_header(struct elf_image *e)
{
	int r = elf_image_read(e, 0, &e->header, sizeof e->header);
	const unsigned char *ident = e->header.e_ident;

	if (r < 0)
		return r;
	if (memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return -EBADMSG;
	return 0;
}

/* More entries than the header can count: their number stands in section 0 (gABI, "Extended numbering"). */
static int real_counts(const struct elf_image *e, uint64_t *nsegments, uint64_t *nsections, uint64_t *names)
{
	Elf64_Shdr first;

	*nsegments = e->header.e_phnum;
	*nsections = e->header.e_shnum;
	*names = e->header.e_shstrndx;
	if (e->header.e_shoff == 0 ||
	    (*nsections != 0 && *nsegments != PN_XNUM && *names != SHN_XINDEX))
		return 0;
	int r = elf_image_read(e, e->header.e_shoff, &first, sizeof first);
	if (r < 0)
		return r;
	if (*nsections == 0)
		*nsections = first.sh_size;
	if (*nsegments == PN_XNUM)
		*nsegments = first.sh_info;
	if (*names == SHN_XINDEX)
		*names = first.sh_link;
	return 0;
}

static int read_segments(struct elf_image *e, uint64_t n)
{
	if (n == 0 || e->header.e_phoff == 0)
		return 0;
	if (n > SEGMENTS_MAX || e->header.e_phentsize != sizeof(Elf64_Phdr))
		return -EBADMSG;
	int r = read_table(e, e->header.e_phoff, n, sizeof(Elf64_Phdr), (void **)&e->segment);
	if (r >= 0)
		e->nsegments = n;
	return r;
}

static int read_names(struct elf_image *e, const Elf64_Shdr *table, size_t *ret_size)
{
	if (table->sh_type == SHT_NOBITS || table->sh_size == 0 || table->sh_size > NAMES_MAX)
		return -EBADMSG;
	int r = read_table(e, table->sh_offset, table->sh_size + 1, 1, (void **)&e->names);
	/* Nearly always something stands behind it, but it may be the last of the file. */
	if (r == -EBADMSG) {
		e->names = calloc(1, table->sh_size + 1);
		r = e->names ? elf_image_read(e, table->sh_offset, e->names, table->sh_size) : -ENOMEM;
	}
	if (r < 0)
		return r;
	e->names[table->sh_size] = '\0';
	*ret_size = table->sh_size;
	return 0;
}

/* Segments alone are enough to place code; so sections that are cut off or damaged are none. */
static int read_sections(struct elf_image *e, uint64_t n, uint64_t names)
{
	Elf64_Shdr *table = NULL;
	size_t size = 0;

	if (n == 0 || e->header.e_shoff == 0 || n > SECTIONS_MAX || names >= n ||
	    e->header.e_shentsize != sizeof(Elf64_Shdr))
		return 0;
	int r = read_table(e, e->header.e_shoff, n, sizeof *table, (void **)&table);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = read_names(e, &table[names], &size);
	if (r >= 0) {
		e->section = calloc(n, sizeof *e->section);
		r = e->section ? 0 : -ENOMEM;
	}
	if (r < 0) {
		free(table);
		return r == -ENOMEM ? r : 0;
	}
	e->nsections = n;
	for (size_t i = 0; i < n; i++)
		e->section[i] = (struct elf_section){
			.header = table[i],
			.name = table[i].sh_name < size ? e->names + table[i].sh_name : "",
		};
	free(table);
	return 0;
}

/* Compared as sizes that are left: none overflows. */
bool elf_note_next(struct span *notes, size_t align, struct elf_note *ret)
{
	Elf64_Nhdr h;

	if (notes->n < sizeof h)
		return false;
	memcpy(&h, notes->p, sizeof h);
	size_t left = notes->n - sizeof h;
	size_t name = ((size_t)h.n_namesz + align - 1) / align * align;
	size_t desc = ((size_t)h.n_descsz + align - 1) / align * align;
	if (name > left || h.n_descsz > left - name)
		return false;
	const char *p = notes->p + sizeof h;
	size_t name_size = h.n_namesz;
	while (name_size && p[name_size - 1] == '\0')
		name_size--;
	*ret = (struct elf_note){ h.n_type, { p, name_size }, { p + name, h.n_descsz } };
	if (desc > left - name)
		desc = left - name; /* the last one need not be padded */
	*notes = (struct span){ p + name + desc, left - name - desc };
	return true;
}

static bool find_build_id(struct elf_image *e, struct span notes, size_t align)
{
	struct elf_note note;

	while (elf_note_next(&notes, align, &note)) {
		if (note.type != NT_GNU_BUILD_ID || !span_is(note.name, "GNU") || note.desc.n == 0 ||
		    note.desc.n > BUILD_ID_MAX)
			continue;
		memcpy(e->build_id, note.desc.p, note.desc.n);
		e->build_id_size = note.desc.n;
		return true;
	}
	return false;
}

static int build_id_at(struct elf_image *e, uint64_t offset, uint64_t size, uint64_t align, bool *found)
{
	char *notes = NULL;

	if (size == 0 || size > NOTES_MAX)
		return 0;
	int r = read_table(e, offset, size, 1, (void **)&notes);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	*found = find_build_id(e, (struct span){ notes, size }, align == 8 ? 8 : 4);
	free(notes);
	return 0;
}

/* Segments are there in stripped files; relocatable ones (kernel modules) have sections alone. */
static int read_build_id(struct elf_image *e)
{
	bool found = false;
	int r = 0;

	for (size_t i = 0; i < e->nsegments && !found && r >= 0; i++)
		if (e->segment[i].p_type == PT_NOTE)
			r = build_id_at(e, e->segment[i].p_offset, e->segment[i].p_filesz,
					e->segment[i].p_align, &found);
	for (size_t i = 0; i < e->nsections && !found && r >= 0; i++)
		if (e->section[i].header.sh_type == SHT_NOTE)
			r = build_id_at(e, e->section[i].header.sh_offset, e->section[i].header.sh_size,
					e->section[i].header.sh_addralign, &found);
	return r;
}

static int open_image(struct elf_image *e)
{
	uint64_t nsegments, nsections, names;
	int r = read_header(e);

	if (r >= 0)
		r = real_counts(e, &nsegments, &nsections, &names);
	if (r >= 0)
		r = read_segments(e, nsegments);
	if (r >= 0)
		r = read_sections(e, nsections, names);
	return r < 0 ? r : read_build_id(e);
}

static int finish_open(struct elf_image *e, struct elf_image **ret, struct note *note)
{
	int r = open_image(e);

	if (r < 0) {
		elf_image_free(e);
		return note_set(note, r, r == -EBADMSG ? "no 64-bit little-endian ELF file, or a damaged one" : "%s",
				strerror(-r));
	}
	*ret = e;
	return 0;
}

int elf_image_open_fd(int fd, struct elf_image **ret, struct note *note)
{
	struct elf_image *e = calloc(1, sizeof *e);
	struct stat s;

	if (!e || fstat(fd, &s) < 0 || !S_ISREG(s.st_mode)) {
		int r = !e ? -ENOMEM : -EBADMSG;
		free(e);
		close(fd);
		return note_set(note, r, r == -ENOMEM ? "out of memory" : "no regular file");
	}
	e->fd = fd;
	e->file_size = (uint64_t)s.st_size;
	e->device = s.st_dev;
	e->inode = s.st_ino;
	e->changed_ns = (uint64_t)s.st_mtim.tv_sec * 1000000000u + (uint64_t)s.st_mtim.tv_nsec;
	return finish_open(e, ret, note);
}

/* O_PATH opens nothing yet: a device would act, a pipe would wait. */
int open_regular(const char *path)
{
	char link[40];
	struct stat s;
	int place = open(path, O_PATH | O_CLOEXEC);

	if (place < 0)
		return -errno;
	int r = fstat(place, &s) < 0 ? -errno : S_ISREG(s.st_mode) ? 0 : -EBADMSG;
	if (r >= 0) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", place);
		r = open(link, O_RDONLY | O_CLOEXEC);
		r = r < 0 ? -errno : r;
	}
	close(place);
	return r;
}

int elf_image_open(const char *path, struct elf_image **ret, struct note *note)
{
	int fd = open_regular(path);

	if (fd < 0)
		return note_set(note, fd, "%s: %s", path, fd == -EBADMSG ? "no regular file" : strerror(-fd));
	int r = elf_image_open_fd(fd, ret, note);
	if (r == -EBADMSG)
		note_set(note, r, "%s: no 64-bit little-endian ELF file, or a damaged one", path);
	return r;
}

int elf_image_open_memory(struct span bytes, struct elf_image **ret, struct note *note)
{
	struct elf_image *e = calloc(1, sizeof *e);

	if (!e)
		return note_set(note, -ENOMEM, "out of memory");
	e->fd = -1;
	e->memory = bytes;
	e->file_size = bytes.n;
	return finish_open(e, ret, note);
}

void elf_image_free(struct elf_image *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->nsections; i++)
		free(e->section[i].data);
	free(e->section);
	free(e->segment);
	free(e->names);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
}

const struct elf_section *elf_image_find(const struct elf_image *e, const char *name)
{
	for (size_t i = 0; i < e->nsections; i++)
		if (strcmp(e->section[i].name, name) == 0)
			return &e->section[i];
	return NULL;
}

static int unpack(const Elf64_Chdr *h, const char *from, size_t n, char **ret)
{
	int r = section_unpackable(h, n);

	if (r < 0)
		return r;
	char *to = malloc(h->ch_size ? h->ch_size : 1);
	if (!to)
		return -ENOMEM;
	r = section_unpack(h, from, n, to);
	if (r < 0) {
		free(to);
		return r;
	}
	*ret = to;
	return 0;
}

static int read_section(const struct elf_image *e, struct elf_section *s)
{
	const Elf64_Shdr *h = &s->header;
	char *raw = NULL, *data = NULL;

	if (h->sh_type == SHT_NOBITS || h->sh_size == 0)
		return -ENOENT;
	if (h->sh_size > ELF_IMAGE_SECTION_MAX)
		return -EFBIG;
	int r = read_table(e, h->sh_offset, h->sh_size, 1, (void **)&raw);
	if (r < 0)
		return r;
	s->size = h->sh_size;
	if (!(h->sh_flags & SHF_COMPRESSED)) {
		s->data = raw;
		return 0;
	}
	Elf64_Chdr packed;
	r = -EBADMSG;
	if (h->sh_size >= sizeof packed) {
		memcpy(&packed, raw, sizeof packed);
		r = unpack(&packed, raw + sizeof packed, h->sh_size - sizeof packed, &data);
	}
	free(raw);
	if (r < 0)
		return r;
	s->data = data;
	s->size = packed.ch_size;
	return 0;
}

int elf_image_section_at(struct elf_image *e, size_t i, struct span *ret)
{
	if (i >= e->nsections)
		return -ENOENT;
	struct elf_section *s = &e->section[i];
	int r = s->data ? 0 : read_section(e, s);
	if (r < 0)
		return r;
	*ret = (struct span){ s->data, s->size };
	return 0;
}

int elf_image_section(struct elf_image *e, const char *name, struct span *ret)
{
	const struct elf_section *s = elf_image_find(e, name);

	return s ? elf_image_section_at(e, (size_t)(s - e->section), ret) : -ENOENT;
}

int elf_image_address_of(const struct elf_image *e, uint64_t offset, uint64_t *ret)
{
	for (size_t i = 0; i < e->nsegments; i++) {
		const Elf64_Phdr *s = &e->segment[i];
		if (s->p_type != PT_LOAD || offset < s->p_offset || offset - s->p_offset >= s->p_filesz)
			continue;
		*ret = s->p_vaddr + (offset - s->p_offset);
		return 0;
	}
	return -ENOENT;
}

void elf_image_build_id_text(const struct elf_image *e, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < e->build_id_size; i++) {
		*ret++ = digits[e->build_id[i] >> 4];
		*ret++ = digits[e->build_id[i] & 15];
	}
	*ret = '\0';
}
