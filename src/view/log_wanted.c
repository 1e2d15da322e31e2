/* What people write to choose from the kernel log. */
#include <errno.h>
#include <stdio.h>

#include "base/closest.h"
#include "base/moment.h"
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
		bool less = span_take(&name, "+") || span_take(&name, "..");
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

int log_time_parse(struct span text, uint64_t now_ns, uint64_t *ret, struct note *note)
{
	if (span_is(span_trim(text), "boot")) {
		*ret = 0;
		return 0;
	}
	if (moment_parse(text, now_ns, ret) == 0)
		return 0;
	return note_set(note, -EINVAL,
			"'%.*s' is no time; write 10m, 2h or 3d (ago), 21:00, 2026-11-20, '2026-11-20 21:00', yesterday, "
			"boot or @1763676000",
			(int)text.n, text.p);
}
