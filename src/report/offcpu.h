/* Blocked time as text for people and as JSON, schema osprey.offcpu/1. */
#ifndef OSPREY_REPORT_OFFCPU_H
#define OSPREY_REPORT_OFFCPU_H

#include "base/json.h"
#include "dig/offcpu/offcpu.h"
#include "report/page.h"

struct offcpu_report {
	const struct offcpu_request *request;
	const struct offcpu_result *result;
	const char *target; /* "postgres [1234]", "the host", "cgroup /web" */
	unsigned top;	    /* rows of each part */
	bool ended;	    /* the target had ended before the time was over */
};

void offcpu_text(struct page *p, const struct offcpu_report *r);
int offcpu_json(const struct offcpu_report *r, struct buf *ret) __attribute__((warn_unused_result));
/* How it was measured, and what is missing. Appends; 0 or -ENOMEM. */
int offcpu_proof(const struct offcpu_report *r, struct buf *ret) __attribute__((warn_unused_result));
/* Members of the documents of flame.h; of a struct offcpu_result. */
void offcpu_flame_json(struct json *j, const void *result);

#endif
