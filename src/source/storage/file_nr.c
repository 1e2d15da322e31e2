#include "source/storage/file_nr.h"

/* "1184	0	2466170": allocated, unused (0 since 2.6), limit. The limit may be 2^63 - 1. */
void file_nr_parse(struct span text, struct file_nr *ret)
{
	struct span line;
	uint64_t allocated, unused, limit;

	*ret = (struct file_nr){ MALFORMED, READING_MALFORMED, READING_MALFORMED };
	if (!span_line(&text, &line) || !span_next_u64(&line, &allocated) ||
	    !span_next_u64(&line, &unused) || !span_next_u64(&line, &limit))
		return;
	if (!reading_ok(allocated) || !reading_ok(limit))
		return;
	*ret = (struct file_nr){ PRESENT, allocated, limit };
}

void file_nr_read(struct host *h, struct buf *scratch, struct file_nr *ret)
{
	int r = host_read(h, "/proc/sys/fs/file-nr", scratch);

	if (r < 0)
		*ret = (struct file_nr){ presence_from_errno(r), reading_from_errno(r), reading_from_errno(r) };
	else
		file_nr_parse(buf_span(scratch), ret);
}
