/* What probes saw, as text and as JSON. */
#ifndef OSPREY_REPORT_PROBE_H
#define OSPREY_REPORT_PROBE_H

#include "base/json.h"
#include "dig/probe/session.h"
#include "dig/stack/event_stack.h"
#include "report/page.h"

struct probe_report {
	struct probe_session *session;
	struct event_stacks *stacks; /* symbols of what ran */
	int64_t real_minus_mono_ns;
	bool several; /* probes: each hit says which */
	size_t rows;  /* of an aggregate, at most */
};

/* A hit: a line, and its stacks. */
void probe_text_record(struct page *p, const struct probe_report *r, const struct probe_record *record,
		       const struct probe_layout *l);
void probe_text_aggregate(struct page *p, const struct probe_report *r, size_t clause, size_t action,
			  const probe_row_vec *rows);
/* What was lost, or that nothing was. `unshown`: hits that were dropped to keep to --rate. */
void probe_text_losses(struct page *p, const struct probe_losses *l, uint64_t unshown);

/* The same, each a document of one line: osprey.probe.hit/1, .aggregate/1, .end/1. */
int probe_json_record(struct buf *out, const struct probe_report *r, const struct probe_record *record,
		      const struct probe_layout *l) __attribute__((warn_unused_result));
int probe_json_aggregate(struct buf *out, const struct probe_report *r, size_t clause, size_t action,
			 const probe_row_vec *rows) __attribute__((warn_unused_result));
int probe_json_end(struct buf *out, const struct probe_losses *l, uint64_t hits, uint64_t unshown, double seconds)
	__attribute__((warn_unused_result));

/* For both: the number at `at`, as its type is printed. */
void probe_number_text(const struct probe_value *v, const char *at, char *ret, size_t size);
/* A stack field's frames; they live until the next call. *ret_pid: of a key, the process; of the kernel 0. */
void probe_stack_frames(const struct probe_report *r, const struct probe_field *f, const char *at, bool key,
			const struct probe_record *record, struct event_frames *ret, int *ret_pid);
/* "malloc+0x1c (libc.so.6)". */
void probe_frame_text(const struct event_frame *f, char *ret, size_t size);
/* Whether a key is a user stack: these go by frame pointers. */
bool probe_key_has_user_stack(const struct probe_layout *l);

#endif
