#include "dig/image/address_space.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "dig/image/target_memory.h"

#define PAGE_MASK 4095ull
#define VDSO_MAX (64u << 10)

struct image_store {
	VEC(struct image *) images;
	struct map by_file; /* hash of device, inode, path */
};

int image_store_new(struct image_store **ret)
{
	struct image_store *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

static void image_free(struct image *i)
{
	if (i->unwind && i->free_unwind)
		i->free_unwind(i->unwind);
	if (i->symbols && i->free_symbols)
		i->free_symbols(i->symbols);
	void *copied = i->elf && i->elf->fd < 0 ? (void *)(uintptr_t)i->elf->memory.p : NULL;
	elf_image_free(i->elf);
	free(copied);
	free((void *)(uintptr_t)i->path);
	free(i);
}

void image_store_free(struct image_store *s)
{
	if (!s)
		return;
	vec_each(i, &s->images)
		image_free(*i);
	vec_free(&s->images);
	map_deinit(&s->by_file);
	free(s);
}

/* ---- opening ---- */

static int open_map_file(int pid, const struct mapping *m)
{
	char path[96];

	snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	return open_regular(path);
}

/* The path as the target sees it; another file may stand there by now. The device is not compared: on btrfs and
 * overlayfs maps and stat tell different ones. */
static int open_by_path(int pid, const struct mapping *m)
{
	char path[4096 + 32];
	struct stat s;

	if (m->name[0] != '/' || m->deleted)
		return -ENOENT;
	snprintf(path, sizeof path, "/proc/%d/root%s", pid, m->name);
	int fd = open_regular(path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &s) < 0 || s.st_ino != m->inode) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static int open_file_of(struct address_space *a, const struct mapping *m)
{
	if (a->open_file)
		return a->open_file(a->arg, m);
	int fd = open_map_file(a->pid, m);
	return fd >= 0 ? fd : open_by_path(a->pid, m);
}

static const char *why_not_opened(int negative_errno)
{
	switch (-negative_errno) {
	case ENOENT: return "the file is gone";
	case ESTALE: return "another file stands at its path by now";
	case EACCES:
	case EPERM: return "not permitted: needs root";
	default: return strerror(-negative_errno);
	}
}

static int open_vdso(struct address_space *a, const struct mapping *m, struct elf_image **ret, struct note *note)
{
	size_t n = m->end - m->start;

	if (n > VDSO_MAX || !a->read)
		return note_set(note, -ENOENT, "its memory cannot be read");
	char *copy = malloc(n);
	if (!copy)
		return -ENOMEM;
	int r = a->read(a->arg, m->start, copy, n);
	if (r >= 0)
		r = elf_image_open_memory((struct span){ copy, n }, ret, note);
	else
		r = note_set(note, r, "its memory cannot be read");
	if (r < 0)
		free(copy);
	return r;
}

static int open_image(struct address_space *a, const struct mapping *m, struct image *i)
{
	struct note note = { 0 };
	int r;

	if (strcmp(m->name, "[vdso]") == 0) {
		r = open_vdso(a, m, &i->elf, &note);
	} else {
		int fd = open_file_of(a, m);
		if (fd < 0)
			note_set(&note, fd, "%s", why_not_opened(fd));
		r = fd < 0 ? fd : elf_image_open_fd(fd, &i->elf, &note);
	}
	if (r < 0)
		snprintf(i->why, sizeof i->why, "%s", note.text);
	return r == -ENOMEM ? r : 0;
}

/* Whose file it is: the vDSO is one per kernel and word size, so one for all. */
static uint64_t key_of(const struct address_space *a, const struct mapping *m)
{
	struct {
		uint64_t device, inode, name;
	} key = { makedev(m->device_major, m->device_minor), m->inode, 0 };

	/* Files of a core have no inode. */
	if (a->open_file || m->inode == 0)
		key.name = map_hash(m->name, strlen(m->name));
	return map_hash(&key, sizeof key);
}

static struct image *new_image(struct address_space *a, const struct mapping *m)
{
	struct image *i = calloc(1, sizeof *i);
	char *path = strdup(m->name);

	if (!i || !path) {
		free(i);
		free(path);
		return NULL;
	}
	*i = (struct image){ .path = path, .device = makedev(m->device_major, m->device_minor), .inode = m->inode,
			     .opened_pid = a->pid };
	return i;
}

static struct image *image_of(struct address_space *a, const struct mapping *m)
{
	struct image_store *s = a->store;
	uint64_t key = key_of(a, m);
	uint32_t known = map_get(&s->by_file, key);

	if (known != MAP_NONE)
		return s->images.v[known];
	struct image *i = new_image(a, m), **place = i ? vec_push(&s->images) : NULL;
	if (place && map_set(&s->by_file, key, (uint32_t)(s->images.n - 1)) < 0) {
		s->images.n--;
		place = NULL;
	}
	if (!place) {
		if (i)
			image_free(i);
		return NULL;
	}
	*place = i;
	if (open_image(a, m, i) < 0)
		snprintf(i->why, sizeof i->why, "out of memory");
	return i;
}

/* ---- placing ---- */

/* How well a segment fits a mapping: the better, the greater. */
enum fit { FITS_NOT, FITS_WITHIN, FITS_FROM_ITS_BEGINNING, FITS_KIND = 4 };

static int fit_of(const Elf64_Phdr *p, const struct mapping *m)
{
	uint64_t slack = p->p_vaddr & PAGE_MASK, first = p->p_offset - slack;
	bool code = m->flags & MAPPING_EXECUTE;

	if (p->p_type != PT_LOAD || p->p_offset < slack || m->offset < first || m->offset - first >= p->p_filesz + slack)
		return FITS_NOT;
	return (code == !!(p->p_flags & PF_X) ? FITS_KIND : 0) + (m->offset == first ? FITS_FROM_ITS_BEGINNING : FITS_WITHIN);
}

/* The kernel maps whole pages: a segment's first page begins before it, and a page that two segments share is mapped twice. So of
 * the segments that hold the mapping's first page the one counts that is code as it is, and then the one that begins there. */
static bool find_bias(const struct elf_image *e, const struct mapping *m, uint64_t *ret)
{
	int best = FITS_NOT;

	for (size_t i = 0; i < e->nsegments; i++) {
		const Elf64_Phdr *p = &e->segment[i];
		uint64_t slack = p->p_vaddr & PAGE_MASK;
		int fit = fit_of(p, m);
		if (fit <= best)
			continue;
		best = fit;
		*ret = m->start - (p->p_vaddr - slack + (m->offset - (p->p_offset - slack)));
	}
	return best != FITS_NOT;
}

static bool has_file(const struct mapping *m)
{
	return m->inode != 0 || m->name[0] == '/' || strcmp(m->name, "[vdso]") == 0;
}

static void try_mapping(struct address_space *a, size_t at)
{
	const struct mapping *m = &a->map.mapping.v[at];
	struct image_of_mapping *of = &a->images.v[at];

	of->tried = true;
	if (!has_file(m))
		return;
	of->image = image_of(a, m);
	/* A file that no segment of its own places here is data: an archive, a database. */
	if (of->image && of->image->elf && !find_bias(of->image->elf, m, &of->bias))
		of->image = NULL;
}

bool address_space_find(struct address_space *a, uint64_t address, struct place *ret)
{
	const struct mapping *m = memory_map_find(&a->map, address);

	if (!m)
		return false;
	size_t at = (size_t)(m - a->map.mapping.v);
	if (!a->images.v[at].tried)
		try_mapping(a, at);
	*ret = (struct place){ m, a->images.v[at].image, a->images.v[at].bias };
	return true;
}

/* ---- spaces ---- */

static int make_images(struct address_space *a)
{
	vec_free(&a->images);
	if (a->map.mapping.n && vec_reserve(&a->images, a->map.mapping.n) < 0)
		return -ENOMEM;
	a->images.n = a->map.mapping.n;
	for (size_t i = 0; i < a->images.n; i++)
		a->images.v[i] = (struct image_of_mapping){ 0 };
	return 0;
}

static int read_process(void *arg, uint64_t address, void *to, size_t n)
{
	const struct address_space *a = arg;

	return target_memory_read(a->pid, address, to, n);
}

static int note_maps(struct note *note, int r, int pid)
{
	switch (-r) {
	case ESRCH: return note_set(note, r, "there is no process %d", pid);
	case EACCES:
	case EPERM:
		return note_set(note, r, "the mappings of process %d are closed to us: run as its user, or as root "
				"(CAP_SYS_PTRACE)", pid);
	case ETIMEDOUT:
		return note_set(note, r, "the mappings of process %d cannot be read: its mmap_lock is held", pid);
	default: return note_set(note, r, "the mappings of process %d: %s", pid, strerror(-r));
	}
}

/* A first thread that has ended before the others has no memory any more: /proc/PID/maps is empty then, while
 * /proc/TID/maps of the others is not. */
static int read_maps_of_others(int pid, int *ret_task, struct memory_map *ret)
{
	char path[32];
	struct dirent *e;
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *d = opendir(path);
	while (r >= 0 && d && ret->mapping.n == 0 && (e = readdir(d))) {
		uint64_t tid;
		if (!span_u64(span_from(e->d_name), &tid) || tid == (uint64_t)pid)
			continue;
		r = memory_map_read((int)tid, ret);
		if (r == -ESRCH)
			r = 0;
		*ret_task = (int)tid;
	}
	if (d)
		closedir(d);
	if (ret->mapping.n == 0)
		*ret_task = pid;
	return r;
}

int address_space_of_process(struct image_store *s, int pid, struct address_space **ret, struct note *note)
{
	struct address_space *a = NULL;
	struct memory_map map = { 0 };
	int task = pid, r = memory_map_read(pid, &map);

	if (r >= 0 && map.mapping.n == 0)
		r = read_maps_of_others(pid, &task, &map);

	if (r < 0)
		return note_maps(note, r, pid);
	r = address_space_of_map(s, &map, &a);
	if (r < 0)
		return note_maps(note, r, pid);
	a->pid = task;
	a->read = read_process;
	a->arg = a;
	*ret = a;
	return 0;
}

int address_space_of_map(struct image_store *s, struct memory_map *map, struct address_space **ret)
{
	struct address_space *a = calloc(1, sizeof *a);

	if (!a) {
		memory_map_deinit(map);
		return -ENOMEM;
	}
	a->store = s;
	a->map = *map;
	*map = (struct memory_map){ 0 };
	if (make_images(a) < 0) {
		address_space_free(a);
		return -ENOMEM;
	}
	*ret = a;
	return 0;
}

int address_space_refresh(struct address_space *a)
{
	struct memory_map map = { 0 };

	if (!a->pid)
		return -EOPNOTSUPP;
	int r = memory_map_read(a->pid, &map);
	if (r < 0)
		return r;
	memory_map_deinit(&a->map);
	a->map = map;
	r = make_images(a);
	if (r < 0)
		memory_map_deinit(&a->map);
	return r;
}

void address_space_free(struct address_space *a)
{
	if (!a)
		return;
	memory_map_deinit(&a->map);
	vec_free(&a->images);
	free(a);
}

int address_space_read(struct address_space *a, uint64_t address, void *to, size_t n)
{
	struct place p;

	if (a->read && a->read(a->arg, address, to, n) == 0)
		return 0;
	if (!address_space_find(a, address, &p) || !p.image || !p.image->elf || p.mapping->end - address < n)
		return -EFAULT;
	return elf_image_read(p.image->elf, address - p.mapping->start + p.mapping->offset, to, n) < 0 ? -EFAULT : 0;
}
