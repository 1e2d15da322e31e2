#include "view/process_detail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/process/user_threads.h"
#include "source/process/wait_words.h"
#include "view/process_detail_parts.h"

#define TEXT_MS 200    /* cmdline, environ */
#define MEMORY_MS 2000 /* smaps: 4 ms a GiB */

const char *const process_section_names[PROCESS_SECTION_COUNT + 1] = {
#define NAME(name, word) [PROCESS_BIT_##name] = word,
	PROCESS_SECTIONS(NAME)
#undef NAME
};

/* What ends the reading; anything else is told where it is missing. -ESRCH does not: of a zombie, or a
 * thread of the kernel, several files say it. Whether the process lives is asked at the end. */
static bool fatal(int r)
{
	return r == -ENOMEM;
}

static void read_text(struct detail_reader *r, const char *name, bool bounded, struct process_text *ret)
{
	ret->error = bounded ? proc_dir_read_bounded(&r->dir, name, TEXT_MS, &ret->text) :
			       proc_dir_readlink(&r->dir, name, &ret->text);
	if (fatal(ret->error))
		r->error = ret->error;
}

static struct span read_small(struct detail_reader *r, const char *name, int *ret_error)
{
	int e = proc_dir_read(&r->dir, name, &r->scratch);

	if (ret_error)
		*ret_error = e;
	if (fatal(e))
		r->error = e;
	return e < 0 ? (struct span){ "", 0 } : span_trim(buf_span(&r->scratch));
}

static reading read_number(struct detail_reader *r, const char *name)
{
	uint64_t v;
	int e;
	struct span text = read_small(r, name, &e);

	if (e < 0)
		return reading_from_errno(e);
	return span_u64(text, &v) && reading_ok(v) ? v : READING_MALFORMED;
}

/* ---- always ---- */

static int read_relative(struct detail_reader *r, int pid, process_relative_vec *ret, int *ret_parent)
{
	char path[40];
	struct task t;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int e = host_read(r->h, path, &r->scratch);
	if (e < 0)
		return e;
	task_missing(READING_ABSENT, &t);
	e = task_stat_parse(buf_span(&r->scratch), &t);
	if (e < 0)
		return e;
	struct process_relative *p = vec_push(ret);
	if (!p)
		return -ENOMEM;
	*p = (struct process_relative){ .pid = pid, .state = t.state };
	snprintf(p->comm, sizeof p->comm, "%s", t.comm);
	*ret_parent = t.ppid;
	return 0;
}

/* A parent that ends meanwhile breaks the chain: what was read of it stands. */
static int read_ancestors(struct detail_reader *r)
{
	int parent = r->d->task.ppid;

	r->d->ancestors.n = 0;
	for (int depth = 0; parent > 0 && depth < 64; depth++) {
		int e = read_relative(r, parent, &r->d->ancestors, &parent);
		if (e == -ENOMEM)
			return e;
		if (e < 0)
			break;
	}
	return 0;
}

static int read_basics(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	int e = proc_dir_read(&r->dir, "stat", &r->scratch);

	if (e < 0)
		return e;
	task_missing(READING_ABSENT, &d->task);
	e = task_stat_parse(buf_span(&r->scratch), &d->task);
	if (e == 0)
		e = process_stat_parse(buf_span(&r->scratch), &d->stat);
	if (e < 0)
		return e;
	d->stat.presence = PRESENT;
	e = proc_dir_read(&r->dir, "status", &r->scratch);
	if (e < 0)
		return e;
	task_status_parse(buf_span(&r->scratch), &d->task);
	process_status_parse(buf_span(&r->scratch), &d->status);
	d->task.pid = d->pid;
	struct span comm = read_small(r, "comm", &e); /* of a kernel worker it says what it works on */
	if (e == 0)
		span_copy(comm, d->comm, sizeof d->comm);
	else
		snprintf(d->comm, sizeof d->comm, "%s", d->task.comm);
	return r->error;
}

static int read_identity(struct detail_reader *r)
{
	struct process_detail *d = r->d;

	read_text(r, "cmdline", true, &d->command);
	read_text(r, "exe", false, &d->exe);
	read_text(r, "cwd", false, &d->cwd);
	read_text(r, "root", false, &d->root);
	tty_name(d->stat.tty_major, d->stat.tty_minor, d->terminal, sizeof d->terminal);
	d->login_uid = read_number(r, "loginuid");
	if (d->login_uid == UINT32_MAX) /* -1: nobody logged in */
		d->login_uid = READING_ABSENT;
	return r->error;
}

void detail_comm(struct detail_reader *r, int pid, char *ret, size_t size)
{
	char path[40];

	*ret = '\0';
	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	if (host_read(r->h, path, &r->scratch) == 0)
		span_copy(span_trim(buf_span(&r->scratch)), ret, size);
}

/* ---- state ---- */

static void read_syscall_target(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	const struct syscall_words *words = syscall_words(d->task.syscall);
	char path[32];

	d->syscall_fd = READING_ABSENT;
	if (!(d->task.flags & TASK_HAS_SYSCALL) || !words || !words->of_fd || d->task.argument[0] > INT32_MAX)
		return;
	d->syscall_fd = d->task.argument[0];
	snprintf(path, sizeof path, "fd/%u", (unsigned)d->syscall_fd);
	read_text(r, path, false, &d->syscall_target);
}

static int read_state(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	struct span wchan = read_small(r, "wchan", NULL);

	span_copy(span_is(wchan, "0") ? SPAN("") : wchan, d->wchan, sizeof d->wchan);
	d->wait_error = 0;
	if (!(d->task.flags & TASK_IS_KERNEL_THREAD)) /* of those the kernel tells zeros: call 0 */
		task_syscall_parse(read_small(r, "syscall", &d->wait_error), &d->task);
	read_syscall_target(r);
	buf_clear(&d->kernel_stack);
	int e = task_kernel_stack(r->h, d->pid, d->pid, &d->kernel_stack);
	if (fatal(e))
		return e;
	detail_mutex(r, &d->task, &d->mutex);
	d->tracer_comm[0] = '\0';
	if (reading_or(d->status.tracer, 0))
		detail_comm(r, (int)d->status.tracer, d->tracer_comm, sizeof d->tracer_comm);
	d->mutex_owner_comm[0] = '\0';
	if (d->mutex.owner_tid)
		detail_comm(r, d->mutex.owner_tid, d->mutex_owner_comm, sizeof d->mutex_owner_comm);
	return r->error;
}

void detail_mutex(struct detail_reader *r, const struct task *t, struct mutex_wait *ret)
{
	*ret = (struct mutex_wait){ 0 };
	if (mutex_wait_suspected(t) && mutex_wait_read(r->h, &r->scratch, t, ret) < 0)
		*ret = (struct mutex_wait){ 0 };
}

/* ---- descriptors ---- */

static int collect_sockets(struct process_detail *d)
{
	d->sockets.n = 0;
	vec_each(f, &d->fds.fds) {
		if (f->kind != FD_SOCKET)
			continue;
		struct process_socket *s = vec_push(&d->sockets);
		if (!s)
			return -ENOMEM;
		*s = (struct process_socket){ .inode = f->inode, .receive_queue = READING_ABSENT,
					      .send_queue = READING_ABSENT };
	}
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* By inode; of one inode the nearest pid first. */
static int compare_holders(const void *a, const void *b, void *pid)
{
	const struct fd_holder *x = a, *y = b;
	int left = abs(x->pid - *(int32_t *)pid), right = abs(y->pid - *(int32_t *)pid);

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (left != right)
		return left < right ? -1 : 1;
	return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1) : (x->fd > y->fd) - (x->fd < y->fd);
}

/* Inodes of the other ends: a pipe's is its own. */
static int find_holders(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	VEC(uint64_t) wanted = { 0 };
	int e = 0;

	d->holders.n = 0;
	d->holders_complete = true;
	vec_each(f, &d->fds.fds) {
		const struct process_socket *s = f->kind == FD_SOCKET ? process_detail_socket(d, f) : NULL;
		uint64_t inode = f->kind == FD_PIPE ? f->inode : s ? s->peer_inode : 0;
		uint64_t *w = inode ? vec_push(&wanted) : NULL;

		if (inode && !w) {
			e = -ENOMEM;
			break;
		}
		if (w)
			*w = inode;
	}
	if (e == 0 && wanted.n) {
		qsort(wanted.v, wanted.n, sizeof *wanted.v, compare_u64);
		e = fd_holders_find(r->h, d->pid, wanted.v, wanted.n, &r->scratch, &d->holders, &d->holders_complete);
		if (e < 0 && e != -ENOMEM) {
			d->holders_complete = false;
			e = 0;
		}
	}
	if (d->holders.n)
		qsort_r(d->holders.v, d->holders.n, sizeof *d->holders.v, compare_holders, &d->pid);
	vec_free(&wanted);
	return e;
}

static int read_fds(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	int e = process_fds_read(&r->dir, d->pid, true, &r->scratch, &d->fds);

	if (e == 0)
		e = collect_sockets(d);
	if (e == 0 && d->sockets.n)
		e = process_sockets_read(&r->dir, d->pid, &r->scratch, &d->sockets);
	if (e == 0 && r->sections & PROCESS_PEERS)
		e = find_holders(r);
	return e;
}

const struct process_socket *process_detail_socket(const struct process_detail *d, const struct process_fd *fd)
{
	size_t low = 0, high = d->sockets.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->sockets.v[middle].inode == fd->inode)
			return fd->inode ? &d->sockets.v[middle] : NULL;
		if (d->sockets.v[middle].inode < fd->inode)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Those that hold the same end as we do are no answer; who has both is one. */
static bool other_end(const struct process_fd *fd, const struct fd_holder *h)
{
	return fd->access == 'u' || h->access == 'u' || fd->access != h->access;
}

static size_t first_holder(const struct process_detail *d, uint64_t inode)
{
	size_t low = 0, high = d->holders.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->holders.v[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct fd_holder *process_detail_peer(const struct process_detail *d, const struct process_fd *fd, size_t *at)
{
	const struct process_socket *s = fd->kind == FD_SOCKET ? process_detail_socket(d, fd) : NULL;
	uint64_t inode = fd->kind == FD_PIPE ? fd->inode : s ? s->peer_inode : 0;

	if (*at == 0)
		*at = first_holder(d, inode);
	for (; inode && *at < d->holders.n && d->holders.v[*at].inode == inode; ++*at) {
		const struct fd_holder *h = &d->holders.v[*at];

		if (fd->kind == FD_SOCKET || other_end(fd, h)) {
			++*at;
			return h;
		}
	}
	return NULL;
}

/* ---- limits ---- */

#define CAP_SYS_ADMIN_BIT (UINT64_C(1) << 21)
#define CAP_SYS_RESOURCE_BIT (UINT64_C(1) << 24)

static reading user_threads(struct detail_reader *r, uint64_t uid)
{
	user_threads_vec users = { 0 };
	int e = user_threads_read(r->h, &r->scratch, &users);
	reading count = e < 0 ? reading_from_errno(e) : READING_ABSENT;

	vec_each(u, &users)
		if (u->uid == uid)
			count = u->threads;
	vec_free(&users);
	return count;
}

static reading fd_count(struct detail_reader *r)
{
	const struct process_detail *d = r->d;
	uint64_t v;

	if (r->sections & PROCESS_FDS)
		return d->fds.error ? reading_from_errno(d->fds.error) : d->fds.fds.n + d->fds.skipped;
	int e = proc_dir_fd_count(&r->dir, d->pid, false, &r->scratch);
	if (e < 0)
		return reading_from_errno(e);
	return span_u64(span_trim(buf_span(&r->scratch)), &v) && reading_ok(v) ? v : READING_MALFORMED;
}

static int read_limits(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	reading *used = d->limit_used;
	int e;
	struct span text = read_small(r, "limits", &e);

	if (e < 0)
		process_limits_missing(reading_from_errno(e), &d->limits);
	else
		process_limits_parse(text, &d->limits);
	for (size_t i = 0; i < PROCESS_LIMIT_COUNT; i++)
		used[i] = READING_ABSENT;
	used[PROCESS_LIMIT_cpu] = reading_sum(d->task.user_ns, d->task.system_ns);
	used[PROCESS_LIMIT_data] = d->status.data_bytes;
	used[PROCESS_LIMIT_stack] = d->status.stack_bytes;
	used[PROCESS_LIMIT_memlock] = d->status.locked_bytes;
	used[PROCESS_LIMIT_as] = d->status.virtual_bytes;
	used[PROCESS_LIMIT_sigpending] = d->status.signals_queued;
	used[PROCESS_LIMIT_nofile] = fd_count(r);
	d->nproc_exempt = d->status.uid[0] == 0 ||
			  d->status.masks.effective & (CAP_SYS_ADMIN_BIT | CAP_SYS_RESOURCE_BIT);
	if (!d->nproc_exempt && reading_ok(d->status.uid[0]))
		used[PROCESS_LIMIT_nproc] = user_threads(r, d->status.uid[0]);
	return r->error;
}

double process_limit_used_pct(const struct process_detail *d, enum process_limit_kind kind)
{
	reading soft = d->limits.soft[kind], used = d->limit_used[kind];

	if (!reading_ok(soft) || !reading_ok(used) || soft >= PROCESS_UNLIMITED || soft == 0)
		return NAN;
	return 100.0 * (double)used / (double)soft;
}

/* ---- children ---- */

static int add_children(struct detail_reader *r, struct span pids)
{
	cleanup(buf_deinit) struct buf copy = { 0 };
	struct span rest, word;
	uint64_t pid;
	int parent, e = buf_append(&copy, pids.p, pids.n);

	rest = buf_span(&copy);
	while (e >= 0 && span_word(&rest, &word))
		if (span_u64(word, &pid) && pid <= INT32_MAX) {
			e = read_relative(r, (int)pid, &r->d->children, &parent);
			if (e != -ENOMEM)
				e = 0; /* one that has ended in the meantime */
		}
	return e;
}

/* Kernels without CONFIG_PROC_CHILDREN tell children by their parent alone. */
static int search_children(struct detail_reader *r)
{
	cleanup(buf_deinit) struct buf names = { 0 };
	struct span list, name;
	uint64_t pid;
	int e = host_list(r->h, "/proc", &names);

	list = buf_span(&names);
	while (e >= 0 && span_line(&list, &name)) {
		int parent = 0;

		if (!span_u64(name, &pid) || pid > INT32_MAX)
			continue;
		e = read_relative(r, (int)pid, &r->d->children, &parent);
		if (e == 0 && parent != r->d->pid)
			r->d->children.n--;
		if (e != -ENOMEM)
			e = 0;
	}
	return e;
}

static int read_children(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	char path[48];
	int e;

	d->children.n = 0;
	d->children_known = true;
	snprintf(path, sizeof path, "task/%d/children", d->pid);
	struct span text = read_small(r, path, &e);
	if (e == -ENOENT)
		return search_children(r);
	d->children_known = e == 0;
	if (e == 0)
		e = add_children(r, text);
	for (size_t i = 0; e == 0 && i < d->threads.n; i++) {
		int tid = d->threads.v[i].task.tid;

		if (tid == d->pid)
			continue;
		snprintf(path, sizeof path, "task/%d/children", tid);
		if (proc_dir_read(&r->dir, path, &r->scratch) == 0)
			e = add_children(r, buf_span(&r->scratch));
	}
	return e == -ENOMEM ? e : r->error;
}

/* ---- the rest ---- */

/* "net:[4026531840]" */
static uint64_t namespace_inode(struct span link)
{
	struct span before;
	uint64_t inode;

	if (!span_until(&link, '[', &before) || link.n < 2 || !span_u64((struct span){ link.p, link.n - 1 }, &inode))
		return 0;
	return inode;
}

static uint64_t namespace_of(struct detail_reader *r, const char *process, const char *name)
{
	char path[48];

	snprintf(path, sizeof path, "/proc/%s/ns/%s", process, name);
	return host_readlink(r->h, path, &r->scratch) == 0 ? namespace_inode(buf_span(&r->scratch)) : 0;
}

static int read_namespaces(struct detail_reader *r)
{
	static const char *const names[PROCESS_NAMESPACE_KINDS] = { "cgroup", "ipc", "mnt", "net",
								 "pid",	   "time", "user", "uts" };
	struct process_detail *d = r->d;

	d->nnamespaces = 0;
	d->namespaces_error = 0;
	for (size_t i = 0; i < PROCESS_NAMESPACE_KINDS; i++) {
		char path[16];

		snprintf(path, sizeof path, "ns/%s", names[i]);
		int e = proc_dir_readlink(&r->dir, path, &r->scratch);
		if (fatal(e))
			return e;
		if (e == -ENOENT) /* older kernels lack time and cgroup; of a zombie there are none */
			continue;
		if (e < 0 && d->namespaces_error == 0)
			d->namespaces_error = e;
		d->namespaces[d->nnamespaces++] = (struct process_namespace){
			.name = names[i],
			.inode = e == 0 ? namespace_inode(buf_span(&r->scratch)) : 0,
			.ours = namespace_of(r, "self", names[i]),
			.of_init = namespace_of(r, "1", names[i]),
		};
	}
	return 0;
}

static int read_cgroups(struct detail_reader *r)
{
	struct process_detail *d = r->d;

	d->cgroups.n = 0;
	d->cgroup.error = proc_dir_read(&r->dir, "cgroup", &d->cgroup.text);
	if (fatal(d->cgroup.error))
		return d->cgroup.error;
	return d->cgroup.error ? 0 : process_cgroups_read(r->h, buf_span(&d->cgroup.text), &r->scratch, &d->cgroups);
}

static int live_io_priority(struct host *h, const char *key, void *arg, struct buf *ret)
{
	long v = syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, *(int *)arg);

	(void)h, (void)key;
	return v < 0 ? -errno : buf_printf(ret, "%ld", v);
}

static int read_scheduling(struct detail_reader *r)
{
	struct process_detail *d = r->d;
	char key[32];
	int64_t adj;
	uint64_t v;
	int e;

	d->oom_score = read_number(r, "oom_score");
	struct span text = read_small(r, "oom_score_adj", &e);
	d->oom_score_adj = e < 0			     ? reading_from_errno(e) :
			   span_i64(text, &adj) && adj >= -1000 ? (reading)(adj + 1000) :
								   READING_MALFORMED;
	d->timer_slack_ns = read_number(r, "timerslack_ns");
	text = read_small(r, "autogroup", &e);
	span_copy(e == 0 ? text : SPAN(""), d->autogroup, sizeof d->autogroup);
	snprintf(key, sizeof key, "ioprio:%d", d->pid);
	e = host_fetch(r->h, key, live_io_priority, &d->pid, &r->scratch);
	d->io_priority = e < 0						? reading_from_errno(e) :
			 span_u64(buf_span(&r->scratch), &v) && v < 65536 ? v :
									    READING_MALFORMED;
	return r->error;
}

static int read_statm(struct detail_reader *r)
{
	int e;
	struct span text = read_small(r, "statm", &e);

	process_statm_parse(text, r->d->page_bytes, &r->d->statm);
	if (e < 0)
		r->d->statm.presence = presence_from_errno(e);
	return r->error;
}

static int read_memory(struct detail_reader *r)
{
	int e = read_statm(r);

	return e < 0 ? e : process_memory_read(&r->dir, &r->scratch, MEMORY_MS, &r->d->memory);
}

static int read_environment(struct detail_reader *r)
{
	read_text(r, "environ", true, &r->d->environment);
	return r->error;
}

/* ---- all of it ---- */

static int read_sections(struct detail_reader *r)
{
	static const struct {
		unsigned section;
		int (*read)(struct detail_reader *);
	} parts[] = {
		{ PROCESS_IDENTITY, read_ancestors },
		{ PROCESS_IDENTITY, read_identity },
		{ PROCESS_STATE, read_state },
		{ PROCESS_COUNTERS | PROCESS_THREADS | PROCESS_CHILDREN, detail_threads },
		{ PROCESS_COUNTERS, detail_totals },
		{ PROCESS_MEMORY, read_memory },
		{ PROCESS_FDS, read_fds },
		{ PROCESS_CHILDREN, read_children },
		{ PROCESS_LIMITS, read_limits },
		{ PROCESS_CGROUPS, read_cgroups },
		{ PROCESS_NAMESPACES, read_namespaces },
		{ PROCESS_SCHEDULING, read_scheduling },
		{ PROCESS_ENVIRONMENT, read_environment },
	};
	int e = 0;

	for (size_t i = 0; e == 0 && i < sizeof parts / sizeof parts[0]; i++)
		if (r->sections & parts[i].section)
			e = parts[i].read(r);
	return e;
}

/* The process that `asked` belongs to: it may be a thread of it. */
static int open_process(struct detail_reader *r, int asked)
{
	struct process_detail *d = r->d;
	int e = proc_dir_open(r->h, asked, 0, &r->dir);

	if (e < 0)
		return e;
	d->pid = d->asked = asked;
	e = read_basics(r);
	if (e < 0 || !reading_ok(d->status.thread_group) || d->status.thread_group == (reading)asked)
		return e;
	memcpy(d->asked_comm, d->task.comm, sizeof d->asked_comm);
	d->pid = (int32_t)d->status.thread_group;
	proc_dir_close(&r->dir);
	e = proc_dir_open(r->h, d->pid, 0, &r->dir);
	return e < 0 ? e : read_basics(r);
}

static bool is_gone(int e)
{
	return e == -ESRCH || e == -ENOENT;
}

/* Whether it is still there at the end: half a process is not shown. */
static int confirm(struct detail_reader *r)
{
	int e = proc_dir_read(&r->dir, "stat", &r->scratch);
	struct task t = { .syscall = -1 };

	if (is_gone(e))
		return -ESRCH;
	if (e < 0 || task_stat_parse(buf_span(&r->scratch), &t) < 0)
		return 0;
	bool died = (t.state == 'Z' || t.state == 'X') && t.threads == 1;
	return died && r->d->task.state != 'Z' && r->d->task.state != 'X' ? -ESRCH : 0;
}

static int read_open(struct detail_reader *r, uint64_t interval_ns)
{
	int e = interval_ns ? detail_interval(r, interval_ns) : 0;

	if (e == 0 && r->before.measured) /* time has passed: the state of now */
		e = read_basics(r);
	if (e == 0)
		e = read_sections(r);
	return e == 0 ? confirm(r) : e;
}

int process_detail_read(struct host *h, int pid, const struct process_detail_options *options,
			struct process_detail *ret, struct note *note)
{
	struct detail_reader r = { .h = h, .d = ret, .sections = options->sections, .dir = { .fd = -1 } };
	int e = open_process(&r, pid);

	if (is_gone(e)) {
		proc_dir_close(&r.dir);
		buf_deinit(&r.scratch);
		return note_set(note, -ESRCH, host_is_live(h) ? "there is no process %d" : "the capture holds no process %d",
				pid);
	}
	ret->sections = options->sections;
	ret->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	ret->interval_s = 0;
	if (e == 0)
		e = read_open(&r, options->interval_ns);
	ret->at = host_time(h);
	proc_dir_close(&r.dir);
	buf_deinit(&r.scratch);
	vec_free(&r.before.threads);
	if (is_gone(e))
		return note_set(note, -ESRCH, "process %d ended while it was read", ret->pid);
	return e < 0 ? note_set(note, e, "process %d: %s", ret->pid, strerror(-e)) : 0;
}

void process_detail_deinit(struct process_detail *d)
{
	struct process_text *texts[] = { &d->command, &d->exe, &d->cwd, &d->root, &d->cgroup, &d->environment,
					 &d->syscall_target };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		buf_deinit(&texts[i]->text);
	buf_deinit(&d->kernel_stack);
	vec_free(&d->ancestors);
	vec_free(&d->children);
	vec_free(&d->threads);
	vec_free(&d->sockets);
	vec_free(&d->holders);
	vec_free(&d->cgroups);
	process_fds_deinit(&d->fds);
	process_memory_deinit(&d->memory);
}
