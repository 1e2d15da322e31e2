/* Processes as ps and tree show them: the columns, search words, the tree.
 * Cost: that of process_table.h. */
#ifndef OSPREY_VIEW_PROCESS_VIEW_H
#define OSPREY_VIEW_PROCESS_VIEW_H

#include "view/process_table.h"
#include "view/view.h"

extern const struct entity entity_process; /* rows: struct process_row */
extern const struct view view_process;

struct process_view_options {
	const char *const *words; /* search words: all must fit */
	size_t nwords;
	bool tree;
	bool threads;
	bool no_kernel_threads;
	bool no_bpf;
	bool over_time; /* several looks will be taken */
};

/* A number fits the pid, the parent's or the thread's; any other word fits when the user, the command or
 * the unit holds it, whatever the case. */
bool process_row_fits(struct process_row *row, const char *word);

/* Puts rows in the order of a tree and sets their branches: children below their parents, in the order
 * the rows came in. Threads stand below their process. -ENOMEM. */
int process_rows_tree(row_vec *rows, bool unicode) __attribute__((warn_unused_result));

#endif
