#include "base/field.h"

void fields_missing(const struct field *fields, size_t n, reading why, void *ret)
{
	for (size_t i = 0; i < n; i++)
		*field_at(&fields[i], ret) = why;
}

/* The field named `name`, sought from `hint` on and then from the start. */
static size_t lookup(const struct field *fields, size_t n, size_t hint, struct span name)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = hint + i < n ? hint + i : hint + i - n;

		if (span_is(name, fields[at].kernel_name))
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
	size_t hint = 0;

	fields_missing(fields, n, READING_ABSENT, ret);
	while (span_line(&text, &line)) {
		if (!span_word(&line, &name))
			continue;
		if (name.n && name.p[name.n - 1] == ':')
			name.n--;
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
	};
	return names[unit];
}
