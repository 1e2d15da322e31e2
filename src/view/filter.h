/* Filters: a small expression on any column of an entity.
 *
 *     cpu_pct > 5 && user == postgres
 *     rss_bytes >= 1.5G || (state == D and not name ~ kworker)
 *
 * Comparisons: == (or =), !=, <, <=, >, >=, and for texts ~ (holds, whatever the case) and !~.
 * Numbers may carry a unit: K M G T (1024), ms us ns s m h d, %; long times are written 1h30m, too.
 * Moments are written as moment_parse knows them: start > 21:00, start > 10m (ago). Texts stand bare or in quotes.
 * && (and), || (or), ! (not), parentheses. A comparison with a value that is missing is
 * neither true nor false, and so is its negation: what is not known fulfils nothing. Pure, but for the
 * clock that moments count from. */
#ifndef OSPREY_VIEW_FILTER_H
#define OSPREY_VIEW_FILTER_H

#include "view/entity.h"

struct filter;

/* -EINVAL: `note` says what is wrong, and where. -ENOMEM. */
int filter_parse(const struct entity *e, struct span text, struct filter **ret, struct note *note)
	__attribute__((warn_unused_result));
void filter_free(struct filter *f);
/* Moments count from here on ("10m", "21:00", "yesterday"): that of a look. Before, from when it was parsed. */
void filter_at(struct filter *f, uint64_t now_ns);
/* A filter that is NULL lets all through. */
bool filter_matches(const struct filter *f, const void *row);
/* Keeps the rows that match, in their order. */
void filter_rows(const struct filter *f, row_vec *rows);
/* Whether the column stands in it: what is costly to collect is collected only then. */
bool filter_uses(const struct filter *f, const struct column *c);

#endif
