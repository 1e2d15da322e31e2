/* The lists of one process as entities: descriptors, threads, limits, memory by kind, mapped files,
 * cgroups, relatives. For text, JSON and screens alike (report/table.h).
 *
 * Rows point into the detail that they were made of: they live as long as it is not read again. */
#ifndef OSPREY_VIEW_PROCESS_DETAIL_TABLES_H
#define OSPREY_VIEW_PROCESS_DETAIL_TABLES_H

#include "view/entity.h"
#include "view/process_detail.h"

struct detail_fd {
	const struct process_detail *detail;
	const struct process_fd *fd;
	const struct process_socket *socket; /* NULL: it is none, or was not found */
	char flags[96];
	const struct buf *text;
	size_t what_at, what_n; /* where it points, in words */
	size_t peer_at, peer_n; /* who has the other end */
};
struct detail_thread {
	const struct process_detail *detail;
	const struct process_thread *thread;
	const struct buf *text;
	size_t does_at, does_n;
};
struct detail_limit {
	const struct process_detail *detail;
	enum process_limit_kind kind;
	char used_text[32], soft_text[32], hard_text[32];
};
struct detail_memory {
	const char *name, *meaning; /* of a kind; NULL: of a file */
	struct span path;	    /* of a file */
	const struct memory_part *part;
};
struct detail_cgroup {
	const struct process_cgroup *group;
	const char *controller; /* "memory" */
	reading used, limit;
	enum field_unit unit;
	struct cell used_cell, limit_cell;
	char used_text[32], limit_text[32];
	char note[128]; /* throttling, limit hits */
};

struct process_tables {
	struct buf text;
	VEC(struct detail_fd) fds;
	VEC(struct detail_thread) threads;
	VEC(struct detail_limit) limits;
	VEC(struct detail_memory) kinds, files;
	VEC(struct detail_cgroup) cgroups;
};

extern const struct entity process_fd_entity, process_thread_entity, process_limit_entity,
	process_memory_entity, process_file_entity, process_cgroup_entity, process_relative_entity;

/* Fills *ret anew from what was read. 0 or -ENOMEM. */
int process_tables_make(const struct process_detail *d, struct process_tables *ret) __attribute__((warn_unused_result));
void process_tables_deinit(struct process_tables *t);

#endif
