#include "view/cpu_view.h"

#include "cmd/view.h"

static const struct option options[] = { VIEW_OPTIONS };

static int run(const struct arguments *args)
{
	return view_run(args, &(struct view_job){ .name = "cpu", .view = &view_cpu, .interval_operands = true });
}

const struct command command_cpu = {
	.name = "cpu",
	.summary = "show where CPU time goes, and who waits for a CPU",
	.description = "The tables: cpus (each CPU, and all) and scheduler (tasks, switches, stalls, load: one line for "
		       "each look, as of vmstat).\n\n" VIEW_INTERVAL_HELP,
	.operands = VIEW_INTERVAL_OPERANDS,
	.max_operands = 2,
	OPTIONS(options),
	.run = run,
};
