/* Probes at work: attached, their records taken out, their aggregates read.
 *
 * All that is attached hangs on descriptors of this process: links and perf events, the semaphores of USDT with them (the
 * kernel raises and lowers those). When it ends, however it ends, nothing is left.
 * Privilege: CAP_BPF and CAP_PERFMON (before 5.8 CAP_SYS_ADMIN). Kernel: 5.8; user probes by one link for all places
 * (uprobe_multi) since 6.6, by perf events before. Cost per hit: bench/probe.sh. */
#ifndef OSPREY_DIG_PROBE_SESSION_H
#define OSPREY_DIG_PROBE_SESSION_H

#include "dig/probe/compile.h"
#include "base/buf.h"
#include "dig/probe/resolve.h"

#define PROBE_SITES_MAX 2000	/* of one PROBE */
#define PROBE_KEYS_KEPT 10240	/* of one aggregate; more are counted as lost */
#define PROBE_RING_BYTES (4u << 20)
#define PROBE_RING_STACK_BYTES (32u << 20) /* with user stacks that are copied: 3000 hits */

struct probe_options {
	int pid;
	bool stacks;
	bool verbose; /* keep what the verifier says */
};

struct probe_session;

/* Understands the line, finds its places, checks its types: nothing is loaded yet. `line` must stay. -EINVAL with
 * *ret_error: the line is wrong; other -errno with the note. */
int probe_session_new(struct span line, const struct probe_options *options, struct probe_session **ret,
		      struct probe_error *ret_error, struct note *note) __attribute__((warn_unused_result));
/* Loads and attaches. -errno with the note; then all is taken back by probe_session_free. */
int probe_session_attach(struct probe_session *s, struct note *note) __attribute__((warn_unused_result));
void probe_session_free(struct probe_session *s);

const struct probe_program *probe_session_program(const struct probe_session *s);
size_t probe_session_sites(const struct probe_session *s);
/* Arguments of some user function are printed by register: no debug information, or a pattern matched it. */
bool probe_session_by_register(const struct probe_session *s);
const char *probe_session_site_name(const struct probe_session *s, uint32_t site);
/* What the verifier said last; "" : nothing, or not kept. */
const char *probe_session_verifier(const struct probe_session *s);
/* Of records of that site, or of the aggregate's keys. */
const struct probe_layout *probe_session_layout(const struct probe_session *s, uint32_t site, size_t clause, size_t action);

/* Takes out what is there; `each` gets a record of layout->bytes bytes, and ends it by a nonzero answer. Returns the
 * number of records, or -errno, or the answer. */
int probe_session_drain(struct probe_session *s,
			int (*each)(void *arg, const struct probe_record *record, const struct probe_layout *layout), void *arg)
	__attribute__((warn_unused_result));

struct probe_losses {
	uint64_t records, keys, unreadable, filter;
	uint64_t missed; /* hits while another BPF program of ours ran on the CPU (5.12; else 0) */
};
int probe_session_losses(const struct probe_session *s, struct probe_losses *ret) __attribute__((warn_unused_result));

/* One line of an aggregate, over all CPUs. */
struct probe_row {
	const char *key;   /* layout->bytes bytes */
	uint64_t count;
	int64_t value;	   /* sum, minimum, maximum; of avg the sum */
	uint64_t bucket[PROBE_BUCKETS]; /* of histogram */
};
typedef VEC(struct probe_row) probe_row_vec;
/* Largest first. *keys holds what the rows point to. */
int probe_session_aggregate(const struct probe_session *s, size_t clause, size_t action, probe_row_vec *ret,
			    struct buf *keys) __attribute__((warn_unused_result));

#endif
