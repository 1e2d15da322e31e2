#include "source/kernel_log/decode.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "source/kernel_log/decoder.h"

/* A report whose lines stop for so long has ended without a last line. */
#define REPORT_SILENCE_NS (2 * NS_PER_S)

static void needs_of_lines(struct log_decoder *d);

int log_decoder_new(struct log_decoder **ret)
{
	struct log_decoder *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	needs_of_lines(d);
	d->kind = LOG_KINDS;
	d->memory.group_ns = READING_ABSENT;
	*ret = d;
	return 0;
}

void log_decoder_free(struct log_decoder *d)
{
	if (!d)
		return;
	log_event_deinit(&d->oom.event);
	log_event_deinit(&d->splat.event);
	log_event_deinit(&d->fault.event);
	vec_free(&d->memory.rows);
	buf_deinit(&d->line);
	free(d);
}

enum log_kind log_decoder_last_kind(const struct log_decoder *d)
{
	return d->kind;
}

bool log_decoder_open(const struct log_decoder *d)
{
	return d->oom.open || d->splat.open || d->fault.open;
}

/* ---- events and reports ---- */

void *decoder_alloc(struct log_decoder *d, size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		d->error = -ENOMEM;
	return p;
}

struct log_event decoder_event(const struct log_decoder *d, enum log_kind kind, struct span line)
{
	const struct log_record *record = d->record;
	struct log_event e = {
		.kind = kind,
		.severity = log_kinds[kind].severity,
		.first_sequence = record->sequence,
		.last_sequence = record->sequence,
		.log_ns = record->log_ns,
		.last_log_ns = record->log_ns,
		.level = record->level,
		.cpu = -1,
		.number = READING_ABSENT,
	};

	span_copy(line, e.text, sizeof e.text);
	return e;
}

void decoder_tell(struct log_decoder *d, struct log_event *event)
{
	struct log_event *kept = vec_push(d->out);

	d->kind = event->kind;
	if (!kept) {
		d->error = -ENOMEM;
		log_event_deinit(event);
		return;
	}
	*kept = *event;
	*event = (struct log_event){ 0 };
}

struct log_event *report_begin(struct log_decoder *d, struct report *r, enum log_kind kind, struct span line)
{
	report_end(d, r);
	r->open = true;
	r->caller = d->caller;
	r->event = decoder_event(d, kind, line);
	d->kind = kind;
	return &r->event;
}

void report_end(struct log_decoder *d, struct report *r)
{
	enum log_kind kind = d->kind;

	if (!r->open)
		return;
	r->open = false;
	decoder_tell(d, &r->event);
	d->kind = kind; /* the record that ends it may not be its own */
}

bool report_has(const struct log_decoder *d, const struct report *r)
{
	return r->open && (!r->caller || !d->caller || r->caller == d->caller);
}

void report_take(struct log_decoder *d, struct report *r)
{
	r->event.last_sequence = d->record->sequence;
	r->event.last_log_ns = d->record->log_ns;
	d->kind = r->event.kind;
}

/* What stands between the line's words and the capture. */
static struct span without_glue(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == ',' || s.p[0] == ':')) {
		s.p++;
		s.n--;
	}
	return span_trim(s);
}

void event_take_scan(struct log_event *e, const struct scan *found)
{
	span_copy(found->object, e->object, sizeof e->object);
	span_copy(found->comm, e->comm, sizeof e->comm);
	span_copy(without_glue(found->detail), e->detail, sizeof e->detail);
	span_copy(found->where, e->where, sizeof e->where);
	e->pid = found->pid;
	e->cpu = found->cpu;
	e->number = found->number;
}

/* ---- lines ---- */

static void end_if_silent(struct log_decoder *d, struct report *r)
{
	if (r->open && reading_ok(d->record->log_ns) && reading_ok(r->event.last_log_ns) &&
	    (d->record->log_ns < r->event.last_log_ns ||
	     d->record->log_ns - r->event.last_log_ns > REPORT_SILENCE_NS))
		report_end(d, r);
}

/* What is worth a line though no pattern knows it. */
static void unknown_line(struct log_decoder *d, struct span line)
{
	struct log_event e;

	if (d->record->level > LEVEL_ERR || span_trim(line).n < 4)
		return;
	e = decoder_event(d, LOG_OTHER, line);
	if (d->record->level <= LEVEL_CRIT)
		e.severity = LOG_WARNING;
	decoder_tell(d, &e);
}

static void decode_line(struct log_decoder *d, struct span line)
{
	if (line.n == 0)
		return;
	if (oom_line(d, line) || fault_line(d, line) || splat_line(d, line) || audit_line(d, line) ||
	    simple_line(d, line))
		return;
	unknown_line(d, line);
}

/* Few records have several lines of their own: figures of memory. In all others a newline comes from a name
 * (of a task, of a file), and what stands behind it is somebody's wish to be taken for the kernel. */
static bool has_lines(const struct log_decoder *d, struct span text)
{
	return d->oom.open && (span_starts(text, "active_anon:") || span_starts(text, "anon ") ||
			       span_starts(text, "cache ") || span_starts(text, "rss "));
}

int log_decoder_feed(struct log_decoder *d, const struct log_record *record, log_event_vec *ret)
{
	struct span text, line;

	d->record = record;
	d->out = ret;
	d->error = 0;
	d->kind = LOG_KINDS;
	d->caller = record->caller.n ? map_hash(record->caller.p, record->caller.n) : 0;
	end_if_silent(d, &d->oom);
	end_if_silent(d, &d->splat);
	end_if_silent(d, &d->fault);
	d->kind = LOG_KINDS;
	if (record->facility != 0)
		return d->error;
	buf_clear(&d->line);
	int r = buf_reserve(&d->line, record->text.n);
	if (r < 0)
		return r;
	text = (struct span){ d->line.data, scan_unescape(record->text, d->line.data) };
	if (!has_lines(d, text))
		decode_line(d, text);
	else
		while (span_line(&text, &line))
			oom_line(d, line);
	return d->error;
}

int log_decoder_flush(struct log_decoder *d, log_event_vec *ret)
{
	d->out = ret;
	d->error = 0;
	report_end(d, &d->oom);
	report_end(d, &d->splat);
	report_end(d, &d->fault);
	return d->error;
}

/* ---- lines that are an event each ---- */

#define BAD false
#define GOOD true

static const struct line {
	const char *pattern;
	enum log_kind kind;
	int severity; /* -1: that of the kind */
	bool good;
} lines[] = {
#define LINE_SEVERITY_AS_KIND -1
#define LINE_SEVERITY_NOTE LOG_NOTE
#define LINE_SEVERITY_RISK LOG_RISK
#define LINE_SEVERITY_WARNING LOG_WARNING
#define LINE_SEVERITY_CRITICAL LOG_CRITICAL
#define LINE(kind, severity, good, pattern) { pattern, LOG_##kind, LINE_SEVERITY_##severity, good },
#include "source/kernel_log/lines.def"
#undef LINE
};
_Static_assert(sizeof lines / sizeof lines[0] <= MAX_LINES, "MAX_LINES");

static void needs_of_lines(struct log_decoder *d)
{
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		d->needs[i] = scan_needs_of(lines[i].pattern);
	splat_needs(d);
}

/* Objects as they stand in the line have some dressing. */
static void undress(struct log_event *e)
{
	size_t n = strlen(e->object);

	while (n > 1 && (e->object[n - 1] == ':' || e->object[n - 1] == ','))
		e->object[--n] = '\0';
	if (e->kind == LOG_TABLE_FULL && strcmp(e->object, "nf_conntrack") == 0)
		memcpy(e->object, "conntrack", sizeof "conntrack");
	if (strncmp(e->text, "ata", 3) == 0 && n + 4 < sizeof e->object) {
		memmove(e->object + 3, e->object, n + 1);
		memcpy(e->object, "ata", 3);
	}
}

bool simple_line(struct log_decoder *d, struct span line)
{
	struct scan found;
	struct scan_pairs pairs;

	scan_pairs_of(line, &pairs);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		if (!scan_may_match(&pairs, &d->needs[i]) || !scan_match(line, lines[i].pattern, &found))
			continue;
		struct log_event e = decoder_event(d, lines[i].kind, line);

		event_take_scan(&e, &found);
		undress(&e);
		e.good = lines[i].good;
		if (lines[i].severity >= 0)
			e.severity = (enum log_severity)lines[i].severity;
		decoder_tell(d, &e);
		return true;
	}
	return false;
}
