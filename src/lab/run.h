/* Running scenarios, and undoing what they leave. */
#ifndef OSPREY_LAB_RUN_H
#define OSPREY_LAB_RUN_H

#include "base/vec.h"
#include "lab/scenario.h"

struct lab_label {
	char kind[16];
	int32_t pid; /* in the pid namespace of the caller of lab_start; 0: none */
	char comm[16];
	char name[256];
};

struct lab_run;

/* Starts a scenario; returns when its fault is in force (lab_ready). On failure everything
 * is undone and `note` says why. -EOPNOTSUPP: this host lacks what the scenario needs.
 * `say` gets progress lines; nullable. */
int lab_start(const struct scenario *s, enum strength strength, void (*say)(const char *line),
	      struct lab_run **ret, struct note *note) __attribute__((warn_unused_result));
const struct lab_label *lab_run_labels(struct lab_run *run, size_t *ret_n);
/* Stops it, waits until the guardian has undone everything, frees. -ETIMEDOUT, or what the
 * guardian could not undo, with the note. */
int lab_stop(struct lab_run *run, struct note *note) __attribute__((warn_unused_result));

/* Undoes what journals without a living guardian still hold. *ret_undone counts entries. */
int lab_clean(unsigned *ret_undone, struct note *note) __attribute__((warn_unused_result));

/* What the host looks like to somebody who fears residue: processes of the lab, cgroups,
 * mounts, loop devices, swap areas, network namespaces, the sysctls that scenarios touch. */
struct residue;
int residue_take(struct residue **ret) __attribute__((warn_unused_result));
void residue_free(struct residue *r);
/* Differences, one a line; 0 when there are none, else how many. -errno. */
int residue_compare(const struct residue *before, const struct residue *after, struct buf *ret_lines)
	__attribute__((warn_unused_result));

#endif
