/* The kernel log as tables: groups of events, events, records. For `osprey log --table …`. Reads the log
 * whole at each look (log_book.h). */
#ifndef OSPREY_VIEW_LOG_VIEW_H
#define OSPREY_VIEW_LOG_VIEW_H

#include "view/log_book.h"
#include "view/view.h"

struct log_view_options {
	/* Fills in what is wanted, now that the host and its time are known. */
	int (*resolve)(struct host *h, const void *arg, struct log_wanted *ret, struct note *note);
	const void *arg;
	bool *found; /* set when something worse than a note is in the log; nullable */
};

extern const struct view view_log;

#endif
