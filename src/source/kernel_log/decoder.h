/* Inside the decoder: what its parts share. For decode*.c alone. */
#ifndef OSPREY_SOURCE_KERNEL_LOG_DECODER_H
#define OSPREY_SOURCE_KERNEL_LOG_DECODER_H

#include "base/buf.h"
#include "source/kernel_log/decode.h"
#include "source/kernel_log/scan.h"

#define MAX_LINES 224 /* patterns of lines.def */
#define MAX_FIRSTS 40 /* first lines of reports with a stack */

/* A report that is being read. */
struct report {
	bool open;
	uint64_t caller; /* hash; 0: not told */
	struct log_event event;
};

struct oom_row {
	int32_t pid;
	char comm[16];
	uint64_t total_vm, rss, swap, pgtables_bytes; /* pages, but for the last */
	int32_t score_adj;
};

/* What of an OOM report is counted in pages until the size of a page is known. */
struct oom_state {
	enum { OOM_HEAD, OOM_MEM_INFO, OOM_CGROUP_STATS, OOM_TASKS } part;
	bool rss_split; /* the table has rss_anon, rss_file, rss_shmem */
	VEC(struct oom_row) rows;
	reading free, anon[2], file[2], shmem, slab[2], pgtables, ram;
	int32_t named_pid; /* of the constraint line */
	int32_t last_pid;  /* the last one killed */
	char group_cgroup[256]; /* its tasks are being killed (memory.oom.group) */
	char group_limit[256];
	reading group_ns;
};

struct log_decoder {
	const struct log_record *record;
	uint64_t caller;
	log_event_vec *out;
	int error;
	enum log_kind kind; /* of the record */
	struct report oom, splat, fault;
	struct oom_state memory;
	enum { FRAMES_BEFORE, FRAMES_WITHIN, FRAMES_DONE } frames;
	enum { CUT_NONE, CUT_HERE, CUT_TEXT } cut; /* after "[ cut here ]" */
	char cut_text[256];
	struct buf line;
	struct scan_needs needs[MAX_LINES], first_needs[MAX_FIRSTS];
};

/* Starts a report; what was open is told. The event has the record's number, time, level and `line`. */
struct log_event *report_begin(struct log_decoder *d, struct report *r, enum log_kind kind, struct span line);
/* Gives the event out. */
void report_end(struct log_decoder *d, struct report *r);
/* Whether the record can belong to it (the caller is the same, or not told). */
bool report_has(const struct log_decoder *d, const struct report *r);
/* The record belongs to it. */
void report_take(struct log_decoder *d, struct report *r);
/* An event of one line. */
void decoder_tell(struct log_decoder *d, struct log_event *event);
struct log_event decoder_event(const struct log_decoder *d, enum log_kind kind, struct span line);
/* What patterns capture, into the event. */
void event_take_scan(struct log_event *e, const struct scan *found);
void *decoder_alloc(struct log_decoder *d, size_t size);

/* Each: whether the line was its own. `line` is unescaped and has no newline. */
bool oom_line(struct log_decoder *d, struct span line);
void splat_needs(struct log_decoder *d); /* once, when it is made */
bool splat_line(struct log_decoder *d, struct span line);
bool fault_line(struct log_decoder *d, struct span line);
bool audit_line(struct log_decoder *d, struct span line);
bool simple_line(struct log_decoder *d, struct span line);
/* "PID: 123 Comm: x Not tainted 6.1": who, of the dumps of stacks. */
bool scan_who(struct span line, int32_t *ret_cpu, int32_t *ret_pid, struct span *ret_comm,
	      struct span *ret_taint);

#endif
