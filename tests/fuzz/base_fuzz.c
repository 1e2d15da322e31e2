/* Spans, numbers and field tables; the first byte selects. */
#include <stdlib.h>

#include "base/field.h"
#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_FIELDS(FIELD)                         \
	FIELD(1, a, "a", COUNT, GAUGE, "")         \
	FIELD(2, total, "MemTotal", BYTES, GAUGE, "") \
	FIELD(3, ab, "ab", COUNT, GAUGE, "")

struct fuzz_values {
	FUZZ_FIELDS(FIELD_MEMBER)
};

static const struct field fields[] = {
#define ROW(...) FIELD_ROW(struct fuzz_values, __VA_ARGS__)
	FUZZ_FIELDS(ROW)
#undef ROW
};

static bool within(struct span part, struct span whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* Every piece lies within the text, and lines with their newlines add up to it. */
static void pieces(struct span text)
{
	struct span rest = text, line, word, part;
	size_t sum = 0;

	while (span_line(&rest, &line)) {
		sum += line.n + (line.p + line.n < text.p + text.n);
		if (!within(line, text) || memchr(line.p, '\n', line.n))
			abort();
		while (span_word(&line, &word))
			if (!within(word, text) || word.n == 0)
				abort();
	}
	if (sum != text.n || !within(span_trim(text), text))
		abort();
	for (rest = text; span_until(&rest, ',', &part);)
		if (!within(part, text))
			abort();
	for (rest = text; span_until_last(&rest, '.', &part);)
		if (!within(part, text))
			abort();
}

static void numbers(struct span text)
{
	uint64_t v;
	int64_t i;
	char copy[8];

	if (span_u64(text, &v) && span_i64(text, &i) && (uint64_t)i != v)
		abort();
	(void)!span_i64(text, &i);
	(void)!span_hex(text, &v);
	for (unsigned decimals = 0; decimals < 4; decimals++)
		(void)!span_fixed(text, decimals, &v);
	span_copy(text, copy, sizeof copy);
	if (!memchr(copy, '\0', sizeof copy))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_values values;

	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };
	switch (data[0] % 3) {
	case 0:
		pieces(text);
		break;
	case 1:
		numbers(text);
		break;
	default:
		fields_parse(text, fields, sizeof fields / sizeof fields[0], data[0], &values);
	}
	return 0;
}
