#include "dig/image/core_dump.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NOTES_MAX (256u << 20) /* of ten thousands of threads with their vector registers */
#define FILES_MAX 1000000
#define HEAD_BYTES 4096

/* ---- notes ---- */

static int take_thread(struct core_dump *c, struct span desc)
{
	struct elf_prstatus status;

	if (desc.n < sizeof status)
		return -EBADMSG;
	memcpy(&status, desc.p, sizeof status);
	struct core_thread *t = vec_push(&c->threads);
	if (!t)
		return -ENOMEM;
	t->tid = status.pr_pid;
	t->signal = status.pr_cursig;
	_Static_assert(sizeof t->registers == sizeof status.pr_reg, "registers of x86-64");
	memcpy(t->registers, &status.pr_reg, sizeof t->registers);
	return 0;
}

static void take_process(struct core_dump *c, struct span desc)
{
	struct elf_prpsinfo info;

	if (desc.n < sizeof info)
		return;
	memcpy(&info, desc.p, sizeof info);
	c->pid = info.pr_pid;
	span_copy((struct span){ info.pr_fname, strnlen(info.pr_fname, sizeof info.pr_fname) }, c->comm,
		  sizeof c->comm);
}

static void take_auxv(struct core_dump *c, struct span desc)
{
	Elf64_auxv_t a;

	for (; desc.n >= sizeof a; desc.p += sizeof a, desc.n -= sizeof a) {
		memcpy(&a, desc.p, sizeof a);
		if (a.a_type == AT_ENTRY)
			c->entry = a.a_un.a_val;
		else if (a.a_type == AT_SYSINFO_EHDR)
			c->vdso = a.a_un.a_val;
	}
}

static bool take_u64(struct span *s, uint64_t *ret)
{
	return span_take_bytes(s, ret, sizeof *ret);
}

static int read_notes(struct core_dump *c, const Elf64_Phdr *p, struct span *ret_files, char **ret_bytes)
{
	struct elf_note note;
	int r = 0;

	if (p->p_filesz > NOTES_MAX || *ret_bytes)
		return 0;
	char *bytes = malloc(p->p_filesz ? p->p_filesz : 1);
	if (!bytes)
		return -ENOMEM;
	*ret_bytes = bytes;
	r = elf_image_read(c->elf, p->p_offset, bytes, p->p_filesz);
	struct span notes = { bytes, r < 0 ? 0 : p->p_filesz };
	while (r >= 0 && elf_note_next(&notes, 4, &note)) {
		if (!span_is(note.name, "CORE"))
			continue;
		if (note.type == NT_PRSTATUS)
			r = take_thread(c, note.desc);
		else if (note.type == NT_PRPSINFO)
			take_process(c, note.desc);
		else if (note.type == NT_AUXV)
			take_auxv(c, note.desc);
		else if (note.type == NT_FILE)
			*ret_files = note.desc;
	}
	return r;
}

/* ---- mappings ---- */

struct file_range {
	uint64_t start, end, offset;
	struct span name;
};
typedef VEC(struct file_range) file_ranges;

/* count, page size; count times start, end, offset in pages; count names. */
static int parse_files(struct span desc, file_ranges *ret)
{
	uint64_t count, page;

	if (!take_u64(&desc, &count) || !take_u64(&desc, &page) || count > FILES_MAX || count > desc.n / 24)
		return 0;
	struct span names = { desc.p + count * 24, desc.n - count * 24 };
	for (uint64_t i = 0; i < count; i++) {
		struct file_range *f = vec_push(ret);
		const char *end = memchr(names.p, '\0', names.n);
		if (!f)
			return -ENOMEM;
		if (!end || !take_u64(&desc, &f->start) || !take_u64(&desc, &f->end) || !take_u64(&desc, &f->offset)) {
			ret->n--;
			return 0;
		}
		f->offset *= page;
		f->name = (struct span){ names.p, (size_t)(end - names.p) };
		names.n -= f->name.n + 1;
		names.p = end + 1;
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct mapping *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static const struct file_range *file_at(const file_ranges *files, uint64_t address)
{
	vec_each(f, files)
		if (address >= f->start && address < f->end)
			return f;
	return NULL;
}

static struct mapping mapping_of(const Elf64_Phdr *p)
{
	struct mapping m = { .start = p->p_vaddr, .end = p->p_vaddr + p->p_memsz, .name = "" };

	m.flags = (uint8_t)((p->p_flags & PF_R ? MAPPING_READ : 0) | (p->p_flags & PF_W ? MAPPING_WRITE : 0) |
			    (p->p_flags & PF_X ? MAPPING_EXECUTE : 0));
	return m;
}

static struct mapping *add_mapping(struct core_dump *c, struct mapping m)
{
	struct mapping *added = vec_push(&c->map.mapping);

	if (added)
		*added = m;
	return added;
}

static int add_segments(struct core_dump *c)
{
	for (size_t i = 0; i < c->elf->nsegments; i++) {
		const Elf64_Phdr *p = &c->elf->segment[i];
		if (p->p_type != PT_LOAD || p->p_memsz == 0 || p->p_vaddr + p->p_memsz < p->p_vaddr)
			continue;
		if (!add_mapping(c, mapping_of(p)))
			return -ENOMEM;
		uint64_t there = p->p_offset < c->elf->file_size ? c->elf->file_size - p->p_offset : 0;
		if (p->p_filesz > there)
			c->missing_bytes += p->p_filesz - there;
	}
	return 0;
}

/* By start, none over another: of two that overlap the first stays. */
static void sort_mappings(struct core_dump *c)
{
	struct mapping *v = c->map.mapping.v;
	size_t kept = 0;

	if (c->map.mapping.n)
		qsort(v, c->map.mapping.n, sizeof *v, by_start);
	for (size_t i = 0; i < c->map.mapping.n; i++)
		if (kept == 0 || v[i].start >= v[kept - 1].end)
			v[kept++] = v[i];
	c->map.mapping.n = kept;
}

/* gdb writes no segment for what it leaves to the files: code above all. */
static int add_files_alone(struct core_dump *c, const file_ranges *files)
{
	struct memory_map written = { .mapping = { c->map.mapping.v, c->map.mapping.n, 0 } };
	VEC(struct mapping) more = { 0 };
	int r = 0;

	vec_each(f, files) {
		if (f->start >= f->end || memory_map_find(&written, f->start))
			continue;
		struct mapping *m = vec_push(&more);
		if (!m) {
			r = -ENOMEM;
			break;
		}
		*m = (struct mapping){ .start = f->start, .end = f->end,
				       .flags = MAPPING_READ | MAPPING_EXECUTE, .name = "" };
	}
	vec_each(m, &more)
		if (r >= 0 && !add_mapping(c, *m))
			r = -ENOMEM;
	vec_free(&more);
	return r;
}

/* The buffer of names moves while it grows: places first, pointers then. */
static int name_mappings(struct core_dump *c, const file_ranges *files)
{
	cleanup(buf_deinit) struct buf places = { 0 };

	vec_each(m, &c->map.mapping) {
		const struct file_range *f = file_at(files, m->start);
		struct span name = f ? f->name : m->start == c->vdso && c->vdso ? SPAN("[vdso]") : SPAN("");
		size_t at = c->map.names.n;
		if (f)
			m->offset = f->offset + (m->start - f->start);
		if (buf_append(&places, &at, sizeof at) < 0 || buf_append(&c->map.names, name.p, name.n) < 0 ||
		    buf_append(&c->map.names, "", 1) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < c->map.mapping.n; i++) {
		size_t at;
		memcpy(&at, places.data + i * sizeof at, sizeof at);
		c->map.mapping.v[i].name = c->map.names.data + at;
	}
	return 0;
}

static int add_mappings(struct core_dump *c, const file_ranges *files)
{
	int r = add_segments(c);

	sort_mappings(c);
	if (r >= 0)
		r = add_files_alone(c, files);
	sort_mappings(c);
	return r < 0 ? r : name_mappings(c, files);
}

/* ---- opening ---- */

static int read_core(struct core_dump *c)
{
	struct span file_note = { 0 };
	file_ranges files = { 0 };
	char *bytes = NULL;
	int r = 0;

	for (size_t i = 0; i < c->elf->nsegments && r >= 0; i++)
		if (c->elf->segment[i].p_type == PT_NOTE)
			r = read_notes(c, &c->elf->segment[i], &file_note, &bytes);
	if (r >= 0)
		r = parse_files(file_note, &files);
	if (r >= 0)
		r = add_mappings(c, &files);
	vec_free(&files);
	free(bytes);
	return r;
}

static bool is_compressed(const char *path)
{
	static const unsigned char zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
	unsigned char magic[sizeof zstd];
	int fd = open_regular(path);
	bool is = fd >= 0 && pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, zstd, sizeof zstd) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

int core_dump_open(const char *path, const char *executable, struct core_dump **ret, struct note *note)
{
	struct core_dump *c = calloc(1, sizeof *c);
	int r = c ? elf_image_open(path, &c->elf, note) : -ENOMEM;

	if (r == -EBADMSG && is_compressed(path))
		note_set(note, r, "%s is compressed: zstd -d --sparse gives the core back", path);
	if (r >= 0 && (c->elf->header.e_type != ET_CORE || c->elf->header.e_machine != EM_X86_64))
		r = note_set(note, -EBADMSG, c->elf->header.e_type != ET_CORE ? "%s is an ELF file, but no core file" :
			     "%s is a core file of another machine", path);
	if (r >= 0) {
		c->path = strdup(path);
		c->executable = executable ? strdup(executable) : NULL;
		r = c->path && (!executable || c->executable) ? read_core(c) : -ENOMEM;
		if (r < 0)
			note_set(note, r, r == -ENOMEM ? "out of memory" : "%s is a damaged core file", path);
	}
	if (r >= 0 && c->threads.n == 0)
		r = note_set(note, -EBADMSG, "%s is a core file without threads: cut?", path);
	if (r < 0) {
		core_dump_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void core_dump_free(struct core_dump *c)
{
	if (!c)
		return;
	vec_free(&c->threads);
	memory_map_deinit(&c->map);
	elf_image_free(c->elf);
	free(c->path);
	free(c->executable);
	free(c);
}

/* ---- memory ---- */

int core_dump_read(const struct core_dump *c, uint64_t address, void *to, size_t n)
{
	for (size_t i = 0; i < c->elf->nsegments; i++) {
		const Elf64_Phdr *p = &c->elf->segment[i];
		if (p->p_type != PT_LOAD || address < p->p_vaddr || address - p->p_vaddr >= p->p_filesz ||
		    n > p->p_filesz - (address - p->p_vaddr))
			continue;
		return elf_image_read(c->elf, p->p_offset + (address - p->p_vaddr), to, n) < 0 ? -EFAULT : 0;
	}
	return -EFAULT;
}

static int read_space(void *arg, uint64_t address, void *to, size_t n)
{
	return core_dump_read(arg, address, to, n);
}

/* The kernel dumps the first page of each ELF file (coredump_filter bit 4, set by default): it tells which file ran. */
static bool same_file(const struct core_dump *c, const struct mapping *m, int fd)
{
	char head[HEAD_BYTES];
	struct elf_image *ran = NULL, *now = NULL;
	int copy = dup(fd);
	bool same = true;

	if (copy < 0 || m->offset != 0 || core_dump_read(c, m->start, head, sizeof head) < 0) {
		if (copy >= 0)
			close(copy);
		return true;
	}
	if (elf_image_open_fd(copy, &now, NULL) == 0 &&
	    elf_image_open_memory((struct span){ head, sizeof head }, &ran, NULL) == 0 && ran->build_id_size)
		same = ran->build_id_size == now->build_id_size &&
		       memcmp(ran->build_id, now->build_id, ran->build_id_size) == 0;
	elf_image_free(ran);
	elf_image_free(now);
	return same;
}

static const struct mapping *first_of_file(const struct address_space *a, const struct mapping *m)
{
	vec_each(f, &a->map.mapping)
		if (f->offset == 0 && strcmp(f->name, m->name) == 0)
			return f;
	return m;
}

static int open_file(void *arg, const struct mapping *m)
{
	struct core_dump *c = arg;
	const char *path = m->name;

	if (c->executable && c->entry) {
		const struct mapping *entry = memory_map_find(&c->opened->map, c->entry);
		if (entry && strcmp(entry->name, m->name) == 0)
			path = c->executable;
	}
	int fd = open_regular(path);
	if (fd < 0)
		return fd;
	if (same_file(c, first_of_file(c->opened, m), fd))
		return fd;
	close(fd);
	c->other_file = path;
	return -ESTALE;
}

int core_dump_space(struct core_dump *c, struct image_store *s, struct address_space **ret)
{
	int r = address_space_of_map(s, &c->map, ret);

	if (r < 0)
		return r;
	c->opened = *ret;
	(*ret)->open_file = open_file;
	(*ret)->read = read_space;
	(*ret)->arg = c;
	return 0;
}
