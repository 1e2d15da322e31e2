/* What tune advises, as text for people and as JSON for programs. */
#ifndef OSPREY_REPORT_TUNE_H
#define OSPREY_REPORT_TUNE_H

#include "act/tune_watch.h"
#include "report/page.h"

struct tune_view {
	const struct tune_result *result;
	bool interrupted, replayed;
	bool all; /* in text: the explanation of every tunable too */
	/* Only these are told, in full; none: all. */
	const struct tunable *const *chosen;
	size_t nchosen;
};

/* The answer first; then each change with its proof, risk and commands; then what was kept, in short. */
void tune_text(struct page *p, const struct tune_view *view);
/* One document, schema osprey.tune/1. 0 or -ENOMEM. */
int tune_json(struct buf *ret, const struct tune_view *view) __attribute__((warn_unused_result));

/* How many items have that verdict, among those that are told. */
size_t tune_tally(const struct tune_view *view, enum tune_verdict verdict);
bool tune_told(const struct tune_view *view, const struct tune_item *item);
/* "keep", "change"…, as JSON has it. */
const char *tune_verdict_name(enum tune_verdict v);
/* The value on one line: tabs as blanks, of a choice the chosen word. */
void tune_value_short(const struct tunable *t, const struct tune_value *v, char *ret, size_t size);

#endif
