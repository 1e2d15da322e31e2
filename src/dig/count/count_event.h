/* What can be counted, and how users write it: "cycles", "instructions:u", "{cycles,instructions}",
 * "sched:sched_switch", "r01c2". Named events stand in count_event.def.
 *
 * Grammar: events separated by commas; those within braces are counted together or not at all at one
 * moment, so that their ratio is true when the PMU has to take turns. A modifier behind a colon says where:
 * u user space, k the kernel, uk both. A word with a colon whose first half is no event is a tracepoint. rHEX is
 * an event as the CPU's manual numbers it.
 * The parser is pure; a tracepoint's number is found by count_event_resolve. */
#ifndef OSPREY_DIG_COUNT_COUNT_EVENT_H
#define OSPREY_DIG_COUNT_COUNT_EVENT_H

#include <stdbool.h>

#include "base/note.h"
#include "base/span.h"
#include "base/vec.h"

enum count_kind { COUNT_SOFTWARE, COUNT_HARDWARE, COUNT_CACHE, COUNT_RAW, COUNT_TRACEPOINT };
enum count_unit { COUNT_NUMBER, COUNT_NS };

/* One line of count_event.def. */
struct count_name {
	const char *name, *other; /* other: "" for none */
	enum count_kind kind;
	uint64_t config; /* of perf_event_attr */
	enum count_unit unit;
	const char *help;
};
extern const struct count_name count_names[];
extern const size_t count_nnames;

struct count_event {
	char text[72];			/* as the user wrote it, modifier included: what output calls it */
	const struct count_name *name;	/* NULL: raw or tracepoint */
	enum count_kind kind;
	uint64_t config;		/* of tracepoints: known once resolved */
	bool only_user, only_kernel;
	unsigned group;			/* neighbours of the same group are counted together */
};
typedef VEC(struct count_event) count_event_vec;

#define COUNT_MAX_EVENTS 64

/* Appends the events of a list. 0; -EINVAL and the note says what is wrong and what is closest; -ENOMEM.
 * *ret keeps what it had on failure. */
int count_events_parse(struct span text, count_event_vec *ret, struct note *note) __attribute__((warn_unused_result));

/* Finds the numbers of tracepoints: tracefs where it is mounted, else a mount of our own that nobody sees
 * (5.2, CAP_SYS_ADMIN). -ENOENT: there is no such tracepoint; -EACCES, -EPERM: tracefs is root's. */
int count_event_resolve(struct count_event *e, struct note *note) __attribute__((warn_unused_result));

static inline enum count_unit count_event_unit(const struct count_event *e)
{
	return e->name ? e->name->unit : COUNT_NUMBER;
}

/* Counted by the CPU, not by the kernel. */
static inline bool count_event_needs_pmu(const struct count_event *e)
{
	return e->kind == COUNT_HARDWARE || e->kind == COUNT_CACHE || e->kind == COUNT_RAW;
}

#endif
