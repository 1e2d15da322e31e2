#include "symbol_self.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	const char *bytes;
	size_t size;
};

static bool within(const struct file *f, uint64_t offset, uint64_t size)
{
	return offset <= f->size && size <= f->size - offset;
}

static const Elf64_Shdr *symbol_table(const struct file *f, const Elf64_Shdr **ret_names)
{
	const Elf64_Ehdr *h = (const void *)f->bytes;

	if (!within(f, 0, sizeof *h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shoff % _Alignof(Elf64_Shdr) ||
	    !within(f, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr)))
		return NULL;
	const Elf64_Shdr *s = (const void *)(f->bytes + h->e_shoff);
	for (int i = 0; i < h->e_shnum; i++) {
		if (s[i].sh_type != SHT_SYMTAB || s[i].sh_link >= h->e_shnum || s[i].sh_offset % _Alignof(Elf64_Sym))
			continue;
		*ret_names = &s[s[i].sh_link];
		if (within(f, s[i].sh_offset, s[i].sh_size) && within(f, (*ret_names)->sh_offset, (*ret_names)->sh_size))
			return &s[i];
	}
	return NULL;
}

static int find(const struct file *f, uint64_t address, char *ret_name, size_t size, uint64_t *ret_offset)
{
	const Elf64_Shdr *names, *table = symbol_table(f, &names);

	if (!table)
		return -ENOENT;
	const Elf64_Sym *s = (const void *)(f->bytes + table->sh_offset);
	for (uint64_t n = table->sh_size / sizeof *s; n-- > 0; s++) {
		if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || address - s->st_value >= s->st_size || s->st_name >= names->sh_size)
			continue;
		size_t room = names->sh_size - s->st_name;
		room = room < size ? room : size;
		strncpy(ret_name, f->bytes + names->sh_offset + s->st_name, room);
		ret_name[room - 1] = '\0';
		*ret_offset = address - s->st_value;
		return 0;
	}
	return -ENOENT;
}

int symbol_self(const char *file, uint64_t address, char *ret_name, size_t size, uint64_t *ret_offset)
{
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	void *p = r < 0 || st.st_size == 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return r < 0 ? r : -ENOENT;
	struct file f = { p, (size_t)st.st_size };
	r = find(&f, address, ret_name, size, ret_offset);
	munmap(p, f.size);
	return r;
}
