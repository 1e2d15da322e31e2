/* The doctor's score, as text for people and as JSON for programs. */
#ifndef OSPREY_REPORT_SCORE_H
#define OSPREY_REPORT_SCORE_H

#include "lab/score.h"
#include "report/page.h"

struct score_view {
	const struct score_options *options;
	const score_case_vec *cases;
	struct span residue; /* differences of the host before and after; empty: none */
	bool interrupted;
};

void score_text(struct page *p, const struct score_view *view);
/* One document, schema osprey.lab_score/1: docs/lab-score-json.md. 0 or -ENOMEM. */
int score_json(struct buf *ret, const struct score_view *view) __attribute__((warn_unused_result));

/* One case in a few words: "right, culprit right, after 1.0 s". */
void score_case_result(const struct score_case *c, char *ret, size_t size);
const char *score_state_name(enum score_state s);
const char *score_strength_name(enum strength s);

#endif
