/* Which processes a screen shows, and in which order: as a list, as a tree, or by cgroup.
 *
 * Of ten thousand rows a screen shows fifty, so only those are put in order: the list costs one key
 * a row and a selection (0.3 ms for 10 000), tree and cgroups a sort (2 ms). Pure. */
#ifndef OSPREY_VIEW_PROCESS_ORDER_H
#define OSPREY_VIEW_PROCESS_ORDER_H

#include "base/map.h"
#include "view/process_table.h"

enum process_layout { LAYOUT_LIST, LAYOUT_TREE, LAYOUT_CGROUPS, LAYOUT_COUNT };

/* A task, or a cgroup, by what it is, wherever it stands. */
struct process_identity {
	uint64_t id;	   /* tid; of a cgroup what `group` calls it by */
	uint64_t start_ns; /* 0: a cgroup */
};

static inline struct process_identity process_identity(const struct process_row *row)
{
	return (struct process_identity){ (uint64_t)row->tid, row->start_ns ? row->start_ns : 1 };
}

/* Those that carry a mark of the reader: tagged, folded. */
struct process_marks {
	struct map map;
	size_t n; /* marked now */
};
void process_marks_deinit(struct process_marks *m);
bool process_marked(const struct process_marks *m, struct process_identity id);
/* -ENOMEM: it stays as it was. */
int process_mark(struct process_marks *m, struct process_identity id, bool marked)
	__attribute__((warn_unused_result));
void process_marks_clear(struct process_marks *m);

struct process_arrange {
	enum process_layout layout;
	/* The sort key: a number (NAN stands last) or, when `number` is NULL, a text. */
	double (*number)(struct process_row *row, const void *arg);
	struct span (*text)(struct process_row *row, const void *arg);
	const void *key_arg;
	bool ascending;
	/* NULL: all. In the tree the parents of those that match stay, as context. */
	bool (*matches)(struct process_row *row, void *arg);
	void *matches_arg;
	/* What tells one cgroup from another. */
	uint64_t (*group)(struct process_row *row);
	const struct process_marks *folded; /* branches and cgroups whose members are hidden; nullable */
};

/* One line of the screen. */
struct process_line {
	struct process_row *row;  /* a cgroup: its sum */
	uint64_t group;		  /* of a cgroup: what `group` says */
	uint32_t sum;		  /* a folded branch: its members summed, of order->sums; else MAP_NONE */
	uint32_t members;	  /* of a cgroup, or of a folded branch with its head; else 1 */
	uint16_t depth;
	bool is_group;
	bool last;    /* of its siblings */
	bool context; /* does not match itself */
	bool parent;  /* has others below it, shown or folded */
	bool folded;
	uint64_t guides; /* bit d: its ancestor at depth d has siblings further down; to depth 63 */
};

/* Internal to struct process_order. */
struct process_candidate {
	double key; /* smallest first */
	struct process_row *row;
};
struct process_node {
	uint32_t parent, child, sibling;
	bool matches, kept, seen;
};
struct process_group {
	uint32_t first, members; /* positions of candidates */
	uint64_t id;
};

struct process_order {
	size_t total, matching;		/* lines there are; rows that match */
	VEC(struct process_line) lines; /* those taken last */
	VEC(struct process_row) sums;

	const struct process_arrange *how;
	VEC(struct process_candidate) candidates;
	VEC(struct process_line) all; /* tree and cgroups: every line */
	VEC(struct process_node) nodes;
	VEC(struct process_group) groups;
	struct map by_key;
	const struct process_row *first;
};

void process_order_deinit(struct process_order *o);

/* Lays out the rows, which must stay until the lines have been taken, as must `how`. -ENOMEM. */
int process_order_make(struct process_order *o, process_row_vec *rows, const struct process_arrange *how)
	__attribute__((warn_unused_result));
struct process_identity process_line_identity(const struct process_line *line);
/* The line on which it stands; SIZE_MAX: on none. */
size_t process_order_line_of(const struct process_order *o, struct process_identity id);
/* Fills o->lines with the lines from `from` on, at most `n`. -ENOMEM. */
int process_order_take(struct process_order *o, size_t from, size_t n) __attribute__((warn_unused_result));

#endif
