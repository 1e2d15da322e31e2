#include "source/memory/slab.h"

#include <errno.h>
#include <stdio.h>

const struct field slab_fields[] = {
#define ROW(...) FIELD_ROW(struct slab, __VA_ARGS__)
	SLAB_FIELDS(ROW)
#undef ROW
};
const size_t slab_nfields = sizeof slab_fields / sizeof slab_fields[0];

enum { BEFORE_TUNABLES = 5 };

/* Takes the next columns off the line. */
static bool take(struct span *line, size_t from, size_t to, struct slab *ret)
{
	for (size_t i = from; i < to; i++) {
		uint64_t v;

		if (!span_next_u64(line, &v) || !reading_ok(v))
			return false;
		*field_at(&slab_fields[i], ret) = v;
	}
	return true;
}

static bool parse_line(struct span line, struct slab *ret)
{
	struct slab parsed = { 0 };
	struct span name, tunables, word;

	if (!span_word(&line, &name) || !take(&line, 0, BEFORE_TUNABLES, &parsed))
		return false;
	/* " : tunables 0 0 0 : slabdata 3 3 0" */
	if (!span_until(&line, ':', &tunables) || !span_until(&line, ':', &tunables) ||
	    !span_word(&line, &word) || !span_is(word, "slabdata"))
		return false;
	if (!take(&line, BEFORE_TUNABLES, slab_nfields, &parsed))
		return false;
	span_copy(name, parsed.name, sizeof parsed.name);
	*ret = parsed;
	return true;
}

int slabs_parse(struct span text, slab_vec *ret)
{
	struct span line;

	ret->n = 0;
	if (!span_line(&text, &line) || !span_starts(line, "slabinfo - version: 2."))
		return -EBADMSG;
	while (span_line(&text, &line)) {
		struct slab parsed, *slab;

		if ((line.n && line.p[0] == '#') || !parse_line(line, &parsed))
			continue;
		if (!(slab = vec_push(ret)))
			return -ENOMEM;
		*slab = parsed;
	}
	return 0;
}

int slabs_read(struct host *h, struct buf *scratch, slab_vec *ret, enum presence *ret_presence)
{
	int r = host_read(h, "/proc/slabinfo", scratch);

	ret->n = 0;
	if (r == 0)
		r = slabs_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

reading slab_reclaimable_read(struct host *h, const char *name, struct buf *scratch)
{
	char path[128];
	uint64_t v;
	int r;

	/* No cache is named so; a capture may say anything. */
	if (strchr(name, '/'))
		return READING_MALFORMED;
	snprintf(path, sizeof path, "/sys/kernel/slab/%s/reclaim_account", name);
	r = host_read(h, path, scratch);
	if (r < 0)
		return reading_from_errno(r);
	return span_u64(span_trim(buf_span(scratch)), &v) && v <= 1 ? v : READING_MALFORMED;
}
