/* Tune: advice on tunables from what was seen of a host, never from folklore.
 *
 * struct tune_evidence is what was seen: counters since boot and over the doctor's window, sizes
 * of tables against their limits, the listeners and sockets that dropped, what the doctor found. It is
 * made once (tune_watch.h); the advice functions (tune_advise_<id>, in tune_memory.c, tune_limit.c,
 * tune_network.c, tune_block.c) are pure and read nothing but it and the present values.
 *
 * The rule of all of them: no evidence, no advice. A missing reading is NaN, and crosses no
 * threshold, so it is never a reason to change anything. */
#ifndef OSPREY_ACT_TUNE_H
#define OSPREY_ACT_TUNE_H

#include "act/tunable.h"
#include "act/tune_snapshot.h"
#include "base/vec.h"
#include "diagnose/finding.h"

/* A counter: its sum since boot, its growth over the window. */
struct tune_count {
	reading total, grown;
};

/* The listener that refused most in the window. */
struct tune_listener {
	char name[64]; /* "0.0.0.0:80"; "": none refused any */
	double backlog, queue;
	double refused; /* over the window; NaN: not told */
	int32_t pid;
	char comm[16];
	bool shut; /* its owner accepts nothing at all: stopped, out of descriptors */
	char story[160]; /* of the owner: a predicate */
};

/* The UDP socket that dropped most in the window. */
struct tune_receiver {
	char name[64];
	double dropped, buffer_bytes;
	int32_t pid;
	char comm[16];
	char where[72];
};

struct tune_net {
	uint64_t inode;
	int32_t pid;	/* a process in it; 0: our own */
	char where[72]; /* "" or " in the network namespace of pid 12 (nginx)" */
	char enter[32]; /* "" or "nsenter -t 12 -n " */
	char proc[24];	/* "/proc" or "/proc/12" */
	struct tune_count listen_overflows, syn_drops, syn_cookies, accepted, opened, retransmitted, sent;
	reading time_wait, established, orphans, tcp_memory_pages;
	struct tune_listener listener;
	uint16_t ports_below[8]; /* listened to between 10240 and the first local port */
	size_t nports_below;
	double rtt_s; /* of the connection that retransmitted most; NaN: none */
};

struct tune_disk {
	char name[32];
	bool rotational, stacked;
	bool saturated; /* the doctor says so */
	double busy, queue; /* share of the time; mean requests in it */
	double reads, writes; /* per second */
	double read_bytes, write_bytes; /* per second */
	double read_s, write_s; /* mean time of one */
};

struct tune_evidence {
	double seconds; /* the window */
	uint64_t boot_ns; /* time since boot */
	uint32_t cpus, nodes;
	double total_bytes, available_bytes, cache_bytes, anon_bytes, swap_total_bytes, swap_free_bytes;
	double committed_bytes, commit_limit_bytes, slab_reclaimable_bytes;
	double huge_total, huge_free; /* pages */
	double page_bytes;
#define X(member, ...) struct tune_count member;
	TUNE_VMSTAT(X)
	TUNE_NETSTAT(X)
#undef X
	struct tune_count alloc_stalls, backlog_packets, backlog_drops, squeezes;
	struct tune_count conntrack_drops, conntrack_early_drops, neighbour_overflows;
	struct tune_snapshot now; /* gauges */
	double files_open, files_max;
	/* what the doctor found */
	bool memory_pressure, swap_thrash, oom_kill, disk_saturated, cpu_saturated, tcp_retransmits;
	/* the process nearest to fs.nr_open; the one of the most maps; one with a nice value that takes a
	 * CPU while others wait; one that was in state D at each look */
	struct {
		int32_t pid;
		char comm[16];
		double value, other;
	} fd_user, map_user, nice_user, stuck;
	char worst_disk[32]; /* of the saturated ones the busiest */
	double worst_disk_busy;
	struct inotify_use inotify_instances, inotify_watches;
	struct tune_receiver receiver;
	bool conntrack_full_logged, neighbour_full_logged; /* in the kernel log, within the window */
};

struct tune_case {
	const struct tunable *tunable;
	const struct tune_value *value;	 /* of this tunable */
	const struct tune_value *values; /* of all, [enum tunable_id]; absent ones carry an error */
	const struct tune_evidence *seen;
	const struct tune_net *net;   /* of SCOPE_NET; never NULL there */
	const struct tune_disk *disk; /* of SCOPE_DISK; never NULL there */
};

enum tune_verdict {
	TUNE_KEEP,	/* nothing speaks against the present value */
	TUNE_CHANGE,	/* evidence speaks for another */
	TUNE_DANGER,	/* the present value is dangerous by itself */
	TUNE_ELSEWHERE, /* there is trouble of its kind, and it is not what causes or cures it */
	TUNE_UNREAD,	/* no value to judge: absent, denied */
};

#define TUNE_MAX_PROOF 6

struct tune_advice {
	enum tune_verdict verdict;
	char value[96];	   /* what to write; of CHANGE and DANGER */
	char because[400]; /* one or two sentences */
	char effect[240];  /* what should change */
	struct evidence proof[TUNE_MAX_PROOF];
	size_t nproof;
};

/* ---- how advice functions speak; texts are formatted and cut to fit ---- */

void tune_keep(struct tune_advice *a, const char *because, ...) __attribute__((format(printf, 2, 3)));
void tune_elsewhere(struct tune_advice *a, const char *because, ...) __attribute__((format(printf, 2, 3)));
void tune_change(struct tune_advice *a, const char *value, const char *because, ...)
	__attribute__((format(printf, 3, 4)));
void tune_danger(struct tune_advice *a, const char *value, const char *because, ...)
	__attribute__((format(printf, 3, 4)));
void tune_effect(struct tune_advice *a, const char *effect, ...) __attribute__((format(printf, 2, 3)));
/* `source` is formatted. A NaN is left out. */
void tune_proof(struct tune_advice *a, const char *field, double value, const char *unit,
		const char *threshold, const char *source, ...) __attribute__((format(printf, 6, 7)));

/* Per second over the window, and since boot; NaN when missing. */
double tune_rate(const struct tune_case *c, struct tune_count count);
static inline double tune_total(struct tune_count count)
{
	return reading_value(count.total);
}
static inline double tune_grown(struct tune_count count)
{
	return reading_value(count.grown);
}
/* The first number of a value; NaN when it could not be read. */
double tune_number(const struct tune_value *v);
static inline double tune_present(const struct tune_case *c, enum tunable_id id)
{
	return tune_number(&c->values[id]);
}
/* The smallest power of two that is at least `n`, as text. */
const char *tune_power(double n, char ret[24]);
const char *tune_whole(double n, char ret[24]); /* a whole number */

/* An advice function; each is declared and defined by this. */
#define TUNE_ADVISE(id)                                                                     \
	void tune_advise_##id(const struct tune_case *c, struct tune_advice *ret);          \
	void tune_advise_##id(const struct tune_case *c, struct tune_advice *ret)

/* Runs the advice function, or says TUNE_UNREAD where there is no value. */
void tune_advise(const struct tune_case *c, struct tune_advice *ret);

#endif
