/* What a process allocated and still holds: as text for people and as JSON, schema osprey.leaks/1. */
#ifndef OSPREY_REPORT_LEAK_H
#define OSPREY_REPORT_LEAK_H

#include "base/json.h"
#include "dig/leak/leak_watch.h"
#include "dig/symbol/symbol.h"
#include "report/page.h"

struct leak_report {
	const struct leak_watch *watch; /* after its end */
	const struct leak_window *window;
	const leak_row_vec *rows;
	const struct leak_row *total;
	struct symbolizer *symbolizer;
};

void leak_text(struct page *p, const struct leak_report *report);
int leak_json(struct json *j, const struct leak_report *report) __attribute__((warn_unused_result));

/* The function that a site is named by: the innermost that is not there to allocate for others (operator new, strdup,
 * containers of C++, the allocator's own). *ret lives as long as the symbolizer's answers: copy what must
 * last beyond the next question, but its strings. -ENOMEM. */
int leak_site_who(const struct leak_report *report, uint32_t site, struct symbol *ret)
	__attribute__((warn_unused_result));
/* Pure. Whether a function allocates for those who call it. */
bool leak_is_wrapper(const char *function, const char *module, const char *allocator);
/* How much of the process's CPU time the traps took, by what one cost when it was measured: CPUs; NaN: not known. */
double leak_cost_cpus(const struct leak_report *report);

#endif
