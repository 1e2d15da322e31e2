/* A window made by hand, for tests of rules: a quiet host on which nothing happened, to which
 * a test adds what its rule is to see. Everything a test does not name is missing
 * (READING_ABSENT) or, for what every kernel has, unchanged between first and last.
 *
 *     struct window_build b;
 *     window_build_init(&b, 5.0, 2);
 *     struct task_span *t = window_build_task(&b, 100, 100, "spin");
 *     t->last.wait_ns = 4 * NS_PER_S;
 *     rule(window_build_done(&b), &verdict);
 *     window_build_deinit(&b);
 *
 * Pointers into it live until the next addition of their kind. Aborts without memory. */
#ifndef OSPREY_DIAGNOSE_WINDOW_BUILD_H
#define OSPREY_DIAGNOSE_WINDOW_BUILD_H

#include "diagnose/finding.h"
#include "sample/window.h"

#define WINDOW_BUILD_TICKS 11

struct window_build {
	struct window window;
	struct topology topology;
	struct abilities abilities;
	struct counters ticks[WINDOW_BUILD_TICKS];
	struct sample first, last;
	VEC(struct task_span) tasks;
	VEC(struct process_span) processes;
	fork_count_vec forks;
	finding_vec findings;
	struct verdict verdict;
};

void window_build_init(struct window_build *b, double seconds, unsigned cpus);
void window_build_deinit(struct window_build *b);

/* Grows linearly over the ticks, from 0 to `total`, the counter at `counter` (an address in
 * b->ticks[0]); window_build_level sets a gauge in all ticks. */
void window_build_grow(struct window_build *b, const reading *counter, uint64_t total);
void window_build_level(struct window_build *b, const reading *gauge, uint64_t value);

/* A thread, seen at all looks, with counters at zero in `first` and `last`. Add the threads in
 * order of pid, then tid. */
struct task_span *window_build_task(struct window_build *b, int32_t pid, int32_t tid, const char *comm);
/* A cgroup of the cpu hierarchy in both samples: the one in `last` is returned, the one in
 * `first` (all counters zero) is of the same index in b->first.cgroups. */
struct cgroup *window_build_cgroup(struct window_build *b, uint64_t id, const char *path);

/* Folds threads into processes and closes the window. */
const struct window *window_build_done(struct window_build *b);
/* The same, and runs a rule over it; b->verdict and b->findings hold what it said. */
void window_build_judge(struct window_build *b, void (*rule)(const struct window *w, struct verdict *v));

#endif
