#include "view/irq_view.h"

#include "base/units.h"
#include "cmd/view.h"

enum { ALL = VIEW_OWN };

static const struct option options[] = {
	VIEW_OPTIONS,
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "lines that did not fire too" },
};

static void put_kind(struct page *p, double per_s, const char *an, const char *kind, const struct irq_row *top)
{
	if (isnan(per_s))
		page_wrap(p, 0, "%s unknown number of %s", an, kind);
	else
		page_wrap(p, 0, "%s %s a second", number_text(per_s).text, kind);
	if (top)
		page_wrap(p, 0, "(most: %s, %.0f%%)", irq_line_name(top), 100 * (double)top->total / top->seconds / per_s);
}

static void head(void *state, struct page *p)
{
	struct irq_overview o = irq_overview(state);

	page_tone(p, TONE_STRONG);
	put_kind(p, o.hard_per_s, "An", "interrupts", o.top_hard);
	page_wrap(p, 0, "and");
	put_kind(p, o.soft_per_s, "an", "soft interrupts", o.top_soft);
	page_tone(p, TONE_PLAIN);
	if (o.busiest && o.cpus > 1) {
		const struct irq_cpu_row *c = o.busiest;

		page_wrap(p, 0, "on %zu CPUs. CPU %u takes most of them: %.0f%%.", o.cpus, c->cpu,
			  100 * (double)irq_cpu_total(c) / (c->all_hard + c->all_soft));
		if (o.cpus > IRQ_MANY_CPUS)
			page_wrap(p, 0, "--table cpus lists them all.");
	}
	page_newline(p);
}

static int run(const struct arguments *args)
{
	struct irq_view_options view = { .all = args->option[ALL].given };

	return view_run(args, &(struct view_job){ .name = "irq", .view = &view_irq, .options = &view,
						  .interval_operands = true, .head = head });
}

const struct command command_irq = {
	.name = "irq",
	.summary = "show interrupts and soft interrupts by line and CPU",
	.description = "What mpstat -I and /proc/interrupts show, as rates. The tables, for --table: lines (each line, the CPU "
		       "that takes most of it, how even it is spread, where it may go), cpus (each CPU with what fires most on "
		       "it; on request where there are more than 32), counts (a row for each line on each CPU: in JSON, "
		       "and on request). Lines that did not fire are left out.\n\n" VIEW_INTERVAL_HELP,
	.operands = VIEW_INTERVAL_OPERANDS,
	.max_operands = 2,
	OPTIONS(options),
	.run = run,
};
