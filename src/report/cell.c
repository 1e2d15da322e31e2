/* One cell as text. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "report/table.h"

static int digits_of(uint64_t v, char *end)
{
	char *p = end;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return (int)(end - p);
}

static int append_u64(uint64_t v, struct buf *ret)
{
	char text[24], *end = text + sizeof text;
	int n = digits_of(v, end);

	return buf_append(ret, end - n, (size_t)n);
}

/* "1.5G", "12G", "999": three significant digits and a letter. */
static int append_scaled(double v, double step, struct buf *ret)
{
	static const char letters[] = " KMGTPE";
	size_t i = 0;

	while (v >= step && i + 2 < sizeof letters) {
		v /= step;
		i++;
	}
	/* 1023.9 would be written with four digits. */
	if (v >= 999.5 && i > 0 && i + 2 < sizeof letters) {
		v /= step;
		i++;
	}
	if (i == 0 && (v >= 99.95 || v == (double)(uint64_t)v))
		return append_u64((uint64_t)(v + 0.5), ret);
	if (i == 0)
		return buf_printf(ret, v < 0.995 ? "%.2f" : "%.1f", v);
	return buf_printf(ret, v < 9.995 ? "%.2f%c" : v < 99.95 ? "%.1f%c" : "%.0f%c", v, letters[i]);
}

/* "0", "1.5ms", "12.3s", "5m07s", "3h12m", "2d5h". */
static int append_duration(double ns, struct buf *ret)
{
	double s = ns / 1e9;
	uint64_t whole = (uint64_t)s;

	if (s <= 0)
		return buf_append(ret, "0", 1);
	if (s < 0.00095)
		return buf_printf(ret, "%.0fus", s * 1e6);
	if (s < 0.9995)
		return buf_printf(ret, s < 0.00995 ? "%.1fms" : "%.0fms", s * 1e3);
	if (s < 59.95)
		return buf_printf(ret, "%.1fs", s);
	if (whole < 3600)
		return buf_printf(ret, "%" PRIu64 "m%02" PRIu64 "s", whole / 60, whole % 60);
	if (whole < 86400)
		return buf_printf(ret, "%" PRIu64 "h%02" PRIu64 "m", whole / 3600, whole / 60 % 60);
	return buf_printf(ret, "%" PRIu64 "d%" PRIu64 "h", whole / 86400, whole / 3600 % 24);
}

/* The time of what is younger than a day, the date of the rest; local time. */
static int append_moment(uint64_t ns, uint64_t now_ns, struct buf *ret)
{
	time_t t = (time_t)(ns / NS_PER_S);
	char text[32];
	struct tm tm;

	localtime_r(&t, &tm);
	bool today = ns <= now_ns && now_ns - ns < 86400 * NS_PER_S;
	size_t n = strftime(text, sizeof text, today ? "%H:%M:%S" : "%Y-%m-%d", &tm);
	return buf_append(ret, text, n);
}

/* Numbers as they are, in base units. */
static int append_raw(const struct cell *c, struct buf *ret)
{
	if (c->kind == CELL_COUNT)
		return append_u64(c->count, ret);
	return buf_printf(ret, "%.6g", c->real);
}

static int append_number(const struct column *c, const struct cell *cell, enum table_units units, struct buf *ret)
{
	double v = cell_number(cell);

	if (units == UNITS_RAW || (v < 0 && c->kind == LABEL))
		return append_raw(cell, ret);
	if (v < 0 && c->unit != UNIT_PCT) { /* what shrinks */
		const struct cell turned = cell_real(-v);
		int r = buf_append(ret, "-", 1);

		return r < 0 ? r : append_number(c, &turned, units, ret);
	}
	switch (c->unit) {
	case UNIT_BYTES:
	case UNIT_BYTES_PER_S: return append_scaled(v, units == UNITS_SI ? 1000 : 1024, ret);
	case UNIT_NS: return append_duration(v, ret);
	case UNIT_MS: return buf_printf(ret, v < 9.995 ? "%.2f" : v < 99.95 ? "%.1f" : "%.0f", v);
	case UNIT_PCT: return buf_printf(ret, "%.1f", v);
	default:
		/* Ids stay whole; counts of up to seven digits too: they can be compared by eye. */
		if (cell->kind == CELL_COUNT && (c->kind == LABEL || v < 1e7))
			return append_u64(cell->count, ret);
		return append_scaled(v, 1000, ret);
	}
}

int cell_format(const struct column *c, const struct cell *cell, enum table_units units, uint64_t now_ns,
		struct buf *ret)
{
	if (cell->kind == CELL_MISSING)
		return buf_append(ret, "-", 1);
	if (cell->kind == CELL_TEXT)
		return buf_append(ret, cell->text.p, cell->text.n);
	if (c->unit == UNIT_TIME && cell->kind == CELL_COUNT)
		return append_moment(cell->count, now_ns, ret);
	return append_number(c, cell, units, ret);
}
