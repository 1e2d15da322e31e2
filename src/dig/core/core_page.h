/* Pages: their size here, and whether one holds nothing. */
#ifndef OSPREY_DIG_CORE_CORE_PAGE_H
#define OSPREY_DIG_CORE_CORE_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static inline size_t page_size(void)
{
	static size_t size;

	if (!size)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

static inline uint64_t page_up(uint64_t n)
{
	return (n + page_size() - 1) / page_size() * page_size();
}

/* A page compared with itself, shifted by its first word: memcmp at full speed. */
static inline bool page_is_zero(const char *page)
{
	uint64_t first;

	memcpy(&first, page, sizeof first);
	return first == 0 && memcmp(page, page + sizeof first, page_size() - sizeof first) == 0;
}

#endif
