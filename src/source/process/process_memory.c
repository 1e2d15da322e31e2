#include "source/process/process_memory.h"

#include <errno.h>
#include <stdlib.h>

void process_memory_deinit(struct process_memory *m)
{
	vec_free(&m->files);
	vec_free(&m->mappings);
	buf_deinit(&m->paths);
	map_deinit(&m->seen);
}

struct span memory_file_path(const struct process_memory *m, const struct memory_file *f)
{
	return (struct span){ m->paths.data ? m->paths.data + f->path_at : "", f->path_n };
}

struct span memory_mapping_name(const struct process_memory *m, const struct memory_mapping *at)
{
	return (struct span){ m->paths.data ? m->paths.data + at->name_at : "", at->name_n };
}

static const struct {
	const char *name, *meaning;
} kinds[MEMORY_KINDS] = {
	[MEMORY_TEXT] = { "text", "code of the program and its libraries" },
	[MEMORY_FILE] = { "file", "data of mapped files" },
	[MEMORY_HEAP] = { "heap", "what brk gave: small allocations" },
	[MEMORY_STACK] = { "stack", "stack of the first thread" },
	[MEMORY_ANONYMOUS] = { "anonymous", "large allocations, arenas, stacks of other threads" },
	[MEMORY_SHARED] = { "shared", "shared memory: /dev/shm, memfd, System V" },
	[MEMORY_DEVICE] = { "device", "memory of drivers" },
	[MEMORY_KERNEL] = { "vdso", "pages that the kernel gives every process" },
};

const char *memory_kind_name(enum memory_kind kind)
{
	return kinds[kind].name;
}

const char *memory_kind_meaning(enum memory_kind kind)
{
	return kinds[kind].meaning;
}

/* One line of maps: "start-end perms offset dev inode   path". */
struct mapping {
	uint64_t start, end;
	bool executable;
	struct span path;
};

static bool mapping_parse(struct span line, struct mapping *ret)
{
	struct span range, perms, word, from;
	uint64_t start, end;

	if (!span_word(&line, &range) || !span_until(&range, '-', &from) || !span_hex(from, &start) ||
	    !span_hex(range, &end) || end < start || !span_word(&line, &perms) || perms.n != 4)
		return false;
	for (int i = 0; i < 3; i++) /* offset, device, inode */
		if (!span_word(&line, &word))
			return false;
	while (line.n && line.p[0] == ' ')
		line.p++, line.n--;
	*ret = (struct mapping){ .start = start, .end = end, .executable = perms.p[2] == 'x', .path = line };
	return true;
}

static bool ends(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p + s.n - n, with, n) == 0;
}

static enum memory_kind kind_of(const struct mapping *m)
{
	struct span path = m->path;

	if (path.n == 0 || span_starts(path, "[anon:") || span_starts(path, "/anon_hugepage"))
		return MEMORY_ANONYMOUS;
	if (span_is(path, "[heap]"))
		return MEMORY_HEAP;
	if (span_starts(path, "[stack"))
		return MEMORY_STACK;
	if (span_starts(path, "[anon_shmem:") || span_starts(path, "/dev/shm/") || span_starts(path, "/SYSV") ||
	    span_starts(path, "/memfd:") || span_starts(path, "/dev/zero"))
		return MEMORY_SHARED;
	if (path.p[0] == '[')
		return MEMORY_KERNEL;
	if (path.p[0] != '/' || span_starts(path, "/dev/"))
		return MEMORY_DEVICE;
	return m->executable ? MEMORY_TEXT : MEMORY_FILE;
}

/* Kernels differ in the rows they have; the size stands in the mapping itself. */
static const struct part_row {
	const char *name;
	size_t offset;
} part_rows[] = {
	{ "Rss:", offsetof(struct memory_part, resident_bytes) },
	{ "Pss:", offsetof(struct memory_part, proportional_bytes) },
	{ "Private_Dirty:", offsetof(struct memory_part, private_dirty_bytes) },
	{ "AnonHugePages:", offsetof(struct memory_part, huge_bytes) },
	{ "Private_Hugetlb:", offsetof(struct memory_part, huge_bytes) },
	{ "Shared_Hugetlb:", offsetof(struct memory_part, huge_bytes) },
	{ "Swap:", offsetof(struct memory_part, swap_bytes) },
	{ "Locked:", offsetof(struct memory_part, locked_bytes) },
};

static const struct part_row *row_named(struct span name)
{
	for (size_t i = 0; i < sizeof part_rows / sizeof part_rows[0]; i++)
		if (part_rows[i].name[0] == name.p[0] && span_is(name, part_rows[i].name))
			return &part_rows[i];
	return NULL;
}

static void add(reading *sum, uint64_t more)
{
	uint64_t v;

	*sum = __builtin_add_overflow(reading_or(*sum, 0), more, &v) || !reading_ok(v) ? READING_MALFORMED : v;
}

static void add_row(struct memory_part *part, size_t offset, uint64_t bytes)
{
	if (part)
		add((reading *)(void *)((char *)part + offset), bytes);
}

static const struct memory_part part_missing = {
	0, 0, READING_ABSENT, READING_ABSENT, READING_ABSENT, READING_ABSENT, READING_ABSENT, READING_ABSENT
};

static const char deleted[] = " (deleted)";

/* The row of a mapped file; a new one for a path not seen before. */
static int file_of(struct process_memory *m, const struct mapping *at, struct memory_file **ret)
{
	uint64_t key = map_hash(at->path.p, at->path.n);
	uint32_t known = map_get(&m->seen, key);

	if (known != MAP_NONE && known < m->files.n) {
		*ret = &m->files.v[known];
		return 0;
	}
	struct memory_file *f = vec_push(&m->files);
	if (!f)
		return -ENOMEM;
	*f = (struct memory_file){ .path_at = m->paths.n, .path_n = at->path.n, .part = part_missing,
				   .deleted = ends(at->path, deleted) };
	int r = buf_append(&m->paths, at->path.p, at->path.n);
	if (r == 0)
		r = map_set(&m->seen, key, (uint32_t)(m->files.n - 1));
	*ret = f;
	return r;
}

/* A row of its own. `file`: its path is there already; NULL: it is of none. */
static int add_mapping(struct process_memory *m, const struct mapping *at, enum memory_kind kind,
		       const struct memory_file *file, struct memory_part **ret)
{
	struct memory_mapping *row = vec_push(&m->mappings);

	if (!row)
		return -ENOMEM;
	*row = (struct memory_mapping){ .start = at->start, .end = at->end, .kind = kind, .name_at = m->paths.n,
					.name_n = at->path.n, .part = part_missing };
	*ret = &row->part;
	if (!file)
		return buf_append(&m->paths, at->path.p, at->path.n);
	row->name_at = file->path_at;
	return 0;
}

/* Where the figures of the mapping at hand go. */
struct sums {
	struct memory_part *kind, *file, *mapping;
};

static int begin_mapping(struct process_memory *m, const struct mapping *at, struct sums *ret)
{
	enum memory_kind kind = kind_of(at);
	struct memory_file *f = NULL;

	*ret = (struct sums){ &m->kind[kind], NULL, NULL };
	if (at->path.n && at->path.p[0] == '/') {
		int r = file_of(m, at, &f);
		if (r < 0)
			return r;
		f->executable |= at->executable;
		ret->file = &f->part;
	}
	if (m->each) {
		int r = add_mapping(m, at, kind, f, &ret->mapping);
		if (r < 0)
			return r;
	}
	struct memory_part *parts[] = { ret->kind, ret->file, ret->mapping, &m->total };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		add_row(parts[i], offsetof(struct memory_part, mappings), 1);
		add_row(parts[i], offsetof(struct memory_part, size_bytes), at->end - at->start);
	}
	return 0;
}

static void take_figure(struct process_memory *m, struct span line, const struct sums *sums)
{
	struct span name;
	uint64_t kb;

	if (!span_word(&line, &name))
		return;
	const struct part_row *row = row_named(name);
	if (!row || !span_next_u64(&line, &kb) || kb > UINT64_MAX / 2048)
		return;
	add_row(sums->kind, row->offset, kb * 1024);
	add_row(sums->file, row->offset, kb * 1024);
	add_row(sums->mapping, row->offset, kb * 1024);
	add_row(&m->total, row->offset, kb * 1024);
}

static int compare_files(const void *a, const void *b)
{
	const struct memory_file *x = a, *y = b;
	uint64_t left = reading_or(x->part.resident_bytes, 0), right = reading_or(y->part.resident_bytes, 0);

	if (left == right) {
		left = reading_or(x->part.size_bytes, 0);
		right = reading_or(y->part.size_bytes, 0);
	}
	if (left != right)
		return left < right ? 1 : -1;
	return (x->path_at > y->path_at) - (x->path_at < y->path_at);
}

/* A capital letter begins a figure, a hexadecimal digit in lower case a mapping. */
static bool is_figure(struct span line)
{
	return line.n && line.p[0] >= 'A' && line.p[0] <= 'Z';
}

static void memory_clear(struct process_memory *m)
{
	for (size_t i = 0; i < MEMORY_KINDS; i++)
		m->kind[i] = part_missing;
	m->total = part_missing;
	m->files.n = 0;
	m->mappings.n = 0;
	buf_clear(&m->paths);
	map_clear(&m->seen);
}

int process_memory_parse(struct span text, struct process_memory *ret)
{
	struct sums sums = { NULL, NULL, NULL };
	struct mapping at;
	struct span line;
	int r = 0;

	memory_clear(ret);
	ret->source = MEMORY_FROM_MAPS;
	while (r == 0 && span_line(&text, &line)) {
		if (is_figure(line)) {
			if (sums.kind)
				take_figure(ret, line, &sums);
			ret->source = MEMORY_FROM_SMAPS;
		} else if (mapping_parse(line, &at)) {
			r = begin_mapping(ret, &at, &sums);
		}
	}
	if (r < 0)
		return r;
	if (ret->files.n)
		qsort(ret->files.v, ret->files.n, sizeof *ret->files.v, compare_files);
	return reading_or(ret->total.mappings, 0) ? 0 : -EBADMSG;
}

void memory_rollup_parse(struct span text, struct memory_part *ret)
{
	struct span line, name;
	uint64_t kb;

	while (span_line(&text, &line)) {
		if (!is_figure(line) || !span_word(&line, &name))
			continue;
		const struct part_row *row = row_named(name);
		if (row && span_next_u64(&line, &kb) && kb <= UINT64_MAX / 2048)
			add_row(ret, row->offset, kb * 1024);
	}
}

/* Without smaps the kinds have sizes alone, and only the sum is known in detail. */
static int read_coarse(struct proc_dir *d, struct buf *scratch, unsigned timeout_ms, struct process_memory *ret)
{
	int r = proc_dir_read_bounded(d, "maps", timeout_ms, scratch);

	if (r < 0)
		return r;
	r = process_memory_parse(buf_span(scratch), ret);
	if (r < 0)
		return scratch->n ? r : 0;
	if (proc_dir_read_bounded(d, "smaps_rollup", timeout_ms, scratch) < 0)
		return 0;
	memory_rollup_parse(buf_span(scratch), &ret->total);
	ret->source = MEMORY_FROM_ROLLUP;
	return 0;
}

int process_memory_read(struct proc_dir *d, struct buf *scratch, unsigned timeout_ms, struct process_memory *ret)
{
	int r = proc_dir_read_bounded(d, "smaps", timeout_ms, scratch);

	memory_clear(ret);
	ret->source = MEMORY_FROM_SMAPS;
	if (r == 0 && scratch->n)
		r = process_memory_parse(buf_span(scratch), ret);
	else if (r == -ETIMEDOUT || r == -ENOENT || r == -EFBIG)
		r = read_coarse(d, scratch, timeout_ms / 4, ret);
	if (r == -ESRCH) /* so newer kernels say that it has none */
		r = 0;
	ret->error = r;
	return r == -ENOMEM ? r : 0;
}
