/* Watching a host for advice: the doctor's window with two snapshots around it, the values of all
 * tunables, and the role the host plays; then one advice for each tunable and place.
 *
 * A place is where a tunable has a value of its own: the host with our own network namespace, a
 * disk, or another network namespace in which there was trouble.
 *
 * Privilege: none; without root the sockets and processes of others, and other namespaces, stay
 * unseen, and advice is then "keep". Changes nothing. Cost: that of the doctor, and ~5 ms. */
#ifndef OSPREY_ACT_TUNE_WATCH_H
#define OSPREY_ACT_TUNE_WATCH_H

#include "act/tune.h"
#include "diagnose/doctor.h"

struct tune_place {
	enum tunable_scope scope; /* HOST also holds the values of our own network namespace */
	struct tune_net net;	  /* of DISK: unused */
	struct tune_disk disk;	  /* of DISK */
	struct tune_value value[TUNABLE_COUNT];
};

struct tune_item {
	const struct tunable *tunable;
	size_t place;
	struct tune_advice advice;
};

struct tune_roles {
	enum tune_role first; /* the one that explains most */
	unsigned all;	      /* bits; ROLE_ANY when there is none in particular */
	char why[256];
	bool given; /* by --role */
};

struct tune_result {
	struct topology topology;
	bool root, live;
	int32_t self; /* osprey's own pid, which counts for nothing; 0: none */
	struct tune_evidence seen;
	struct tune_roles roles;
	VEC(struct tune_place) places; /* [0] is the host */
	VEC(struct tune_item) items;   /* in the order of tunable.def, then of places */
	VEC(struct tune_net) nets;
	VEC(struct tune_disk) disks;
};

struct tune_options {
	uint64_t window_ns;
	bool no_bpf;
	const enum tune_role *role; /* nullable: guess */
	const volatile int *interrupted;
	void (*progress)(void *arg, double elapsed_s, const struct diagnosis *so_far); /* nullable */
	void *progress_arg;
};

/* 0 or -errno with the note. *ret is to be deinitialised in any case. */
int tune_watch(struct host *h, const struct tune_options *options, struct tune_result *ret, struct note *note)
	__attribute__((warn_unused_result));
void tune_result_deinit(struct tune_result *r);

/* Where an item's value lies: "", "vda", " in the network namespace of pid 12 (nginx)". */
static inline const struct tune_place *tune_item_place(const struct tune_result *r, const struct tune_item *i)
{
	return &r->places.v[i->place];
}
static inline const struct tune_value *tune_item_value(const struct tune_result *r, const struct tune_item *i)
{
	return &tune_item_place(r, i)->value[tunable_id(i->tunable)];
}
/* Whether the tunable matters for one of the roles of the host. */
static inline bool tune_matters(const struct tune_result *r, const struct tunable *t)
{
	return r->roles.all == ROLE_ANY || (t->roles & r->roles.all) || t->roles == ROLE_ANY;
}

/* ---- the pure parts ---- */

/* What a window tells; keeps `ret`'s other members. Own namespace first among the nets, then those
 * with trouble. 0 or -ENOMEM. */
int tune_window(const struct window *w, struct tune_result *ret) __attribute__((warn_unused_result));
/* Sums since boot and growth, from two snapshots. */
void tune_growth(const struct tune_snapshot *before, const struct tune_snapshot *after, struct tune_evidence *ret);
/* From names of processes, listeners, forwarding. */
void tune_guess_roles(const struct window *w, bool forwarding, struct tune_roles *ret);

#endif
