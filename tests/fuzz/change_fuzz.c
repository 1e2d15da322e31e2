/* The journal of changes. The first byte picks: bytes as they are, or lines that get their checksum here,
 * which no fuzzer would guess. What was read, written anew and read again is the same. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "act/change_record.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_sums(struct span text, struct buf *ret)
{
	struct span line;

	while (span_line(&text, &line)) {
		if (buf_append(ret, line.p, line.n) < 0 ||
		    buf_printf(ret, " sum=%016" PRIx64 "\n", map_hash(line.p, line.n)) < 0)
			abort();
	}
}

static void check_same(const struct change *a, const struct change *b)
{
	assert(a->id == b->id && a->kind == b->kind && a->state == b->state && a->value.n == b->value.n);
	assert(a->uid == b->uid && a->real_ns == b->real_ns && strcmp(a->who, b->who) == 0);
	assert(strcmp(a->path, b->path) == 0 && strcmp(a->attribute, b->attribute) == 0);
	for (size_t i = 0; i < a->value.n; i++) {
		assert(a->value.v[i].tid == b->value.v[i].tid);
		assert(strcmp(a->value.v[i].before, b->value.v[i].before) == 0);
		assert(strcmp(a->value.v[i].after, b->value.v[i].after) == 0);
	}
}

static void check_round(const struct change_list *l)
{
	cleanup(change_list_deinit) struct change_list again = { 0 };
	cleanup(buf_deinit) struct buf text = { 0 };

	if (l->last_id && record_last(&text, l->last_id) < 0)
		abort();
	vec_each(c, &l->change) {
		assert(c->value.n > 0 && change_find(l, c->id) == c);
		if (record_change(&text, c) < 0)
			abort();
	}
	if (change_list_parse(buf_span(&text), &again) < 0)
		abort();
	assert(again.ntorn == 0 && again.change.n == l->change.n && again.last_id == l->last_id);
	for (size_t i = 0; i < l->change.n; i++)
		check_same(&l->change.v[i], &again.change.v[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(change_list_deinit) struct change_list l = { 0 };
	cleanup(buf_deinit) struct buf text = { 0 };

	if (size == 0)
		return 0;
	struct span bytes = { (const char *)data + 1, size - 1 };

	if (data[0] % 4 == 0) {
		(void)!word_decode(bytes, &text);
		return 0;
	}
	if (data[0] % 4 == 1 && buf_append(&text, bytes.p, bytes.n) < 0)
		abort();
	if (data[0] % 4 > 1)
		add_sums(bytes, &text);
	if (change_list_parse(buf_span(&text), &l) == 0)
		check_round(&l);
	return 0;
}
