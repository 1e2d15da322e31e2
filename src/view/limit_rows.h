/* Rows of the view of limits, and who collects them. Internal to the view. */
#ifndef OSPREY_VIEW_LIMIT_ROWS_H
#define OSPREY_VIEW_LIMIT_ROWS_H

#include "source/cgroup/cgroup.h"
#include "source/process/process_limits.h"
#include "source/storage/filesystem.h"
#include "view/user_names.h"
#include "view/view.h"

enum limit_scope { LIMIT_SYSTEM, LIMIT_FILESYSTEM, LIMIT_USER, LIMIT_PROCESS, LIMIT_CGROUP };

struct limit_row {
	const char *name;
	enum limit_scope kind;
	const struct buf *text; /* of the two below */
	size_t scope_at, scope_n; /* "system", "user www-data", "12 nginx", a path */
	size_t raise_at, raise_n;
	int32_t pid;	/* of a process; 0 */
	enum field_unit unit;
	reading used, limit;
	const char *source, *at_end;
	char used_text[32], limit_text[32];
};

struct limit_state {
	struct host *host;
	struct buf scratch, second, text;
	struct user_names *users;
	struct filesystem_reader *filesystem_reader;
	filesystem_vec filesystems;
	struct cgroup_reader *cgroup_reader;
	cgroup_vec cgroups;
	VEC(struct limit_row) rows;
	size_t processes_left_out;
	bool inotify_complete;
};

/* A new row, or NULL: no memory, or there is no such limit (missing, or not limited). The rest is
 * the caller's to fill in. Missing use is kept: it has a reason. */
struct limit_row *limit_add(struct limit_state *s, enum limit_scope kind, const char *name, enum field_unit unit,
			    reading used, reading limit, int *ret_error);

/* Whose it is; what raises it. -ENOMEM goes to *ret_error. */
void limit_scope(struct limit_state *s, struct limit_row *r, int *ret_error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void limit_raise(struct limit_state *s, struct limit_row *r, int *ret_error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

int limit_collect_host(struct limit_state *s) __attribute__((warn_unused_result));
int limit_collect_filesystems(struct limit_state *s) __attribute__((warn_unused_result));
int limit_collect_cgroups(struct limit_state *s) __attribute__((warn_unused_result));
/* Users and processes. */
int limit_collect_processes(struct limit_state *s) __attribute__((warn_unused_result));

#endif
