#include "view/log_view.h"

#include <errno.h>
#include <stdlib.h>

#include "source/kernel_log/scan.h"

/* ---- groups ---- */

struct group_row {
	const struct log_group *group;
	const struct log_happening *latest;
};

static const struct log_group *group_of(const void *row)
{
	return ((const struct group_row *)row)->group;
}

static const struct log_event *latest_of(const void *row)
{
	return &((const struct group_row *)row)->latest->event;
}

static struct cell text_or_none(const char *text)
{
	return text[0] ? cell_text(text) : cell_reading(READING_ABSENT);
}

static struct cell positive(int64_t n)
{
	return cell_reading(n > 0 ? (reading)n : READING_ABSENT);
}

static struct cell group_severity(const void *r) { return cell_text(log_severity_name(group_of(r)->severity)); }
static struct cell group_rank(const void *r) { return cell_reading((reading)group_of(r)->severity); }
static struct cell group_kind(const void *r) { return cell_text(log_kinds[group_of(r)->kind].id); }
static struct cell group_count(const void *r) { return cell_reading(group_of(r)->count); }
static struct cell group_recovered(const void *r) { return cell_reading(group_of(r)->good_count); }
static struct cell group_first(const void *r) { return cell_reading(group_of(r)->first_real_ns); }
static struct cell group_last(const void *r) { return cell_reading(group_of(r)->last_real_ns); }
static struct cell group_pid(const void *r) { return positive(latest_of(r)->pid); }
static struct cell group_comm(const void *r) { return text_or_none(latest_of(r)->comm); }
static struct cell group_object(const void *r) { return text_or_none(latest_of(r)->object); }
static struct cell group_text(const void *r) { return cell_text(latest_of(r)->text); }

static const struct column group_columns[] = {
	COLUMN(3200, severity, "SEVERITY", TEXT, LABEL, group_severity, 0, "/dev/kmsg",
	       "note, risk, warning or critical"),
	COLUMN(3201, kind, "KIND", TEXT, LABEL, group_kind, 0, "/dev/kmsg", "kind of event: oom, segfault, io…"),
	COLUMN(3202, count, "COUNT", COUNT, GAUGE, group_count, 0, "/dev/kmsg",
	       "events of the group, without good ends"),
	COLUMN(3203, recovered_count, "BACK", COUNT, GAUGE, group_recovered, 6, "/dev/kmsg",
	       "good ends: link up, server answers again"),
	COLUMN(3204, first, "FIRST", TIME, LABEL, group_first, 5, "/dev/kmsg", "when the first came"),
	COLUMN(3205, last, "LAST", TIME, LABEL, group_last, 1, "/dev/kmsg", "when the last came"),
	COLUMN(3206, pid, "PID", COUNT, LABEL, group_pid, 4, "/dev/kmsg", "whom the latest befell"),
	COLUMN(3207, comm, "COMMAND", TEXT, LABEL, group_comm, 3, "/dev/kmsg", "name of that task"),
	COLUMN(3208, object, "OBJECT", TEXT, LABEL, group_object, 2, "/dev/kmsg",
	       "device, filesystem, interface, cgroup, server"),
	COLUMN_ELASTIC(3209, text, "TEXT", TEXT, LABEL, group_text, 2, "/dev/kmsg",
	       "the kernel's line that tells the latest"),
	COLUMN(3210, severity_rank, "RANK", COUNT, LABEL, group_rank, 9, "/dev/kmsg",
	       "severity as a number, 0 (note) to 3 (critical), to sort by"),
};

const struct entity entity_kernel_event_group = {
	.name = "kernel_event_group",
	.help = "events of the kernel log that are alike",
	COLUMNS(group_columns),
	.shown = "severity,kind,count,recovered_count,first,last,pid,comm,object,text",
};

/* ---- events ---- */

static const struct log_event *event_of(const void *row)
{
	return &((const struct log_happening *)row)->event;
}

static struct cell event_time(const void *r) { return cell_reading(((const struct log_happening *)r)->real_ns); }
static struct cell event_sequence(const void *r) { return cell_reading(event_of(r)->first_sequence); }
static struct cell event_severity(const void *r) { return cell_text(log_severity_name(event_of(r)->severity)); }
static struct cell event_kind(const void *r) { return cell_text(log_kinds[event_of(r)->kind].id); }
static struct cell event_level(const void *r) { return cell_text(log_level_names[event_of(r)->level]); }
static struct cell event_recovered(const void *r) { return cell_text(event_of(r)->good ? "yes" : "no"); }
static struct cell event_pid(const void *r) { return positive(event_of(r)->pid); }
static struct cell event_comm(const void *r) { return text_or_none(event_of(r)->comm); }
static struct cell event_cpu(const void *r)
{
	return cell_reading(event_of(r)->cpu >= 0 ? (reading)event_of(r)->cpu : READING_ABSENT);
}
static struct cell event_object(const void *r) { return text_or_none(event_of(r)->object); }
static struct cell event_detail(const void *r) { return text_or_none(event_of(r)->detail); }
static struct cell event_number(const void *r) { return cell_reading(event_of(r)->number); }
static struct cell event_where(const void *r)
{
	const struct log_happening *h = r;

	if (h->symbol && h->symbol->symbol.name[0])
		return cell_text(h->symbol->symbol.name);
	return text_or_none(h->event.where);
}
static struct cell event_victim_bytes(const void *r)
{
	const struct log_oom *o = event_of(r)->oom;

	return cell_reading(o ? reading_sum(o->victim_anon_bytes, o->victim_shmem_bytes) : READING_ABSENT);
}
static struct cell event_text(const void *r) { return cell_text(event_of(r)->text); }

static const struct column event_columns[] = {
	COLUMN(3220, time, "TIME", TIME, LABEL, event_time, 0, "/dev/kmsg", "when its first line was written"),
	COLUMN(3221, severity, "SEVERITY", TEXT, LABEL, event_severity, 1, "/dev/kmsg",
	       "note, risk, warning or critical"),
	COLUMN(3222, kind, "KIND", TEXT, LABEL, event_kind, 0, "/dev/kmsg", "kind of event"),
	COLUMN(3223, recovered, "BACK", TEXT, LABEL, event_recovered, 8, "/dev/kmsg",
	       "yes: a good end, as a link that is up again"),
	COLUMN(3224, pid, "PID", COUNT, LABEL, event_pid, 3, "/dev/kmsg", "whom it befell"),
	COLUMN(3225, comm, "COMMAND", TEXT, LABEL, event_comm, 2, "/dev/kmsg", "name of that task"),
	COLUMN(3226, cpu, "CPU", COUNT, LABEL, event_cpu, 7, "/dev/kmsg", "on which CPU"),
	COLUMN(3227, object, "OBJECT", TEXT, LABEL, event_object, 2, "/dev/kmsg",
	       "device, filesystem, interface, cgroup, server"),
	COLUMN(3228, where, "WHERE", TEXT, LABEL, event_where, 4, "/dev/kmsg, the program's file",
	       "function of the kernel, or of the program that broke"),
	COLUMN(3229, detail, "DETAIL", TEXT, LABEL, event_detail, 6, "/dev/kmsg", "what else the line says"),
	COLUMN(3230, number, "NUMBER", COUNT, LABEL, event_number, 8, "/dev/kmsg",
	       "sector, seconds, order, bytes, as the kind has it"),
	COLUMN(3231, victim_bytes, "FREED", BYTES, GAUGE, event_victim_bytes, 5, "/dev/kmsg",
	       "memory that the victim of an OOM kill held"),
	COLUMN(3232, level, "LEVEL", TEXT, LABEL, event_level, 8, "/dev/kmsg", "level of the line"),
	COLUMN(3233, sequence, "SEQUENCE", COUNT, LABEL, event_sequence, 9, "/dev/kmsg",
	       "number of its first record"),
	COLUMN_ELASTIC(3234, text, "TEXT", TEXT, LABEL, event_text, 3, "/dev/kmsg",
	       "the kernel's line that tells it"),
};

const struct entity entity_kernel_event = {
	.name = "kernel_event",
	.help = "what the kernel log tells, decoded",
	COLUMNS(event_columns),
	.shown = "time,severity,kind,pid,comm,object,where,text",
};

/* ---- records ---- */

struct record_row {
	const struct log_entry *entry;
	size_t text, length; /* in the state's buffer */
	const struct buf *texts;
};

static const struct log_entry *entry_of(const void *row)
{
	return ((const struct record_row *)row)->entry;
}

static struct cell record_time(const void *r) { return cell_reading(entry_of(r)->real_ns); }
static struct cell record_clock(const void *r) { return cell_reading(entry_of(r)->record.log_ns); }
static struct cell record_sequence(const void *r) { return cell_reading(entry_of(r)->record.sequence); }
static struct cell record_level(const void *r) { return cell_text(log_level_names[entry_of(r)->record.level]); }
static struct cell record_facility(const void *r) { return cell_text(log_facility_name(entry_of(r)->record.facility)); }
static struct cell record_caller(const void *r)
{
	return entry_of(r)->record.caller.n ? cell_span(entry_of(r)->record.caller) : cell_reading(READING_ABSENT);
}
static struct cell record_event(const void *r)
{
	return entry_of(r)->kind < LOG_KINDS ? cell_text(log_kinds[entry_of(r)->kind].id) : cell_reading(READING_ABSENT);
}
static struct cell record_device(const void *r)
{
	struct span device;

	if (!log_record_value(&entry_of(r)->record, "DEVICE", &device))
		return cell_reading(READING_ABSENT);
	return cell_span(device);
}
static struct cell record_text(const void *r)
{
	const struct record_row *row = r;

	return cell_span((struct span){ row->texts->data + row->text, row->length });
}

static const struct column record_columns[] = {
	COLUMN(3250, time, "TIME", TIME, LABEL, record_time, 0, "/dev/kmsg", "when it was written"),
	COLUMN(3251, log_ns, "LOG CLOCK", NS, LABEL, record_clock, 8, "/dev/kmsg",
	       "the same by the log's clock, since boot"),
	COLUMN(3252, sequence, "SEQUENCE", COUNT, LABEL, record_sequence, 9, "/dev/kmsg", "number of the record"),
	COLUMN(3253, facility, "FACILITY", TEXT, LABEL, record_facility, 6, "/dev/kmsg",
	       "who wrote: kern, user, daemon…"),
	COLUMN(3254, level, "LEVEL", TEXT, LABEL, record_level, 2, "/dev/kmsg", "emerg to debug"),
	COLUMN(3255, caller, "CALLER", TEXT, LABEL, record_caller, 7, "/dev/kmsg",
	       "thread (T) or CPU (C) that wrote, where the kernel tells (CONFIG_PRINTK_CALLER)"),
	COLUMN(3256, event, "EVENT", TEXT, LABEL, record_event, 4, "/dev/kmsg",
	       "kind of the event that it is part of"),
	COLUMN(3257, device, "DEVICE", TEXT, LABEL, record_device, 8, "/dev/kmsg",
	       "DEVICE of the record's dictionary"),
	COLUMN_ELASTIC(3258, text, "TEXT", TEXT, LABEL, record_text, 0, "/dev/kmsg", "what was written"),
};

const struct entity entity_kernel_record = {
	.name = "kernel_record",
	.help = "records of the kernel log",
	COLUMNS(record_columns),
	.shown = "time,level,event,text",
};

/* ---- the view ---- */

struct log_state {
	struct host *host;
	const struct log_view_options *options;
	struct log_wanted wanted;
	struct log_book *book;
	struct buf texts;
	VEC(struct group_row) groups;
	VEC(struct record_row) records;
};

static void state_free(void *state)
{
	struct log_state *s = state;

	log_book_free(s->book);
	buf_deinit(&s->texts);
	vec_free(&s->groups);
	vec_free(&s->records);
	free(s);
}

static int state_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		      struct note *note)
{
	struct log_state *s = calloc(1, sizeof *s);
	int r = 0;

	(void)wanted;
	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	s->options = options;
	s->wanted.until_ns = UINT64_MAX;
	if (s->options && s->options->resolve)
		r = s->options->resolve(h, s->options->arg, &s->wanted, note);
	if (r < 0) {
		state_free(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

/* The whole log each time: what was overwritten meanwhile is gone, here as there. */
static int state_look(void *state, struct note *note)
{
	struct log_state *s = state;

	log_book_free(s->book);
	s->book = NULL;
	int r = log_book_new(s->host, &s->wanted, &s->book, note);
	if (r < 0)
		return r;
	r = log_book_read(s->book, &s->wanted, true, true);
	if (r < 0)
		return note_set(note, r, "cannot read the kernel log: %s", strerror(-r));
	vec_each(g, &s->book->groups)
		if (s->options && s->options->found && g->severity > LOG_NOTE)
			*s->options->found = true;
	return 0;
}

static int group_rows(void *state, row_vec *ret)
{
	struct log_state *s = state;
	int r = 0;

	s->groups.n = 0;
	if (vec_reserve(&s->groups, s->book->groups.n) < 0)
		return -ENOMEM;
	vec_each(g, &s->book->groups) {
		struct group_row *row = vec_push(&s->groups);

		*row = (struct group_row){ g, &s->book->happenings.v[g->latest] };
		r = r < 0 ? r : row_push(ret, row);
	}
	return r;
}

static int event_rows(void *state, row_vec *ret)
{
	struct log_state *s = state;
	int r = 0;

	vec_each(h, &s->book->happenings)
		r = r < 0 ? r : row_push(ret, h);
	return r;
}

static int record_rows(void *state, row_vec *ret)
{
	struct log_state *s = state;
	int r = 0;

	s->records.n = 0;
	buf_clear(&s->texts);
	if (vec_reserve(&s->records, s->book->entries.n) < 0)
		return -ENOMEM;
	vec_each(e, &s->book->entries) {
		struct record_row *row = vec_push(&s->records);

		if (r == 0)
			r = buf_reserve(&s->texts, e->record.text.n);
		if (r < 0)
			return r;
		*row = (struct record_row){ e, s->texts.n, scan_unescape(e->record.text, s->texts.data + s->texts.n),
					    &s->texts };
		s->texts.n += row->length;
		r = row_push(ret, row);
	}
	return r;
}

static const struct view_section sections[] = {
	{ .name = "groups", .entity = &entity_kernel_event_group, .rows = group_rows },
	{ .name = "events", .entity = &entity_kernel_event, .on_request = true, .rows = event_rows },
	{ .name = "records", .entity = &entity_kernel_record, .on_request = true, .rows = record_rows },
};

const struct view view_log = {
	SECTIONS(sections), .open = state_open, .look = state_look, .close = state_free,
};
