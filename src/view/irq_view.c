#include "view/irq_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct looks {
	struct interrupt_table now, before;
	enum presence presence;
	VEC(uint64_t) growth; /* as now.counts */
};

/* One line on one CPU. */
struct count_row {
	const struct irq_row *row;
	size_t at;
};

struct irq_state {
	struct host *host;
	struct buf scratch;
	struct host_time last;
	struct view_span span;
	bool all, affinity_wanted, counts_wanted;
	struct looks hard, soft;
	VEC(struct irq_row) rows;
	VEC(struct irq_cpu_row) cpus;
	VEC(struct count_row) counts;
};

/* ---- columns of lines ---- */

#define ROW ((const struct irq_row *)row)
#define INTERRUPTS "/proc/interrupts, /proc/softirqs"
static struct cell rate(const struct irq_row *r, uint64_t growth)
{
	return cell_real((double)growth / r->seconds);
}
static struct cell get_line(const void *row) { return cell_text(ROW->line->line); }
static struct cell get_kind(const void *row) { return cell_text(ROW->soft ? "soft" : "hard"); }
/* /proc/softirqs has names alone. */
static const char *soft_meaning(const char *name)
{
	static const char *const meanings[][2] = {
		{ "HI", "urgent tasklets" },	    { "TIMER", "timers" },
		{ "NET_TX", "packets sent" },	    { "NET_RX", "packets received" },
		{ "BLOCK", "block I/O completed" }, { "IRQ_POLL", "block I/O polled" },
		{ "TASKLET", "tasklets" },	    { "SCHED", "load balancing" },
		{ "HRTIMER", "precise timers" },    { "RCU", "deferred frees (RCU)" },
	};

	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
		if (strcmp(meanings[i][0], name) == 0)
			return meanings[i][1];
	return "";
}
static struct cell text_or_absent(const char *text)
{
	return *text ? cell_text(text) : cell_reading(READING_ABSENT);
}
static struct cell get_device(const void *row)
{
	return text_or_absent(ROW->soft ? soft_meaning(ROW->line->line) : ROW->line->device);
}
static struct cell get_per_s(const void *row) { return rate(ROW, ROW->total); }
static struct cell get_count(const void *row) { return cell_reading(ROW->line->total); }
static bool fired_by_cpu(const struct irq_row *r)
{
	return r->line->by_cpu && r->total > 0;
}
static struct cell get_busiest(const void *row)
{
	return cell_reading(fired_by_cpu(ROW) ? ROW->table->cpus.v[ROW->busiest] : READING_ABSENT);
}
static struct cell get_busiest_per_s(const void *row)
{
	return fired_by_cpu(ROW) ? rate(ROW, ROW->growth[ROW->busiest]) : cell_reading(READING_ABSENT);
}
static struct cell get_busiest_pct(const void *row)
{
	return fired_by_cpu(ROW) ? cell_real(100.0 * (double)ROW->growth[ROW->busiest] / (double)ROW->total) :
				   cell_reading(READING_ABSENT);
}
static struct cell get_imbalance(const void *row)
{
	if (!fired_by_cpu(ROW))
		return cell_reading(READING_ABSENT);
	return cell_real((double)ROW->growth[ROW->busiest] * (double)ROW->table->cpus.n / (double)ROW->total);
}
static struct cell get_cpus_hit(const void *row)
{
	return cell_reading(ROW->line->by_cpu ? ROW->cpus_hit : READING_ABSENT);
}
static struct cell get_allowed(const void *row) { return text_or_absent(ROW->affinity.allowed); }
static struct cell get_effective(const void *row) { return text_or_absent(ROW->affinity.effective); }
static struct cell get_by_cpu(const void *row) { return text_or_absent(ROW->by_cpu); }

static const struct column line_columns[] = {
	COLUMN(2220, line, "LINE", TEXT, LABEL, get_line, 0, INTERRUPTS,
	       "number or name of the interrupt line"),
	COLUMN(2221, kind, "KIND", TEXT, LABEL, get_kind, 2, INTERRUPTS, "hard or soft"),
	COLUMN_ELASTIC(2222, device, "DEVICE", TEXT, LABEL, get_device, 1, "/proc/interrupts",
	               "what fires it, as its driver calls it"),
	COLUMN(2223, per_s, "TOTAL/s", PER_S, RATE, get_per_s, 0, INTERRUPTS, "interrupts on all CPUs"),
	COLUMN(2224, busiest_cpu, "CPU", COUNT, LABEL, get_busiest, 1, INTERRUPTS,
	       "the CPU that took most of them"),
	COLUMN(2225, busiest_per_s, "ITS/s", PER_S, RATE, get_busiest_per_s, 5, INTERRUPTS,
	       "interrupts on that CPU"),
	COLUMN(2226, busiest_pct, "ITS%", PCT, RATE, get_busiest_pct, 2, INTERRUPTS,
	       "that CPU's share of the line"),
	COLUMN(2227, imbalance, "IMBALANCE", COUNT, RATE, get_imbalance, 6, INTERRUPTS,
	       "that CPU's share as a multiple of an even one: 1 is even, the number of CPUs is all on one"),
	COLUMN(2228, cpus_hit, "CPUS", COUNT, GAUGE, get_cpus_hit, 7, INTERRUPTS, "CPUs that took any"),
	COLUMN(2229, allowed_cpus, "ALLOWED", TEXT, LABEL, get_allowed, 5, "/proc/irq/*/smp_affinity_list",
	       "CPUs the line may go to"),
	COLUMN(2230, effective_cpus, "EFFECTIVE", TEXT, LABEL, get_effective, 4,
	       "/proc/irq/*/effective_affinity_list",
	       "CPUs the line really goes to"),
	COLUMN_ELASTIC(2231, by_cpu, "BY-CPU/s", TEXT, LABEL, get_by_cpu, 3, INTERRUPTS,
		       "rate on each CPU, as CPU:rate; with more than 8 CPUs those of the 8 busiest, most first"),
	COLUMN(2232, count, "COUNT", COUNT, COUNTER, get_count, 8, INTERRUPTS, "interrupts since boot"),
};

const struct entity entity_interrupt = {
	.name = "interrupt",
	.help = "one interrupt line, or kind of soft interrupt",
	COLUMNS(line_columns),
	.shown = "line,kind,device,per_s,busiest_cpu,busiest_pct,imbalance,allowed_cpus,effective_cpus,by_cpu",
	.sort = "per_s,line",
};

/* ---- columns of CPUs ---- */

#define CPU ((const struct irq_cpu_row *)row)
static struct cell get_cpu(const void *row) { return cell_reading(CPU->cpu); }
static struct cell get_hard(const void *row) { return cell_rate(CPU->hard, CPU->seconds); }
static struct cell get_soft(const void *row) { return cell_rate(CPU->soft, CPU->seconds); }
static struct cell get_hard_pct(const void *row) { return cell_share(CPU->hard, CPU->all_hard); }
static struct cell get_soft_pct(const void *row) { return cell_share(CPU->soft, CPU->all_soft); }
const char *irq_line_name(const struct irq_row *r)
{
	return r->line->numbered && r->line->device[0] ? r->line->device : r->line->line;
}
static struct cell top(const struct irq_row *r)
{
	return text_or_absent(r ? irq_line_name(r) : "");
}
static struct cell get_top_hard(const void *row) { return top(CPU->top_hard); }
static struct cell get_top_soft(const void *row) { return top(CPU->top_soft); }

static const struct column cpu_columns[] = {
	COLUMN(2030, cpu, "CPU", COUNT, LABEL, get_cpu, 0, INTERRUPTS, "number of the CPU"),
	COLUMN(2031, hard_per_s, "HARD/s", PER_S, RATE, get_hard, 0, "/proc/interrupts", "interrupts it took"),
	COLUMN(2032, hard_pct, "HARD%", PCT, RATE, get_hard_pct, 2, "/proc/interrupts",
	       "its share of all interrupts"),
	COLUMN(2033, soft_per_s, "SOFT/s", PER_S, RATE, get_soft, 0, "/proc/softirqs",
	       "soft interrupts it ran"),
	COLUMN(2034, soft_pct, "SOFT%", PCT, RATE, get_soft_pct, 2, "/proc/softirqs",
	       "its share of all soft interrupts"),
	COLUMN(2035, top_hard, "MOST-HARD", TEXT, LABEL, get_top_hard, 1, "/proc/interrupts",
	       "the line that fired most on it"),
	COLUMN(2036, top_soft, "MOST-SOFT", TEXT, LABEL, get_top_soft, 3, "/proc/softirqs",
	       "the kind that ran most on it"),
};

const struct entity entity_interrupt_cpu = {
	.name = "interrupt_cpu",
	.help = "interrupts of one CPU",
	COLUMNS(cpu_columns),
	.shown = "cpu,hard_per_s,hard_pct,soft_per_s,soft_pct,top_hard,top_soft",
};

/* ---- columns of counts ---- */

#define COUNT ((const struct count_row *)row)
static struct cell get_count_line(const void *row) { return cell_text(COUNT->row->line->line); }
static struct cell get_count_kind(const void *row) { return get_kind(COUNT->row); }
static struct cell get_count_device(const void *row) { return get_device(COUNT->row); }
static struct cell get_count_cpu(const void *row) { return cell_reading(COUNT->row->table->cpus.v[COUNT->at]); }
static struct cell get_count_per_s(const void *row) { return rate(COUNT->row, COUNT->row->growth[COUNT->at]); }
static struct cell get_count_count(const void *row)
{
	return cell_reading(interrupt_count(COUNT->row->table, COUNT->row->line, COUNT->at));
}

static const struct column count_columns[] = {
	COLUMN(2040, line, "LINE", TEXT, LABEL, get_count_line, 0, INTERRUPTS,
	       "number or name of the interrupt line"),
	COLUMN(2041, kind, "KIND", TEXT, LABEL, get_count_kind, 1, INTERRUPTS, "hard or soft"),
	COLUMN_ELASTIC(2042, device, "DEVICE", TEXT, LABEL, get_count_device, 2, "/proc/interrupts",
	               "what fires it"),
	COLUMN(2043, cpu, "CPU", COUNT, LABEL, get_count_cpu, 0, INTERRUPTS, "number of the CPU"),
	COLUMN(2044, per_s, "RATE/s", PER_S, RATE, get_count_per_s, 0, INTERRUPTS,
	       "interrupts of the line on this CPU"),
	COLUMN(2045, count, "COUNT", COUNT, COUNTER, get_count_count, 1, INTERRUPTS, "the same since boot"),
};

const struct entity entity_interrupt_count = {
	.name = "interrupt_count",
	.help = "one interrupt line on one CPU",
	COLUMNS(count_columns),
	.shown = "line,kind,device,cpu,per_s,count",
	.sort = "per_s,line,cpu",
};

/* ---- collecting ---- */

static int irq_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		    struct note *note)
{
	const struct irq_view_options *o = options;
	struct irq_state *s = calloc(1, sizeof *s);

	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->host = h;
	s->all = o && o->all;
	s->affinity_wanted = view_wants_named(wanted, "allowed_cpus") || view_wants_named(wanted, "effective_cpus");
	s->counts_wanted = view_wants(wanted, &count_columns[0]) || view_wants(wanted, &count_columns[3]) ||
			   view_wants(wanted, &count_columns[4]) || view_wants(wanted, &count_columns[5]);
	*ret_state = s;
	return 0;
}

static void looks_deinit(struct looks *l)
{
	interrupt_table_deinit(&l->now);
	interrupt_table_deinit(&l->before);
	vec_free(&l->growth);
}

static void irq_close(void *state)
{
	struct irq_state *s = state;

	looks_deinit(&s->hard);
	looks_deinit(&s->soft);
	vec_free(&s->rows);
	vec_free(&s->cpus);
	vec_free(&s->counts);
	buf_deinit(&s->scratch);
	free(s);
}

uint64_t irq_growth(uint64_t before, uint64_t now)
{
	if (now >= before)
		return now - before;
	return before <= UINT32_MAX ? now + ((UINT64_C(1) << 32) - before) : 0;
}

/* Count of a line on a CPU at the look before: 0 at the first, and for what has come since. */
static uint64_t count_before(const struct looks *l, const struct interrupt_line *old, uint32_t cpu, size_t hint)
{
	const struct interrupt_table *t = &l->before;

	for (size_t i = 0; old && old->by_cpu && i < t->cpus.n; i++) {
		size_t at = (hint + i) % t->cpus.n;

		if (t->cpus.v[at] == cpu)
			return t->counts.v[old->first + at];
	}
	return 0;
}

static int make_growth(struct irq_state *s, struct looks *l, const struct interrupt_line *line, struct irq_row *row)
{
	size_t position = (size_t)(line - l->now.lines.v);
	const struct interrupt_line *old = s->span.since_boot ? NULL : interrupt_find(&l->before, line->line, position);

	if (!line->by_cpu) {
		row->total = irq_growth(old ? old->total : 0, line->total);
		return 0;
	}
	for (size_t i = 0; i < l->now.cpus.n; i++) {
		uint64_t now = l->now.counts.v[line->first + i];
		uint64_t growth = irq_growth(count_before(l, old, l->now.cpus.v[i], i), now);
		uint64_t *place = vec_push(&l->growth);

		if (!place)
			return -ENOMEM;
		*place = growth;
		row->total += growth;
		row->cpus_hit += growth > 0;
	}
	return 0;
}

static int make_rows(struct irq_state *s, struct looks *l, bool soft)
{
	int r = 0;

	l->growth.n = 0;
	vec_each(line, &l->now.lines) {
		struct irq_row *row = vec_push(&s->rows);

		if (!row)
			return -ENOMEM;
		row->table = &l->now;
		row->line = line;
		row->soft = soft;
		row->seconds = s->span.seconds;
		r = make_growth(s, l, line, row);
		if (r < 0)
			return r;
	}
	return 0;
}

#define BY_CPU_MAX 8

/* The i-th to be named: in their order when all have room, else the next busiest. */
static size_t next_named(const struct irq_row *row, const size_t *named, size_t n)
{
	size_t cpus = row->table->cpus.n, best = cpus;

	for (size_t at = 0; at < cpus; at++) {
		bool taken = row->growth[at] == 0;

		for (size_t k = 0; k < n; k++)
			taken = taken || named[k] == at;
		if (taken)
			continue;
		if (best == cpus || (cpus > BY_CPU_MAX && row->growth[at] > row->growth[best]))
			best = at;
	}
	return best;
}

/* " 1:400", or nothing when it has no room. */
static size_t put_rate(const struct irq_row *row, size_t at, bool behind, char *to, size_t room)
{
	double v = (double)row->growth[at] / row->seconds;
	const char *below = v < 0.01 ? "<" : "", *unit = v >= 99950 ? "K" : "";

	v = v < 0.01 ? 0.01 : v >= 99950 ? v / 1000 : v;
	int n = snprintf(to, room, "%s%u:%s%.*f%s", behind ? " " : "", row->table->cpus.v[at], below,
			 v < 0.095 ? 2 : v < 99.95 ? 1 : 0, v, unit);
	if (n >= 0 && (size_t)n < room)
		return (size_t)n;
	*to = '\0';
	return 0;
}

static void name_cpus(struct irq_row *row)
{
	size_t named[BY_CPU_MAX], n = 0, used = 0;

	for (; n < BY_CPU_MAX; n++) {
		named[n] = next_named(row, named, n);
		if (named[n] == row->table->cpus.n)
			break;
		used += put_rate(row, named[n], n > 0, row->by_cpu + used, sizeof row->by_cpu - used);
	}
}

/* Once all rows stand where they stay. */
static void finish_rows(struct irq_state *s)
{
	vec_each(row, &s->rows) {
		struct looks *l = row->soft ? &s->soft : &s->hard;

		if (row->line->by_cpu) {
			row->growth = l->growth.v + row->line->first;
			for (size_t i = 1; i < row->table->cpus.n; i++)
				if (row->growth[i] > row->growth[row->busiest])
					row->busiest = i;
			name_cpus(row);
		}
		if (s->affinity_wanted && row->line->numbered && (row->total || s->all))
			irq_affinity_read(s->host, row->line->line, &s->scratch, &row->affinity);
	}
}

/* What counts start from: 0, or why there are none. */
static reading none_yet(enum presence p)
{
	return p == PRESENT ? 0 : p == DENIED ? READING_DENIED : p == MALFORMED ? READING_MALFORMED : READING_ABSENT;
}

static struct irq_cpu_row *cpu_row(struct irq_state *s, uint32_t cpu)
{
	vec_each(row, &s->cpus)
		if (row->cpu == cpu)
			return row;
	struct irq_cpu_row *row = vec_push(&s->cpus);
	if (row) {
		row->cpu = cpu;
		row->seconds = s->span.seconds;
		row->hard = none_yet(s->hard.presence);
		row->soft = none_yet(s->soft.presence);
	}
	return row;
}

static uint64_t growth_on(const struct irq_row *row, uint32_t cpu)
{
	for (size_t i = 0; row && i < row->table->cpus.n; i++)
		if (row->table->cpus.v[i] == cpu)
			return row->growth[i];
	return 0;
}

static void add_to_cpu(const struct irq_row *row, size_t at, struct irq_cpu_row *cpu)
{
	const struct irq_row **top = row->soft ? &cpu->top_soft : &cpu->top_hard;
	reading growth = row->growth[at], *sum = row->soft ? &cpu->soft : &cpu->hard;

	*sum = reading_sum(*sum, growth);
	if (growth > growth_on(*top, cpu->cpu))
		*top = row;
}

/* /proc/softirqs has CPUs that are not there (yet): only those of /proc/interrupts count, if any. */
static int make_cpus(struct irq_state *s)
{
	const struct interrupt_table *t = s->hard.now.cpus.n ? &s->hard.now : &s->soft.now;
	double hard = 0, soft = 0;

	s->cpus.n = 0;
	vec_each(cpu, &t->cpus)
		if (!cpu_row(s, *cpu))
			return -ENOMEM;
	vec_each(row, &s->rows)
		for (size_t i = 0; row->line->by_cpu && i < row->table->cpus.n; i++) {
			if (row->growth[i] == 0)
				continue;
			struct irq_cpu_row *cpu = cpu_row(s, row->table->cpus.v[i]);
			if (!cpu)
				return -ENOMEM;
			add_to_cpu(row, i, cpu);
		}
	vec_each(cpu, &s->cpus) {
		hard += (double)reading_or(cpu->hard, 0);
		soft += (double)reading_or(cpu->soft, 0);
	}
	vec_each(cpu, &s->cpus) {
		cpu->all_hard = hard;
		cpu->all_soft = soft;
	}
	return 0;
}

static int make_counts(struct irq_state *s)
{
	s->counts.n = 0;
	if (!s->counts_wanted)
		return 0;
	vec_each(row, &s->rows)
		for (size_t i = 0; row->line->by_cpu && i < row->table->cpus.n; i++) {
			struct count_row *count;

			if (row->growth[i] == 0 && !s->all)
				continue;
			if (!(count = vec_push(&s->counts)))
				return -ENOMEM;
			*count = (struct count_row){ row, i };
		}
	return 0;
}

static int read_table(struct irq_state *s, struct looks *l, const char *path)
{
	struct interrupt_table old = l->before;

	l->before = l->now;
	l->now = old;
	return interrupt_table_read(s->host, path, &s->scratch, &l->now, &l->presence);
}

static int irq_look(void *state, struct note *note)
{
	struct irq_state *s = state;
	int r;

	view_span_next(host_time(s->host), &s->last, &s->span);
	r = read_table(s, &s->hard, "/proc/interrupts");
	if (r == 0)
		r = read_table(s, &s->soft, "/proc/softirqs");
	if (r == 0 && s->hard.presence != PRESENT && s->soft.presence != PRESENT)
		return note_set(note, -ENOENT, "neither /proc/interrupts nor /proc/softirqs can be read: is /proc mounted%s?",
				host_is_live(s->host) ? "" : ", and were they captured");
	s->rows.n = 0;
	if (r == 0)
		r = make_rows(s, &s->hard, false);
	if (r == 0)
		r = make_rows(s, &s->soft, true);
	if (r == 0) {
		finish_rows(s);
		r = make_cpus(s);
	}
	if (r == 0)
		r = make_counts(s);
	return r < 0 ? note_set(note, r, "out of memory") : 0;
}

/* ---- sections ---- */

static int line_rows(void *state, row_vec *ret)
{
	struct irq_state *s = state;
	int r = 0;

	vec_each(row, &s->rows)
		if (s->all || row->total > 0)
			r = r < 0 ? r : row_push(ret, row);
	return r;
}

static int cpu_rows(void *state, row_vec *ret)
{
	struct irq_state *s = state;

	return row_push_each(ret, &s->cpus);
}

static int count_rows(void *state, row_vec *ret)
{
	struct irq_state *s = state;

	return row_push_each(ret, &s->counts);
}

/* A row for each line on each CPU is for JSON; in text it comes on request. */
static bool for_programs(void *state)
{
	(void)state;
	return true;
}

/* More than a screen of them would hide the lines; the first words name the busiest. */
static bool too_many_cpus(void *state)
{
	return ((struct irq_state *)state)->cpus.n > IRQ_MANY_CPUS;
}

static const struct view_section sections[] = {
	{ .name = "lines", .title = "lines", .entity = &entity_interrupt, .rows = line_rows },
	{ .name = "cpus", .title = "CPUs", .entity = &entity_interrupt_cpu, .rows = cpu_rows, .idle = too_many_cpus },
	{ .name = "counts", .title = "lines by CPU", .entity = &entity_interrupt_count, .rows = count_rows,
	  .idle = for_programs },
};

static const struct view_span *irq_span(const void *state)
{
	return &((const struct irq_state *)state)->span;
}

const struct view view_irq = {
	SECTIONS(sections), .open = irq_open, .look = irq_look, .close = irq_close, .span = irq_span,
};

uint64_t irq_cpu_total(const struct irq_cpu_row *cpu)
{
	return reading_or(cpu->hard, 0) + reading_or(cpu->soft, 0);
}

struct irq_overview irq_overview(void *state)
{
	struct irq_state *s = state;
	struct irq_overview o = {
		.cpus = s->cpus.n,
		.hard_per_s = reading_value(none_yet(s->hard.presence)),
		.soft_per_s = reading_value(none_yet(s->soft.presence)),
	};

	vec_each(row, &s->rows) {
		const struct irq_row **top = row->soft ? &o.top_soft : &o.top_hard;

		*(row->soft ? &o.soft_per_s : &o.hard_per_s) += (double)row->total / s->span.seconds;
		if (row->total > (*top ? (*top)->total : 0))
			*top = row;
	}
	vec_each(cpu, &s->cpus)
		if (irq_cpu_total(cpu) > (o.busiest ? irq_cpu_total(o.busiest) : 0))
			o.busiest = cpu;
	return o;
}
