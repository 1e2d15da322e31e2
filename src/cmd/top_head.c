/* The lines above the list: the host at a glance. What is unusual is coloured. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/top.h"
#include "report/table.h"

#define FEW_CPUS 16
#define BAR_MIN 8

/* How much room the head may take. */
enum head_size { HEAD_LINE, HEAD_SMALL, HEAD_WHOLE };

static enum head_size size_of(const struct top *t)
{
	return t->screen.rows < 12 ? HEAD_LINE : t->screen.rows < 24 ? HEAD_SMALL : HEAD_WHOLE;
}

/* Bars side by side, as many as fit. */
static int cpu_columns(const struct top *t)
{
	int n = t->screen.columns / 38;

	return n < 1 ? 1 : n > 4 ? 4 : n;
}

static int cpu_rows(const struct top *t)
{
	int n = (int)t->summary.cpus.n;

	if (size_of(t) != HEAD_WHOLE || n < 2 || n > FEW_CPUS)
		return 0;
	int rows = (n + cpu_columns(t) - 1) / cpu_columns(t);
	return rows > t->screen.rows / 6 ? 0 : rows;
}

int top_head_rows(const struct top *t)
{
	switch (size_of(t)) {
	case HEAD_LINE: return 2;
	case HEAD_SMALL: return 5;
	default: return 7 + cpu_rows(t);
	}
}

/* ---- pieces ---- */

static void put_percent(struct screen_line *l, double pct, double yellow, double red)
{
	line_tone(l, pct >= red ? TONE_RED : pct >= yellow ? TONE_YELLOW : TONE_PLAIN);
	if (isnan(pct))
		line_put(l, "-");
	else
		line_put(l, pct < 9.95 ? "%.1f" : "%.0f", pct);
	line_tone(l, TONE_PLAIN);
}

static void put_amount(struct screen_line *l, double value, enum field_unit unit)
{
	struct column like = { .unit = unit };
	struct cell cell = cell_real(value);
	struct buf text = { 0 };

	if (cell_format(&like, &cell, UNITS_IEC, 0, &text) == 0)
		line_put(l, "%.*s", (int)text.n, text.data);
	buf_deinit(&text);
}

static void put_bytes(struct screen_line *l, reading bytes)
{
	put_amount(l, reading_value(bytes), UNIT_BYTES);
}

static void label(struct screen_line *l, const char *text)
{
	line_tone(l, TONE_CYAN);
	line_put(l, "%s", text);
	line_tone(l, TONE_PLAIN);
}

/* Ends what is drawn so far and starts the next item, when there is room for it. */
static bool room(struct screen_line *l, int columns)
{
	if (l->column + columns + 2 > l->width)
		return false;
	line_put(l, l->column ? "  " : "");
	return true;
}

static double part(reading amount, reading whole)
{
	return reading_ok(amount) && reading_ok(whole) && whole ? (double)amount / (double)whole : 0;
}

static double busy_of(const struct cpu_shares *c)
{
	return 100 - c->idle - c->iowait;
}

/* ---- the first line ---- */

static void put_uptime(struct screen_line *l, double s)
{
	unsigned long minutes = (unsigned long)(s / 60);

	label(l, "up ");
	if (minutes >= 24 * 60)
		line_put(l, "%lud %02lu:%02lu", minutes / 1440, minutes / 60 % 24, minutes % 60);
	else
		line_put(l, "%lu:%02lu", minutes / 60, minutes % 60);
}

static void put_load(const struct top *t, struct screen_line *l)
{
	const struct host_summary *s = &t->summary;
	double cpus = s->cpus.n ? (double)s->cpus.n : 1, load = reading_value(s->load1_milli) / 1e3;

	label(l, "load ");
	line_tone(l, load > 4 * cpus ? TONE_RED : load > cpus ? TONE_YELLOW : TONE_PLAIN);
	line_put(l, "%.2f", load);
	line_tone(l, TONE_PLAIN);
	line_put(l, " %.2f %.2f", reading_value(s->load5_milli) / 1e3, reading_value(s->load15_milli) / 1e3);
}

static void put_states(const struct top *t, struct screen_line *l)
{
	static const struct {
		char state;
		const char *name;
		unsigned tone;
	} shown[] = { { 'R', "running", TONE_GREEN }, { 'D', "blocked", TONE_RED }, { 'T', "stopped", TONE_YELLOW },
		      { 'Z', "zombies", TONE_YELLOW } };

	label(l, t->threads ? "threads " : "processes ");
	line_put(l, "%u", t->tasks);
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		unsigned n = t->states[(unsigned char)shown[i].state] + (shown[i].state == 'T' ? t->states['t'] : 0);
		if (n == 0 && i > 0)
			continue;
		line_put(l, ", ");
		line_tone(l, n ? shown[i].tone : TONE_PLAIN);
		line_put(l, "%u", n);
		line_tone(l, TONE_PLAIN);
		line_put(l, " %s", shown[i].name);
	}
}

static void put_clock(const struct top *t, struct screen_line *l)
{
	time_t now = (time_t)(host_time(t->host).real_ns / NS_PER_S);
	struct tm local;

	if (l->column + 10 > l->width || !localtime_r(&now, &local))
		return;
	line_to(l, l->width - 8);
	line_tone(l, TONE_DIM);
	line_put(l, "%02d:%02d:%02d", local.tm_hour, local.tm_min, local.tm_sec);
}

static void draw_title(struct top *t, int row)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_STRONG);
	line_put_span(l, span_from(t->hostname), t->screen.columns > 70 ? 24 : 10, 0);
	line_tone(l, TONE_PLAIN);
	if (room(l, 14))
		put_uptime(l, t->summary.uptime_s);
	if (room(l, 20))
		put_load(t, l);
	if (room(l, 24))
		put_states(t, l);
	if (t->paused && room(l, 8)) {
		line_tone(l, TONE_YELLOW);
		line_put(l, "PAUSED");
	}
	put_clock(t, l);
	line_draw(l, &t->screen, row, 0);
}

/* ---- CPUs ---- */

static void cpu_bar(struct screen_line *l, int width, const struct cpu_shares *c)
{
	struct bar_part parts[] = {
		{ (c->user + c->nice) / 100, TONE_GREEN },
		{ c->system / 100, TONE_RED },
		{ (c->irq + c->softirq) / 100, TONE_YELLOW },
		{ c->steal / 100, TONE_CYAN },
	};

	line_bar(l, width, parts, sizeof parts / sizeof parts[0]);
}

static void put_share(struct screen_line *l, const char *name, double pct, double yellow, double red)
{
	if (!room(l, 10))
		return;
	line_tone(l, TONE_DIM);
	line_put(l, "%s ", name);
	put_percent(l, pct, yellow, red);
}

static int bar_width(const struct top *t)
{
	int width = t->screen.columns / 4;

	return width < BAR_MIN ? BAR_MIN : width > 40 ? 40 : width;
}

static const struct cpu_shares *busiest_cpu(const struct top *t)
{
	const struct cpu_shares *most = NULL;

	vec_each(c, &t->summary.cpus)
		if (!most || busy_of(c) > busy_of(most))
			most = c;
	return most;
}

static void draw_cpu_total(struct top *t, int row)
{
	const struct cpu_shares *c = &t->summary.total, *most = busiest_cpu(t);
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_PLAIN);
	label(l, "CPU   ");
	cpu_bar(l, bar_width(t), c);
	line_put(l, " ");
	put_percent(l, busy_of(c), 80, 95);
	line_put(l, isnan(busy_of(c)) ? "" : " %%");
	put_share(l, "user", c->user + c->nice, 101, 101);
	put_share(l, "system", c->system, 30, 60);
	put_share(l, "iowait", c->iowait, 20, 50);
	put_share(l, "steal", c->steal, 3, 10);
	put_share(l, "softirq", c->irq + c->softirq, 15, 30);
	if (t->summary.cpus.n > 1 && most && !isnan(busy_of(most)) && room(l, 30)) {
		line_tone(l, TONE_DIM);
		line_put(l, "busiest of %zu: CPU %u ", t->summary.cpus.n, most->cpu);
		put_percent(l, busy_of(most), 80, 95);
		line_put(l, " %%");
	}
	line_draw(l, &t->screen, row, 0);
}

static void draw_cpus(struct top *t, int row)
{
	int across = cpu_columns(t), rows = cpu_rows(t), width = t->screen.columns / across;
	struct screen_line *l = &t->line;

	for (int i = 0; i < rows; i++) {
		line_start(l, &t->screen, TONE_PLAIN);
		for (int k = 0; k < across; k++) {
			/* Down first, then across: neighbours stand under each other. */
			size_t at = (size_t)(k * rows + i);
			if (at >= t->summary.cpus.n)
				break;
			const struct cpu_shares *c = &t->summary.cpus.v[at];
			line_to(l, k * width);
			line_tone(l, TONE_CYAN);
			line_put(l, "%4u  ", c->cpu);
			cpu_bar(l, width - 14, c);
			line_put(l, " ");
			put_percent(l, busy_of(c), 80, 95);
			line_put(l, isnan(busy_of(c)) ? "" : " %%");
		}
		line_draw(l, &t->screen, row + i, 0);
	}
}

/* ---- memory ---- */

static void draw_memory(struct top *t, int row)
{
	const struct host_summary *s = &t->summary;
	struct bar_part parts[] = { { part(s->memory_used, s->memory_total), TONE_GREEN },
				    { part(s->memory_cache, s->memory_total), TONE_YELLOW } };
	double available = 100 * part(s->memory_available, s->memory_total);
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_PLAIN);
	label(l, "Mem   ");
	line_bar(l, bar_width(t), parts, 2);
	line_put(l, " ");
	put_bytes(l, s->memory_used);
	line_put(l, " of ");
	put_bytes(l, s->memory_total);
	if (room(l, 12)) {
		line_tone(l, TONE_DIM);
		line_put(l, "cache ");
		line_tone(l, TONE_PLAIN);
		put_bytes(l, s->memory_cache);
	}
	if (room(l, 16)) {
		line_tone(l, TONE_DIM);
		line_put(l, "available ");
		line_tone(l, available < 5 ? TONE_RED : available < 15 ? TONE_YELLOW : TONE_PLAIN);
		put_bytes(l, s->memory_available);
	}
	line_draw(l, &t->screen, row, 0);
}

static void draw_swap(struct top *t, int row)
{
	const struct host_summary *s = &t->summary;
	double used = part(s->swap_used, s->swap_total);
	struct bar_part bar = { used, used > 0.5 ? TONE_RED : TONE_YELLOW };
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_PLAIN);
	label(l, "Swap  ");
	if (reading_or(s->swap_total, 0) == 0) {
		line_tone(l, TONE_DIM);
		line_put(l, reading_ok(s->swap_total) ? "none" : "not measurable");
	} else {
		line_bar(l, bar_width(t), &bar, 1);
		line_put(l, " ");
		put_bytes(l, s->swap_used);
		line_put(l, " of ");
		put_bytes(l, s->swap_total);
	}
	line_draw(l, &t->screen, row, 0);
}

/* ---- stalls, disk, network ---- */

static void put_stall(struct screen_line *l, const char *name, struct stall s, double yellow, double red)
{
	if (!room(l, 18))
		return;
	line_tone(l, TONE_DIM);
	line_put(l, "%s ", name);
	put_percent(l, s.some, yellow, red);
	line_put(l, "/");
	put_percent(l, s.full, yellow / 2, red / 2);
}

static void put_stalls(struct top *t, struct screen_line *l)
{
	const struct host_summary *s = &t->summary;
	bool none = t->nlooks > 1 && isnan(s->cpu_stall.some) && isnan(s->memory_stall.some);

	label(l, "Stall");
	if (none) {
		line_tone(l, TONE_DIM);
		line_put(l, " not measurable: this kernel keeps no PSI");
		line_tone(l, TONE_PLAIN);
		return;
	}
	line_put(l, l->width > 70 ? " some/full %%" : "");
	put_stall(l, "cpu", s->cpu_stall, 20, 60);
	put_stall(l, "memory", s->memory_stall, 1, 10);
	put_stall(l, "io", s->io_stall, 10, 40);
}

static void draw_stalls(struct top *t, int row)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_PLAIN);
	put_stalls(t, l);
	if (room(l, 24) && !isnan(t->summary.context_switches_per_s)) {
		line_tone(l, TONE_DIM);
		line_put(l, "switches ");
		line_tone(l, TONE_PLAIN);
		put_amount(l, t->summary.context_switches_per_s, UNIT_PER_S);
		line_tone(l, TONE_DIM);
		line_put(l, "/s  forks ");
		line_tone(l, TONE_PLAIN);
		put_amount(l, t->summary.forks_per_s, UNIT_PER_S);
		line_tone(l, TONE_DIM);
		line_put(l, "/s");
	}
	line_draw(l, &t->screen, row, 0);
}

static void put_disk(struct top *t, struct screen_line *l)
{
	const struct disk_summary *d = &t->summary.disk;

	label(l, "Disk  ");
	if (!d->name[0]) {
		line_put(l, "-");
		return;
	}
	line_put_span(l, span_from(d->name), 12, 0);
	line_put(l, " ");
	put_percent(l, d->busy_pct, 70, 95);
	line_put(l, " %% busy  read ");
	put_amount(l, d->read_bytes_per_s, UNIT_BYTES_PER_S);
	line_put(l, "/s write ");
	put_amount(l, d->write_bytes_per_s, UNIT_BYTES_PER_S);
	line_put(l, "/s");
	if (!isnan(d->await_ms) && room(l, 14)) {
		line_tone(l, TONE_DIM);
		line_put(l, "await ");
		line_tone(l, d->await_ms > 100 ? TONE_RED : d->await_ms > 20 ? TONE_YELLOW : TONE_PLAIN);
		line_put(l, "%.1f ms", d->await_ms);
		line_tone(l, TONE_PLAIN);
	}
}

static void put_network(struct top *t, struct screen_line *l)
{
	const struct interface_summary *i = &t->summary.interface;

	label(l, "Net ");
	if (!i->name[0]) {
		line_put(l, "-");
		return;
	}
	line_put_span(l, span_from(i->name), 15, 0);
	line_put(l, " in ");
	put_amount(l, i->rx_bytes_per_s, UNIT_BYTES_PER_S);
	line_put(l, "/s out ");
	put_amount(l, i->tx_bytes_per_s, UNIT_BYTES_PER_S);
	line_put(l, "/s");
	if (t->summary.drops_per_s > 0 && room(l, 12)) {
		line_tone(l, TONE_YELLOW);
		line_put(l, "drops ");
		put_amount(l, t->summary.drops_per_s, UNIT_PER_S);
		line_put(l, "/s");
		line_tone(l, TONE_PLAIN);
	}
}

static void draw_devices(struct top *t, int row)
{
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_PLAIN);
	put_disk(t, l);
	if (room(l, 30))
		put_network(t, l);
	line_draw(l, &t->screen, row, 0);
}

/* All there is room for, in one line. */
static void draw_glance(struct top *t, int row)
{
	const struct host_summary *s = &t->summary;
	struct screen_line *l = &t->line;

	line_start(l, &t->screen, TONE_PLAIN);
	label(l, "CPU ");
	put_percent(l, busy_of(&s->total), 80, 95);
	line_put(l, "%%");
	if (room(l, 10)) {
		label(l, "Mem ");
		put_percent(l, 100 * part(s->memory_used, s->memory_total), 85, 95);
		line_put(l, "%%");
	}
	if (room(l, 10)) {
		label(l, "Disk ");
		put_percent(l, s->disk.busy_pct, 70, 95);
		line_put(l, "%%");
	}
	if (room(l, 26))
		put_stalls(t, l);
	line_draw(l, &t->screen, row, 0);
}

void top_draw_head(struct top *t)
{
	int row = 0;

	draw_title(t, row++);
	if (size_of(t) == HEAD_LINE) {
		draw_glance(t, row);
		return;
	}
	if (cpu_rows(t)) {
		draw_cpus(t, row);
		row += cpu_rows(t);
	}
	draw_cpu_total(t, row++);
	draw_memory(t, row++);
	if (size_of(t) == HEAD_WHOLE)
		draw_swap(t, row++);
	draw_stalls(t, row++);
	draw_devices(t, row++);
	if (size_of(t) == HEAD_SMALL)
		return;
	line_start(&t->line, &t->screen, TONE_PLAIN);
	line_draw(&t->line, &t->screen, row, 0);
}
