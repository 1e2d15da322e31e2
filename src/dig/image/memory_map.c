#include "dig/image/memory_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "kernel/host.h"

/* Long enough for a host whose CPUs have twenty tasks each in line; a held mmap_lock lasts for ever. */
#define PATIENCE_MS 2000

void memory_map_deinit(struct memory_map *m)
{
	vec_free(&m->mapping);
	buf_deinit(&m->names);
}

/* Takes "7f00-7f10" style numbers up to `separator` off the front. */
static bool take_hex(struct span *s, char separator, uint64_t *ret)
{
	struct span part;

	return span_until(s, separator, &part) && span_hex(part, ret);
}

static bool take_flags(struct span word, uint8_t *ret)
{
	static const char letters[] = "rwx";
	uint8_t flags = 0;

	if (word.n != 4)
		return false;
	for (int i = 0; i < 3; i++) {
		if (word.p[i] != letters[i] && word.p[i] != '-')
			return false;
		if (word.p[i] == letters[i])
			flags |= (uint8_t)(1 << i);
	}
	if (word.p[3] == 's')
		flags |= MAPPING_SHARED;
	else if (word.p[3] != 'p')
		return false;
	*ret = flags;
	return true;
}

static bool take_device(struct span word, struct mapping *m)
{
	uint64_t major, minor;

	if (!take_hex(&word, ':', &major) || !span_hex(word, &minor))
		return false;
	m->device_major = (uint32_t)major;
	m->device_minor = (uint32_t)minor;
	return true;
}

/* seq_path writes a newline as \012 and leaves all else. The name goes to `names`, with a NUL. */
static int take_name(struct span name, struct buf *names, bool *ret_deleted)
{
	struct span deleted = SPAN(" (deleted)");
	char nul = '\0';
	int r = 0;

	*ret_deleted = name.n > deleted.n &&
		       memcmp(name.p + name.n - deleted.n, deleted.p, deleted.n) == 0;
	if (*ret_deleted)
		name.n -= deleted.n;
	while (name.n && r >= 0) {
		bool newline = span_take(&name, "\\012");
		r = buf_append(names, newline ? "\n" : name.p, 1);
		if (!newline)
			name.p++, name.n--;
	}
	return r < 0 ? r : buf_append(names, &nul, 1);
}

/* One line; the name's place in `names` is kept as an offset, since the buffer moves as it grows. */
static int parse_line(struct span line, struct buf *names, struct mapping *ret, size_t *ret_name)
{
	struct span flags, offset, device, inode;
	struct mapping m = { 0 };

	if (!take_hex(&line, '-', &m.start) || !take_hex(&line, ' ', &m.end) || m.start >= m.end)
		return -EBADMSG;
	if (!span_word(&line, &flags) || !take_flags(flags, &m.flags) || !span_word(&line, &offset) ||
	    !span_hex(offset, &m.offset) || !span_word(&line, &device) || !take_device(device, &m) ||
	    !span_word(&line, &inode) || !span_u64(inode, &m.inode))
		return -EBADMSG;
	while (span_take(&line, " "))
		;
	*ret_name = names->n;
	int r = take_name(line, names, &m.deleted);
	if (r < 0)
		return r;
	*ret = m;
	return 0;
}

int memory_map_parse(struct span text, struct memory_map *ret)
{
	struct memory_map m = { 0 };
	cleanup(buf_deinit) struct buf places = { 0 };
	uint64_t end = 0;
	struct span line;
	int r = 0;

	while (r >= 0 && span_line(&text, &line)) {
		struct mapping *added = vec_push(&m.mapping);
		size_t name;
		if (!added) {
			r = -ENOMEM;
			break;
		}
		r = parse_line(line, &m.names, added, &name);
		if (r >= 0 && added->start < end)
			r = -EBADMSG;
		end = added->end;
		if (r >= 0)
			r = buf_append(&places, &name, sizeof name);
	}
	if (r < 0) {
		memory_map_deinit(&m);
		return r;
	}
	for (size_t i = 0; i < m.mapping.n; i++) {
		size_t name;
		memcpy(&name, places.data + i * sizeof name, sizeof name);
		m.mapping.v[i].name = m.names.data + name;
	}
	memory_map_deinit(ret);
	*ret = m;
	return 0;
}

int memory_map_read(int pid, struct memory_map *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct host *h;
	char path[64];
	int r = host_open_live("/", &h, NULL);

	if (r < 0)
		return r;
	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	r = host_read_bounded(h, path, PATIENCE_MS, &text);
	host_free(h);
	/* The directory of a process that is gone is gone; its open files answer ESRCH. */
	if (r == -ENOENT)
		r = -ESRCH;
	return r < 0 ? r : memory_map_parse(buf_span(&text), ret);
}

const struct mapping *memory_map_find(const struct memory_map *m, uint64_t address)
{
	size_t low = 0, high = m->mapping.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mapping *at = &m->mapping.v[middle];
		if (address < at->start)
			high = middle;
		else if (address >= at->end)
			low = middle + 1;
		else
			return at;
	}
	return NULL;
}
