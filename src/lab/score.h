/* Scoring the doctor against faults whose cause is known.
 *
 * A case is a scenario at a strength on a background, or two scenarios at once, or a background
 * alone (a negative). The order is random, by seed. A case counts only when the fault's own
 * counters moved in the window that the doctor saw, and nobody else used more than half a CPU
 * meanwhile; others are rejects and reported as such. Disturbed ones are played again, twice at
 * most.
 * Each fault is followed by a window after its undo: what is found there is residue, or an alarm
 * that does not end.
 *
 * Cause and culprit are scored apart. A cause is right at rank n when n - 1 other conditions
 * stand before it among the roots (findings that no other explains); a mere note names
 * nothing. */
#ifndef OSPREY_LAB_SCORE_H
#define OSPREY_LAB_SCORE_H

#include "diagnose/doctor.h"
#include "lab/run.h"

enum score_kind { SCORE_FAULT, SCORE_PAIR, SCORE_HEALTHY };
enum score_state {
	SCORE_PLANNED,
	SCORE_COUNTED,
	SCORE_IMPOSSIBLE, /* this host lacks what it needs */
	SCORE_FAILED,	  /* it did not start, or ended early */
	SCORE_UNMOVED,	  /* the fault was not there */
	SCORE_DISTURBED,  /* others used the host's CPUs meanwhile */
};

struct score_fault {
	const struct condition *condition;
	bool moved;
	char seen[256];	    /* what its counters did */
	char label[128];    /* the culprit, as the scenario says */
	char culprit[160];  /* as the doctor says; "" when nobody */
	unsigned rank;	    /* among the roots; 0: not there */
	bool absorbed;	    /* found, and listed under another cause */
	bool culprit_right;
	double named_after_s; /* NaN: not named */
};

struct score_case {
	enum score_kind kind;
	enum strength strength;
	const struct scenario *background; /* NULL: idle */
	struct score_fault fault[2];
	size_t nfaults;

	enum score_state state;
	char why[256];			/* of all but SCORE_COUNTED */
	const struct condition *first; /* the first root; NULL: nothing was found */
	unsigned false_findings;	/* of negatives: worse than a note */
	char false_names[256];
	bool after_judged;
	unsigned after_findings; /* once it was undone */
	char after_names[256];
	bool deviation_judged;
	const char *pressure, *deviation; /* what the baselines say; NULL: nothing */
	double cpu_ms, window_s;	  /* of the doctor */
	double foreign_cpus;		  /* used by processes that are neither the lab's nor ours */
	char foreign[16];		  /* most by this one */
};
typedef VEC(struct score_case) score_case_vec;

struct score_options {
	const struct condition *const *conditions;
	size_t nconditions;
	const char *const *only; /* ids; NULL: all */
	size_t nonly;
	unsigned strengths;   /* 1 << enum strength */
	unsigned backgrounds; /* 1 << position in healthy_all; bit 0 is idle */
	unsigned pairs;	      /* that many, in place of single faults */
	bool quick;	      /* no windows before and after the fault; each negative once */
	bool no_bpf;
	uint64_t seed;
	uint64_t window_ns;
	const volatile int *interrupted;
	void (*progress)(void *arg, const struct score_case *c, size_t i, size_t n, const char *doing);
	void *progress_arg;
};

/* Rates over those cases that counted. */
struct score_summary {
	unsigned faults, rejected;
	unsigned at1, at3, culprits; /* of faults */
	unsigned within_3s;	     /* right at rank 1 in the end, and named in the first 3 s */
	double named_after_s;	     /* median over those named; NaN */
	unsigned resource_at1, pressure_at1, deviation_at1, deviation_judged;
	unsigned healthy, healthy_false; /* negatives, and those with a false finding */
	unsigned after, after_false;
	unsigned pairs, pairs_both;
	double cpu_pct; /* mean over windows; NaN */
};

/* All cases in the order of the seed. -ENOMEM. */
int score_plan(const struct score_options *o, score_case_vec *ret) __attribute__((warn_unused_result));
/* Plays them. Stops early when interrupted: the rest stays SCORE_PLANNED. */
int score_run(const struct score_options *o, score_case_vec *cases, struct note *note)
	__attribute__((warn_unused_result));
/* Pure: holds what the doctor says against the labels of fault `i`. */
void score_judge(const struct diagnosis *d, const struct lab_label *labels, size_t n, struct score_fault *f);
/* Pure: the findings worse than a note; their conditions' names in ret_names. */
unsigned score_count_alarms(const struct diagnosis *d, char *ret_names, size_t size);
/* Pure. `only`: the faults of that condition; NULL: everything. */
void score_summarise(const score_case_vec *cases, const struct condition *only, struct score_summary *ret);

#endif
