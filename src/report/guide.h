/* Guides in the terminal: CommonMark (headings, paragraphs, lists, code, emphasis, links,
 * quotes; no tables, no HTML), wrapped to the page, with {{name}} replaced by this machine's
 * figures. */
#ifndef OSPREY_REPORT_GUIDE_H
#define OSPREY_REPORT_GUIDE_H

#include "report/fact.h"
#include "report/page.h"

/* Renders `markdown`. A placeholder that is no fact stays as it is, and is counted in the
 * result: 0 is how a guide should be. Below 0: -ENOMEM. */
int guide_render(struct page *p, struct span markdown, const struct facts *facts)
	__attribute__((warn_unused_result));

#endif
