/* The state of `osprey top`, shared by its files:
 * top.c (the command, its loop), top_head.c (the lines above the list), top_list.c (the list),
 * top_keys.c (what keys do), top_dialog.c (questions, menus), top_act.c (nice, signals, CPUs),
 * top_detail.c (one process), top_help.c. */
#ifndef OSPREY_CMD_TOP_H
#define OSPREY_CMD_TOP_H

#include "cmd/screen.h"
#include "kernel/host.h"
#include "view/filter.h"
#include "view/host_summary.h"
#include "view/process_order.h"
#include "view/process_table.h"
#include "view/process_view.h"

#define TOP_MAX_COLUMNS 32
#define TOP_WORDS 8

struct top {
	struct host *host;
	struct screen screen;
	struct screen_line line;
	struct buf scratch;

	/* what was read last */
	struct process_table *table;
	struct host_look looks[2];
	unsigned nlooks;
	struct host_summary summary;
	char hostname[64];
	unsigned tasks, states[128]; /* rows, and of each state letter */
	struct note trouble;	     /* why the last look failed */

	/* how it is shown */
	uint64_t interval_ns, due_ns;
	bool paused, threads, kernel_hidden, idle_hidden;
	column_vec columns;
	unsigned widths[TOP_MAX_COLUMNS]; /* they grow, so that columns do not dance */
	const struct column *sort;
	struct process_arrange arrange;
	struct process_order order;
	struct process_marks tagged, folded;
	struct filter *filter;
	char filter_text[256], words_text[128], user[64];
	char words_store[128];
	const char *words[TOP_WORDS];
	size_t nwords;
	bool wants_commands; /* of all processes: they are searched or sorted by */

	/* where the reader is */
	size_t from;  /* first line shown */
	size_t at;    /* line the cursor is on */
	bool held;    /* the cursor stays with `self` */
	struct process_identity self;
	int skip; /* columns of command lines that are scrolled out */
	int list_row, list_rows, header_row; /* of the screen */
	struct {
		int from, to;
		const struct column *column;
	} header[TOP_MAX_COLUMNS]; /* where each column stands: for clicks */
	size_t nheader;
	struct {
		int from, to, key;
	} footer[24];
	size_t nfooter;

	char message[240];
	bool message_bad;
	uint64_t message_until_ns;
	/* What lies over the list; NULL: nothing. */
	void (*overlay)(struct top *t, void *arg);
	void *overlay_arg;
	bool overlay_whole; /* it takes the whole list: nothing is drawn below it */
	bool quit;
};

/* ---- top.c ---- */

/* Looks at the host, lays out. Failure is told in t->trouble; the screen shows the last look. */
void top_look(struct top *t);
/* Lays out what was looked at: after any change of how it is shown. */
void top_arrange(struct top *t);
/* How many rows are tagged, shown or not. */
size_t top_tagged(struct top *t);
void top_draw(struct top *t);
/* The next key, while the list goes on living. KEY_CLOSED when it is time to go. */
struct screen_event top_wait(struct top *t);
/* Starts a new table of tasks: with threads, or without. -errno */
int top_new_table(struct top *t, struct note *note) __attribute__((warn_unused_result));
/* Shown on the line above the footer for a while. */
void top_tell(struct top *t, bool bad, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- top_head.c ---- */

/* Rows it takes on this screen. */
int top_head_rows(const struct top *t);
void top_draw_head(struct top *t);

/* ---- top_list.c ---- */

void top_draw_list(struct top *t);
void top_draw_footer(struct top *t);
/* The row under the cursor; NULL: there is none, or it is a cgroup. */
struct process_row *top_selected(struct top *t);
const struct process_line *top_selected_line(struct top *t);

/* ---- top_keys.c ---- */

void top_key(struct top *t, struct screen_event event);
void top_sort_by(struct top *t, const struct column *c);
/* -EINVAL with the reason in `note`; then the old one stays. */
int top_set_filter(struct top *t, const char *text, struct note *note) __attribute__((warn_unused_result));
void top_set_words(struct top *t, const char *text);
void top_move_to(struct top *t, size_t line);

/* ---- top_dialog.c ---- */

/* A line of text: true when it was given. `changed` is called as it is typed. */
bool top_ask(struct top *t, const char *question, const char *hint, char *text, size_t size,
	     void (*changed)(struct top *t, const char *text));
/* Whether to do what the lines say: y does. */
bool top_confirm(struct top *t, const char *title, const struct buf *lines);
struct top_choice {
	const char *name, *help;
};
/* The position of the choice; -1: none. Letters go to the next that begins with them. */
int top_choose(struct top *t, const char *title, const struct top_choice *choices, size_t n, size_t at);
/* A text to be scrolled through. */
void top_page(struct top *t, const char *title, const struct buf *text);
/* A box for overlays: its frame and title, *ret_row and *ret_column of its inside. */
void top_box(struct top *t, const char *title, int rows, int columns, int *ret_row, int *ret_column);

/* ---- top_act.c ---- */

void top_renice(struct top *t);
void top_signal(struct top *t);
void top_pin(struct top *t);

/* ---- top_detail.c, top_help.c ---- */

void top_detail(struct top *t);
void top_help(struct top *t);

#endif
