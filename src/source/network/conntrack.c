#include "source/network/conntrack.h"

static int column_of(struct span header, const char *name)
{
	struct span word;

	for (int i = 0; span_word(&header, &word); i++)
		if (span_is(word, name))
			return i;
	return -1;
}

static reading sum_column(struct span lines, int column)
{
	struct span line, word;
	uint64_t sum = 0;
	bool any = false;

	while (span_line(&lines, &line)) {
		bool there = span_word(&line, &word);
		uint64_t v;

		for (int i = 0; there && i < column; i++)
			there = span_word(&line, &word);
		if (!there || !span_hex(word, &v) || v > UINT32_MAX)
			continue;
		sum += v;
		any = true;
	}
	return any ? sum : READING_MALFORMED;
}

static reading counter(struct span text, const char *name)
{
	struct span header;
	int column = span_line(&text, &header) ? column_of(header, name) : -1;

	return column < 0 ? READING_ABSENT : sum_column(text, column);
}

void conntrack_parse(struct span text, struct conntrack *ret)
{
	ret->insert_failed = counter(text, "insert_failed");
	ret->dropped = counter(text, "drop");
	ret->early_dropped = counter(text, "early_drop");
}

static reading read_number(struct host *h, const char *path, struct buf *scratch)
{
	int r = host_read(h, path, scratch);
	uint64_t v;

	if (r < 0)
		return reading_from_errno(r);
	return span_u64(span_trim(buf_span(scratch)), &v) && reading_ok(v) ? v : READING_MALFORMED;
}

void conntrack_read(struct host *h, struct buf *scratch, struct conntrack *ret)
{
	ret->entries = read_number(h, "/proc/sys/net/netfilter/nf_conntrack_count", scratch);
	ret->entries_max = read_number(h, "/proc/sys/net/netfilter/nf_conntrack_max", scratch);
	int r = host_read(h, "/proc/net/stat/nf_conntrack", scratch);
	ret->insert_failed = ret->dropped = ret->early_dropped = reading_from_errno(r);
	if (r == 0)
		conntrack_parse(buf_span(scratch), ret);
}
