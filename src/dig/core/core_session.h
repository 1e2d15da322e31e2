/* What the parts of core.c share while one core is made. Internal to dig/core. */
#ifndef OSPREY_DIG_CORE_CORE_SESSION_H
#define OSPREY_DIG_CORE_CORE_SESSION_H

#include "base/urgent.h"
#include "dig/core/core.h"
#include "dig/core/core_copy.h"
#include "dig/core/core_guard.h"
#include "dig/core/core_mapping.h"
#include "dig/core/core_pages.h"
#include "dig/core/core_process.h"
#include "dig/core/core_protect.h"
#include "dig/core/core_witness.h"

struct core_range {
	uint64_t start, end;
};

struct core_session {
	const struct core_wish *wish;
	struct core_result *result;
	struct note *note;
	struct core_process process;
	unsigned filter;
	struct core_map map; /* the latest; after the stop that of the stop */
	struct core_pages pages;
	struct core_file file;
	struct core_copier copier;
	struct core_guard *guard;
	struct core_protect protect;
	uint64_t syscall_address; /* 0: none was found */
	struct core_witness witness;
	VEC(struct core_range) long_runs; /* of pages that were touched, in one mapping */
	VEC(struct core_range) gone; /* to read as zeros: copied, and not there at the stop */
	struct core_progress progress;
	bool stopped;
	struct urgent urgent; /* while the target stands, on a busy host too */
};

/* The ways; each leaves the core's memory in the file and the registers with the guardian, all threads running. Below 0
 * they leave no trace on the target. -EAGAIN: this way is not to be had (why_not is filled); anything else ends it. */
int core_by_precopy(struct core_session *s) __attribute__((warn_unused_result));
int core_by_fork(struct core_session *s) __attribute__((warn_unused_result));
int core_by_plain(struct core_session *s) __attribute__((warn_unused_result));

/* ---- what they share (core_take.c) ---- */

enum core_part session_part(const struct core_session *s, const struct core_mapping *m);
/* Absent pages of it are zeros; else they are those of its file. */
bool session_sparse(const struct core_mapping *m);
void session_progress(struct core_session *s, const char *step, uint64_t all_bytes);
/* Stops all; the map of the moment is in s->map, with what is known of it, and has its place in the file. */
int session_stop(struct core_session *s) __attribute__((warn_unused_result));
int session_resume(struct core_session *s) __attribute__((warn_unused_result));
/* All of a mapping's pages that are there; `pages` of the process that is read. */
int session_take(struct core_session *s, struct core_pages *pages, const struct core_mapping *m, bool fresh)
	__attribute__((warn_unused_result));
/* Sets the reason for a way's refusal; -EAGAIN, or `error` when it ends everything. */
int session_refuse(struct core_session *s, enum core_method m, int error, const struct core_answer *a,
		   const char *doing) __attribute__((warn_unused_result));
/* For failures of the stop itself: note, and the error. */
int session_fail(struct core_session *s, const struct core_answer *a, const char *doing)
	__attribute__((warn_unused_result));
/* A buffer for about so much; between 8 and 256 MiB, and an eighth of what is available. */
int session_buffer(struct core_session *s, uint64_t bytes) __attribute__((warn_unused_result));

#endif
