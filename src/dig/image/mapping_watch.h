/* Which code processes map, as it happens on the whole host: so that addresses of programs that live for a
 * millisecond can be named, and of longer ones as of the moment of an event.
 *
 * Reads the side-band records of perf events (PERF_RECORD_MMAP2, COMM, FORK, EXIT; Linux 3.16,
 * perf_event_open(2)) on every CPU, with times of CLOCK_MONOTONIC (4.1). Privilege: CAP_PERFMON, before 5.8
 * CAP_SYS_ADMIN. Ends with this process. Costs ~1 us for each exec and for each mapping of code, anywhere on
 * the host; 256 KiB a CPU. Threads: one. */
#ifndef OSPREY_DIG_IMAGE_MAPPING_WATCH_H
#define OSPREY_DIG_IMAGE_MAPPING_WATCH_H

#include "base/note.h"
#include "dig/image/memory_map.h"

#define MAPPING_WATCH_PROCESSES 4096 /* that are remembered, living or not */

/* What was seen of a process. */
struct mapped_process {
	int pid, parent; /* parent 0: not known */
	bool whole;	 /* its exec was seen, and all that came since: `mapping` has all of its code */
	uint64_t change; /* goes up with each, over all processes */
	VEC(struct mapping) mapping; /* by address; with code alone; names live as long as the watch */
};

struct mapping_watch;
/* -EACCES, -EPERM: not the right; -ENOENT…: no such events here. */
int mapping_watch_new(struct mapping_watch **ret, struct note *note) __attribute__((warn_unused_result));
void mapping_watch_free(struct mapping_watch *w);
/* Applies what happened up to that moment of CLOCK_MONOTONIC. What was lost on the way makes all that is
 * known no longer whole. */
void mapping_watch_until(struct mapping_watch *w, uint64_t ns);
/* NULL: nothing was seen of it. Lives until the next mapping_watch_until. */
const struct mapped_process *mapping_watch_find(const struct mapping_watch *w, int pid);
/* A struct memory_map of what is known. -ENOMEM. */
int mapping_watch_map(const struct mapped_process *p, struct memory_map *ret) __attribute__((warn_unused_result));

/* ---- parts ---- */

enum mapping_event_kind { MAPPING_EVENT_NONE, MAPPING_EVENT_MAP, MAPPING_EVENT_EXEC, MAPPING_EVENT_FORK,
			  MAPPING_EVENT_LOST };

struct mapping_event {
	enum mapping_event_kind kind;
	uint64_t time_ns;
	int pid, parent;	/* of a fork */
	struct mapping mapping; /* its name points into the record; no name: "" */
};
/* One record of a perf ring, header and all; the name in it is ended by a NUL. Pure. -EBADMSG: it is none of
 * these. What is of no interest is MAPPING_EVENT_NONE. */
int mapping_event_parse(struct span record, struct mapping_event *ret) __attribute__((warn_unused_result));
/* Puts a mapping among others; those below it are cut or go. -ENOMEM. */
int mapping_put(struct mapped_process *p, const struct mapping *m) __attribute__((warn_unused_result));

#endif
