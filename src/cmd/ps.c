#include "view/process_view.h"

#include "base/units.h"
#include "cmd/output.h"
#include "cmd/view.h"

/* Of ps and tree; tree has no option --tree. */
enum { INTERVAL = VIEW_OWN, THREADS, NO_KERNEL, NO_BPF, TREE };

#define PROCESS_OPTIONS                                                                                       \
	VIEW_OPTIONS,                                                                                         \
	[INTERVAL] = { "interval", 'i', OPTION_DURATION, "DURATION",                                          \
		       "look over so long: CPU%, WAIT% and rates are those of that time, not of each life",   \
		       10 * NS_PER_MS, 86400 * NS_PER_S },                                                    \
	[THREADS] = { "threads", 'T', OPTION_FLAG, NULL, "a row for each thread" },                          \
	[NO_KERNEL] = { "no-kernel", 'K', OPTION_FLAG, NULL, "leave out kernel threads" },                   \
	[NO_BPF] = { "no-bpf", 0, OPTION_FLAG, NULL, "take everything from /proc" }

/* Threads of a process are told apart by their ids. */
#define THREAD_COLUMNS                                                                                        \
	"pid,tid,user,state,policy,priority,nice,last_cpu,cpu_pct,cpu_ns,wait_ns,memory_pct,rss_bytes,"       \
	"voluntary_switches,involuntary_switches,unit,command"

static int tree_order(void *state, row_vec *rows)
{
	(void)state;
	return process_rows_tree(rows, output_style(true).unicode);
}

static int show(const struct arguments *args, const char *name, bool tree)
{
	struct process_view_options options = {
		.words = args->operand,
		.nwords = args->noperands,
		.tree = tree,
		.threads = args->option[THREADS].given,
		.no_kernel_threads = args->option[NO_KERNEL].given,
		.no_bpf = args->option[NO_BPF].given,
		.over_time = args->option[INTERVAL].given || args->option[VIEW_WATCH].given,
	};

	return view_run(args, &(struct view_job){
				      .name = name, .view = &view_process, .options = &options,
				      .columns = options.threads ? THREAD_COLUMNS : NULL,
				      /* Who looks over time asks who is busy. */
				      .sort = options.over_time && !tree ? "cpu_pct,pid" : NULL,
				      .nothing = args->noperands ? "no process fits all the words; without words all are listed" : NULL,
				      .interval_ns = args->option[INTERVAL].given ? args->option[INTERVAL].number : 0,
				      .order = tree ? tree_order : NULL,
			      });
}

static const struct option ps_options[] = {
	PROCESS_OPTIONS,
	[TREE] = { "tree", 0, OPTION_FLAG, NULL, "children below their parents, as osprey tree" },
};
static const struct option tree_options[] = { PROCESS_OPTIONS };

static int run_ps(const struct arguments *args)
{
	return show(args, "ps", args->option[TREE].given);
}

static int run_tree(const struct arguments *args)
{
	return show(args, "tree", true);
}

#define WORDS_HELP                                                                                          \
	"FILTER are words that all must fit: a number fits a pid, or that of a parent; any other word fits when " \
	"the user, the command line or the service or container holds it; osprey itself never fits. --filter " \
	"takes expressions on any column."

const struct command command_ps = {
	.name = "ps",
	.summary = "list processes, those of all users and of the kernel too",
	.description = WORDS_HELP
		"\n\nCPU% is over each process's life, as ps tells it; with --interval 1s it is that of a second, as top "
		"tells it. Columns that a narrow screen has no room for are left out, the less told first; --columns "
		"chooses, osprey metrics process lists them.",
	.operands = "[FILTER…]",
	.max_operands = OPERANDS_ANY,
	OPTIONS(ps_options),
	.run = run_ps,
};

const struct command command_tree = {
	.name = "tree",
	.summary = "show processes as a tree",
	.description = WORDS_HELP " The forefathers of those that fit are shown too.",
	.operands = "[FILTER…]",
	.max_operands = OPERANDS_ANY,
	OPTIONS(tree_options),
	.run = run_tree,
};
