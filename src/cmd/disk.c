#include "view/disk_view.h"

#include "cmd/view.h"

static const struct option options[] = { VIEW_OPTIONS };

static int run(const struct arguments *args)
{
	return view_run(args, &(struct view_job){ .name = "disk", .view = &view_disk, .interval_operands = true });
}

const struct command command_disk = {
	.name = "disk",
	.summary = "show what disks do and how full filesystems are",
	.description = "The tables: disks (as of iostat -x) and filesystems (as of df).\n\n" VIEW_INTERVAL_HELP,
	.operands = VIEW_INTERVAL_OPERANDS,
	.max_operands = 2,
	OPTIONS(options),
	.run = run,
};
