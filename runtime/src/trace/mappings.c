#include "trace/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define ENTRIES 256

struct walk {
	void (*page)(void *arg, uintptr_t page, uintptr_t from, size_t page_bytes);
	uintptr_t (*lowest)(void *arg, uintptr_t from, uintptr_t to);
	void *arg;
	int pagemap;
	size_t page_bytes;
	uintptr_t guarded;	/* where a mapping without access ends */
};

/* Guards that the program made (MADV_GUARD_INSTALL) are told as if they were swapped. Where the kernel lets nobody ask (a
 * container's filter of calls) it is a swapped page: to leave one out would lose what is known there only. */
static bool is_readable(uintptr_t page)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { (void *)page, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1 || errno != EFAULT;
}

static int walk_pages(struct walk *w, uintptr_t from, uintptr_t to, bool is_stack)
{
	uintptr_t lowest = is_stack ? w->lowest(w->arg, from, to) : from, page = lowest & ~(w->page_bytes - 1);
	uint64_t entries[ENTRIES];

	while (page < to) {
		size_t left = (to - page) / w->page_bytes, n = left < ENTRIES ? left : ENTRIES;
		ssize_t bytes = pread(w->pagemap, entries, n * sizeof *entries, (off_t)(page / w->page_bytes * sizeof *entries));
		if (bytes <= 0)
			return bytes < 0 ? -errno : 0;
		n = (size_t)bytes / sizeof *entries;
		for (size_t i = 0; i < n; i++, page += w->page_bytes)
			if (entries[i] & PRESENT || (entries[i] & SWAPPED && is_readable(page)))
				w->page(w->arg, page, lowest, w->page_bytes);
	}
	return 0;
}

static const char *hex(const char *s, uintptr_t *ret)
{
	uintptr_t n = 0;

	for (;; s++) {
		unsigned digit = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0') : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a' + 10) : 16;
		if (digit == 16)
			break;
		n = n * 16 + digit;
	}
	*ret = n;
	return s;
}

/* "7f00-7f10 rw-p …" */
static int walk_line(struct walk *w, const char *line)
{
	uintptr_t from, to;
	const char *s = hex(line, &from);

	if (*s++ != '-')
		return -EINVAL;
	s = hex(s, &to);
	/* Only what begins behind a guard, or is the first thread's, is surely a stack from its begin on. */
	bool is_stack = w->guarded == from || strstr(s, "[stack]");
	if (strncmp(s, " ---p 00000000 00:00 0", 22) == 0)
		w->guarded = to;
	return strncmp(s, " rw", 3) == 0 && s[4] == 'p' ? walk_pages(w, from, to, is_stack) : 0;
}

/* Lines may be cut by the ends of what is read at a time. What a walk maps itself may come or not. */
static int walk_lines(struct walk *w, int fd)
{
	char buffer[8192];	/* more than a line */
	size_t have = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(fd, buffer + have, sizeof buffer - 1 - have)) != 0) {
		if (n < 0)
			return -errno;
		have += (size_t)n;
		buffer[have] = '\0';
		char *at = buffer, *end;
		for (; r == 0 && (end = strchr(at, '\n')); at = end + 1) {
			*end = '\0';
			r = walk_line(w, at);
		}
		have -= (size_t)(at - buffer);
		memmove(buffer, at, have);
	}
	return r;
}

int mappings_walk(void (*page)(void *arg, uintptr_t page, uintptr_t from, size_t page_bytes),
		  uintptr_t (*lowest)(void *arg, uintptr_t from, uintptr_t to), void *arg)
{
	struct walk w = { page, lowest, arg, open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC), (size_t)sysconf(_SC_PAGESIZE) };
	int fd = open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
	int r = w.pagemap < 0 || fd < 0 ? -errno : walk_lines(&w, fd);

	if (fd >= 0)
		close(fd);
	if (w.pagemap >= 0)
		close(w.pagemap);
	return r;
}
