#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"

static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{ "ns", 1 },		{ "us", NS_PER_US },	    { "ms", NS_PER_MS },
	{ "s", NS_PER_S },	{ "m", 60 * NS_PER_S },	    { "min", 60 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
};

static bool is_digit(char c)
{
	return (c >= '0' && c <= '9') || c == '.';
}

int duration_parse(struct span text, uint64_t *ret_ns)
{
	size_t digits = 0;
	uint64_t milli, ns;

	while (digits < text.n && is_digit(text.p[digits]))
		digits++;
	struct span number = { text.p, digits }, unit = { text.p + digits, text.n - digits };
	for (size_t i = 0; i < sizeof duration_units / sizeof duration_units[0]; i++) {
		if (!span_is(unit, duration_units[i].name))
			continue;
		if (digits > 16)
			return -ERANGE;
		if (!span_fixed(number, 3, &milli))
			return -EINVAL;
		if (__builtin_mul_overflow(milli, duration_units[i].ns, &ns))
			return -ERANGE;
		*ret_ns = ns / 1000;
		return 0;
	}
	return -EINVAL;
}

/* "3d": no unit of duration_parse, for what days are told of is no interval. */
static int days_parse(struct span text, uint64_t *ret_ns)
{
	uint64_t days;

	if (text.n == 0 || text.p[text.n - 1] != 'd' || !span_u64((struct span){ text.p, text.n - 1 }, &days))
		return -EINVAL;
	return __builtin_mul_overflow(days, 86400 * NS_PER_S, ret_ns) ? -ERANGE : 0;
}

int duration_sum_parse(struct span text, uint64_t *ret_ns)
{
	uint64_t sum = 0, ns = 0;

	do {
		size_t n = 0;

		while (n < text.n && is_digit(text.p[n]))
			n++;
		while (n < text.n && !is_digit(text.p[n]))
			n++;
		struct span part = { text.p, n };
		int r = days_parse(part, &ns);
		if (r == -EINVAL)
			r = duration_parse(part, &ns);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(sum, ns, &sum))
			return -ERANGE;
		text = (struct span){ text.p + n, text.n - n };
	} while (text.n);
	*ret_ns = sum;
	return 0;
}

static struct units_text with_unit(double value, const char *unit)
{
	struct units_text t = number_text(value);
	size_t n = strlen(t.text);

	snprintf(t.text + n, sizeof t.text - n, " %s", unit);
	return t;
}

struct units_text duration_text(double s)
{
	if (!isfinite(s))
		return number_text(s);
	if (fabs(s) < 1e-3)
		return with_unit(s * 1e6, "us");
	if (fabs(s) < 0.9995) /* what would be written as 1000 ms is 1 s */
		return with_unit(s * 1e3, "ms");
	if (fabs(s) < 120)
		return with_unit(s, "s");
	if (fabs(s) < 7200)
		return with_unit(s / 60, "min");
	return fabs(s) < 48 * 3600.0 ? with_unit(s / 3600, "h") : with_unit(s / 86400, "days");
}

struct units_text bytes_text(double bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t i = 0;

	if (!isfinite(bytes))
		return number_text(bytes);
	while (fabs(bytes) >= 1024 && i + 1 < sizeof names / sizeof names[0]) {
		bytes /= 1024;
		i++;
	}
	return with_unit(bytes, names[i]);
}

/* 1234567 -> "1 234 567" */
static void group_digits(const char *digits, struct units_text *t)
{
	size_t n = strlen(digits), at = 0;

	for (size_t i = 0; i < n && at + 2 < sizeof t->text; i++) {
		if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
			t->text[at++] = ' ';
		t->text[at++] = digits[i];
	}
	t->text[at] = '\0';
}

struct units_text number_text(double v)
{
	struct units_text t = { "?" };
	char digits[UNITS_SIZE];

	if (isnan(v))
		return t;
	if (fabs(v) >= 1e15) {
		snprintf(t.text, sizeof t.text, "%.3g", v);
	} else if (fabs(v) >= 999.5) {
		snprintf(digits, sizeof digits, "%.0f", v);
		group_digits(digits, &t);
	} else {
		snprintf(t.text, sizeof t.text, "%.3g", v);
		if (fabs(v) < 1e-4 && v != 0)
			snprintf(t.text, sizeof t.text, "%.1e", v);
	}
	return t;
}
