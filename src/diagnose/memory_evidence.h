/* What the rules on memory ask of a window: cgroups that want more memory than they may have,
 * what a page that comes back costs, and who is in a cgroup. Pure; nothing allocates.
 *
 * The kernel calls it a refault when a page is wanted again that was let go: the one sign that
 * memory was short, and not only full. Reclaim alone is none: a file that is read once fills
 * any limit, and what goes is never missed. */
#ifndef OSPREY_DIAGNOSE_MEMORY_EVIDENCE_H
#define OSPREY_DIAGNOSE_MEMORY_EVIDENCE_H

#include "diagnose/evidence.h"
#include "diagnose/finding.h"
#include "sample/window.h"

/* A cgroup with a memory limit of its own, over the window. Rates are per second, NaN when the
 * kernel does not tell. */
struct memory_want {
	const struct cgroup *cgroup;
	double limit_bytes; /* the lower of its hard and its soft (high) limit */
	bool high;	    /* that is the soft one */
	bool at_limit;	    /* it met the limit in the window, or stands at it */
	double refault_anon, refault_file; /* pages; of descendants too */
	double major_faults;
	double stalled; /* share of the time in which some task waited for memory (v2) */
};

/* False: no memory controller, no limit of its own, or younger than the window. */
bool cgroup_memory_want(const struct window *w, const struct cgroup *c, struct memory_want *ret);
/* Cgroups at their limit whose pages come back, or whose tasks stall. Of a group and one above
 * it that tells the same, the inner is kept. Returns how many there are, at most `max`. */
#define MEMORY_WANTS_MAX 8
size_t window_memory_wants(const struct window *w, struct memory_want ret[MEMORY_WANTS_MAX]);
double memory_want_refaults(const struct memory_want *m);

/* Anonymous and file pages that came back, a second, on the host; NaN: not counted. */
double window_refaults(const struct window *w);
/* Mean time of a disk read in the window, queue included, in s; NaN: no disk read. */
double window_read_latency(const struct window *w);
/* When the counter began to grow, in s after the start of the window; NaN: it grew from the
 * start, so before it, or never. */
double memory_since(const struct window *w, reading (*value)(const struct counters *c), double step);

double process_major_faults(const struct process_span *p);
double process_read_bytes(const struct process_span *p); /* from disks */
double process_memory(const struct process_span *p); /* resident and swapped */
double process_growth(const struct process_span *p); /* of the resident part */
/* The process with the largest amount, in the cgroup or below it (NULL: on the host). NULL: all
 * are zero. */
const struct process_span *memory_top(const struct window *w, const struct cgroup *c, process_value amount);
/* Share of the looks at which threads of such processes were blocked, summed: tasks. */
double memory_blocked(const struct window *w, const struct cgroup *c);

/* The memory cgroup of that path in the last sample; NULL. */
const struct cgroup *window_memory_cgroup(const struct window *w, const char *path);
/* Whether the symptom is of those who live in the cause's cgroup, or, when the cause is the
 * host's want, of anybody. */
bool memory_same_place(const struct window *w, const struct finding *cause, const struct finding *symptom);

/* "/sys/fs/cgroup/memory" and "/a", for "%s%s/file"; the root's path is empty. */
const char *cgroup_subpath(const struct cgroup *c);
/* The mend that gives a cgroup more memory, with the command and the way back. */
void memory_mend_limit(struct finding *f, const struct cgroup *c, double wanted_bytes, const char *effect);

#endif
