/* What the commands that act on processes share: the options that choose them, the answer to a
 * choice that is none, small tables, and --list and --undo of the journal of changes.
 *
 *	static const struct option options[] = { PROCESS_OPTIONS, [PROCESS_OWN] = { "nice", … } }; */
#ifndef OSPREY_CMD_PROCESSES_H
#define OSPREY_CMD_PROCESSES_H

#include "act/change_journal.h"
#include "act/process_select.h"
#include "base/json.h"
#include "cmd/command.h"
#include "report/page.h"

enum process_option {
	PROCESS_MATCH,
	PROCESS_USER,
	PROCESS_ALL,
	PROCESS_FORCE,
	PROCESS_DRY_RUN,
	PROCESS_JSON,
	PROCESS_NO_COLOR,
	PROCESS_OWN, /* a command's own options start here */
};

#define PROCESS_OPTIONS                                                                                    \
	[PROCESS_MATCH] = { "match", 'f', OPTION_FLAG, NULL,                                               \
			    "PROCESS is a regular expression, searched for in command lines" },              \
	[PROCESS_USER] = { "user", 'u', OPTION_TEXT, "USER", "only processes of this user (name or uid)" }, \
	[PROCESS_ALL] = { "all", 'a', OPTION_FLAG, NULL, "a name may mean several processes: take all" },   \
	[PROCESS_FORCE] = { "force", 0, OPTION_FLAG, NULL, "also what is refused for safety" },             \
	[PROCESS_DRY_RUN] = { "dry-run", 'n', OPTION_FLAG, NULL, "say what would be done, and do nothing" }, \
	[PROCESS_JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document" },                     \
	[PROCESS_NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" }

/* Chooses by the operands; says on stderr what is wrong. `looks`: nothing will be changed, so nothing is
 * protected, and a name may mean several. EXIT_FINE: *ret holds at least one process; pids that
 * have ended were told. *ret is to be deinited in all cases. */
int processes_choose(struct host *h, const char *command, const struct arguments *args,
		     bool looks, struct process_selection *ret);
/* Adds all descendants. 0 or -errno. */
int processes_add_tree(struct host *h, process_vec *v) __attribute__((warn_unused_result));
/* A live host, or NULL after saying why not. */
struct host *processes_host(const char *command);

/* ---- tables of a few columns ---- */

#define CELLS_MAX 12

struct cells {
	size_t ncolumns;
	const char *header[CELLS_MAX];
	bool right[CELLS_MAX]; /* numbers */
	VEC(char *) cell;      /* row by row; ours */
};

/* Appends one cell. */
void cells_put(struct cells *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Header and rows; a last cell that does not fit the page has a line of its own. */
void cells_page(const struct cells *c, struct page *p);
void cells_deinit(struct cells *c);

/* ---- the journal ---- */

/* How values of a change are read and set; NULL: it is none of this command's. */
typedef const struct change_access *(*change_access_fn)(const struct change *c);

/* Called before a change is undone: takes into the journal what has come since. Nullable. */
typedef int (*change_before_undo_fn)(struct host *h, struct change_journal *j, const struct change *c,
				     struct note *note);

struct change_command {
	const char *name; /* "priority" */
	change_access_fn access;
	change_before_undo_fn before_undo;
	/* "nice of 1234 (nginx)": what a change is about. */
	void (*subject)(const struct change *c, char *ret, size_t size);
};

/* --list and --undo [ID|last|all]…, of the option table `options`. False: neither was given, and
 * *ret_code is untouched. Other options of the command's own beside them are refused. */
bool changes_command(const struct change_command *cc, const struct arguments *args, const struct option *options,
		     size_t noptions, size_t list, size_t undo, int *ret_code);

#endif
