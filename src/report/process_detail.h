/* One process in full, as text for people and as JSON for programs. */
#ifndef OSPREY_REPORT_PROCESS_DETAIL_H
#define OSPREY_REPORT_PROCESS_DETAIL_H

#include "report/page.h"
#include "view/process_detail_tables.h"
#include "view/user_names.h"

struct process_report {
	const struct process_detail *detail;
	struct process_tables *tables; /* made of it */
	struct user_names *users;
	unsigned sections; /* to be shown */
	bool all; /* lists whole, texts uncut */
};

void process_detail_text(struct page *p, const struct process_report *report);
/* One document, schema osprey.pid/1: docs/pid-json.md. 0 or -ENOMEM. */
int process_detail_json(struct buf *ret, const struct process_report *report) __attribute__((warn_unused_result));

#endif
