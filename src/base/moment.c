#include "base/moment.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"

static bool digits(struct span *s, size_t n, int *ret)
{
	uint64_t v;

	if (s->n < n || !span_u64((struct span){ s->p, n }, &v))
		return false;
	*ret = (int)v;
	s->p += n;
	s->n -= n;
	return true;
}

/* "2026-11-20" */
static bool date(struct span *s, struct tm *tm)
{
	struct span rest = *s;
	int year, month, day;

	if (!digits(&rest, 4, &year) || !span_take(&rest, "-") || !digits(&rest, 2, &month) ||
	    !span_take(&rest, "-") || !digits(&rest, 2, &day) || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	*s = rest;
	return true;
}

/* "21:00", "21:00:05", "21:00:05.123" */
static bool time_of_day(struct span *s, struct tm *tm, uint64_t *ret_ns)
{
	struct span rest = *s;
	int hour, minute, second = 0;
	uint64_t ns = 0;

	if (!digits(&rest, 2, &hour) || !span_take(&rest, ":") || !digits(&rest, 2, &minute))
		return false;
	if (span_take(&rest, ":") && !digits(&rest, 2, &second))
		return false;
	if (span_starts(rest, ".") || span_starts(rest, ",")) {
		char fixed[24] = "0.";
		size_t n = 1;

		while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
			n++;
		span_copy((struct span){ rest.p + 1, n - 1 }, fixed + 2, sizeof fixed - 2);
		if (n < 2 || !span_fixed(span_from(fixed), 9, &ns))
			return false;
		rest = (struct span){ rest.p + n, rest.n - n };
	}
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	tm->tm_hour = hour;
	tm->tm_min = minute;
	tm->tm_sec = second;
	*ret_ns = ns;
	*s = rest;
	return true;
}

static bool midnight(struct span text, struct tm *tm)
{
	if (!span_is(text, "today") && !span_is(text, "yesterday"))
		return false;
	tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
	tm->tm_mday -= span_is(text, "yesterday");
	return true;
}

/* What is left behind date and time: nothing, "Z" or "+01:00". */
static bool zone(struct span s, bool *ret_utc, int64_t *ret_offset_s)
{
	int hours, minutes = 0;
	bool minus = span_starts(s, "-");

	*ret_utc = s.n > 0;
	*ret_offset_s = 0;
	if (s.n == 0 || span_is(s, "Z"))
		return true;
	if (!span_take(&s, "+") && !span_take(&s, "-"))
		return false;
	if (!digits(&s, 2, &hours))
		return false;
	(void)!span_take(&s, ":");
	if (s.n && !digits(&s, 2, &minutes))
		return false;
	*ret_offset_s = (minus ? -1 : 1) * (hours * 3600 + minutes * 60);
	return s.n == 0;
}

static bool calendar(struct span text, uint64_t now_ns, uint64_t *ret)
{
	time_t now = (time_t)(now_ns / NS_PER_S);
	struct tm tm;
	uint64_t ns = 0;
	int64_t offset_s = 0;
	bool utc = false, dated;

	localtime_r(&now, &tm);
	tm.tm_isdst = -1;
	if (!midnight(text, &tm)) {
		dated = date(&text, &tm);
		if (dated) {
			tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
			if (text.n && !span_take(&text, " ") && !span_take(&text, "T"))
				return false;
		}
		if ((text.n || !dated) && (!time_of_day(&text, &tm, &ns) || !zone(text, &utc, &offset_s)))
			return false;
	}
	time_t at = utc ? timegm(&tm) : mktime(&tm);
	at -= offset_s;
	if (at < 0)
		return false;
	*ret = (uint64_t)at * NS_PER_S + ns;
	return true;
}

/* "3h 12m", "10m ago" */
static bool ago(struct span text, uint64_t *ret_ns)
{
	static const char word[] = " ago";
	size_t n = sizeof word - 1;

	if (text.n > n && memcmp(text.p + text.n - n, word, n) == 0)
		text = span_trim((struct span){ text.p, text.n - n });
	return duration_sum_parse(text, ret_ns) == 0;
}

int moment_parse(struct span text, uint64_t now_ns, uint64_t *ret)
{
	uint64_t ns;

	text = span_trim(text);
	if (span_is(text, "now")) {
		*ret = now_ns;
		return 0;
	}
	if (text.n > 1 && text.p[0] == '@' && span_fixed((struct span){ text.p + 1, text.n - 1 }, 9, ret))
		return 0;
	if (ago(text, &ns)) {
		*ret = ns < now_ns ? now_ns - ns : 0;
		return 0;
	}
	return calendar(text, now_ns, ret) ? 0 : -EINVAL;
}
