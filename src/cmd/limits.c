#include "cmd/view.h"
#include "view/limit_view.h"

enum { ALL = VIEW_OWN, ABOVE };

static const struct option options[] = {
	VIEW_OPTIONS,
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "every limit of every user, process and cgroup, also those far from their end" },
	[ABOVE] = { "above", 0, OPTION_COUNT, "PERCENT", "show those of users, processes and cgroups from this share on (default: 50)", 0, 100 },
};

static void gaps(void *state, struct page *p)
{
	char text[160];

	limit_view_gaps(state, text, sizeof text);
	if (!*text)
		return;
	page_tone(p, TONE_DIM);
	page_wrap(p, 0, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static int run(const struct arguments *args)
{
	struct limit_view_options own = {
		.all = args->option[ALL].given,
		.above_pct = args->option[ABOVE].given ? (double)args->option[ABOVE].number : 50,
	};

	return view_run(args, &(struct view_job){ .name = "limits", .view = &view_limits, .options = &own, .keep = limit_row_near,
					      .head = gaps });
}

const struct command command_limits = {
	.name = "limits",
	.summary = "show limits by how near their end they are, and what raises them",
	.description =
		"Limits of the host (files, threads, ports, tables of the network, System V IPC, filesystems), of users "
		"(processes, inotify, keys), of processes (files, memory) and of cgroups, the nearest to its end first. "
		"Those of the host are always shown, others from a share on (--above), or all (--all).\n\n"
		"Descriptors, mappings and inotify of other users' processes need root.",
	OPTIONS(options),
	.run = run,
};
