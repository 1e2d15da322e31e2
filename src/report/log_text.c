#include "report/log_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "report/log_meaning.h"
#include "source/kernel_log/scan.h"

static const enum page_tone severity_tones[] = {
	[LOG_NOTE] = TONE_DIM, [LOG_RISK] = TONE_CYAN, [LOG_WARNING] = TONE_YELLOW, [LOG_CRITICAL] = TONE_RED,
};

/* ---- times ---- */

struct time_text {
	char text[40];
};

/* The time alone when it was today. */
static struct time_text moment(const struct log_page *of, reading real_ns, bool whole)
{
	struct time_text t = { "at an unknown time" };
	time_t now = (time_t)(of->book->clock.real_ns / NS_PER_S), at;
	struct tm today, tm;

	if (!reading_ok(real_ns))
		return t;
	at = (time_t)(real_ns / NS_PER_S);
	localtime_r(&now, &today);
	localtime_r(&at, &tm);
	bool same_day = tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday;
	strftime(t.text, sizeof t.text, same_day && !whole ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	return t;
}

/* "38 min ago", of what is not long past in the eyes of its own clock. */
static struct units_text ago(const struct log_page *of, uint64_t real_ns)
{
	uint64_t now = of->book->clock.real_ns;

	return duration_text(now > real_ns ? (double)(now - real_ns) / 1e9 : 0);
}

/* ---- parts of an event ---- */

static void put_wrapped(struct page *p, unsigned indent, struct buf *text)
{
	if (text->n == 0)
		return;
	page_indent(p, indent);
	page_wrap_span(p, indent, buf_span(text));
	page_newline(p);
}

static void put_cell(struct page *p, unsigned to, const char *text)
{
	unsigned columns = text_columns(span_from(text), p->style.unicode);

	page_indent(p, columns < to ? to - columns : p->column + 1);
	page_put(p, "%s", text);
}

/* Who held memory when it ran out. */
static void put_tasks(struct page *p, const struct log_oom *o, int32_t victim, size_t most)
{
	bool narrow = p->style.width < 60;

	if (o->ntasks < 2)
		return;
	page_indent(p, 2);
	page_tone(p, TONE_DIM);
	page_wrap(p, 2, "Tasks that could be killed: %" PRIu64 ", with %s of memory and %s of swap. The "
		"largest:", o->all_tasks,
		  bytes_text((double)o->all_rss_bytes).text, bytes_text((double)o->all_swap_bytes).text);
	page_newline(p);
	put_cell(p, 11, "PID");
	put_cell(p, 22, "MEMORY");
	if (!narrow) {
		put_cell(p, 33, "SWAP");
		put_cell(p, 39, "ADJ");
	}
	page_put(p, "  NAME");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	for (size_t i = 0; i < o->ntasks && i < most; i++) {
		const struct log_oom_task *t = &o->tasks[i];
		char number[16];

		page_tone(p, t->pid == victim ? TONE_RED : TONE_PLAIN);
		snprintf(number, sizeof number, "%d", t->pid);
		put_cell(p, 11, number);
		put_cell(p, 22, bytes_text((double)t->rss_bytes).text);
		if (!narrow) {
			put_cell(p, 33, bytes_text((double)t->swap_bytes).text);
			snprintf(number, sizeof number, "%d", t->score_adj);
			put_cell(p, 39, number);
		}
		page_put(p, "  %s%s", t->comm, t->pid == victim ? "  (killed)" : "");
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

/* Each command once: ten OOM kills have one guide. */
static void put_command(struct page *p, struct map *told, const char *command)
{
	uint64_t key = map_hash(command, strlen(command));

	if (map_get(told, key) != MAP_NONE)
		return;
	if (map_set(told, key, 0) < 0)
		p->error = -ENOMEM;
	page_indent(p, 2);
	page_tone(p, TONE_GREEN);
	page_wrap(p, 8, "next: %s", command);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_next(struct page *p, struct map *told, const struct log_happening *h)
{
	struct log_next next;

	log_next_of(h, &next);
	if (next.condition) {
		char command[80];

		snprintf(command, sizeof command, "osprey explain %s", next.condition);
		put_command(p, told, command);
	}
	for (size_t i = 0; i < LOG_NEXT_COMMANDS && next.command[i][0]; i++)
		put_command(p, told, next.command[i]);
}

static void put_severity(struct page *p, enum log_severity severity)
{
	page_tone(p, severity_tones[severity]);
	page_put(p, "%s", log_severity_name(severity));
	page_tone(p, TONE_PLAIN);
	page_put(p, " ");
}

static void put_title(struct page *p, const struct log_happening *h, unsigned hang)
{
	cleanup(buf_deinit) struct buf title = { 0 };

	if (log_title(h, &title) < 0)
		p->error = -ENOMEM;
	page_tone(p, TONE_STRONG);
	page_wrap_span(p, hang, buf_span(&title));
	page_tone(p, TONE_PLAIN);
}

static void put_meaning(struct page *p, const struct log_happening *h)
{
	cleanup(buf_deinit) struct buf text = { 0 };

	if (log_meaning(h, &text) < 0)
		p->error = -ENOMEM;
	put_wrapped(p, 2, &text);
}

/* The kernel's own words, cut at the page's end; the whole line is in --all. */
static void put_line(struct page *p, const struct log_event *e)
{
	struct span text = span_from(e->text);
	bool cut = false;

	if (e->kind == LOG_OTHER)
		return;
	page_indent(p, 2);
	page_tone(p, TONE_DIM);
	page_put(p, "kernel: ");
	/* Three columns are for the mark. */
	while (text.n > 0 && p->column + text_columns(text, p->style.unicode) + (cut ? 3 : 0) > p->style.width) {
		text.n--;
		cut = true;
	}
	page_put_span(p, text);
	page_put(p, "%s", cut ? "…" : "");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* ---- groups ---- */

static void put_times(struct page *p, const struct log_page *of, const struct log_group *g)
{
	uint64_t n = g->count + g->good_count;

	page_put(p, ",");
	page_tone(p, TONE_DIM);
	if (g->good_count && g->count)
		page_wrap(p, 2, " %" PRIu64 " time%s, came back %" PRIu64 " time%s, last %s", g->count,
			  g->count == 1 ? "" : "s", g->good_count, g->good_count == 1 ? "" : "s",
			  moment(of, g->last_real_ns, false).text);
	else if (n > 1)
		page_wrap(p, 2, " %" PRIu64 " times since %s, last %s", n, moment(of, g->first_real_ns, false).text,
			  moment(of, g->last_real_ns, false).text);
	else
		page_wrap(p, 2, " %s", moment(of, g->last_real_ns, false).text);
	if (reading_ok(g->last_real_ns))
		page_wrap(p, 2, " (%s ago)", ago(of, g->last_real_ns).text);
	page_tone(p, TONE_PLAIN);
}

static void put_group(struct page *p, struct map *told, const struct log_page *of, const struct log_group *g)
{
	const struct log_happening *h = &of->book->happenings.v[g->latest];

	put_severity(p, g->severity);
	put_title(p, h, 2);
	if (g->objects > 1)
		page_wrap(p, 2, " and %s like it", g->objects == 2 ? "another" : "others");
	put_times(p, of, g);
	page_newline(p);
	if (g->severity == LOG_NOTE)
		return;
	put_meaning(p, h);
	if (h->event.oom)
		put_tasks(p, h->event.oom, h->event.pid, 5);
	put_line(p, &h->event);
	put_next(p, told, h);
}

/* ---- the head ---- */

static void put_counts(struct page *p, const struct log_page *of)
{
	static const char *const many[] = { "notes", "risks", "warnings", "critical" };
	uint64_t n[4] = { 0 };
	bool any = false;

	vec_each(g, &of->book->groups)
		n[g->severity]++;
	for (int s = LOG_CRITICAL; s >= LOG_NOTE; s--) {
		if (!n[s])
			continue;
		page_put(p, "%s", any ? ", " : "");
		page_tone(p, severity_tones[s]);
		page_put(p, "%" PRIu64 " %s", n[s], n[s] == 1 ? log_severity_name((enum log_severity)s) : many[s]);
		page_tone(p, TONE_PLAIN);
		any = true;
	}
	if (!any)
		page_put(p, "Nothing to tell");
	if (of->wanted->since_cleared)
		page_put(p, " since it was cleared");
	else if (of->wanted->since_ns)
		page_put(p, " since %s", moment(of, of->wanted->since_ns, false).text);
	page_put(p, ".");
}

static void put_reach(struct page *p, const struct log_page *of)
{
	const struct log_book *b = of->book;

	page_tone(p, TONE_DIM);
	if (b->all_records == 0) {
		page_wrap(p, 0, " The log is empty.");
	} else if (!reading_ok(b->oldest_real_ns)) {
		page_wrap(p, 0, " The log's records have no times here (printk.time is off, and only "
			"syslog(2) answers).");
	} else {
		page_wrap(p, 0, " The log holds %" PRIu64 " records and reaches back to %s (%s)%s.", b->all_records,
			  moment(of, b->oldest_real_ns, false).text, ago(of, b->oldest_real_ns).text,
			  b->oldest_sequence ? "; older ones were overwritten" : ", to the start");
		if (of->wanted->since_ns && b->oldest_sequence && of->wanted->since_ns < b->oldest_real_ns)
			page_wrap(p, 0, " That is not as far as was asked for.");
	}
	if (b->lost)
		page_wrap(p, 0, " %" PRIu64 " records were lost: overwritten before they could be read.", b->lost);
	if (b->cleared)
		page_wrap(p, 0, " %" PRIu64 " of them are from before somebody cleared it (dmesg -C; "
			"--since clear leaves them out).",
			  b->cleared);
	if (b->clock.unsure_before_ns)
		page_wrap(p, 0, " The machine has slept more than once: times before %s may be told too "
			"late, by at most %s.",
			  moment(of, log_clock_real(&b->clock, b->clock.unsure_before_ns), false).text,
			  duration_text((double)b->clock.unknown_ns / 1e9).text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

void log_page_happening(struct page *p, const struct log_page *of, const struct log_happening *h)
{
	page_tone(p, TONE_DIM);
	page_put(p, "%s ", moment(of, h->real_ns, false).text);
	page_tone(p, TONE_PLAIN);
	put_severity(p, h->event.severity);
	put_title(p, h, 2);
	page_newline(p);
	if (h->event.severity == LOG_NOTE && h->event.kind != LOG_TRAP)
		return;
	put_meaning(p, h);
	if (h->event.oom)
		put_tasks(p, h->event.oom, h->event.pid, LOG_OOM_TASKS);
	put_line(p, &h->event);
}

#define MAX_NOTES 10 /* told by themselves; a boot may leave dozens */

void log_page_events(struct page *p, const struct log_page *of)
{
	const struct log_book *b = of->book;
	enum log_severity before = LOG_CRITICAL;
	struct map told = { 0 };

	put_counts(p, of);
	put_reach(p, of);
	if (of->each) {
		vec_each(h, &b->happenings) {
			page_newline(p);
			log_page_happening(p, of, h);
		}
		return;
	}
	size_t notes = 0;

	vec_each(g, &b->groups) {
		if (g->severity == LOG_NOTE && ++notes > MAX_NOTES)
			continue;
		/* Notes stand together. */
		if (g == b->groups.v || g->severity != LOG_NOTE || before != LOG_NOTE)
			page_newline(p);
		before = g->severity;
		put_group(p, &told, of, g);
	}
	map_deinit(&told);
	if (notes > MAX_NOTES) {
		page_tone(p, TONE_DIM);
		page_wrap(p, 2, "… and %zu more notes: osprey log --filter 'severity == note'", notes - MAX_NOTES);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

/* ---- records ---- */

static enum page_tone level_tone(unsigned level)
{
	if (level <= LEVEL_ERR)
		return TONE_RED;
	return level == LEVEL_WARNING ? TONE_YELLOW : level == LEVEL_DEBUG ? TONE_DIM : TONE_PLAIN;
}

static void put_stamp(struct page *p, reading real_ns)
{
	time_t at = (time_t)(reading_or(real_ns, 0) / NS_PER_S);
	char text[40];
	struct tm tm;

	if (!reading_ok(real_ns)) {
		page_put(p, "%-26s", "-");
		return;
	}
	localtime_r(&at, &tm);
	size_t n = strftime(text, sizeof text, p->style.width < 60 ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	if (p->style.width >= 60)
		snprintf(text + n, sizeof text - n, ".%06" PRIu64, real_ns % NS_PER_S / 1000);
	page_put(p, "%s", text);
}

void log_page_record(struct page *p, const struct log_page *of, const struct log_entry *e)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	const struct log_record *r = &e->record;
	struct span rest, line;
	bool wide = p->style.width >= 60;
	unsigned hang = 0;

	(void)of;
	if (buf_reserve(&text, r->text.n) < 0) {
		p->error = -ENOMEM;
		return;
	}
	text.n = scan_unescape(r->text, text.data);
	rest = buf_span(&text);
	do {
		if (!span_line(&rest, &line))
			line = (struct span){ "", 0 };
		if (hang) {
			page_indent(p, hang);
		} else {
			page_tone(p, TONE_DIM);
			put_stamp(p, e->real_ns);
			page_tone(p, level_tone(r->level));
			if (wide)
				page_put(p, " %-6s ", r->level < LOG_LEVELS ? log_level_names[r->level] : "?");
			else
				page_put(p, " ");
			hang = p->column;
			if (r->facility != 0)
				page_put(p, "%s: ", log_facility_name(r->facility));
		}
		page_tone(p, level_tone(r->level));
		page_put_span(p, line);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	} while (rest.n);
}
