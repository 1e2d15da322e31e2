#include "dig/core/core_mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/cleanup.h"

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

#define PATIENCE_MS 5000

void core_map_deinit(struct core_map *m)
{
	vec_free(&m->mapping);
	buf_deinit(&m->names);
}

/* ---- the text ---- */

/* "start-end rwxp offset major:minor inode   name" */
static bool parse_range(struct span *word, struct core_mapping *m)
{
	struct span start;

	return span_until(word, '-', &start) && span_hex(start, &m->start) && span_hex(*word, &m->end) &&
	       m->start < m->end;
}

static bool parse_access(struct span w, struct core_mapping *m)
{
	static const char letters[] = "rwxs";

	if (w.n != 4)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		if (w.p[i] == letters[i])
			m->flags |= 1u << i;
		else if (w.p[i] != '-' && !(i == 3 && w.p[i] == 'p'))
			return false;
	}
	return true;
}

static bool parse_device(struct span w, struct core_mapping *m)
{
	struct span major;
	uint64_t a, b;

	if (!span_until(&w, ':', &major) || !span_hex(major, &a) || !span_hex(w, &b))
		return false;
	m->device_major = (uint32_t)a;
	m->device_minor = (uint32_t)b;
	return true;
}

/* The kernel writes a newline in a path as \012, and nothing else so. */
static int keep_name(struct span name, struct buf *names)
{
	for (size_t i = 0; i < name.n; i++) {
		bool newline = name.n - i >= 4 && memcmp(name.p + i, "\\012", 4) == 0;

		if (buf_append(names, newline ? "\n" : name.p + i, 1) < 0)
			return -ENOMEM;
		i += newline ? 3 : 0;
	}
	return buf_append(names, "", 1);
}

/* 1: a mapping; 0: no line of that kind; -ENOMEM. Its name is kept as a position until all are there. */
static int parse_head(struct span line, struct core_mapping *ret, struct buf *names)
{
	struct span range, access, offset, device, inode;
	struct core_mapping m = { .flags = 0 };

	if (!span_word(&line, &range) || !parse_range(&range, &m))
		return 0;
	if (!span_word(&line, &access) || !parse_access(access, &m) || !span_word(&line, &offset) ||
	    !span_hex(offset, &m.offset) || !span_word(&line, &device) || !parse_device(device, &m) ||
	    !span_word(&line, &inode) || !span_u64(inode, &m.inode))
		return 0;
	while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		line.p++, line.n--;
	if (line.n >= 10 && m.inode && memcmp(line.p + line.n - 10, " (deleted)", 10) == 0) {
		line.n -= 10;
		m.flags |= CORE_DELETED;
	}
	m.flags |= CORE_FLAGS_UNKNOWN;
	m.name = (const char *)names->n; // NOLINT: becomes a pointer when the buffer no longer moves
	*ret = m;
	return keep_name(line, names) < 0 ? -ENOMEM : 1;
}

static void parse_vm_flags(struct span line, struct core_mapping *m)
{
	static const struct {
		char name[3];
		unsigned flag;
	} known[] = {
		{ "dd", CORE_DONT_DUMP },   { "io", CORE_IO },		{ "pf", CORE_IO },
		{ "ht", CORE_HUGETLB },	    { "dc", CORE_NOT_FORKED },	{ "wf", CORE_NOT_FORKED },
		{ "uw", CORE_TRACKED },	    { "hg", CORE_MAY_BE_DAX },	{ "sf", CORE_MAY_BE_DAX },
		{ "mm", CORE_MAY_BE_DAX },
	};
	struct span word;

	m->flags &= ~(unsigned)CORE_FLAGS_UNKNOWN;
	while (span_word(&line, &word)) {
		for (size_t i = 0; i < sizeof known / sizeof *known; i++)
			m->flags |= span_is(word, known[i].name) ? known[i].flag : 0;
	}
}

static void parse_detail(struct span line, struct core_mapping *m)
{
	uint64_t *to = NULL, kib;
	bool own = false;

	if (span_take(&line, "VmFlags:")) {
		parse_vm_flags(line, m);
		return;
	}
	if (span_take(&line, "Rss:"))
		to = &m->resident;
	else if (span_take(&line, "Swap:"))
		to = &m->swapped, own = true;
	else if (span_take(&line, "Anonymous:"))
		own = true;
	else
		return;
	if (!span_next_u64(&line, &kib) || kib > UINT64_MAX / 1024)
		return;
	if (to)
		*to = kib * 1024;
	if (own && kib)
		m->flags |= CORE_OWN_PAGES;
}

int core_map_parse(struct span text, struct core_map *ret)
{
	struct core_map m = { 0 };
	struct span line;
	int r = 0;

	while (r >= 0 && span_line(&text, &line)) {
		struct core_mapping one, *last = m.mapping.n ? &m.mapping.v[m.mapping.n - 1] : NULL, *new;

		r = parse_head(line, &one, &m.names);
		if (r == 0 && last)
			parse_detail(line, last);
		else if (r == 0 || (r > 0 && last && one.start < last->end))
			r = -EBADMSG;
		else if (r > 0 && (new = vec_push(&m.mapping)))
			*new = one;
		else
			r = -ENOMEM;
	}
	if (r < 0) {
		core_map_deinit(&m);
		return r;
	}
	vec_each(mapping, &m.mapping)
		mapping->name = m.names.data + (uintptr_t)mapping->name;
	core_map_deinit(ret);
	*ret = m;
	return 0;
}

/* ---- the process ---- */

struct reading_of {
	int fd;
	struct buf text;
};

static int read_whole(void *arg)
{
	struct reading_of *r = arg;

	for (;;) {
		if (buf_reserve(&r->text, 65536) < 0)
			return -ENOMEM;
		ssize_t n = read(r->fd, r->text.data + r->text.n, 65536);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		r->text.n += n > 0 ? (size_t)n : 0;
	}
}

static void reading_free(void *arg)
{
	struct reading_of *r = arg;

	close_fd(&r->fd);
	buf_deinit(&r->text);
	free(r);
}

/* Files on DAX have filter bits of their own; no VmFlag says so, the file does. */
static void mark_dax(int pid, struct core_mapping *m)
{
	char path[96];
	struct statx st;

	if (!m->inode || !(m->flags & CORE_MAY_BE_DAX) || (m->flags & CORE_HUGETLB))
		return;
	snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)m->start,
		 (unsigned long long)m->end);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	    (st.stx_attributes & st.stx_attributes_mask & STATX_ATTR_DAX))
		m->flags |= CORE_DAX;
}

int core_map_read(int pid, bool deep, struct core_map *ret)
{
	struct reading_of *reading = calloc(1, sizeof *reading);
	char path[64];

	if (!reading)
		return -ENOMEM;
	snprintf(path, sizeof path, "/proc/%d/%s", pid, deep ? "smaps" : "maps");
	reading->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reading->fd < 0) {
		int r = errno == ENOENT ? -ESRCH : -errno;

		reading_free(reading);
		return r;
	}
	int r = deep ? bounded_call(read_whole, reading, reading_free, PATIENCE_MS) : read_whole(reading);

	if (r == -ETIMEDOUT)
		return r;
	if (r == -EAGAIN || r == -EBUSY)
		r = read_whole(reading);
	if (r == 0)
		r = core_map_parse(buf_span(&reading->text), ret);
	reading_free(reading);
	if (r == 0 && deep) {
		vec_each(m, &ret->mapping)
			mark_dax(pid, m);
	}
	return r;
}

const struct core_mapping *core_map_find(const struct core_map *m, uint64_t address)
{
	size_t low = 0, high = m->mapping.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->mapping.v[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->mapping.n && m->mapping.v[low].start <= address ? &m->mapping.v[low] : NULL;
}

void core_map_inherit(struct core_map *m, const struct core_map *known)
{
	vec_each(now, &m->mapping) {
		const struct core_mapping *was = core_map_find(known, now->start);

		/* One that grew downwards, a stack, is found by its end. */
		if (!was)
			was = core_map_find(known, now->end - 1);
		if (!was || was->inode != now->inode || strcmp(was->name, now->name) != 0 ||
		    ((was->flags ^ now->flags) & CORE_SHARED))
			continue;
		now->flags |= was->flags & ~(CORE_ACCESS | CORE_DELETED | CORE_FLAGS_UNKNOWN);
		/* What was not inside may be another's, with flags of its own. */
		if (was->start <= now->start && now->end <= was->end)
			now->flags &= ~(unsigned)CORE_FLAGS_UNKNOWN;
	}
}

/* ---- what belongs into the core ---- */

static bool is_special(const struct core_mapping *m)
{
	return strncmp(m->name, "[vvar", 5) == 0 || strcmp(m->name, "[vsyscall]") == 0;
}

bool core_mapping_listed(const struct core_mapping *m)
{
	/* Of others a debugger would read zeros where it cannot know. */
	return !is_special(m) && !(m->flags & (CORE_IO | CORE_SHARED)) && core_mapping_has_file(m);
}

bool core_mapping_has_file(const struct core_mapping *m)
{
	return m->inode != 0 && m->name[0] != '\0';
}

bool core_mapping_is_anonymous(const struct core_mapping *m)
{
	return m->inode == 0 && !(m->flags & CORE_SHARED) && strcmp(m->name, "[vdso]") != 0;
}

static enum core_part whole_if(bool wanted)
{
	return wanted ? CORE_PART_WHOLE : CORE_PART_NONE;
}

enum core_part core_mapping_part(const struct core_mapping *m, unsigned filter)
{
	bool shared = m->flags & CORE_SHARED;

	if (strcmp(m->name, "[vdso]") == 0)
		return CORE_PART_WHOLE;
	if (is_special(m) || (m->flags & CORE_DONT_DUMP))
		return CORE_PART_NONE;
	if (m->flags & CORE_DAX)
		return whole_if(filter & (shared ? CORE_FILTER_DAX_SHARED : CORE_FILTER_DAX_PRIVATE));
	if (m->flags & CORE_HUGETLB)
		return whole_if(filter & (shared ? CORE_FILTER_HUGETLB_SHARED : CORE_FILTER_HUGETLB_PRIVATE));
	if (m->flags & CORE_IO)
		return CORE_PART_NONE;
	if (shared)
		return whole_if(filter &
				(m->flags & CORE_DELETED ? CORE_FILTER_ANON_SHARED : CORE_FILTER_FILE_SHARED));
	bool changed = m->inode == 0 || (m->flags & CORE_OWN_PAGES) ||
		       ((m->flags & CORE_FLAGS_UNKNOWN) && !(m->flags & CORE_EXECUTE));

	if (changed && (filter & CORE_FILTER_ANON_PRIVATE))
		return CORE_PART_WHOLE;
	if (m->inode == 0)
		return CORE_PART_NONE;
	if (filter & CORE_FILTER_FILE_PRIVATE)
		return CORE_PART_WHOLE;
	return (filter & CORE_FILTER_ELF_HEADERS) && m->offset == 0 && (m->flags & CORE_READ) ? CORE_PART_HEADER
											     : CORE_PART_NONE;
}
