#include "view/cgroup_view.h"

#include "cmd/view.h"

static const struct option options[] = { VIEW_OPTIONS };

static int run(const struct arguments *args)
{
	/* An average since boot would belittle every group that is younger. */
	return view_run(args, &(struct view_job){ .name = "cgroups", .view = &view_cgroups, .interval_operands = true,
						  .interval_ns = 500 * NS_PER_MS });
}

const struct command command_cgroups = {
	.name = "cgroups",
	.summary = "show control groups with their use, limits, throttling and stalls",
	.description = "Of v1 and v2 alike. Rates are those of half a second, or of each INTERVAL: in seconds, or as in 500ms; "
		       "COUNT is how often.",
	.operands = VIEW_INTERVAL_OPERANDS,
	.max_operands = 2,
	OPTIONS(options),
	.run = run,
};
