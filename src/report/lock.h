/* Locks of a process: as text for people and as JSON, schema osprey.locks/1. */
#ifndef OSPREY_REPORT_LOCK_H
#define OSPREY_REPORT_LOCK_H

#include "base/json.h"
#include "dig/lock/lock_watch.h"
#include "report/page.h"

struct lock_report {
	const struct process_stacks *stacks; /* of the moment at the beginning */
	const struct lock_snapshot *now;
	const struct lock_watch_result *window; /* NULL: none was watched */
	const char *why_no_window;		/* nullable */
	struct symbolizer *symbolizer;
	size_t most; /* locks that are shown */
	bool ended;  /* the process did, or ran another program, within the window */
};

void lock_text(struct page *p, const struct lock_report *report);
int lock_json(struct buf *ret, const struct lock_report *report) __attribute__((warn_unused_result));

#endif
