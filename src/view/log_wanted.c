/* What people write to choose from the kernel log. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/closest.h"
#include "base/units.h"
#include "view/log_book.h"

/* ---- lists of names ---- */

static int level_named(struct span name)
{
	/* As dmesg and journalctl write them, too. */
	static const char *const others[LOG_LEVELS] = { "panic", NULL, "critical", "error", "warning", NULL, NULL, NULL };

	for (int i = 0; i < LOG_LEVELS; i++)
		if (span_is(name, log_level_names[i]) || (others[i] && span_is(name, others[i])))
			return i;
	if (name.n == 1 && name.p[0] >= '0' && name.p[0] <= '7')
		return name.p[0] - '0';
	return -1;
}

static bool take_prefix(struct span *s, const char *prefix)
{
	if (!span_starts(*s, prefix))
		return false;
	s->p += strlen(prefix);
	s->n -= strlen(prefix);
	return true;
}

static bool take_suffix(struct span *s, const char *suffix)
{
	size_t n = strlen(suffix);

	if (s->n < n || memcmp(s->p + s->n - n, suffix, n) != 0)
		return false;
	s->n -= n;
	return true;
}

static bool next_word(struct span *list, struct span *ret)
{
	if (list->n == 0)
		return false;
	if (!span_until(list, ',', ret)) {
		*ret = *list;
		list->n = 0;
	}
	*ret = span_trim(*ret);
	return true;
}

int log_levels_parse(struct span text, uint32_t *ret, struct note *note)
{
	struct span word;
	uint32_t levels = 0;

	while (next_word(&text, &word)) {
		struct span name = word;
		bool less = take_prefix(&name, "+") || take_prefix(&name, "..");
		bool worse = take_suffix(&name, "+") || take_suffix(&name, "..");
		int level = level_named(name);

		if (level < 0 || (less && worse))
			return note_set(note, -EINVAL,
					"'%.*s' is no level; levels are emerg, alert, crit, err, warn, notice, info, "
					"debug; err+ is err and worse, +err is err and less",
					(int)word.n, word.p);
		levels |= less ? 0xffu << level & 0xff : worse ? (2u << level) - 1 : 1u << level;
	}
	if (!levels)
		return note_set(note, -EINVAL, "no level is named");
	*ret = levels;
	return 0;
}

int log_facilities_parse(struct span text, uint32_t *ret, struct note *note)
{
	uint32_t facilities = 0;
	struct span word;

	while (next_word(&text, &word)) {
		unsigned i = 0;

		while (i < LOG_FACILITIES && !span_is(word, log_facility_name(i)))
			i++;
		if (i == LOG_FACILITIES)
			return note_set(note, -EINVAL,
					"'%.*s' is no facility; those in use are kern, user, daemon, auth, syslog, "
					"cron, local0 … local7",
					(int)word.n, word.p);
		facilities |= 1u << i;
	}
	if (!facilities)
		return note_set(note, -EINVAL, "no facility is named");
	*ret = facilities;
	return 0;
}

int log_kinds_parse(struct span text, uint64_t *ret, struct note *note)
{
	uint64_t kinds = 0;
	struct span word;

	while (next_word(&text, &word)) {
		struct closest c = { 0 };
		char name[64];
		int i = 0;

		span_copy(word, name, sizeof name);
		while (i < LOG_KINDS && strcmp(log_kinds[i].id, name) != 0)
			closest_offer(&c, name, log_kinds[i++].id);
		if (i == LOG_KINDS)
			return note_set(note, -EINVAL,
					"'%s' is no kind of event; closest: %s (osprey help log lists them)", name,
					c.word);
		kinds |= UINT64_C(1) << i;
	}
	if (!kinds)
		return note_set(note, -EINVAL, "no kind of event is named");
	*ret = kinds;
	return 0;
}

/* ---- times ---- */

/* "3d", and what duration_parse knows. */
static bool ago(struct span text, uint64_t *ret_ns)
{
	struct span number = text;
	uint64_t days;

	if (take_suffix(&number, "d") && span_u64(number, &days) && days < 100000) {
		*ret_ns = days * 86400 * NS_PER_S;
		return true;
	}
	return duration_parse(text, ret_ns) == 0;
}

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

	if (!digits(&rest, 4, &year) || !take_prefix(&rest, "-") || !digits(&rest, 2, &month) ||
	    !take_prefix(&rest, "-") || !digits(&rest, 2, &day) || month < 1 || month > 12 || day < 1 || day > 31)
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

	if (!digits(&rest, 2, &hour) || !take_prefix(&rest, ":") || !digits(&rest, 2, &minute))
		return false;
	if (take_prefix(&rest, ":") && !digits(&rest, 2, &second))
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
	if (!take_prefix(&s, "+") && !take_prefix(&s, "-"))
		return false;
	if (!digits(&s, 2, &hours))
		return false;
	(void)!take_prefix(&s, ":");
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
			if (text.n && !take_prefix(&text, " ") && !take_prefix(&text, "T"))
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

int log_time_parse(struct span text, uint64_t now_ns, uint64_t *ret, struct note *note)
{
	uint64_t ns;

	text = span_trim(text);
	if (span_is(text, "boot")) {
		*ret = 0;
		return 0;
	}
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
	if (calendar(text, now_ns, ret))
		return 0;
	return note_set(note, -EINVAL,
			"'%.*s' is no time; write 10m, 2h or 3d (ago), 21:00, 2026-11-20, '2026-11-20 21:00', yesterday, "
			"boot or @1763676000",
			(int)text.n, text.p);
}
