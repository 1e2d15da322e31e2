#include "source/memory/page_size.h"

#include <unistd.h>

static int fetch_live(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h;
	(void)key;
	(void)arg;
	return buf_printf(ret, "%ld\n", sysconf(_SC_PAGESIZE));
}

uint64_t page_bytes_read(struct host *h, struct buf *scratch)
{
	uint64_t bytes;

	if (host_fetch(h, "page_bytes", fetch_live, NULL, scratch) == 0 &&
	    span_u64(span_trim(buf_span(scratch)), &bytes) && bytes >= 512 && bytes <= 1 << 20 &&
	    (bytes & (bytes - 1)) == 0)
		return bytes;
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

reading pages_in_bytes(reading pages, uint64_t page_bytes)
{
	uint64_t bytes;

	if (!reading_ok(pages))
		return pages;
	if (__builtin_mul_overflow(pages, page_bytes, &bytes) || !reading_ok(bytes))
		return READING_MALFORMED;
	return bytes;
}
