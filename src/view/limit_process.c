#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "source/limits/user_inotify.h"
#include "source/limits/ipc_use.h"
#include "source/process/process_map_count.h"
#include "source/process/process_status.h"
#include "view/limit_rows.h"

#define SCAN_NS (2 * NS_PER_S)
#define HANGING_MOST 3 /* processes whose maps do not answer; then maps are no longer asked for */

#define CAP_SYS_ADMIN_BIT (UINT64_C(1) << 21)
#define CAP_SYS_RESOURCE_BIT (UINT64_C(1) << 24)

/* What the processes of a user share. */
struct user_sum {
	uint32_t uid;
	uint64_t threads;
	reading nproc_limit; /* the lowest of its processes that are held to it; absent: none is */
	reading signals, signals_limit;
};

struct scan {
	struct limit_state *state;
	VEC(struct user_sum) users;
	unsigned hanging;
	reading most_maps;
	int32_t most_maps_pid;
	char most_maps_name[64];
	reading maps_missing; /* why some are not known */
};

static struct user_sum *user_of(struct scan *scan, uint32_t uid)
{
	vec_each(u, &scan->users)
		if (u->uid == uid)
			return u;
	struct user_sum *u = vec_push(&scan->users);
	if (u)
		*u = (struct user_sum){ uid, 0, READING_ABSENT, READING_ABSENT, READING_ABSENT };
	return u;
}

/* The kernel asks the lowest limit of whoever forks. */
static int sum_user(struct scan *scan, const struct process_status *status, const struct process_limits *limits)
{
	struct user_sum *u = user_of(scan, (uint32_t)status->uid[0]);
	reading nproc = limits->soft[PROCESS_LIMIT_nproc];

	if (!u)
		return -ENOMEM;
	u->threads += reading_or(status->threads, 0);
	bool exempt = status->uid[0] == 0 || status->masks.effective & (CAP_SYS_ADMIN_BIT | CAP_SYS_RESOURCE_BIT);
	if (!exempt && reading_ok(nproc) && nproc != PROCESS_UNLIMITED && (!reading_ok(u->nproc_limit) || nproc < u->nproc_limit))
		u->nproc_limit = nproc;
	if (reading_ok(status->signals_limit) && (!reading_ok(u->signals_limit) || status->signals_limit < u->signals_limit)) {
		u->signals = status->signals_queued;
		u->signals_limit = status->signals_limit;
	}
	return 0;
}

static int add_of_process(struct limit_state *s, int pid, const char *comm, enum process_limit_kind kind, reading used,
			  reading limit, const char *source)
{
	const struct process_limit_about *about = &process_limit_about[kind];
	int error = 0;

	if (limit == PROCESS_UNLIMITED || !reading_ok(limit))
		return 0;
	struct limit_row *r = limit_add(s, LIMIT_PROCESS, about->name, about->unit, used, limit, &error);
	if (!r)
		return error;
	r->pid = pid;
	r->source = source;
	r->at_end = about->at_end;
	limit_scope(s, r, &error, "%d %s", pid, comm);
	limit_raise(s, r, &error, "prlimit --pid %d --%s=N:N", pid, about->name);
	return error;
}

static reading count_fds(struct limit_state *s, struct proc_dir *d, int pid)
{
	uint64_t v;
	int r = proc_dir_fd_count(d, pid, false, &s->scratch);

	if (r < 0)
		return reading_from_errno(r);
	return span_u64(span_trim(buf_span(&s->scratch)), &v) && reading_ok(v) ? v : READING_MALFORMED;
}

static int count_maps(struct scan *scan, struct proc_dir *d, int pid, const struct process_status *status)
{
	reading maps = READING_ABSENT;

	if (scan->hanging >= HANGING_MOST)
		return 0;
	int r = process_map_count_read(d, pid, &scan->state->scratch, &maps);
	if (r == -ETIMEDOUT)
		scan->hanging++;
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (maps == READING_DENIED)
		scan->maps_missing = maps;
	if (reading_ok(maps) && (!reading_ok(scan->most_maps) || maps > scan->most_maps)) {
		scan->most_maps = maps;
		scan->most_maps_pid = pid;
		snprintf(scan->most_maps_name, sizeof scan->most_maps_name, "%s", status->name);
	}
	return 0;
}

static int add_rows(struct limit_state *s, struct proc_dir *d, int pid, const struct process_status *status,
		    const struct process_limits *limits)
{
	const struct {
		enum process_limit_kind kind;
		reading used;
		const char *source;
	} rows[] = {
		{ PROCESS_LIMIT_nofile, count_fds(s, d, pid), "/proc/PID/fd" },
		{ PROCESS_LIMIT_as, status->virtual_bytes, "/proc/PID/status VmSize" },
		{ PROCESS_LIMIT_data, status->data_bytes, "/proc/PID/status VmData" },
		{ PROCESS_LIMIT_stack, status->stack_bytes, "/proc/PID/status VmStk" },
		{ PROCESS_LIMIT_memlock, status->locked_bytes, "/proc/PID/status VmLck" },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof rows / sizeof rows[0]; i++)
		r = add_of_process(s, pid, status->name, rows[i].kind, rows[i].used, limits->soft[rows[i].kind], rows[i].source);
	return r;
}

static int look_into(struct scan *scan, struct proc_dir *d, int pid)
{
	struct limit_state *s = scan->state;
	struct process_status status;
	struct process_limits limits;

	if (proc_dir_read(d, "status", &s->scratch) < 0)
		return 0;
	process_status_parse(buf_span(&s->scratch), &status);
	if (proc_dir_read(d, "limits", &s->scratch) < 0)
		process_limits_missing(READING_ABSENT, &limits);
	else
		process_limits_parse(buf_span(&s->scratch), &limits);
	if (!reading_ok(status.uid[0]))
		return 0;
	int r = sum_user(scan, &status, &limits);
	if (r == 0 && reading_ok(status.virtual_bytes)) /* threads of the kernel and zombies have no memory */
		r = add_rows(s, d, pid, &status, &limits);
	if (r == 0 && reading_ok(status.virtual_bytes))
		r = count_maps(scan, d, pid, &status);
	return r;
}

static int look_into_all(struct scan *scan)
{
	struct limit_state *s = scan->state;
	cleanup(buf_deinit) struct buf names = { 0 };
	uint64_t deadline_ns = clock_mono_ns() + SCAN_NS, pid;
	struct span rest, name;
	int r = host_list(s->host, "/proc", &names);

	rest = buf_span(&names);
	s->processes_left_out = 0;
	while (r == 0 && span_line(&rest, &name)) {
		struct proc_dir d;

		if (!span_u64(name, &pid) || pid > INT32_MAX)
			continue;
		if (host_is_live(s->host) && (int)pid == getpid()) /* we are gone when this is read */
			continue;
		if (host_is_live(s->host) && clock_mono_ns() > deadline_ns) {
			s->processes_left_out++;
			continue;
		}
		if (proc_dir_open(s->host, (int)pid, 0, &d) < 0)
			continue;
		r = look_into(scan, &d, (int)pid);
		proc_dir_close(&d);
	}
	return r;
}

static int add_of_user(struct limit_state *s, uint32_t uid, const char *name, reading used, reading limit,
		       const char *source, const char *at_end, const char *raise)
{
	int error = 0;
	struct limit_row *r = limit_add(s, LIMIT_USER, name, UNIT_COUNT, used, limit, &error);

	if (!r)
		return error;
	r->source = source;
	r->at_end = at_end;
	limit_scope(s, r, &error, "user %s", user_names_find(s->users, uid));
	limit_raise(s, r, &error, "%s", raise);
	return error;
}

static int add_users(struct scan *scan)
{
	struct limit_state *s = scan->state;
	int r = 0;

	vec_each(u, &scan->users) {
		if (r == 0)
			r = add_of_user(s, u->uid, "nproc", u->threads, u->nproc_limit, "/proc/PID/status",
					process_limit_about[PROCESS_LIMIT_nproc].at_end, "/etc/security/limits.conf, or TasksMax= and LimitNPROC=");
		if (r == 0 && u->signals_limit != PROCESS_UNLIMITED)
			r = add_of_user(s, u->uid, "sigpending", u->signals, u->signals_limit, "/proc/PID/status SigQ",
					process_limit_about[PROCESS_LIMIT_sigpending].at_end,
					"/etc/security/limits.conf, or LimitSIGPENDING=");
	}
	return r;
}

static reading number_of(struct limit_state *s, const char *path)
{
	int r = host_read(s->host, path, &s->scratch);

	return r < 0 ? reading_from_errno(r) : nth_number(buf_span(&s->scratch), 0);
}

static int add_maps(struct scan *scan)
{
	struct limit_state *s = scan->state;
	int error = 0;

	reading limit = number_of(s, "/proc/sys/vm/max_map_count");
	reading used = reading_ok(scan->most_maps) ? scan->most_maps : scan->maps_missing;
	struct limit_row *r = limit_add(s, LIMIT_SYSTEM, "max_map_count", UNIT_COUNT, used, limit, &error);
	if (!r)
		return error;
	r->source = "/proc/PID/maps";
	r->at_end = "ENOMEM \"Cannot allocate memory\" from mmap, with memory free";
	r->pid = scan->most_maps_pid;
	if (scan->most_maps_pid)
		limit_scope(s, r, &error, "the most: %d %s", scan->most_maps_pid, scan->most_maps_name);
	else
		limit_scope(s, r, &error, "each process");
	limit_raise(s, r, &error, "sysctl vm.max_map_count=N");
	return error;
}

static int add_inotify(struct limit_state *s)
{
	reading instances = number_of(s, "/proc/sys/fs/inotify/max_user_instances");
	reading watches = number_of(s, "/proc/sys/fs/inotify/max_user_watches");
	user_inotify_vec users = { 0 };
	int r = user_inotify_read(s->host, &s->scratch, &users, &s->inotify_complete);

	if (r < 0 && r != -ENOMEM)
		r = 0;
	vec_each(u, &users) {
		if (r == 0)
			r = add_of_user(s, u->uid, "inotify instances", u->instances, instances, "/proc/PID/fd",
					"EMFILE \"Too many open files\" from inotify_init", "sysctl fs.inotify.max_user_instances=N");
		if (r == 0)
			r = add_of_user(s, u->uid, "inotify watches", u->watches, watches, "/proc/PID/fdinfo",
					"ENOSPC \"No space left on device\" from inotify_add_watch",
					"sysctl fs.inotify.max_user_watches=N");
	}
	vec_free(&users);
	return r;
}

int limit_collect_processes(struct limit_state *s)
{
	struct scan scan = { .state = s, .most_maps = READING_ABSENT, .maps_missing = READING_ABSENT };
	int r = look_into_all(&scan);

	if (r < 0 && r != -ENOMEM) /* no /proc: the rest stands */
		r = 0;
	if (r == 0)
		r = add_users(&scan);
	if (r == 0)
		r = add_maps(&scan);
	if (r == 0)
		r = add_inotify(s);
	vec_free(&scan.users);
	return r;
}
