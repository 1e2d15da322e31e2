#include "dig/profile/profile_space.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "dig/profile/profile_bpf.bpf.h"
#include "dig/unwind/unwind_compact.h"
#include "source/cgroup/cgroup.h"

#ifndef BPF_F_INNER_MAP
#define BPF_F_INNER_MAP (1u << 12)
#endif

struct file_rows {
	const struct image *image;
	uint32_t table; /* its number */
	uint32_t nrows; /* 0: none, or no room */
	uint64_t base;
};

struct profile_spaces {
	int spaces_fd, tables_fd;
	struct image_store *store;
	VEC(struct profile_space) space;
	VEC(struct file_rows) file;
	struct map file_of_image;
	uint32_t ntables;
	struct profile_spaces_statistics statistics;
};

int profile_spaces_new(int spaces_fd, int tables_fd, struct profile_spaces **ret)
{
	struct profile_spaces *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	int r = image_store_new(&s->store);
	if (r < 0) {
		free(s);
		return r;
	}
	s->spaces_fd = spaces_fd;
	s->tables_fd = tables_fd;
	*ret = s;
	return 0;
}

void profile_spaces_free(struct profile_spaces *s)
{
	if (!s)
		return;
	vec_each(space, &s->space)
		address_space_free(space->space);
	vec_free(&s->space);
	vec_free(&s->file);
	map_deinit(&s->file_of_image);
	image_store_free(s->store);
	free(s);
}

/* ---- layout ---- */

uint64_t profile_layout_parse(struct span stat)
{
	struct span after, word;
	uint64_t value[29] = { 0 };

	/* The name in brackets may hold anything, brackets too; the state behind it is the third field. */
	if (!span_until_last(&stat, ')', &after))
		return 0;
	for (unsigned i = 3; i <= 28; i++) {
		if (!span_word(&after, &word))
			return 0;
		if (i >= 26 && !span_u64(word, &value[i]))
			return 0;
	}
	uint64_t start = value[26], end = value[27], stack = value[28];
	return start > 1 && stack ? ((start * 31 + end) * 31 + stack) | 1 : 0;
}

static ssize_t read_small(int pid, const char *name, char *to, size_t size)
{
	char path[48];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : read(fd, to, size);
}

uint64_t profile_layout(int pid)
{
	char text[1024];
	ssize_t n = read_small(pid, "stat", text, sizeof text);

	return n > 0 ? profile_layout_parse((struct span){ text, (size_t)n }) : 0;
}

/* ---- rows ---- */

/* A map of just the right size, filled by memory. */
static int make_map(const char *name, size_t value_size, const void *values, size_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	size_t size = (n * value_size + 4095) & ~(size_t)4095;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), (uint32_t)value_size, (uint32_t)n, &options);

	if (fd < 0)
		return fd;
	void *to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (to == MAP_FAILED) {
		close(fd);
		return -errno;
	}
	memcpy(to, values, n * value_size);
	munmap(to, size);
	return fd;
}

static int load_rows(struct profile_spaces *s, const struct unwind_compact_row *rows, size_t n, uint32_t *ret)
{
	if (s->ntables == PROFILE_TABLES || s->statistics.rows + n > PROFILE_ROWS_MAX) {
		s->statistics.left_out++;
		return -ENOSPC;
	}
	cleanup(close_fd) int fd = make_map("unwind_rows", sizeof *rows, rows, n);
	if (fd < 0)
		return fd;
	uint32_t number = s->ntables;
	if (bpf_map_update_elem(s->tables_fd, &number, &fd, BPF_ANY) < 0)
		return -errno;
	s->ntables++;
	s->statistics.rows += n;
	*ret = number;
	return 0;
}

static void make_rows(struct profile_spaces *s, struct image *i, struct file_rows *f)
{
	const struct unwind_table *t = i->elf ? image_unwind_table(i) : NULL;
	struct unwind_compact_row *rows;
	size_t n;

	if (!t || t->nrows == 0 || unwind_compact(t, &rows, &n) < 0) {
		s->statistics.without++;
		return;
	}
	if (n && n <= UINT32_MAX && load_rows(s, rows, n, &f->table) == 0) {
		f->nrows = (uint32_t)n;
		f->base = t->base;
	}
	free(rows);
}

static int rows_of(struct profile_spaces *s, struct image *i, const struct file_rows **ret)
{
	uint32_t known = map_get(&s->file_of_image, (uintptr_t)i);

	if (known == MAP_NONE) {
		struct file_rows *f = vec_push(&s->file);
		known = (uint32_t)(s->file.n - 1);
		if (!f || map_set(&s->file_of_image, (uintptr_t)i, known) < 0)
			return -ENOMEM;
		f->image = i;
		make_rows(s, i, f);
		s->statistics.files++;
	}
	*ret = &s->file.v[known];
	return 0;
}

/* ---- ranges ---- */

static int give(struct profile_spaces *s, const struct profile_space *p)
{
	VEC(struct profile_range) ranges = { 0 };
	struct profile_range *head = vec_push(&ranges);
	int r = head ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < p->space->map.mapping.n; i++) {
		const struct mapping *m = &p->space->map.mapping.v[i];
		const struct file_rows *rows = NULL;
		struct place place;

		if (!(m->flags & MAPPING_EXECUTE))
			continue;
		struct profile_range *range = vec_push(&ranges);
		if (!range) {
			r = -ENOMEM;
			break;
		}
		*range = (struct profile_range){ .start = m->start, .end = m->end };
		if (!address_space_find(p->space, m->start, &place) || !place.image || !place.image->elf)
			continue;
		r = rows_of(s, place.image, &rows);
		if (r == 0 && rows->nrows) {
			range->bias = place.bias + rows->base;
			range->table = rows->table;
			range->nrows = rows->nrows;
		}
	}
	if (r == 0) {
		uint32_t key = (uint32_t)p->pid;

		ranges.v[0] = (struct profile_range){ .bias = p->layout, .nrows = (uint32_t)(ranges.n - 1) };
		cleanup(close_fd) int fd = make_map("code_ranges", sizeof ranges.v[0], ranges.v, ranges.n);
		r = fd < 0 ? fd : bpf_map_update_elem(s->spaces_fd, &key, &fd, BPF_ANY) < 0 ? -errno : 0;
	}
	vec_free(&ranges);
	return r;
}

/* ---- spaces ---- */

static struct profile_space *find_exactly(struct profile_spaces *s, int pid, uint64_t layout)
{
	vec_each(p, &s->space)
		if (p->pid == pid && p->layout == layout)
			return p;
	return NULL;
}

struct profile_space *profile_spaces_find(struct profile_spaces *s, int pid, uint64_t layout)
{
	struct profile_space *p = find_exactly(s, pid, layout);

	if (p)
		return p;
	vec_each(other, &s->space)
		if (other->layout == layout)
			return other;
	return NULL;
}

static void read_cgroup(struct profile_space *p)
{
	char text[4096];
	ssize_t n = read_small(p->pid, "cgroup", text, sizeof text);

	if (n <= 0 || cgroup_of_task_parse((struct span){ text, (size_t)n }, CGROUP_CPU, p->cgroup, sizeof p->cgroup) < 0)
		p->cgroup[0] = '\0';
}

int profile_spaces_load(struct profile_spaces *s, int pid, struct note *note)
{
	uint64_t layout = profile_layout(pid);
	struct profile_space *p = find_exactly(s, pid, layout);
	struct address_space *space;
	int r;

	if (layout == 0)
		return note_set(note, -ESRCH, "process %d has no memory of its own, or has ended", pid);
	if (p) {
		r = address_space_refresh(p->space);
	} else {
		if ((r = address_space_of_process(s->store, pid, &space, note)) < 0)
			return r;
		/* An exec in between: the maps are of the new program, and so is the layout from now on. */
		uint64_t now = profile_layout(pid);
		if (!(p = vec_push(&s->space))) {
			address_space_free(space);
			return -ENOMEM;
		}
		*p = (struct profile_space){ .pid = pid, .layout = now ? now : layout, .space = space };
		read_cgroup(p);
		s->statistics.processes++;
	}
	if (r < 0 || s->spaces_fd < 0)
		return r;
	return give(s, p);
}

void profile_spaces_statistics(const struct profile_spaces *s, struct profile_spaces_statistics *ret)
{
	*ret = s->statistics;
}
