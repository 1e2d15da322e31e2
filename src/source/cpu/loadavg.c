#include "source/cpu/loadavg.h"

static void missing(reading why, struct loadavg *ret)
{
	*ret = (struct loadavg){ PRESENT, why, why, why, why, why, why };
}

static reading next_milli(struct span *line)
{
	struct span word;
	uint64_t v;

	return span_word(line, &word) && span_fixed(word, 3, &v) ? v : READING_MALFORMED;
}

/* "0.00 0.01 0.05 1/123 4567" */
void loadavg_parse(struct span text, struct loadavg *ret)
{
	struct span line, word, before;
	uint64_t v;

	missing(READING_MALFORMED, ret);
	ret->presence = MALFORMED;
	if (!span_line(&text, &line))
		return;
	ret->load1_milli = next_milli(&line);
	ret->load5_milli = next_milli(&line);
	ret->load15_milli = next_milli(&line);
	if (!span_word(&line, &word) || !span_until(&word, '/', &before))
		return;
	if (span_u64(before, &v))
		ret->runnable = v;
	if (span_u64(word, &v))
		ret->tasks = v;
	if (span_next_u64(&line, &v))
		ret->last_pid = v;
	ret->presence = PRESENT;
}

void loadavg_read(struct host *h, struct buf *scratch, struct loadavg *ret)
{
	int r = host_read_kept(h, "/proc/loadavg", scratch);

	if (r < 0) {
		missing(reading_from_errno(r), ret);
		ret->presence = presence_from_errno(r);
	} else {
		loadavg_parse(buf_span(scratch), ret);
	}
}
