/* The process tree of a lab: what its parts share. Internal to lab/. */
#ifndef OSPREY_LAB_TREE_H
#define OSPREY_LAB_TREE_H

#include "lab/journal.h"
#include "lab/message.h"
#include "lab/run.h"
#include "source/cgroup/cgroup.h"

#define LAB_LIMIT_S 60
#define LAB_MAX_GROUPS 4

/* A cgroup of the lab in one hierarchy: MOUNT/osprey-lab-PID/{work,fault}. Two levels, because
 * in v2 a group with controllers for its children has no processes of its own. */
struct group {
	char mount[64];
	bool v2;
	unsigned controllers; /* enum cgroup_controller: of those asked for, what lives here */
};

struct groups {
	struct group v[LAB_MAX_GROUPS];
	size_t n;
};

/* What set_up and run work on: of the first process, inherited by workers. */
struct lab {
	const struct scenario *scenario;
	enum strength strength;
	char id[32];
	int guardian; /* messages go there */
	int journal;  /* -1 in workers: they change nothing that outlives them */
	int at_work;  /* in a worker of lab_spawn_at_work: who started it reads there; else -1 */
	bool own_mounts; /* set_up is over */
	bool has_swap;	 /* lab_zram_swap was called */
	bool readied;
	struct groups fault; /* lab_cgroup */
	char scratch[256];   /* "" until made */
	unsigned mounts;
};

/* Runs the guardian; does not return. `runner` is its end of the message pair. */
_Noreturn void guardian_main(const struct scenario *s, const struct lab_options *options, int runner,
			     pid_t runner_pid);

/* Becomes the first process: set_up, run, reaping. Does not return. */
_Noreturn void first_main(struct lab *lab, const struct groups *bounds);

/* ---- cgroups ---- */

/* Where the controllers live; -EOPNOTSUPP with the note when one of them lives nowhere. */
int groups_find(unsigned controllers, struct groups *ret, struct note *note) __attribute__((warn_unused_result));
/* Makes MOUNT/ID and MOUNT/ID/`leaf` in each, controllers enabled down to the leaf. */
int groups_make(const struct groups *g, const char *id, const char *leaf, int journal, struct note *note)
	__attribute__((warn_unused_result));
/* Moves the calling process into the leaf of each. */
int groups_enter(const struct groups *g, const char *id, const char *leaf, struct note *note)
	__attribute__((warn_unused_result));

/* The cgroups that bound a scenario: what this host has of pids and memory. */
int bounds_make(const struct scenario *s, const char *id, int journal, struct groups *ret, struct note *note)
	__attribute__((warn_unused_result));
/* Limits of the calling process, inherited by all its children. */
void bounds_limit_self(const struct scenario *s);
/* Whether the scenario took more memory than it declared; the note says how much. */
bool bounds_broken(const struct groups *g, const struct scenario *s, const char *id, struct note *note)
	__attribute__((warn_unused_result));

/* ---- storage ---- */

/* The directory under which scratch directories go, and the disk below it: name "" when it
 * is none (tmpfs, overlay, a network). */
struct scratch_place {
	char directory[128];
	char disk[32];
	uint32_t major, minor;
};
/* The best of /var/tmp, /tmp, the working directory. -ENODEV: nothing can be written. */
int scratch_place_find(struct scratch_place *ret) __attribute__((warn_unused_result));
/* All that scratch directories may be in, NULL-terminated. */
extern const char *const scratch_bases[];

/* Whether the module is there or could be loaded; `made_by_it`: a path that shows that it is. */
bool module_available(const char *name, const char *made_by_it);
/* `option` is nullable. */
int module_load(struct lab *lab, const char *name, const char *option, const char *made_by_it, struct note *note)
	__attribute__((warn_unused_result));

/* Runs a program like lab_command, for the guardian and lab_possible too. */
int lab_program_run(const char *const argv[], struct note *note) __attribute__((warn_unused_result));
/* Where a program is; false: nowhere. */
bool command_exists(const char *program);

#endif
