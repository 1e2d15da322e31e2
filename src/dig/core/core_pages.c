#include "dig/core/core_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dig/core/core_page.h"

/* linux/fs.h of 6.7; Debian 12's is older. */
struct core_region {
	uint64_t start, end, categories;
};
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan)
enum { SCAN_PROTECT = 1, SCAN_CHECK_REGISTERED = 2 };

#define REGIONS 16384
#define HUGE (UINT64_C(2) << 20) /* pages of this size are not to be split by where a piece ends */
#define PROTECT_PIECE (UINT64_C(16) << 20) /* so short are page tables locked, and so soon is read what was protected */
#define ENTRIES 8192
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)

/* The kernel has a way of its own through page tables for who asks for written pages alone: whether absent pages count
 * there is not documented, so it is tried on two pages of ours. */
static bool finds_absent(void)
{
	size_t page = page_size();
	struct core_region region[2] = { { 0 } };
	cleanup(close_fd) int own = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char *m = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return false;
	madvise(m, 2 * page, MADV_NOHUGEPAGE);
	*(volatile char *)m = 1;
	struct scan s = { .size = sizeof s,
			  .start = (uintptr_t)m,
			  .end = (uintptr_t)m + 2 * page,
			  .vec = (uintptr_t)region,
			  .vec_len = 2,
			  .category_mask = CORE_PAGE_WRITTEN,
			  .return_mask = CORE_PAGE_WRITTEN };
	bool found = own >= 0 && ioctl(own, SCAN, &s) == 1 && region[0].end == s.end;

	munmap(m, 2 * page);
	return found;
}

int core_pages_init(struct core_pages *p, int pid)
{
	struct core_region one;
	struct scan probe = { .size = sizeof probe, .vec = (uintptr_t)&one, .vec_len = 1, .return_mask = CORE_PAGE_PRESENT };
	char path[48];

	snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
	*p = (struct core_pages){ .pagemap = open(path, O_RDONLY | O_CLOEXEC) };
	if (p->pagemap < 0)
		return -errno;
	p->can_scan = ioctl(p->pagemap, SCAN, &probe) >= 0;
	p->finds_touched = p->can_scan && finds_absent();
	p->entries = malloc(ENTRIES * sizeof *p->entries);
	p->regions = malloc(REGIONS * sizeof *p->regions);
	if (p->entries && p->regions)
		return 0;
	core_pages_deinit(p);
	return -ENOMEM;
}

void core_pages_deinit(struct core_pages *p)
{
	/* Never initialised: 0 is somebody's. */
	if (p->entries || p->regions)
		close_fd(&p->pagemap);
	free(p->entries);
	free(p->regions);
	*p = (struct core_pages){ .pagemap = -1 };
}

static int scan(struct core_pages *p, struct scan s, core_pages_each *each, void *arg)
{
	s.size = sizeof s;
	s.vec = (uintptr_t)p->regions;
	s.vec_len = REGIONS;
	while (s.start < s.end) {
		int n = ioctl(p->pagemap, SCAN, &s);

		if (n < 0 && errno == EINTR && s.walk_end > s.start && s.walk_end < s.end) {
			s.start = s.walk_end;
			continue;
		}
		if (n < 0)
			return -errno;
		for (int i = 0; i < n; i++) {
			const struct core_region *r = &p->regions[i];
			int e = each(arg, r->start, r->end, (unsigned)r->categories);

			if (e < 0)
				return e;
		}
		if (s.walk_end <= s.start)
			return -EIO;
		s.start = s.walk_end;
	}
	return 0;
}

static int walk_entries(struct core_pages *p, uint64_t start, uint64_t end, core_pages_each *each, void *arg)
{
	uint64_t page = page_size(), run = start;
	unsigned kind = 0;

	while (start < end) {
		uint64_t n = (end - start) / page;
		ssize_t got = pread(p->pagemap, p->entries, (n < ENTRIES ? n : ENTRIES) * sizeof *p->entries,
				    (off_t)(start / page * sizeof *p->entries));

		if (got < (ssize_t)sizeof *p->entries)
			return got < 0 ? -errno : -EIO;
		for (size_t i = 0; i < (size_t)got / sizeof *p->entries; i++, start += page) {
			unsigned now = (p->entries[i] & ENTRY_PRESENT ? CORE_PAGE_PRESENT : 0) |
				       (p->entries[i] & ENTRY_SWAPPED ? CORE_PAGE_SWAPPED : 0);

			if (now == kind)
				continue;
			int r = kind ? each(arg, run, start, kind) : 0;

			if (r < 0)
				return r;
			run = start;
			kind = now;
		}
	}
	return kind ? each(arg, run, end, kind) : 0;
}

int core_pages_present(struct core_pages *p, uint64_t start, uint64_t end, core_pages_each *each, void *arg)
{
	if (!p->can_scan)
		return walk_entries(p, start, end, each, arg);
	return scan(p,
		    (struct scan){ .start = start,
				   .end = end,
				   .category_anyof_mask = CORE_PAGE_PRESENT | CORE_PAGE_SWAPPED,
				   .return_mask = CORE_PAGE_PRESENT | CORE_PAGE_SWAPPED },
		    each, arg);
}

int core_pages_protect(struct core_pages *p, uint64_t start, uint64_t end, core_pages_each *each, void *arg)
{
	int r = 0;

	for (uint64_t until; r == 0 && start < end; start = until) {
		until = (start + PROTECT_PIECE) / HUGE * HUGE;
		until = until < end ? until : end;
		r = scan(p,
			 (struct scan){ .flags = SCAN_PROTECT | SCAN_CHECK_REGISTERED,
					.start = start,
					.end = until,
					.category_mask = CORE_PAGE_WRITTEN,
					.return_mask = CORE_PAGE_WRITTEN },
			 each, arg);
	}
	return r;
}

int core_pages_written(struct core_pages *p, uint64_t start, uint64_t end, bool registered, core_pages_each *each,
		       void *arg)
{
	return scan(p,
		    (struct scan){ .flags = registered ? SCAN_CHECK_REGISTERED : 0,
				   .start = start,
				   .end = end,
				   .category_anyof_mask = CORE_PAGE_PRESENT | CORE_PAGE_SWAPPED,
				   .return_mask = CORE_PAGE_PRESENT | CORE_PAGE_SWAPPED | CORE_PAGE_WRITTEN },
		    each, arg);
}

int core_pages_touched(struct core_pages *p, uint64_t start, uint64_t end, core_pages_each *each, void *arg)
{
	return scan(p,
		    (struct scan){ .flags = SCAN_CHECK_REGISTERED,
				   .start = start,
				   .end = end,
				   .category_mask = CORE_PAGE_WRITTEN,
				   .return_mask = CORE_PAGE_WRITTEN },
		    each, arg);
}
