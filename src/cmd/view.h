/* What all views share: their options, and the loop that looks, lays out and prints.
 *
 *     static const struct option options[] = { VIEW_OPTIONS, [VIEW_OWN] = { "tree", … } };
 *     static int run(const struct arguments *args)
 *     {
 *             return view_run(args, &(struct view_job){ .name = "cpu", .view = &view_cpu,
 *                                                       .interval_operands = true });
 *     }
 */
#ifndef OSPREY_CMD_VIEW_H
#define OSPREY_CMD_VIEW_H

#include "base/clock.h"
#include "cmd/command.h"
#include "report/page.h"
#include "view/view.h"

enum view_option {
	VIEW_COLUMNS,
	VIEW_SORT,
	VIEW_FILTER,
	VIEW_TABLE,
	VIEW_JSON,
	VIEW_CSV,
	VIEW_WATCH,
	VIEW_NO_HEADER,
	VIEW_HOST,
	VIEW_CAPTURE,
	VIEW_NO_COLOR,
	VIEW_PAGER,
	VIEW_OWN, /* a command's own options start here */
};

#define VIEW_OPTIONS                                                                                            \
	[VIEW_COLUMNS] = { "columns", 'c', OPTION_TEXT, "NAME,…", "show these columns; +NAME adds one, all: every one" }, \
	[VIEW_SORT] = { "sort", 's', OPTION_TEXT, "NAME,…", "order by these columns, largest first; -NAME turns it round" }, \
	[VIEW_FILTER] = { "filter", 'f', OPTION_TEXT, "EXPRESSION", "only rows that fulfil it, as in 'cpu_pct > 5 && user == root'; osprey help metrics tells more" }, \
	[VIEW_TABLE] = { "table", 't', OPTION_TEXT, "NAME", "only this table of the view; a wrong name lists them" }, \
	[VIEW_JSON] = { "json", 'j', OPTION_FLAG, NULL, "print JSON, one document a look (docs/view-json.md)" }, \
	[VIEW_CSV] = { "csv", 0, OPTION_FLAG, NULL, "print comma-separated values" },                            \
	[VIEW_WATCH] = { "watch", 0, OPTION_FLAG, NULL, "look again and again, in place on a terminal, until Ctrl-C" }, \
	[VIEW_NO_HEADER] = { "no-header", 0, OPTION_FLAG, NULL, "leave out titles and column headers" },         \
	[VIEW_HOST] = { "host", 0, OPTION_FILE, "FILE", "show a capture in place of this machine" },             \
	[VIEW_CAPTURE] = { "capture", 0, OPTION_FILE, "FILE", "write down all that is read, for --host" },       \
	[VIEW_NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },                        \
	[VIEW_PAGER] = { "pager", 0, OPTION_FLAG, NULL, "page through $PAGER (default: less)" }

/* Operands of views that take an interval: for .operands, with max_operands = 2. */
#define VIEW_INTERVAL_OPERANDS "[INTERVAL [COUNT]]"
/* What help says of them; behind the command's own description. */
#define VIEW_INTERVAL_HELP                                                                               \
	"Without INTERVAL, rates are averages since boot. With it, each is that of the interval that has just " \
	"passed: a first one of that length is waited for. INTERVAL is in seconds, or as in 500ms; COUNT is " \
	"how often."

/* Seconds without a unit, as all tools of this kind take them, or a duration: 10 ms to 24 h. False: it is none, which
 * VIEW_NO_INTERVAL says of the word. */
bool view_interval_parse(const char *word, uint64_t *ret_ns);
#define VIEW_NO_INTERVAL "'%s' is no interval; write seconds (1, 0.5) or 500ms, 10ms to 24h"

struct view_job {
	const char *name; /* of the command: messages, and its section of the configuration */
	const struct view *view;
	const void *options; /* for view->open */
	/* Of its first table, where --columns names none: what another option asks for. NULL: what the
	 * configuration says or the entity shows. */
	const char *columns;
	const char *sort; /* the same of its order */
	const char *nothing; /* said on stderr when no row is left at the only look; NULL: nothing is */
	bool interval_operands;
	uint64_t interval_ns; /* what it looks over when there are no such operands; 0: one look */
	/* In text, above the tables: what is to be said first. Nullable. */
	void (*head)(void *state, struct page *p);
	/* Rows that are kept besides the filter: search words. Nullable. */
	bool (*keep)(const void *row, const void *options);
	/* Puts rows in their order in place of --sort and the entity's default; a tree. Nullable. */
	int (*order)(void *state, row_vec *rows);
};

/* Runs the view. What a command returns. */
int view_run(const struct arguments *args, const struct view_job *job);

#endif
