#include "dig/core/core_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "dig/core/core_output.h"
#include "dig/core/core_page.h"

/* A hole costs an extent and cuts a write in two: a core full of single pages of zeros would reach a disk in
 * pieces of a few pages, some hundred times slower than in one. */
#define HOLE_MIN (UINT32_C(64) << 10)

/* ---- name and space ---- */

static int open_directory(const char *path, char **ret_name, int *ret)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);
	char *directory = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	int r = -ENOMEM;

	if (name && directory) {
		*ret = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = *ret < 0 ? -errno : 0;
	}
	free(directory);
	if (r < 0)
		free(name);
	else
		*ret_name = name;
	return r;
}

/* Without a name where the file system can, else as NAME.part. */
static int open_unnamed(int directory, const char *name, int *ret, char **ret_part)
{
	char *part;
	int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)) {
		*ret = fd;
		*ret_part = NULL;
		return fd < 0 ? -errno : 0;
	}
	if (asprintf(&part, "%s.part", name) < 0)
		return -ENOMEM;
	fd = openat(directory, part, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		int r = -errno;

		free(part);
		return r;
	}
	*ret = fd;
	*ret_part = part;
	return 0;
}

static int open_spool(struct core_file *f, struct note *note)
{
	const char *directory = getenv("TMPDIR");

	if (!directory || directory[0] != '/')
		directory = "/var/tmp";
	f->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return note_set(note, -errno, "a temporary file in %s: %s (TMPDIR names another place)", directory,
				strerror(errno));
	return 0;
}

static int open_named(struct core_file *f, const char *path, struct note *note)
{
	struct stat st;
	int r = open_directory(path, &f->name, &f->directory);

	if (r < 0)
		return note_set(note, r, "%s: its directory: %s", path, strerror(-r));
	if (f->name[0] == '\0' || strcmp(f->name, ".") == 0 || strcmp(f->name, "..") == 0)
		return note_set(note, -EISDIR, "%s is no name for a file", path);
	if (fstatat(f->directory, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISREG(st.st_mode))
			return note_set(note, -EEXIST, "%s is there and is no ordinary file", path);
		if (!f->replace)
			return note_set(note, -EEXIST, "%s is there already; --force replaces it", path);
	}
	r = open_unnamed(f->directory, f->name, &f->fd, &f->part);
	if (r < 0)
		return note_set(note, r, "%s: %s", path, strerror(-r));
	return 0;
}

int core_file_new(const char *path, bool replace, uint64_t segments, uint64_t notes_bytes, struct core_file *ret,
		  struct note *note)
{
	struct core_file f = { .fd = -1, .directory = -1, .replace = replace };
	int r = strcmp(path, "-") == 0 ? open_spool(&f, note) : open_named(&f, path, note);

	if (r < 0) {
		core_file_deinit(&f);
		return r;
	}
	f.header_zone = page_up(sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr) + (segments * 2 + 256) * sizeof(Elf64_Phdr) +
				notes_bytes * 2 + 65536);
	f.end = f.header_zone;
	*ret = f;
	return 0;
}

void core_file_deinit(struct core_file *f)
{
	if (f->part)
		unlinkat(f->directory, f->part, 0);
	close_fd(&f->fd);
	close_fd(&f->directory);
	f->fd = f->directory = -1;
	free(f->part);
	free(f->name);
	f->part = f->name = NULL;
	vec_free(&f->extent);
}

uint64_t core_file_free_bytes(const struct core_file *f)
{
	struct statvfs st;

	if (fstatvfs(f->fd, &st) < 0)
		return UINT64_MAX;
	return (uint64_t)(geteuid() == 0 ? st.f_bfree : st.f_bavail) * st.f_frsize;
}

/* ---- places ---- */

/* The first that ends behind `address`. */
static size_t extent_at(const struct core_file *f, uint64_t address)
{
	size_t low = 0, high = f->extent.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->extent.v[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int extent_insert(struct core_file *f, size_t at, uint64_t start, uint64_t end)
{
	if (!vec_push(&f->extent))
		return -ENOMEM;
	struct core_extent *e = &f->extent.v[at];

	memmove(e + 1, e, (f->extent.n - 1 - at) * sizeof *e);
	*e = (struct core_extent){ start, end, f->end };
	f->end += end - start;
	return 0;
}

int core_file_place(struct core_file *f, uint64_t start, uint64_t end)
{
	while (start < end) {
		size_t i = extent_at(f, start);
		const struct core_extent *e = i < f->extent.n ? &f->extent.v[i] : NULL;

		if (e && e->start <= start) {
			start = e->end;
			continue;
		}
		uint64_t until = e && e->start < end ? e->start : end;

		if (extent_insert(f, i, start, until) < 0)
			return -ENOMEM;
		start = until;
	}
	return 0;
}

int core_file_reset(struct core_file *f)
{
	f->extent.n = 0;
	f->end = f->header_zone;
	/* ext4 takes a file that was cut to nothing for one that is replaced, and its close waits for blocks. */
	if (!f->written_bytes)
		return 0;
	f->written_bytes = 0;
	return ftruncate(f->fd, 0) < 0 ? -errno : 0;
}

bool core_file_holds(const struct core_file *f, uint64_t start, uint64_t end)
{
	while (start < end) {
		size_t i = extent_at(f, start);

		if (i == f->extent.n || f->extent.v[i].start > start)
			return false;
		start = f->extent.v[i].end;
	}
	return true;
}

/* ---- contents ---- */

int core_file_read(const struct core_file *f, uint64_t address, void *to, size_t n)
{
	size_t i = extent_at(f, address);

	if (i == f->extent.n || f->extent.v[i].start > address)
		return -EIO;
	uint64_t offset = f->extent.v[i].offset + (address - f->extent.v[i].start);

	return pread(f->fd, to, n, (off_t)offset) == (ssize_t)n ? 0 : -EIO;
}

static int write_at(struct core_file *f, const char *data, size_t n, uint64_t offset)
{
	while (n) {
		ssize_t done = pwrite(f->fd, data, n, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -ENOSPC;
		f->written_bytes += (uint64_t)done;
		data += done;
		offset += (uint64_t)done;
		n -= (size_t)done;
	}
	return 0;
}

/* What holds something, in few long writes: only HOLE_MIN of zeros and more is left out within. */
static int write_pages(struct core_file *f, const char *data, size_t n, uint64_t offset)
{
	size_t page = page_size(), from = 0, until = 0;
	int r = 0;

	for (size_t at = 0; r == 0 && at < n; at += page) {
		if (page_is_zero(data + at))
			continue;
		if (at - until >= HOLE_MIN || until == 0) {
			r = write_at(f, data + from, until - from, offset + from);
			from = at;
		}
		until = at + page;
	}
	return r == 0 ? write_at(f, data + from, until - from, offset + from) : r;
}

int core_file_write(struct core_file *f, uint64_t address, const void *data, size_t n, bool fresh)
{
	const char *from = data;

	while (n) {
		size_t i = extent_at(f, address);
		const struct core_extent *e = i < f->extent.n ? &f->extent.v[i] : NULL;

		if (!e || e->start > address)
			return -EINVAL;
		size_t part = e->end - address < n ? (size_t)(e->end - address) : n;
		uint64_t offset = e->offset + (address - e->start);
		int r = fresh ? write_pages(f, from, part, offset) : write_at(f, from, part, offset);

		if (r < 0)
			return r;
		from += part;
		address += part;
		n -= part;
	}
	return 0;
}

static int write_zeros(struct core_file *f, uint64_t offset, uint64_t n)
{
	static const char zeros[65536];
	int r = 0;

	for (; r == 0 && n; offset += sizeof zeros) {
		size_t part = n < sizeof zeros ? (size_t)n : sizeof zeros;

		r = write_at(f, zeros, part, offset);
		n -= part;
	}
	return r;
}

static int make_hole(struct core_file *f, uint64_t offset, uint64_t n)
{
	off_t data = lseek(f->fd, (off_t)offset, SEEK_DATA);

	/* Most such ranges never held anything. */
	if ((data < 0 && errno == ENXIO) || data >= (off_t)(offset + n))
		return 0;
	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)n) == 0)
		return 0;
	return errno == EOPNOTSUPP || errno == ENOSYS ? write_zeros(f, offset, n) : -errno;
}

int core_file_clear(struct core_file *f, uint64_t start, uint64_t end)
{
	int r = 0;

	for (size_t i = extent_at(f, start); r == 0 && i < f->extent.n && f->extent.v[i].start < end; i++) {
		const struct core_extent *e = &f->extent.v[i];
		uint64_t from = e->start > start ? e->start : start, to = e->end < end ? e->end : end;

		if (from < to)
			r = make_hole(f, e->offset + (from - e->start), to - from);
	}
	return r;
}

/* ---- headers ---- */

typedef VEC(Elf64_Phdr) header_vec;

static int push_header(header_vec *v, const struct core_segment *s, uint64_t start, uint64_t end, uint64_t offset,
		       uint64_t file_bytes)
{
	Elf64_Phdr *h = vec_push(v);

	if (!h)
		return -ENOMEM;
	*h = (Elf64_Phdr){ .p_type = PT_LOAD,
			   .p_flags = s->flags,
			   .p_offset = offset,
			   .p_vaddr = start,
			   .p_filesz = file_bytes,
			   .p_memsz = end - start,
			   .p_align = page_size() };
	return 0;
}

/* A segment for every range that its bytes lie in; what has none hangs on the last. */
static int segment_headers(const struct core_file *f, const struct core_segment *s, header_vec *v)
{
	uint64_t start = s->start, bytes_end = s->start + s->file_bytes;

	while (start < bytes_end) {
		size_t i = extent_at(f, start);
		const struct core_extent *e = i < f->extent.n ? &f->extent.v[i] : NULL;

		if (!e || e->start > start)
			return -EINVAL;
		uint64_t bytes = (e->end < bytes_end ? e->end : bytes_end) - start;
		uint64_t end = start + bytes < bytes_end ? start + bytes : s->end;

		if (push_header(v, s, start, end, e->offset + (start - e->start), bytes) < 0)
			return -ENOMEM;
		start = end;
	}
	return s->file_bytes ? 0 : push_header(v, s, s->start, s->end, f->end, 0);
}

static int write_headers(struct core_file *f, const struct core_finish *how, header_vec *v)
{
	bool many = v->n >= PN_XNUM;
	Elf64_Shdr extra = { .sh_size = many ? 1 : 0, .sh_info = (Elf64_Word)v->n };
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = how->machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof h + (many ? sizeof extra : 0),
		.e_ehsize = sizeof h,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = many ? PN_XNUM : (Elf64_Half)v->n,
		.e_shoff = many ? sizeof h : 0,
		.e_shentsize = many ? sizeof extra : 0,
		.e_shnum = many ? 1 : 0,
	};
	uint64_t size = v->n * sizeof *v->v, notes = h.e_phoff + size;

	if (notes + how->notes.n > f->header_zone) {
		h.e_phoff = page_up(f->end);
		notes = h.e_phoff + size;
		f->end = notes + how->notes.n;
	}
	v->v[0].p_offset = notes;
	int r = write_at(f, (const char *)v->v, size, h.e_phoff);

	if (r == 0)
		r = write_at(f, how->notes.p, how->notes.n, notes);
	if (r == 0 && many)
		r = write_at(f, (const char *)&extra, sizeof extra, h.e_shoff);
	if (r == 0 && ftruncate(f->fd, (off_t)f->end) < 0)
		r = -errno;
	return r == 0 ? write_at(f, (const char *)&h, sizeof h, 0) : r;
}

/* What was placed and is in no segment any more: the mapping has gone since. */
static int clear_unused(struct core_file *f, const struct core_finish *how)
{
	size_t s = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->extent.n; i++) {
		const struct core_extent e = f->extent.v[i];
		uint64_t at = e.start;

		while (s < how->nsegments && how->segment[s].end <= at)
			s++;
		for (size_t k = s; r == 0 && at < e.end; k++) {
			const struct core_segment *next = k < how->nsegments ? &how->segment[k] : NULL;
			uint64_t from = next && next->start < e.end ? next->start : e.end;

			if (from > at)
				r = core_file_clear(f, at, from);
			at = next && next->start < e.end ? next->start + next->file_bytes : e.end;
		}
	}
	return r;
}

int core_file_finish(struct core_file *f, const struct core_finish *how, uint64_t *ret_bytes,
		     uint64_t *ret_disk_bytes, struct note *note)
{
	header_vec v = { 0 };
	Elf64_Phdr *notes = vec_push(&v);
	int r = notes ? 0 : -ENOMEM;

	if (notes)
		*notes = (Elf64_Phdr){ .p_type = PT_NOTE, .p_filesz = how->notes.n, .p_align = 4 };
	for (size_t i = 0; r == 0 && i < how->nsegments; i++)
		r = segment_headers(f, &how->segment[i], &v);
	if (r == 0)
		r = clear_unused(f, how);
	if (r == 0)
		r = write_headers(f, how, &v);
	vec_free(&v);
	if (r < 0)
		return note_set(note, r, "writing the core: %s", strerror(-r));
	return core_output(f, how, ret_bytes, ret_disk_bytes, note);
}
