/* Findings, verdicts and how a rule speaks.
 *
 * A rule is a pure function from a window to a verdict. It ends in exactly one way:
 * - found: verdict_find, once for each independent case (two throttled cgroups are two
 *   findings), then title, summary, victim, culprit, evidence, confirm, mend;
 * - cleared: verdict_clear with the reading that clears it;
 * - not measurable: verdict_unmeasured with what it would need.
 * A rule that returns without a word is a bug, and the engine says so.
 *
 * Text given to these functions is printf-formatted and cut to fit; comm and paths may
 * hold any bytes: the report layer makes them safe to print. */
#ifndef OSPREY_DIAGNOSE_FINDING_H
#define OSPREY_DIAGNOSE_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

enum severity {
	SEVERITY_NOTE,	   /* worth knowing; nothing is lost */
	SEVERITY_RISK,	   /* nothing is lost yet; it will be */
	SEVERITY_WARNING,  /* time is being lost */
	SEVERITY_CRITICAL, /* work is failing, or most of the time is lost */
};

/* Kinds of actors, as JSON names them. */
#define ACTOR_HOST "host"
#define ACTOR_PROCESS "process"
#define ACTOR_THREAD "thread"
#define ACTOR_CGROUP "cgroup"
#define ACTOR_DISK "disk"
#define ACTOR_INTERFACE "interface"
#define ACTOR_SOCKET "socket"
#define ACTOR_FILE "file"
#define ACTOR_MOUNT "mount"
#define ACTOR_LOCK "lock"

struct actor {
	const char *kind; /* ACTOR_…; NULL: nobody could be named */
	int32_t pid, tid; /* 0: none */
	char comm[16];
	char name[256]; /* cgroup path, device, "127.0.0.1:80", mount point, lock address */
	char command[160]; /* command line, filled by the doctor for processes */
};

struct evidence {
	char source[256];   /* exact: "/proc/pressure/cpu" */
	char field[64];	    /* "some total" */
	double value;	    /* NaN is told as missing */
	char unit[32];	    /* "%", "periods", "bytes/s" */
	char threshold[96]; /* what it was compared with: "> 25 %"; "" when it is context */
};

#define FINDING_MAX_EVIDENCE 12
#define FINDING_MAX_LINES 6
#define FINDING_MAX_PROOF 16
#define FINDING_MAX_WHERE 8

struct finding {
	const struct condition *condition;
	enum severity severity;
	double confidence; /* 0…1 */
	double lost_task_s_per_s; /* time lost, in task-seconds per second; NaN: none measured */
	bool lost_estimated;
	double exhausted_in_s; /* of risks: until the end at the present pace; NaN: unknown */
	double since_s;	       /* onset after the start of the window; NaN: before it */
	double named_after_s;  /* when in the window the doctor first named it */
	char title[160];
	char summary[512];
	struct actor victim, culprit;
	struct evidence evidence[FINDING_MAX_EVIDENCE];
	size_t nevidence;
	char proof[FINDING_MAX_PROOF][192]; /* further lines: the cycle of a deadlock… */
	size_t nproof;
	char where[FINDING_MAX_WHERE][512]; /* places in the code (where.h) */
	size_t nwhere;
	char confirm[FINDING_MAX_LINES][256]; /* commands that show it by other means */
	size_t nconfirm;
	char mend[FINDING_MAX_LINES][256]; /* reversible first; each says what it should change */
	size_t nmend;
	int32_t absorbed_by; /* position of its cause among the findings; -1 */
};
typedef VEC(struct finding) finding_vec;

enum outcome { OUTCOME_NONE, OUTCOME_FOUND, OUTCOME_CLEARED, OUTCOME_UNMEASURED };

/* What one rule says of one window. */
struct verdict {
	const struct condition *condition;
	enum outcome outcome;
	char reason[256]; /* why cleared, or what is needed */
	finding_vec *findings; /* where verdict_find appends */
	bool out_of_memory;
};

/* A new finding; never NULL (without memory it returns a static one that is dropped). */
struct finding *verdict_find(struct verdict *v, enum severity severity, double confidence);
void verdict_clear(struct verdict *v, const char *reason, ...) __attribute__((format(printf, 2, 3)));
void verdict_unmeasured(struct verdict *v, const char *needs, ...) __attribute__((format(printf, 2, 3)));

void finding_title(struct finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_summary(struct finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_lost(struct finding *f, double task_s_per_s, bool estimated);
/* `source` is formatted. */
void finding_evidence(struct finding *f, const char *field, double value, const char *unit,
		      const char *threshold, const char *source, ...)
	__attribute__((format(printf, 6, 7)));
void finding_proof(struct finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_confirm(struct finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finding_mend(struct finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

void actor_host(struct actor *a);
void actor_process(struct actor *a, int32_t pid, const char *comm);
void actor_thread(struct actor *a, int32_t pid, int32_t tid, const char *comm);
/* Anything that has a name: kind is one of ACTOR_…. */
void actor_named(struct actor *a, const char *kind, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

const char *severity_name(enum severity s);

#endif
