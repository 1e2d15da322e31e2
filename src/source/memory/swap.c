#include "source/memory/swap.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "source/memory/huge_page.h"

const struct field zram_fields[] = {
#define ROW(...) FIELD_ROW(struct zram, __VA_ARGS__)
	ZRAM_FIELDS(ROW)
#undef ROW
};
const size_t zram_nfields = sizeof zram_fields / sizeof zram_fields[0];

static bool octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Blanks, newlines and backslashes stand as \040 and so on (seq_path). */
static void unescape(struct span word, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < word.n && n + 1 < size; i++) {
		const char *p = word.p + i;

		if (word.n - i >= 4 && p[0] == '\\' && octal(p[1]) && octal(p[2]) && octal(p[3])) {
			ret[n++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			i += 3;
		} else {
			ret[n++] = *p;
		}
	}
	ret[n] = '\0';
}

/* "/dev/sda2   partition  4194300  0  -2"; sizes in kB. */
static bool parse_line(struct span line, struct swap_device *ret)
{
	struct span name, type;
	uint64_t total, used;

	if (!span_word(&line, &name) || !span_word(&line, &type) || !span_next_u64(&line, &total) ||
	    !span_next_u64(&line, &used) || !span_next_i64(&line, &ret->priority))
		return false;
	if (total > UINT64_MAX >> 11 || used > UINT64_MAX >> 11)
		return false;
	unescape(name, ret->name, sizeof ret->name);
	span_copy(type, ret->type, sizeof ret->type);
	ret->total_bytes = total * 1024;
	ret->used_bytes = used * 1024;
	return true;
}

int swaps_parse(struct span text, swap_vec *ret)
{
	struct span line;

	ret->n = 0;
	if (!span_line(&text, &line) || !span_starts(line, "Filename"))
		return -EBADMSG;
	while (span_line(&text, &line)) {
		struct swap_device parsed, *device;

		if (!parse_line(line, &parsed))
			continue;
		if (!(device = vec_push(ret)))
			return -ENOMEM;
		*device = parsed;
	}
	return 0;
}

int swaps_read(struct host *h, struct buf *scratch, swap_vec *ret, enum presence *ret_presence)
{
	int r = host_read(h, "/proc/swaps", scratch);

	ret->n = 0;
	if (r == 0)
		r = swaps_parse(buf_span(scratch), ret);
	*ret_presence = presence_from_errno(r);
	return r == -ENOMEM ? r : 0;
}

bool zram_stat_parse(struct span text, struct zram *ret)
{
	const size_t always = 7; /* columns of the first format */
	struct zram parsed = *ret;
	struct span line, word;
	bool good = span_line(&text, &line);
	uint64_t v;
	size_t n = 0;

	fields_missing(zram_fields, zram_nfields, READING_ABSENT, &parsed);
	for (; good && span_word(&line, &word) && n < zram_nfields; n++) {
		good = span_u64(word, &v) && reading_ok(v);
		*field_at(&zram_fields[n], &parsed) = v;
	}
	good = good && n >= always;
	if (good)
		*ret = parsed;
	else
		fields_missing(zram_fields, zram_nfields, READING_MALFORMED, ret);
	return good;
}

static int read_of(struct host *h, struct span name, const char *file, struct buf *scratch)
{
	char path[96];

	snprintf(path, sizeof path, "/sys/block/%.*s/%s", (int)(name.n < 40 ? name.n : 40), name.p, file);
	return host_read(h, path, scratch);
}

static int read_zram(struct host *h, struct span name, struct buf *scratch, zram_vec *ret)
{
	struct zram parsed = { .disk_bytes = 0 }, *zram;

	if (read_of(h, name, "disksize", scratch) < 0 ||
	    !span_u64(span_trim(buf_span(scratch)), &parsed.disk_bytes) || parsed.disk_bytes == 0 ||
	    !reading_ok(parsed.disk_bytes))
		return 0;
	int r = read_of(h, name, "mm_stat", scratch);
	if (r < 0)
		fields_missing(zram_fields, zram_nfields, reading_from_errno(r), &parsed);
	else
		(void)!zram_stat_parse(buf_span(scratch), &parsed);
	if (read_of(h, name, "comp_algorithm", scratch) < 0 ||
	    !sys_choice_parse(buf_span(scratch), parsed.algorithm, sizeof parsed.algorithm))
		parsed.algorithm[0] = '\0';
	span_copy(name, parsed.name, sizeof parsed.name);
	if (!(zram = vec_push(ret)))
		return -ENOMEM;
	*zram = parsed;
	return 0;
}

int zrams_read(struct host *h, struct buf *scratch, zram_vec *ret, enum presence *ret_presence)
{
	cleanup(buf_deinit) struct buf names = { 0 };
	int r = host_list(h, "/sys/block", &names);
	struct span rest = buf_span(&names), name;

	ret->n = 0;
	*ret_presence = presence_from_errno(r);
	while (r == 0 && span_line(&rest, &name))
		if (span_starts(name, "zram"))
			r = read_zram(h, name, scratch, ret);
	return r == -ENOMEM ? r : 0;
}

#define ZSWAP_DIRECTORY "/sys/module/zswap/parameters/"

void zswap_read(struct host *h, struct buf *scratch, struct zswap *ret)
{
	int r = host_read(h, ZSWAP_DIRECTORY "enabled", scratch);
	struct span word = span_trim(buf_span(scratch));

	*ret = (struct zswap){ .presence = presence_from_errno(r), .max_pool_pct = READING_ABSENT };
	if (r < 0)
		return;
	ret->enabled = span_is(word, "Y") || span_is(word, "1");
	if (host_read(h, ZSWAP_DIRECTORY "compressor", scratch) == 0)
		span_copy(span_trim(buf_span(scratch)), ret->compressor, sizeof ret->compressor);
	if (host_read(h, ZSWAP_DIRECTORY "max_pool_percent", scratch) == 0 &&
	    !span_u64(span_trim(buf_span(scratch)), &ret->max_pool_pct))
		ret->max_pool_pct = READING_MALFORMED;
}
