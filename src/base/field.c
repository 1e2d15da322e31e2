#include "base/field.h"

void fields_missing(const struct field *fields, size_t n, reading why, void *ret)
{
	for (size_t i = 0; i < n; i++)
		*field_at(&fields[i], ret) = why;
}

/* One bit of 64 for a name: names that differ in it are different. */
static uint64_t name_bit(const char *name, size_t n)
{
	return UINT64_C(1) << ((n * 5 + (unsigned char)name[0] + 3u * (unsigned char)name[n - 1]) & 63);
}

static uint64_t name_bits(const struct field *fields, size_t n)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		struct span name = span_from(fields[i].kernel_name);

		if (name.n)
			bits |= name_bit(name.p, name.n);
	}
	return bits;
}

/* The field named `name`, sought from `hint` on and then from the start. */
static size_t lookup(const struct field *fields, size_t n, size_t hint, struct span name)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = hint + i < n ? hint + i : hint + i - n;

		if (fields[at].kernel_name[0] == name.p[0] && span_is(name, fields[at].kernel_name))
			return at;
	}
	return n;
}

static reading parse_value(struct span line, uint64_t scale)
{
	struct span unit;
	uint64_t v;

	if (!span_next_u64(&line, &v))
		return READING_MALFORMED;
	if (span_word(&line, &unit) && span_is(unit, "kB"))
		scale = 1024;
	if (__builtin_mul_overflow(v, scale, &v) || !reading_ok(v))
		return READING_MALFORMED;
	return v;
}

void fields_parse(struct span text, const struct field *fields, size_t n, uint64_t scale, void *ret)
{
	struct span line, name;
	/* Most lines of a long file are not ours (22 of vmstat's 190 are): one bit test
	 * passes over nearly all of them. */
	uint64_t ours = name_bits(fields, n);
	size_t hint = 0;

	fields_missing(fields, n, READING_ABSENT, ret);
	while (span_line(&text, &line)) {
		if (!span_word(&line, &name))
			continue;
		if (name.p[name.n - 1] == ':')
			name.n--;
		if (name.n == 0 || !(ours & name_bit(name.p, name.n)))
			continue;
		size_t at = lookup(fields, n, hint, name);
		if (at == n)
			continue;
		*field_at(&fields[at], ret) = parse_value(line, scale);
		hint = at + 1 < n ? at + 1 : 0;
	}
}

const char *field_unit_name(enum field_unit unit)
{
	static const char *const names[] = {
		[UNIT_COUNT] = "", [UNIT_BYTES] = "bytes", [UNIT_NS] = "ns", [UNIT_PAGES] = "pages", [UNIT_PCT] = "%",
		[UNIT_PER_S] = "/s", [UNIT_BYTES_PER_S] = "bytes/s", [UNIT_MS] = "ms", [UNIT_TIME] = "time",
		[UNIT_TEXT] = "text",
	};
	return names[unit];
}

const char *field_kind_name(enum field_kind kind)
{
	static const char *const names[] = {
		[GAUGE] = "gauge", [COUNTER] = "counter", [RATE] = "rate", [LABEL] = "label",
	};
	return names[kind];
}
