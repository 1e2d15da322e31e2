#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "report/trace.h"

#define RESULT_COLUMN 34

static int put_tone(const struct trace_line *l, enum page_tone from, enum page_tone to, struct buf *ret)
{
	struct page p = { .out = ret, .style = l->style, .tone = from };

	if (l->style.color)
		page_tone(&p, to);
	return p.error;
}

static int put(struct buf *b, const char *s, size_t n)
{
	return buf_append(b, s, n);
}

#define PUT(literal) put(ret, literal, sizeof(literal) - 1)

/* "340ns", "12.3us", "1.25ms", "2.50s": short, for it stands on every line. */
static int put_duration(struct buf *ret, uint64_t ns)
{
	if (ns < 1000)
		return buf_printf(ret, "%uns", (unsigned)ns);
	if (ns < 100 * NS_PER_US)
		return buf_printf(ret, "%u.%uus", (unsigned)(ns / 1000), (unsigned)(ns / 100 % 10));
	if (ns < NS_PER_MS)
		return buf_printf(ret, "%uus", (unsigned)(ns / 1000));
	if (ns < NS_PER_S)
		return buf_printf(ret, "%.3gms", (double)ns / 1e6);
	return buf_printf(ret, "%.3fs", (double)ns / 1e9);
}

static int put_time(const struct trace_line *l, struct buf *ret)
{
	uint64_t at = l->event->record->start_ns, from = l->time == TRACE_TIME_DELTA ? l->previous_ns : l->first_ns;

	if (l->time == TRACE_TIME_NONE)
		return 0;
	if (l->time == TRACE_TIME_ABSOLUTE) {
		uint64_t real = (uint64_t)((int64_t)at + l->real_minus_mono_ns);
		time_t second = (time_t)(real / NS_PER_S);
		struct tm tm;

		localtime_r(&second, &tm);
		return buf_printf(ret, "%02d:%02d:%02d.%06u ", tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(real / 1000 % 1000000));
	}
	/* Records come as calls end: one may have begun before the one above it. */
	int64_t passed = from ? (int64_t)(at - from) : 0;
	uint64_t us = (uint64_t)(passed < 0 ? -passed : passed) / 1000;
	return buf_printf(ret, "%s%*u.%06u ", passed < 0 ? "-" : "", passed < 0 ? 4 : 5, (unsigned)(us / 1000000), (unsigned)(us % 1000000));
}

static int put_thread(const struct trace_line *l, struct buf *ret)
{
	const struct trace_record *r = l->event->record;
	int e = put_tone(l, TONE_PLAIN, TONE_DIM, ret);

	if (e == 0)
		e = buf_printf(ret, "[%d ", r->tid);
	if (e == 0)
		e = text_safe((struct span){ r->comm, strnlen(r->comm, sizeof r->comm) }, l->style.unicode, ret);
	if (e == 0)
		e = PUT("] ");
	return e < 0 ? e : put_tone(l, TONE_DIM, TONE_PLAIN, ret);
}

static int put_blanks(struct buf *ret, size_t n)
{
	static const char blanks[RESULT_COLUMN + 1] = "                                  ";

	return put(ret, blanks, n < RESULT_COLUMN ? n : RESULT_COLUMN);
}

static int put_call(const struct trace_line *l, struct buf *ret)
{
	const struct trace_record *r = l->event->record;
	size_t start = ret->n;
	int e = decode_name(l->event, ret);
	bool failed = trace_event_error(l->event) != 0;

	if (e < 0 || (e = PUT("(")) < 0 || (e = decode_arguments(l->event, l->decode, ret, NULL, NULL)) < 0)
		return e;
	if (r->flags & RECORD_UNFINISHED && !(l->event->call && l->event->call->result == ARGUMENT_NO_RETURN))
		return PUT(" <unfinished ...>");
	size_t used = ret->n + 1 - start;
	e = PUT(")");
	if (e == 0)
		e = used < RESULT_COLUMN ? put_blanks(ret, RESULT_COLUMN - used) : PUT(" ");
	if (e == 0)
		e = PUT("= ");
	if (e == 0 && failed)
		e = put_tone(l, TONE_PLAIN, TONE_RED, ret);
	if (e == 0)
		e = decode_result(l->event, l->decode, ret);
	if (e == 0 && failed)
		e = put_tone(l, TONE_RED, TONE_PLAIN, ret);
	if (e < 0 || (r->flags & RECORD_UNFINISHED))
		return e;
	if (r->flags & RECORD_BEGUN_BEFORE)
		return PUT(" <begun before>");
	e = PUT(" <");
	return e < 0 || (e = put_duration(ret, r->duration_ns)) < 0 ? e : PUT(">");
}

static int put_frames(const struct trace_line *l, struct buf *ret)
{
	int e = 0;

	for (size_t i = 0; e == 0 && i < l->stack.n; i++) {
		const struct event_frame *f = &l->stack.frame[i];

		e = PUT("    > ");
		if (e == 0 && f->function[0])
			e = text_safe(span_from(f->function), l->style.unicode, ret);
		if (e == 0)
			e = f->function[0] ? buf_printf(ret, "+0x%llx", (unsigned long long)f->offset) :
					     buf_printf(ret, "0x%llx", (unsigned long long)f->address);
		if (e == 0 && f->module[0] && (e = PUT(" (")) == 0 && (e = text_safe(span_from(f->module), l->style.unicode, ret)) == 0)
			e = PUT(")");
		if (e == 0 && (f->inlined || f->guessed))
			e = buf_printf(ret, " [%s]", f->inlined ? "inlined" : "guessed");
		if (e == 0)
			e = PUT("\n");
	}
	return e < 0 || !l->stack.why ? e : buf_printf(ret, "    > ? %s\n", l->stack.why);
}

int trace_text(const struct trace_line *l, struct buf *ret)
{
	int e = put_time(l, ret);

	if (e == 0 && l->with_thread)
		e = put_thread(l, ret);
	if (e < 0)
		return e;
	switch (l->event->record->type) {
	case RECORD_SIGNAL:
		e = PUT("--- ");
		e = e < 0 || (e = decode_signal_record(l->event, ret)) < 0 ? e : PUT(" ---");
		break;
	case RECORD_EXIT:
		e = PUT("+++ ");
		e = e < 0 || (e = decode_exit(l->event, ret)) < 0 ? e : PUT(" +++");
		break;
	default:
		e = put_call(l, ret);
	}
	return e < 0 || (e = PUT("\n")) < 0 ? e : put_frames(l, ret);
}

int trace_end_text(const struct trace_totals *t, const struct page_style *style, struct buf *ret)
{
	struct page p = { .out = ret, .style = *style };

	if (t->lost)
		page_tone(&p, TONE_YELLOW);
	/* One line, whatever the width: it is the last, and may be asked for as such. */
	page_put(&p, "%s event%s in %s, %s lost%s%s%s.", number_text((double)t->events).text, t->events == 1 ? "" : "s",
		 duration_text(t->seconds).text, number_text((double)t->lost).text, t->lost ? " (--buffer is too small)" : "",
		 t->ended_by ? "; " : "", t->ended_by ? t->ended_by : "");
	page_tone(&p, TONE_PLAIN);
	page_newline(&p);
	return p.error;
}
