#include "view/log_book.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "view/log_symbol.h"

/* A ring holds 32 MiB at most. */
#define MAX_RING_BYTES (64 << 20)

int log_book_new(struct host *h, const struct log_wanted *wanted, struct log_book **ret, struct note *note)
{
	struct log_book *b = calloc(1, sizeof *b);
	int r;

	if (!b)
		return note_set(note, -ENOMEM, "out of memory");
	b->host = h;
	b->oldest_real_ns = READING_ABSENT;
	r = log_decoder_new(&b->decoder);
	if (r < 0)
		note_set(note, r, "out of memory");
	else
		r = log_ring_new(h, wanted->from_now ? LOG_START_NOW : LOG_START_OLDEST, &b->ring, note);
	if (r < 0) {
		log_book_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

static void drop_happenings(struct log_book *b)
{
	vec_each(happening, &b->happenings) {
		log_event_deinit(&happening->event);
		free(happening->symbol);
	}
	b->happenings.n = 0;
}

void log_book_free(struct log_book *b)
{
	if (!b)
		return;
	drop_happenings(b);
	vec_free(&b->happenings);
	vec_free(&b->entries);
	vec_free(&b->groups);
	log_clock_deinit(&b->clock);
	log_decoder_free(b->decoder);
	log_ring_free(b->ring);
	buf_deinit(&b->text);
	buf_deinit(&b->scratch);
	buf_deinit(&b->running.paths);
	free(b);
}

/* ---- what is wanted ---- */

static bool time_wanted(const struct log_wanted *w, reading real_ns)
{
	if (!reading_ok(real_ns))
		return w->since_ns == 0 && w->until_ns == UINT64_MAX;
	return real_ns >= w->since_ns && real_ns <= w->until_ns;
}

static bool entry_wanted(const struct log_book *b, const struct log_wanted *w, const struct log_entry *e)
{
	const struct log_record *r = &e->record;

	return time_wanted(w, e->real_ns) && (!w->levels || w->levels >> r->level & 1) &&
	       (!w->facilities || w->facilities >> r->facility & 1) &&
	       (!w->kinds || (e->kind < LOG_KINDS && w->kinds >> e->kind & 1)) &&
	       (!w->since_cleared || r->sequence >= log_ring_cleared(b->ring));
}

/* An event counts when any of it lies within the time: a report that began before still ended in it. */
static bool event_wanted(const struct log_book *b, const struct log_wanted *w, const struct log_event *e)
{
	reading last = log_clock_real(&b->clock, e->last_log_ns);
	reading first = log_clock_real(&b->clock, e->log_ns);

	return (time_wanted(w, first) || time_wanted(w, last)) && (!w->levels || w->levels >> e->level & 1) &&
	       (!w->facilities || w->facilities & 1) && (!w->kinds || w->kinds >> e->kind & 1) &&
	       (!w->since_cleared || e->first_sequence >= log_ring_cleared(b->ring));
}

/* ---- reading ---- */

static void count_lost(struct log_book *b, const struct log_record *r)
{
	if (b->any && r->sequence > b->next_sequence)
		b->lost += r->sequence - b->next_sequence;
	if (!b->any)
		b->oldest_sequence = r->sequence;
	b->any = true;
	b->next_sequence = r->sequence + 1;
}

#define SAME_FAULT_WITHIN 64

/* A service that breaks again and again breaks in the same place: its file is read once. */
static const struct log_symbol *known_symbol(const struct log_book *b, const struct log_fault *f)
{
	size_t n = b->happenings.n;

	for (size_t i = n - 1; i-- > 0 && n - i <= SAME_FAULT_WITHIN;) {
		const struct log_happening *h = &b->happenings.v[i];
		const struct log_fault *g = h->event.fault;

		if (g && h->symbol && g->ip - g->base == f->ip - f->base && g->size == f->size &&
		    g->file_offset == f->file_offset && strcmp(g->module, f->module) == 0 &&
		    strcmp(g->exe, f->exe) == 0 && g->code_length == f->code_length &&
		    memcmp(g->code, f->code, f->code_length) == 0)
			return h->symbol;
	}
	return NULL;
}

static int find_symbol(struct log_book *b, const struct log_wanted *wanted, struct log_happening *h)
{
	const struct log_symbol *known = known_symbol(b, h->event.fault);

	if (!known)
		return log_symbol_find(b->host, &h->event, h->real_ns, wanted, &b->running, &h->symbol);
	h->symbol = malloc(sizeof *h->symbol);
	if (!h->symbol)
		return -ENOMEM;
	*h->symbol = *known;
	return 0;
}

static int take_event(struct log_book *b, const struct log_wanted *wanted, struct log_event *event)
{
	if (!event_wanted(b, wanted, event)) {
		log_event_deinit(event);
		return 0;
	}
	struct log_happening *kept = vec_push(&b->happenings);
	if (!kept)
		return -ENOMEM;
	kept->event = *event;
	kept->real_ns = log_clock_real(&b->clock, event->log_ns);
	*event = (struct log_event){ 0 };
	return kept->event.fault ? find_symbol(b, wanted, kept) : 0;
}

static int take_events(struct log_book *b, const struct log_wanted *wanted, log_event_vec *events)
{
	int r = 0;

	vec_each(e, events)
		r = r < 0 ? r : take_event(b, wanted, e);
	log_events_free(events);
	return r;
}

/* The sleeps first: the time of every record depends on those behind it. */
static int learn_clock(struct log_book *b)
{
	struct span rest = buf_span(&b->text), record;
	struct log_record r;

	log_clock_now(&b->clock, b->host, &b->scratch);
	while (span_until(&rest, '\0', &record))
		if (log_record_parse(record, &r) && log_clock_learn(&b->clock, &r) < 0)
			return -ENOMEM;
	log_clock_settle(&b->clock);
	return 0;
}

static int take_record(struct log_book *b, const struct log_wanted *wanted, struct span text, log_event_vec *events)
{
	struct log_entry entry = { .kind = LOG_KINDS };

	if (!log_record_parse(text, &entry.record))
		return 0;
	count_lost(b, &entry.record);
	b->all_records++;
	b->cleared += log_ring_cleared(b->ring) && entry.record.sequence < log_ring_cleared(b->ring);
	int r = log_decoder_feed(b->decoder, &entry.record, events);
	if (r < 0)
		return r;
	entry.kind = log_decoder_last_kind(b->decoder);
	entry.real_ns = log_clock_real(&b->clock, entry.record.log_ns);
	if (!reading_ok(b->oldest_real_ns))
		b->oldest_real_ns = entry.real_ns;
	if (!entry_wanted(b, wanted, &entry))
		return 0;
	struct log_entry *kept = vec_push(&b->entries);
	if (!kept)
		return -ENOMEM;
	*kept = entry;
	return 0;
}

static int by_sequence(const void *a, const void *b)
{
	const struct log_happening *x = a, *y = b;

	return x->event.first_sequence < y->event.first_sequence ? -1 :
	       x->event.first_sequence > y->event.first_sequence;
}

static int make_groups(struct log_book *b);

int log_book_read(struct log_book *b, const struct log_wanted *wanted, bool keep, bool silence)
{
	log_event_vec events = { 0 };
	struct span rest, record;
	int r;

	if (!keep)
		drop_happenings(b);
	b->entries.n = 0; /* they point into the text that goes now */
	r = log_ring_read(b->ring, MAX_RING_BYTES, &b->text);
	if (r == -ENOENT && !host_is_live(b->host))
		r = 0; /* a tick without a look */
	if (r == 0)
		r = learn_clock(b);
	rest = buf_span(&b->text);
	while (r == 0 && span_until(&rest, '\0', &record))
		r = take_record(b, wanted, record, &events);
	if (r == 0 && silence)
		r = log_decoder_flush(b->decoder, &events);
	if (r == 0)
		r = take_events(b, wanted, &events);
	log_events_free(&events);
	if (r == 0 && b->happenings.n > 1)
		qsort(b->happenings.v, b->happenings.n, sizeof b->happenings.v[0], by_sequence);
	return r < 0 || !keep ? r : make_groups(b);
}

/* ---- groups ---- */

/* Digits do not tell events apart: kworker/0:1 and kworker/1:2 are the same to a reader. */
static int put_masked(struct buf *key, const char *text)
{
	int r = buf_append(key, "\n", 1);

	for (; r == 0 && *text; text++) {
		if (*text >= '0' && *text <= '9') {
			r = buf_append(key, "#", 1);
			while (text[1] >= '0' && text[1] <= '9')
				text++;
		} else {
			r = buf_append(key, text, 1);
		}
	}
	return r;
}

static int put_plain(struct buf *key, const char *text)
{
	return buf_printf(key, "\n%s", text);
}

/* What events of one kind have in common when a reader would call them the same. */
static int group_key(const struct log_happening *h, struct buf *key)
{
	const struct log_event *e = &h->event;
	int r;

	buf_clear(key);
	r = buf_printf(key, "%d", (int)e->kind);
	if (r < 0)
		return r;
	switch (e->kind) {
	case LOG_SEGFAULT:
	case LOG_TRAP:
		r = put_plain(key, e->comm);
		return r < 0 ? r : put_plain(key, e->fault ? e->fault->module : e->object);
	case LOG_HUNG_TASK:
	case LOG_SOFT_LOCKUP:
	case LOG_ALLOCATION:
	case LOG_OVERCOMMIT:
	case LOG_SECCOMP:
		return put_masked(key, e->comm);
	case LOG_OOPS:
	case LOG_KERNEL_WARNING:
		return e->where[0] ? put_plain(key, e->where) : put_masked(key, e->text);
	case LOG_WORKQUEUE_HOG:
		return put_plain(key, e->where);
	case LOG_OTHER:
	case LOG_SLOW_INTERRUPT:
	case LOG_AUDIT:
		return put_masked(key, e->text);
	case LOG_PANIC:
	case LOG_HARD_LOCKUP:
	case LOG_RCU_STALL:
	case LOG_THERMAL:
	case LOG_SUSPEND:
	case LOG_CLOCK:
		return 0;
	case LOG_OOM_KILL:
		r = put_masked(key, e->comm);
		return r < 0 ? r : put_masked(key, e->object);
	case LOG_PIDS_LIMIT:
	case LOG_USB: return put_masked(key, e->object);
	default: return put_plain(key, e->object);
	}
}

static struct log_group *new_group(struct log_book *b, size_t at)
{
	const struct log_happening *h = &b->happenings.v[at];
	struct log_group *g = vec_push(&b->groups);

	if (g)
		*g = (struct log_group){
			.kind = h->event.kind,
			.first = at,
			.latest = at,
			.objects = 1,
			.first_real_ns = h->real_ns,
		};
	return g;
}

static void join_group(struct log_book *b, struct log_group *g, size_t at)
{
	const struct log_happening *h = &b->happenings.v[at];

	if (g->count + g->good_count && strcmp(h->event.object, b->happenings.v[g->last].event.object) != 0)
		g->objects++;
	g->last = at;
	g->last_real_ns = h->real_ns;
	g->ended_well = h->event.good;
	if (h->event.good) {
		g->good_count++;
		if (g->count == 0)
			g->latest = at;
		return;
	}
	g->count++;
	g->latest = at;
	if (h->event.severity > g->severity)
		g->severity = h->event.severity;
}

#define FLAPS 3 /* so often down, and it is no accident */

/* What ended well is no longer a trouble, unless it keeps coming. */
static void soften(struct log_group *g)
{
	if (g->ended_well && g->count < FLAPS && g->severity > LOG_NOTE)
		g->severity = g->kind == LOG_LINK && g->count < 2 ? LOG_NOTE : LOG_RISK;
}

static int worst_first(const void *a, const void *b)
{
	const struct log_group *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->last != y->last)
		return x->last > y->last ? -1 : 1;
	return 0;
}

static int make_groups(struct log_book *b)
{
	struct map by_key = { 0 };
	int r = 0;

	b->groups.n = 0;
	for (size_t i = 0; r == 0 && i < b->happenings.n; i++) {
		r = group_key(&b->happenings.v[i], &b->scratch);
		if (r < 0)
			break;
		uint64_t key = map_hash(b->scratch.data, b->scratch.n);
		uint32_t at = map_get(&by_key, key);
		if (at == MAP_NONE) {
			at = (uint32_t)b->groups.n;
			r = new_group(b, i) ? map_set(&by_key, key, at) : -ENOMEM;
		}
		if (r == 0)
			join_group(b, &b->groups.v[at], i);
	}
	map_deinit(&by_key);
	vec_each(g, &b->groups)
		soften(g);
	if (r == 0 && b->groups.n > 1)
		qsort(b->groups.v, b->groups.n, sizeof b->groups.v[0], worst_first);
	return r;
}
