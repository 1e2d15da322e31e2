#include "source/network/softnet.h"

#include <errno.h>

enum { COLUMN_PROCESSED, COLUMN_DROPPED, COLUMN_TIME_SQUEEZE, COLUMN_CPU = 12 };

static bool parse_line(struct span line, uint32_t line_number, struct softnet *ret)
{
	struct softnet parsed = { .cpu = line_number };
	struct span word;
	unsigned column = 0;

	for (; span_word(&line, &word); column++) {
		uint64_t v;

		if (!span_hex(word, &v) || v > UINT32_MAX)
			return false;
		if (column == COLUMN_PROCESSED)
			parsed.processed = v;
		else if (column == COLUMN_DROPPED)
			parsed.dropped = v;
		else if (column == COLUMN_TIME_SQUEEZE)
			parsed.time_squeeze = v;
		else if (column == COLUMN_CPU)
			parsed.cpu = (uint32_t)v;
	}
	if (column <= COLUMN_TIME_SQUEEZE)
		return false;
	*ret = parsed;
	return true;
}

int softnet_parse(struct span text, softnet_vec *ret)
{
	struct softnet parsed;
	struct span line;

	ret->n = 0;
	for (uint32_t number = 0; span_line(&text, &line); number++) {
		if (!parse_line(line, number, &parsed))
			continue;
		struct softnet *cpu = vec_push(ret);
		if (!cpu)
			return -ENOMEM;
		*cpu = parsed;
	}
	return ret->n ? 0 : -EBADMSG;
}

int softnet_read(struct host *h, struct buf *scratch, softnet_vec *ret, enum presence *ret_presence)
{
	int r = host_read(h, "/proc/net/softnet_stat", scratch);

	ret->n = 0;
	if (r == 0)
		r = softnet_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}
