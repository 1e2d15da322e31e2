/* What the doctor found, as text for people and as JSON for programs. */
#ifndef OSPREY_REPORT_DOCTOR_H
#define OSPREY_REPORT_DOCTOR_H

#include "base/json.h"
#include "diagnose/doctor.h"
#include "report/page.h"

struct doctor_view {
	const struct doctor_report *report;
	double asked_s;	  /* the window that was asked for */
	bool interrupted; /* it ended early */
	bool replayed;	  /* a capture was diagnosed: its cost says little */
	bool all;	  /* in text: every reading of the cleared in full */
};

/* The answer first, then proof, then what to do; then the rest. */
void doctor_text(struct page *p, const struct doctor_view *view);

/* One document, schema osprey.doctor/1: docs/doctor-json.md. 0 or -ENOMEM. */
int doctor_json(struct buf *ret, const struct doctor_view *view) __attribute__((warn_unused_result));

/* The line while it watches, cut to the page's width: what is left, what is known. */
void doctor_progress(struct page *p, double left_s, const struct diagnosis *so_far);

/* Whether anything was found that is worse than a note. */
bool doctor_alarming(const struct doctor_report *report);

/* The finding at the root of what explains findings.v[i]; i itself when nothing does. */
size_t finding_root(const struct diagnosis *d, size_t i);

#endif
