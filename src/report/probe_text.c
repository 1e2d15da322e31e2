#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "base/utf8.h"
#include "report/probe.h"

void probe_number_text(const struct probe_value *v, const char *at, char *ret, size_t size)
{
	uint64_t n;

	memcpy(&n, at, sizeof n);
	bool address = v->untyped && (int64_t)n >= INT64_C(1) << 32;
	bool kernel_address = v->untyped && n >= UINT64_C(0xffff000000000000) && n < UINT64_C(0xffffffffff000000);

	if (v->hexadecimal || address || kernel_address)
		snprintf(ret, size, "0x%" PRIx64, n);
	else if (v->is_signed)
		snprintf(ret, size, "%" PRId64, (int64_t)n);
	else
		snprintf(ret, size, "%" PRIu64, n);
}

/* Room for a word of so many columns. Lines of hits are as long as the terminal; in a pipe they are one. */
static void make_room(struct page *p, unsigned hang, unsigned columns)
{
	if (p->column > hang && p->column + 1 + columns > p->style.width) {
		page_newline(p);
		page_indent(p, hang);
	} else if (p->column > hang) {
		page_put(p, " ");
	}
}

__attribute__((format(printf, 3, 4))) static void put_line(struct page *p, unsigned hang, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	page_wrap_args(p, hang, format, args);
	va_end(args);
	page_newline(p);
}

static void put_stack(struct page *p, const struct probe_report *r, const struct probe_field *f, const char *at, bool key,
		      const struct probe_record *record)
{
	char mark = f->value.kernel_stack ? 'k' : 'u', text[512];
	struct event_frames frames;
	int pid;

	probe_stack_frames(r, f, at, key, record, &frames, &pid);
	if (key && pid) {
		page_indent(p, 4);
		put_line(p, 4, "process %d", pid);
	}
	for (size_t i = 0; i < frames.n; i++) {
		probe_frame_text(&frames.frame[i], text, sizeof text);
		page_tone(p, TONE_DIM);
		page_put(p, "    %c ", mark);
		page_tone(p, TONE_PLAIN);
		put_line(p, 6, "%s%s", text,
			 frames.frame[i].inlined ? " [inlined]" : frames.frame[i].guessed ? " [guessed]" : "");
	}
	if (frames.why) {
		page_put(p, "    %c ", mark);
		put_line(p, 6, "(%s)", frames.why);
	}
}

static struct span text_at(const char *at, size_t size)
{
	return (struct span){ at, strnlen(at, size) };
}

/* ---- hits ---- */

static void put_time(struct page *p, const struct probe_report *r, uint64_t mono_ns)
{
	uint64_t ns = (uint64_t)((int64_t)mono_ns + r->real_minus_mono_ns);
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;

	localtime_r(&seconds, &tm);
	page_tone(p, TONE_DIM);
	page_put(p, "%02d:%02d:%02d.%06u ", tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(ns % NS_PER_S / 1000));
	page_tone(p, TONE_PLAIN);
}

/* Made safe. */
static int value_words(const struct probe_report *r, const struct probe_field *f, const char *at, bool unicode, struct buf *ret)
{
	char number[32];
	uint64_t site;

	if (f->value.kind == VALUE_TEXT) {
		struct span text = text_at(at, f->size);
		int rc = buf_append(ret, "\"", 1);

		rc = rc < 0 ? rc : text_safe(text, unicode, ret);
		rc = rc < 0 || text.n + 1 < PROBE_TEXT_BYTES ? rc : text_safe(SPAN("…"), unicode, ret);
		return rc < 0 ? rc : buf_append(ret, "\"", 1);
	}
	if (f->value.kind == VALUE_SITE) {
		memcpy(&site, at, sizeof site);
		return text_safe(span_from(probe_session_site_name(r->session, (uint32_t)site)), unicode, ret);
	}
	probe_number_text(&f->value, at, number, sizeof number);
	return buf_printf(ret, "%s", number);
}

static void put_value(struct page *p, const struct probe_report *r, const struct probe_field *f, const char *at, bool fault)
{
	struct buf value = { 0 };
	int rc = fault ? buf_printf(&value, "(unreadable)") : value_words(r, f, at, p->style.unicode, &value);
	unsigned columns = utf8_columns(buf_span(&value));

	make_room(p, 4, text_columns(span_from(f->name), p->style.unicode) + 1 + columns);
	page_tone(p, TONE_DIM);
	page_put(p, "%s=", f->name);
	page_tone(p, fault ? TONE_YELLOW : TONE_PLAIN);
	page_put_safe(p, buf_span(&value), columns);
	page_tone(p, TONE_PLAIN);
	if (rc < 0 && p->error == 0)
		p->error = rc;
	buf_deinit(&value);
}

void probe_text_record(struct page *p, const struct probe_report *r, const struct probe_record *record,
		       const struct probe_layout *l)
{
	put_time(p, r, record->mono_ns);
	page_tone(p, TONE_STRONG);
	page_put_span(p, text_at(record->comm, sizeof record->comm));
	page_tone(p, TONE_PLAIN);
	page_put(p, record->pid == record->tid ? " %u" : " %u/%u", record->pid, record->tid);
	if (r->several) {
		const char *name = probe_session_site_name(r->session, record->site);

		make_room(p, 4, text_columns(span_from(name), p->style.unicode));
		page_tone(p, TONE_CYAN);
		page_put(p, "%s", name);
		page_tone(p, TONE_PLAIN);
	}
	for (size_t i = 0; i < l->nfields; i++) {
		const struct probe_field *f = &l->field[i];

		if (f->value.kind != VALUE_STACK)
			put_value(p, r, f, (const char *)record + f->offset, record->faults >> i & 1);
	}
	page_newline(p);
	for (size_t i = 0; i < l->nfields; i++)
		if (l->field[i].value.kind == VALUE_STACK)
			put_stack(p, r, &l->field[i], (const char *)record + l->field[i].offset, false, record);
}

/* ---- aggregates ---- */

static void key_text(struct buf *b, const struct probe_report *r, const struct probe_field *f, const char *key, bool unicode)
{
	char number[32];
	uint64_t site;

	buf_clear(b);
	if (f->value.kind == VALUE_TEXT) {
		(void)!text_safe(text_at(key + f->offset, f->size), unicode, b);
	} else if (f->value.kind == VALUE_SITE) {
		memcpy(&site, key + f->offset, sizeof site);
		(void)!text_safe(span_from(probe_session_site_name(r->session, (uint32_t)site)), unicode, b);
	} else {
		probe_number_text(&f->value, key + f->offset, number, sizeof number);
		(void)!buf_printf(b, "%s", number);
	}
}

static void value_text(const struct probe_row *row, enum action_kind kind, bool value_unsigned, char *ret, size_t size)
{
	if (kind == ACTION_COUNT || kind == ACTION_HISTOGRAM)
		snprintf(ret, size, "%" PRIu64, row->count);
	else if (kind == ACTION_AVG)
		snprintf(ret, size, "%.1f", row->count ? (value_unsigned ? (double)(uint64_t)row->value : (double)row->value) /
								 (double)row->count : 0.);
	else if (value_unsigned)
		snprintf(ret, size, "%" PRIu64, (uint64_t)row->value);
	else
		snprintf(ret, size, "%" PRId64, row->value);
}

struct column_widths {
	unsigned key[PROBE_RECORD_VALUES], value, hits;
};

static unsigned wider(unsigned a, size_t b)
{
	return b > a ? (unsigned)b : a;
}

static struct column_widths measure(const struct probe_report *r, const struct probe_layout *l, const struct probe_action *a,
				    const probe_row_vec *rows, bool unicode)
{
	struct column_widths w = { .value = (unsigned)strlen(probe_action_names[a->kind]), .hits = 4 };
	struct buf text = { 0 };
	char value[48];
	size_t n = 0;

	for (size_t i = 0; i < l->nfields; i++)
		w.key[i] = text_columns(span_from(l->field[i].name), unicode);
	vec_each(row, rows) {
		if (n++ == r->rows)
			break;
		for (size_t i = 0; i < l->nfields; i++) {
			if (l->field[i].value.kind == VALUE_STACK)
				continue;
			key_text(&text, r, &l->field[i], row->key, unicode);
			w.key[i] = wider(w.key[i], text_columns(buf_span(&text), true));
		}
		value_text(row, a->kind, l->value_unsigned, value, sizeof value);
		w.value = wider(w.value, strlen(value));
		snprintf(value, sizeof value, "%" PRIu64, row->count);
		w.hits = wider(w.hits, strlen(value));
	}
	buf_deinit(&text);
	return w;
}

static bool shows_hits(const struct probe_action *a)
{
	return a->kind != ACTION_COUNT && a->kind != ACTION_HISTOGRAM;
}

/* Columns of a line of the table. */
static unsigned table_columns(const struct probe_layout *l, const struct column_widths *w, bool hits)
{
	unsigned n = w->value + (hits ? 2 + w->hits : 0);

	for (size_t i = 0; i < l->nfields; i++)
		n += l->field[i].value.kind == VALUE_STACK ? 0 : w->key[i] + 2;
	return n;
}

/* One below the other, or, where they stand behind the figures of a narrow line, as words. */
static void put_keys(struct page *p, const struct probe_report *r, const struct probe_layout *l, const struct probe_row *row,
		     const struct column_widths *w, bool narrow)
{
	struct buf text = { 0 };
	unsigned hang = p->column;

	for (size_t i = 0; i < l->nfields; i++) {
		const struct probe_field *f = &l->field[i];
		unsigned from = p->column;

		if (f->value.kind == VALUE_STACK)
			continue;
		buf_clear(&text);
		if (!row)
			(void)!text_safe(span_from(f->name), p->style.unicode, &text);
		else
			key_text(&text, r, f, row->key, p->style.unicode);
		unsigned columns = utf8_columns(buf_span(&text));
		if (narrow) {
			make_room(p, hang, columns + 1);
			page_put(p, from > hang && p->column > hang ? " " : "");
		}
		page_put_safe(p, buf_span(&text), columns);
		if (!narrow)
			page_indent(p, from + w->key[i] + 2);
	}
	buf_deinit(&text);
}

static void put_key_stacks(struct page *p, const struct probe_report *r, const struct probe_layout *l, const struct probe_row *row)
{
	for (size_t i = 0; i < l->nfields; i++)
		if (l->field[i].value.kind == VALUE_STACK)
			put_stack(p, r, &l->field[i], row->key + l->field[i].offset, true, NULL);
}

static uint64_t bucket_start(unsigned bucket)
{
	return bucket < 2 ? 0 : UINT64_C(1) << (bucket - 2);
}

static void scaled(uint64_t n, char *ret, size_t size)
{
	static const char units[] = "\0KMGTPE";
	unsigned u = 0;

	while (n >= 1024 && n % 1024 == 0 && u < 6) {
		n /= 1024;
		u++;
	}
	snprintf(ret, size, "%" PRIu64 "%.1s", n, &units[u]);
}

static void bucket_label(unsigned bucket, char *ret, size_t size)
{
	char from[24], to[24];

	if (bucket == 0) {
		snprintf(ret, size, "below 0");
	} else if (bucket <= 2) {
		snprintf(ret, size, "%u", bucket - 1);
	} else {
		scaled(bucket_start(bucket), from, sizeof from);
		if (bucket == 65)
			snprintf(ret, size, "from %s", from);
		else {
			scaled(bucket_start(bucket + 1), to, sizeof to);
			snprintf(ret, size, "%s … below %s", from, to);
		}
	}
}

static void put_histogram(struct page *p, const struct probe_row *row)
{
	unsigned first = PROBE_BUCKETS, last = 0, labels = 12, counts = 6;
	uint64_t most = 1;
	char label[64], count[48];

	for (unsigned i = 0; i < PROBE_BUCKETS; i++) {
		if (row->bucket[i]) {
			first = first == PROBE_BUCKETS ? i : first;
			last = i;
			most = row->bucket[i] > most ? row->bucket[i] : most;
		}
	}
	for (unsigned i = first; i <= last && i < PROBE_BUCKETS; i++) {
		bucket_label(i, label, sizeof label);
		labels = wider(labels, text_columns(span_from(label), p->style.unicode));
		counts = wider(counts, strlen(number_text((double)row->bucket[i]).text));
	}
	unsigned used = 2 + labels + 2 + counts + 2, room = p->style.width > used + 4 ? p->style.width - used : 4;
	room = room > 40 ? 40 : room;
	for (unsigned i = first; i <= last && i < PROBE_BUCKETS; i++) {
		unsigned bar = (unsigned)((double)row->bucket[i] * room / (double)most + .5);

		bucket_label(i, label, sizeof label);
		snprintf(count, sizeof count, "%s", number_text((double)row->bucket[i]).text);
		page_indent(p, 2 + labels - text_columns(span_from(label), p->style.unicode));
		page_put(p, "%s", label);
		page_indent(p, used - 2 - text_columns(span_from(count), p->style.unicode));
		page_put(p, "%s", count);
		page_tone(p, TONE_CYAN);
		for (unsigned j = 0; j < bar; j++)
			page_put(p, j ? "#" : "  #");
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

static void put_heading(struct page *p, const struct probe_clause *c, const struct probe_action *a, uint64_t hits)
{
	page_tone(p, TONE_STRONG);
	page_put_span(p, a->source);
	page_tone(p, TONE_PLAIN);
	put_line(p, 2, "at %.*s: %s hits", (int)c->spec.text.n, c->spec.text.p, number_text((double)hits).text);
}

/* "count", or, where a row has hits beside its value, "sum  hits". */
static void put_figures(struct page *p, const struct column_widths *w, bool hits, const char *value, const char *count)
{
	page_put(p, "%*s", (int)w->value, value);
	if (hits)
		page_put(p, "  %*s", (int)w->hits, count);
}

static void put_table_line(struct page *p, const struct probe_report *r, const struct probe_layout *l,
			   const struct probe_row *row, const struct column_widths *w, const struct probe_action *a)
{
	bool hits = shows_hits(a), narrow = table_columns(l, w, hits) > p->style.width;
	char value[48], count[24] = "hits";

	snprintf(value, sizeof value, "%s", probe_action_names[a->kind]);
	if (row) {
		value_text(row, a->kind, l->value_unsigned, value, sizeof value);
		snprintf(count, sizeof count, "%" PRIu64, row->count);
	}
	if (!narrow)
		put_keys(p, r, l, row, w, false);
	put_figures(p, w, hits, value, count);
	if (narrow) {
		page_put(p, "  ");
		put_keys(p, r, l, row, w, true);
	}
	page_newline(p);
}

static void put_row(struct page *p, const struct probe_report *r, const struct probe_layout *l, const struct probe_row *row,
		    const struct column_widths *w, const struct probe_action *a)
{
	char text[48];

	if (a->kind != ACTION_HISTOGRAM && l->nfields) {
		put_table_line(p, r, l, row, w, a);
	} else if (a->kind != ACTION_HISTOGRAM) {
		value_text(row, a->kind, l->value_unsigned, text, sizeof text);
		page_put(p, "%s", text);
		page_newline(p);
	} else if (l->nfields) {
		put_keys(p, r, l, row, w, true);
		page_put(p, "  ");
		put_line(p, 2, "%s hits", number_text((double)row->count).text);
	}
	put_key_stacks(p, r, l, row);
	if (a->kind == ACTION_HISTOGRAM)
		put_histogram(p, row);
}

void probe_text_aggregate(struct page *p, const struct probe_report *r, size_t clause, size_t action,
			  const probe_row_vec *rows)
{
	const struct probe_clause *c = &probe_session_program(r->session)->clause[clause];
	const struct probe_action *a = &c->action[action];
	const struct probe_layout *l = probe_session_layout(r->session, 0, clause, action);
	struct column_widths w = measure(r, l, a, rows, p->style.unicode);
	uint64_t hits = 0;
	size_t n = 0;

	vec_each(row, rows)
		hits += row->count;
	put_heading(p, c, a, hits);
	if (rows->n && a->kind != ACTION_HISTOGRAM && l->nfields) {
		page_tone(p, TONE_DIM);
		put_table_line(p, r, l, NULL, &w, a);
		page_tone(p, TONE_PLAIN);
	}
	vec_each(row, rows) {
		if (n++ == r->rows)
			break;
		put_row(p, r, l, row, &w, a);
	}
	if (rows->n && probe_key_has_user_stack(l))
		put_line(p, 0, "User stacks of aggregates go by frame pointers: code without them ends them early. "
			       "Those of print are exact.");
	if (rows->n > r->rows)
		put_line(p, 0, "… and %zu more; --top shows them", rows->n - r->rows);
}

/* ---- losses ---- */

static void put_loss(struct page *p, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	page_tone(p, TONE_YELLOW);
	put_line(p, 2, "Lost: %s %s", number_text((double)n).text, what);
	page_tone(p, TONE_PLAIN);
}

void probe_text_losses(struct page *p, const struct probe_losses *l, uint64_t unshown)
{
	put_loss(p, l->records, "hits, since the buffer was full: a narrower filter, or an aggregate in place of print");
	put_loss(p, l->keys, "hits, since an aggregate had too many different keys: fewer of them, or a filter");
	put_loss(p, l->unreadable, "hits that an aggregate left out, since a value in them could not be read");
	put_loss(p, l->filter, "hits that did not match, since what the filter asks for could not be read");
	put_loss(p, l->missed, "hits, since another probe of this line was at work on the CPU");
	put_loss(p, unshown, "hits not shown, to keep to --rate");
	if (l->records + l->keys + l->unreadable + l->filter + l->missed + unshown == 0)
		put_line(p, 0, "Lost: nothing");
}
