#include "target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tool.h"

void target_process(int pid, struct target *ret)
{
	char *name = text_of("/proc/%d/maps", pid), line[4400];
	FILE *f = fopen(name, "re");
	struct target t = { .pid = pid };

	if (!f)
		fail("%s: %m", name);
	while (fgets(line, sizeof line, f)) {
		uint64_t start, end, offset;
		int path = 0;
		if (sscanf(line, "%jx-%jx %*s %jx %*s %*s %n", &start, &end, &offset, &path) < 3 || line[path] != '/')
			continue;
		line[strcspn(line, "\n")] = '\0';
		ADD(t.mappings, t.nmappings) = (struct target_mapping){ start, end, offset, text_of("%s", line + path) };
	}
	fclose(f);
	*ret = t;
}

/* NT_FILE: how many, the page size, three words for each, and their names one behind the other. */
static void files_read(struct target *t, const char *p, size_t n)
{
	uint64_t count, page, entry[3];

	if (n < 16)
		return;
	memcpy(&count, p, 8);
	memcpy(&page, p + 8, 8);
	if (count > n / 24 || 16 + count * 24 > n)
		return;
	const char *name = p + 16 + count * 24, *end = p + n;
	for (uint64_t i = 0; i < count && name < end; i++) {
		memcpy(entry, p + 16 + i * 24, 24);
		size_t length = strnlen(name, (size_t)(end - name));
		ADD(t->mappings, t->nmappings) =
			(struct target_mapping){ entry[0], entry[1], entry[2] * page, text_of("%.*s", (int)length, name) };
		name += length + 1;
	}
}

static void notes_read(struct target *t, uint64_t offset, uint64_t bytes)
{
	char *notes = bytes < 64u << 20 ? get(bytes) : NULL;

	if (!notes || pread(t->core, notes, bytes, (off_t)offset) != (ssize_t)bytes)
		return;
	for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= bytes;) {
		Elf64_Nhdr h;
		memcpy(&h, notes + at, sizeof h);
		uint64_t desc = at + sizeof h + ((h.n_namesz + 3u) & ~3ull);
		if (desc > bytes || h.n_descsz > bytes - desc)
			return;
		if (h.n_type == NT_FILE)
			files_read(t, notes + desc, h.n_descsz);
		at = desc + ((h.n_descsz + 3u) & ~3ull);
	}
}

void target_core(const char *path, struct target *ret)
{
	struct target t = { .core = open(path, O_RDONLY | O_CLOEXEC) };
	Elf64_Ehdr h;

	if (t.core < 0)
		fail("%s: %m", path);
	if (pread(t.core, &h, sizeof h, 0) != sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_type != ET_CORE || h.e_phentsize != sizeof(Elf64_Phdr))
		fail("%s is no core file of a 64-bit process", path);
	for (unsigned i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;
		if (pread(t.core, &p, sizeof p, (off_t)(h.e_phoff + i * sizeof p)) != sizeof p)
			fail("%s is cut", path);
		if (p.p_type == PT_LOAD)
			ADD(t.segments, t.nsegments) = (struct target_segment){ p.p_vaddr, p.p_filesz, p.p_offset };
		else if (p.p_type == PT_NOTE)
			notes_read(&t, p.p_offset, p.p_filesz);
	}
	*ret = t;
}

static int read_file(const struct target *t, uint64_t address, void *ret, size_t bytes)
{
	for (size_t i = 0; i < t->nmappings; i++) {
		const struct target_mapping *m = &t->mappings[i];
		if (address < m->start || address >= m->end || bytes > m->end - address)
			continue;
		int fd = open(m->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -EFAULT;
		ssize_t n = pread(fd, ret, bytes, (off_t)(m->offset + address - m->start));
		close(fd);
		return n == (ssize_t)bytes ? 0 : -EFAULT;
	}
	return -EFAULT;
}

int target_read(void *target, uint64_t address, void *ret, size_t bytes)
{
	struct target *t = target;

	if (t->pid) {
		struct iovec to = { ret, bytes }, from = { (void *)(uintptr_t)address, bytes };
		return process_vm_readv(t->pid, &to, 1, &from, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
	}
	for (size_t i = 0; i < t->nsegments; i++) {
		const struct target_segment *s = &t->segments[i];
		if (address - s->start < s->bytes && bytes <= s->bytes - (address - s->start))
			return pread(t->core, ret, bytes, (off_t)(s->offset + address - s->start)) == (ssize_t)bytes ? 0 : -EFAULT;
	}
	return read_file(t, address, ret, bytes);
}
