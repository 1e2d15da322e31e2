/* What `osprey core` did, as text for people and as JSON for programs. */
#ifndef OSPREY_REPORT_CORE_H
#define OSPREY_REPORT_CORE_H

#include "dig/core/core.h"
#include "report/page.h"

struct core_view {
	const struct core_result *result;
	const char *path; /* "-": it went to standard output */
	bool compressed;
};

void core_text(struct page *p, const struct core_view *view);
/* One document, schema osprey.core/1. 0 or -ENOMEM. */
int core_json(struct buf *ret, const struct core_view *view) __attribute__((warn_unused_result));

#endif
