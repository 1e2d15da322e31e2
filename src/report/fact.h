/* Facts: this machine's own figures, for the {{name}} placeholders of guides.
 *
 * To add one: a line in fact.def (a file that holds one number, or a function in fact.c).
 * One look at the host, a few small files. A fact that cannot be had says what it needs. */
#ifndef OSPREY_REPORT_FACT_H
#define OSPREY_REPORT_FACT_H

#include <stdbool.h>

#include "kernel/host.h"

struct facts;

int facts_read(struct host *h, struct facts **ret) __attribute__((warn_unused_result));
void facts_free(struct facts *f);

/* The i-th name and what it is; NULL behind the last. */
const char *fact_name(size_t i, const char **ret_help);

/* Appends the value: raw text of the host, not yet safe. -ENOENT: no such fact. */
int fact_text(const struct facts *f, struct span name, struct buf *ret) __attribute__((warn_unused_result));

#endif
