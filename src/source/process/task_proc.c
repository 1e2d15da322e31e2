#include "source/process/task_proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "source/cgroup/cgroup.h"
#include "source/process/cpu_split.h"
#include "source/process/proc_dir.h"

#define LOOKS_BETWEEN_REREADS 8
#define NS_PER_TICK UINT64_C(10000000)
#define GONE 1 /* the task vanished: leave it out and go on */

/* What is kept of a task between two looks. */
struct known {
	struct task last;
	uint64_t print; /* of stat and schedstat: equal when the task has not run since */
	uint32_t look;	/* at which it was last seen */
	uint32_t reread_look; /* at which limits, cgroup and namespace are read again */
};

struct cgroup_inode {
	uint64_t inode;
};

struct task_proc {
	struct host *h;
	struct buf pids, tids, text, inode;
	VEC(struct known) known;
	struct map known_by_tid;
	task_vec threads; /* of the process at hand; [0] is the leader */
	VEC(uint64_t) prints; /* of threads */
	struct cgroup_mounts mounts;
	VEC(struct cgroup_inode) inodes; /* of this look */
	struct map inode_by_path;
	uint32_t look;
	unsigned needs; /* enum task_need */
	uint64_t page_bytes;
	bool fd_count_fast;
	bool schedstat_kept; /* the kernel keeps run-queue delays */
	reading delay_kept;  /* 1, 0, or absent: the sysctl does not exist */
};

static bool needed(const struct task_proc *p, enum task_need need)
{
	return p->needs & need;
}

void task_proc_needs(struct task_proc *p, unsigned needs)
{
	/* A capture is whole: who replays it may want more. */
	p->needs = host_is_textual(p->h) ? ~0u : needs;
}

static bool fd_count_is_fast(struct host *h)
{
	struct stat st;

	return host_is_live(h) && fstatat(host_root_fd(h), "proc/self/fd", &st, 0) == 0 && st.st_size > 0;
}

bool task_schedstat_kept(struct host *h, struct buf *scratch)
{
	struct task self;

	if (host_read(h, "/proc/self/schedstat", scratch) < 0)
		return true;
	task_schedstat_parse(buf_span(scratch), &self);
	return self.runs != 0;
}

static reading delay_is_kept(struct host *h, struct buf *scratch)
{
	uint64_t v;

	if (host_read(h, "/proc/sys/kernel/task_delayacct", scratch) < 0)
		return READING_ABSENT;
	return span_u64(span_trim(buf_span(scratch)), &v) ? v : READING_MALFORMED;
}

int task_proc_new(struct host *h, struct task_proc **ret)
{
	struct task_proc *p = calloc(1, sizeof *p);

	if (!p)
		return -ENOMEM;
	p->needs = ~0u;
	p->h = h;
	p->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	p->fd_count_fast = fd_count_is_fast(h);
	p->schedstat_kept = task_schedstat_kept(h, &p->text);
	p->delay_kept = delay_is_kept(h, &p->text);
	int r = cgroup_mounts_read(h, &p->text, &p->mounts);
	if (r == -ENOMEM) {
		task_proc_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void task_proc_free(struct task_proc *p)
{
	if (!p)
		return;
	buf_deinit(&p->pids);
	buf_deinit(&p->tids);
	buf_deinit(&p->text);
	buf_deinit(&p->inode);
	vec_free(&p->known);
	vec_free(&p->threads);
	vec_free(&p->prints);
	vec_free(&p->inodes);
	map_deinit(&p->known_by_tid);
	map_deinit(&p->inode_by_path);
	free(p);
}

static struct known *known_of(struct task_proc *p, const struct task *t)
{
	uint32_t at = map_get(&p->known_by_tid, (uint64_t)t->tid);

	if (at == MAP_NONE || p->known.v[at].last.start_ns != t->start_ns)
		return NULL;
	return &p->known.v[at];
}

/* Whether the task has not run since the last look, so that what only it can change is
 * as it was. A capture has every file at every look. */
static bool rests(const struct task_proc *p, const struct known *old, const struct task *t, uint64_t print)
{
	return old && old->print == print && t->state != 'R' && !host_is_textual(p->h);
}

static int remember(struct task_proc *p, const struct task *t, uint64_t print, bool reread)
{
	uint32_t at = map_get(&p->known_by_tid, (uint64_t)t->tid);
	struct known *k = at == MAP_NONE ? vec_push(&p->known) : &p->known.v[at];

	if (!k)
		return -ENOMEM;
	k->last = *t;
	k->print = print;
	k->look = p->look;
	if (reread) /* spread over the looks by pid */
		k->reread_look = p->look + LOOKS_BETWEEN_REREADS - (uint32_t)t->tid % (LOOKS_BETWEEN_REREADS / 2);
	return at == MAP_NONE ? map_set(&p->known_by_tid, (uint64_t)t->tid, (uint32_t)(p->known.n - 1)) : 0;
}

/* Tasks that were not seen at this look are gone. */
static int forget_gone(struct task_proc *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->known.n; i++)
		if (p->known.v[i].look == p->look)
			p->known.v[kept++] = p->known.v[i];
	if (kept == p->known.n)
		return 0;
	p->known.n = kept;
	map_clear(&p->known_by_tid);
	for (size_t i = 0; i < kept; i++) {
		int r = map_set(&p->known_by_tid, (uint64_t)p->known.v[i].last.tid, (uint32_t)i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether a file that could not be read means that the task is gone. A task that dies
 * makes its files vanish, just as a kernel does that lacks them: `doubt` asks for a
 * second look at stat. */
static int vanished(int r, bool *doubt)
{
	if (r == -ESRCH)
		return GONE;
	if (r == -ENOENT)
		*doubt = true;
	return r == -ENOMEM ? r : 0;
}

static reading kept_delay(const struct task_proc *p, reading ns)
{
	if (p->delay_kept == 0)
		return READING_ABSENT;
	return !reading_ok(p->delay_kept) && ns == 0 ? READING_ABSENT : ns;
}

/* stat and schedstat: who the task is, and whether it has run. */
static int read_pulse(struct task_proc *p, struct proc_dir *d, struct task *ret, uint64_t *ret_print)
{
	bool doubt = false;
	int r = proc_dir_read(d, "stat", &p->text);

	if (r < 0)
		return r == -ENOMEM ? r : GONE;
	if (task_stat_parse(buf_span(&p->text), ret) < 0)
		return GONE; /* no telling who this is */
	ret->block_delay_ns = kept_delay(p, ret->block_delay_ns);
	*ret_print = map_hash(p->text.data, p->text.n);
	r = proc_dir_read(d, "schedstat", &p->text);
	if (r < 0) {
		ret->run_ns = ret->wait_ns = ret->runs = reading_from_errno(r);
		*ret_print ^= (uint64_t)p->look << 32; /* whether it ran is not known */
		return vanished(r, &doubt);
	}
	task_schedstat_parse(buf_span(&p->text), ret);
	if (!p->schedstat_kept) {
		ret->run_ns = ret->wait_ns = ret->runs = READING_ABSENT;
		ret->flags &= (uint8_t)~TASK_HAS_WAIT_NS;
	}
	*ret_print ^= map_hash(p->text.data, p->text.n) * UINT64_C(0x9e3779b97f4a7c15);
	return 0;
}

static int read_status(struct task_proc *p, struct proc_dir *d, struct task *ret, bool *doubt)
{
	if (ret->flags & TASK_IS_KERNEL_THREAD && !needed(p, TASK_NEED_SWITCHES)) {
		ret->uid = 0;
		return 0;
	}
	int r = proc_dir_read(d, "status", &p->text);

	if (r < 0) {
		ret->voluntary_switches = ret->involuntary_switches = reading_from_errno(r);
		return vanished(r, doubt);
	}
	task_status_parse(buf_span(&p->text), ret);
	/* Before 4.5 status has no RssAnon. */
	if (!reading_ok(ret->virtual_bytes) || reading_ok(ret->anon_bytes))
		return 0;
	r = proc_dir_read(d, "statm", &p->text);
	if (r == 0)
		task_statm_parse(buf_span(&p->text), p->page_bytes, ret);
	return 0;
}

static int read_io(struct task_proc *p, struct proc_dir *d, struct task *ret, bool *doubt)
{
	int r = needed(p, TASK_NEED_IO) ? proc_dir_read(d, "io", &p->text) : -ENOENT;

	if (r == 0) {
		task_io_parse(buf_span(&p->text), ret);
		return 0;
	}
	ret->read_bytes = ret->write_bytes = reading_from_errno(r);
	return needed(p, TASK_NEED_IO) ? vanished(r, doubt) : 0;
}

/* Where the kernel waits for disks: callers of io_schedule, as wchan names them. */
static bool waits_for_disk(struct span wchan)
{
	static const char *const places[] = {
		"folio_wait_bit_common", "wait_on_page_bit_common", "__lock_page", "__folio_lock",
		"folio_wait_bit", "blk_io_schedule", "blk_mq_get_tag", "rq_qos_wait", "wbt_wait",
		"submit_bio_wait", "blk_execute_rq", "__wait_on_buffer", "wait_on_buffer",
		"swap_readpage", "swap_read_folio", "__iomap_dio_rw", "iomap_dio_rw",
		"__blockdev_direct_IO", "do_blockdev_direct_IO", "__blkdev_direct_IO",
		"__blkdev_direct_IO_simple", "blkdev_direct_IO", "balance_dirty_pages",
		"balance_dirty_pages_ratelimited", "balance_dirty_pages_ratelimited_flags",
		"do_get_write_access", "mempool_alloc", "io_schedule", "bit_wait_io",
		"wait_for_completion_io", "blkdev_issue_flush", "do_read_cache_folio",
	};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (span_is(wchan, places[i]))
			return true;
	return false;
}

/* What a blocked task waits in. */
static int read_wait(struct task_proc *p, struct proc_dir *d, bool several, struct task *ret, bool *doubt)
{
	bool kernel_thread = ret->flags & TASK_IS_KERNEL_THREAD;

	if (!needed(p, TASK_NEED_WAITS))
		return 0;
	if (!kernel_thread && (ret->state == 'D' || (ret->state == 'S' && several))) {
		int r = proc_dir_read(d, "syscall", &p->text);
		if (r == 0)
			task_syscall_parse(buf_span(&p->text), ret);
		else if ((r = vanished(r, doubt)) != 0)
			return r;
	}
	if (ret->state == 'D' && proc_dir_read(d, "wchan", &p->text) == 0 &&
	    waits_for_disk(span_trim(buf_span(&p->text))))
		ret->flags |= TASK_IN_IOWAIT;
	return 0;
}

static int live_inode(struct host *h, const char *key, void *path, struct buf *ret)
{
	const char *below = path;
	struct stat st;

	(void)key;
	while (*below == '/')
		below++;
	if (fstatat(host_root_fd(h), below, &st, 0) < 0)
		return -errno;
	return buf_printf(ret, "%llu", (unsigned long long)st.st_ino);
}

/* 0: unknown. */
static uint64_t inode_of(struct task_proc *p, const char *path)
{
	uint64_t hash = map_hash(path, strlen(path)), inode = 0;
	uint32_t at = map_get(&p->inode_by_path, hash);
	char key[512];

	if (at != MAP_NONE)
		return p->inodes.v[at].inode;
	snprintf(key, sizeof key, "inode:%s", path);
	if (host_fetch(p->h, key, live_inode, (void *)(uintptr_t)path, &p->inode) < 0 ||
	    !span_u64(span_trim(buf_span(&p->inode)), &inode))
		inode = 0;
	struct cgroup_inode *kept = vec_push(&p->inodes);
	if (kept) {
		kept->inode = inode;
		if (map_set(&p->inode_by_path, hash, (uint32_t)(p->inodes.n - 1)) < 0)
			p->inodes.n--;
	}
	return inode;
}

/* A v1 tree that has the controller, else the v2 tree. */
static const struct cgroup_mount *mount_of(const struct cgroup_mounts *mounts, unsigned controller)
{
	const struct cgroup_mount *v2 = NULL;

	for (size_t i = 0; i < mounts->n; i++) {
		if (mounts->v[i].v2)
			v2 = &mounts->v[i];
		else if (mounts->v[i].controllers & controller)
			return &mounts->v[i];
	}
	return v2;
}

static int read_cgroups(struct task_proc *p, struct proc_dir *d, struct task *ret, bool *doubt)
{
	static const enum cgroup_controller controllers[TASK_CGROUP_COUNT] = {
		[TASK_CGROUP_CPU] = CGROUP_CPU,
		[TASK_CGROUP_MEMORY] = CGROUP_MEMORY,
		[TASK_CGROUP_IO] = CGROUP_IO,
		[TASK_CGROUP_PIDS] = CGROUP_PIDS,
	};
	char below[256], path[sizeof below + sizeof p->mounts.v[0].path];
	int r = proc_dir_read(d, "cgroup", &p->text);

	if (r < 0)
		return vanished(r, doubt);
	for (size_t i = 0; i < TASK_CGROUP_COUNT; i++) {
		const struct cgroup_mount *mount = mount_of(&p->mounts, controllers[i]);

		ret->cgroup[i] = 0;
		if (!mount || cgroup_of_task_parse(buf_span(&p->text), controllers[i], below, sizeof below) < 0)
			continue;
		snprintf(path, sizeof path, "%s%s", mount->path, strcmp(below, "/") == 0 ? "" : below);
		ret->cgroup[i] = inode_of(p, path);
	}
	return 0;
}

/* "net:[4026531840]" */
static uint64_t namespace_parse(struct span text)
{
	struct span before, digits;
	uint64_t v;

	if (!span_until(&text, '[', &before) || !span_until(&text, ']', &digits))
		return 0;
	return span_u64(digits, &v) ? v : 0;
}

/* What a process keeps for long, and others may change. */
static int read_surroundings(struct task_proc *p, struct proc_dir *d, struct task *ret, bool *doubt)
{
	int r = needed(p, TASK_NEED_CGROUPS) ? read_cgroups(p, d, ret, doubt) : 0;

	if (r != 0 || ret->flags & TASK_IS_KERNEL_THREAD)
		return r;
	if (needed(p, TASK_NEED_NET_NS) && proc_dir_readlink(d, "ns/net", &p->text) == 0)
		ret->net_ns = namespace_parse(buf_span(&p->text));
	if (!needed(p, TASK_NEED_FDS))
		return 0;
	r = proc_dir_read(d, "limits", &p->text);
	if (r == 0) {
		task_limits_parse(buf_span(&p->text), ret);
		return 0;
	}
	ret->fd_limit = reading_from_errno(r);
	return vanished(r, doubt);
}

static void keep_surroundings(const struct task *from, struct task *ret)
{
	memcpy(ret->cgroup, from->cgroup, sizeof ret->cgroup);
	ret->net_ns = from->net_ns;
	ret->fd_limit = from->fd_limit;
}

static int read_fd_count(struct task_proc *p, struct proc_dir *d, struct task *ret, bool *doubt)
{
	uint64_t v;

	if (ret->flags & TASK_IS_KERNEL_THREAD || ret->state == 'Z' || !needed(p, TASK_NEED_FDS))
		return 0;
	int r = proc_dir_fd_count(d, ret->pid, p->fd_count_fast, &p->text);
	if (r == 0) {
		ret->fd_count = span_u64(span_trim(buf_span(&p->text)), &v) ? v : READING_MALFORMED;
		return 0;
	}
	ret->fd_count = reading_from_errno(r);
	return vanished(r, doubt);
}

/* /proc/PID counts the dead threads with the live ones, so the dead are what is left.
 * Threads run on while we read: such a rest would waver, so it only ever grows. */
static reading rest(reading whole, reading live, reading before)
{
	if (!reading_ok(whole) || !reading_ok(live))
		return reading_ok(whole) ? live : whole;
	uint64_t left = whole > live ? whole - live : 0;
	return reading_ok(before) && before > left ? before : left;
}

static reading less(reading whole, reading part)
{
	return reading_ok(whole) && reading_ok(part) ? (whole > part ? whole - part : 0) : whole;
}

/* What threads did, summed. */
struct sums {
	reading user_ns, system_ns, run_ns, minor_faults, major_faults, read_bytes, write_bytes;
	uint64_t threads;
};

static struct sums sums_of(const struct task *t)
{
	return (struct sums){ t->user_ns, t->system_ns, t->run_ns, t->minor_faults, t->major_faults,
			      t->read_bytes, t->write_bytes, 1 };
}

static void add(const struct task *t, struct sums *to)
{
	to->user_ns = reading_sum(to->user_ns, t->user_ns);
	to->system_ns = reading_sum(to->system_ns, t->system_ns);
	to->run_ns = reading_sum(to->run_ns, t->run_ns);
	to->minor_faults = reading_sum(to->minor_faults, t->minor_faults);
	to->major_faults = reading_sum(to->major_faults, t->major_faults);
	to->read_bytes = reading_sum(to->read_bytes, t->read_bytes);
	to->write_bytes = reading_sum(to->write_bytes, t->write_bytes);
	to->threads++;
}

/* CPU time of the dead: the process's, in steps, less what its live threads had exactly. A
 * rest that the steps alone may leave is none. */
static void set_dead_cpu(const struct sums *whole, const struct sums *live, const struct task *before, struct task *ret)
{
	struct cpu_split dead = { reading_or(before->dead_user_ns, 0), reading_or(before->dead_system_ns, 0) };
	bool exact = reading_ok(live->run_ns);
	reading cpu = reading_sum(whole->user_ns, whole->system_ns);
	reading lived = exact ? live->run_ns : reading_sum(live->user_ns, live->system_ns);
	reading left = less(cpu, lived);
	uint64_t steps = 2 * NS_PER_TICK * (exact ? 1 : 1 + live->threads);

	if (!reading_ok(left)) {
		ret->dead_user_ns = ret->dead_system_ns = left;
		return;
	}
	if (left > steps)
		cpu_split_scale(less(whole->user_ns, live->user_ns), less(whole->system_ns, live->system_ns), left,
				&dead);
	ret->dead_user_ns = dead.user_ns;
	ret->dead_system_ns = dead.system_ns;
}

static void set_dead(const struct sums *whole, const struct sums *live, const struct known *old, struct task *ret)
{
	struct task none;

	task_missing(READING_ABSENT, &none);
	const struct task *before = old ? &old->last : &none;
	set_dead_cpu(whole, live, before, ret);
	ret->dead_minor_faults = rest(whole->minor_faults, live->minor_faults, before->dead_minor_faults);
	ret->dead_major_faults = rest(whole->major_faults, live->major_faults, before->dead_major_faults);
	ret->dead_read_bytes = rest(whole->read_bytes, live->read_bytes, before->dead_read_bytes);
	ret->dead_write_bytes = rest(whole->write_bytes, live->write_bytes, before->dead_write_bytes);
}

static void set_own(const struct task *own, struct task *leader)
{
	leader->user_ns = own->user_ns;
	leader->system_ns = own->system_ns;
	leader->minor_faults = own->minor_faults;
	leader->major_faults = own->major_faults;
	leader->read_bytes = own->read_bytes;
	leader->write_bytes = own->write_bytes;
	leader->block_delay_ns = own->block_delay_ns;
}

static void not_below(reading before, reading *now)
{
	if (reading_ok(before) && reading_ok(*now) && *now < before)
		*now = before;
}

/* Scales the parts of CPU time to the whole, which schedstat tells exactly. The leader's
 * faults were the whole's while it seemed alone: short-lived threads may have been counted
 * with it, and a counter does not take that back. */
static void grow(const struct known *old, struct task *t)
{
	struct cpu_split own = { 0 };

	if (old) {
		own = (struct cpu_split){ reading_or(old->last.user_ns, 0), reading_or(old->last.system_ns, 0) };
		not_below(old->last.minor_faults, &t->minor_faults);
		not_below(old->last.major_faults, &t->major_faults);
	}
	if (!reading_ok(t->run_ns) || !reading_ok(t->user_ns) || !reading_ok(t->system_ns))
		return;
	cpu_split_scale(t->user_ns, t->system_ns, t->run_ns, &own);
	t->user_ns = own.user_ns;
	t->system_ns = own.system_ns;
}

/* A process that had one thread at the last look and has one now: what its dead threads
 * did is as it was, unless the process used clearly more CPU than its one thread. The
 * kernel counts the I/O of children that were waited for with the dead's: I/O tells
 * nothing about the thread. */
static bool own_follows(const struct task_proc *p, const struct known *old, const struct task *whole)
{
	const uint64_t slack_ns = 50000000;

	if (!old || old->last.threads != 1 || whole->threads != 1 || !reading_ok(whole->run_ns) ||
	    host_is_textual(p->h))
		return false;
	if (whole->read_bytes != reading_sum(old->last.read_bytes, old->last.dead_read_bytes) ||
	    whole->write_bytes != reading_sum(old->last.write_bytes, old->last.dead_write_bytes))
		return false;
	uint64_t cpu = reading_or(whole->user_ns, 0) + reading_or(whole->system_ns, 0);
	uint64_t dead = reading_or(old->last.dead_user_ns, 0) + reading_or(old->last.dead_system_ns, 0);
	return cpu <= dead + whole->run_ns + slack_ns;
}

static void follow_own(const struct task *before, struct task *t)
{
	t->dead_user_ns = before->dead_user_ns;
	t->dead_system_ns = before->dead_system_ns;
	t->dead_minor_faults = before->dead_minor_faults;
	t->dead_major_faults = before->dead_major_faults;
	t->dead_read_bytes = before->dead_read_bytes;
	t->dead_write_bytes = before->dead_write_bytes;
	t->user_ns = less(t->user_ns, t->dead_user_ns);
	t->system_ns = less(t->system_ns, t->dead_system_ns);
	t->minor_faults = less(t->minor_faults, t->dead_minor_faults);
	t->major_faults = less(t->major_faults, t->dead_major_faults);
	t->read_bytes = before->read_bytes;
	t->write_bytes = before->write_bytes;
}

static void clear_process_part(const struct task *leader, struct task *t)
{
	for (size_t at = offsetof(struct task, threads); at < offsetof(struct task, cgroup); at += sizeof(reading))
		*(reading *)(void *)((char *)t + at) = READING_ABSENT;
	t->pid = leader->pid;
	t->tty = 0;
	memcpy(t->cgroup, leader->cgroup, sizeof t->cgroup);
	t->net_ns = leader->net_ns;
}

/* One thread beside the leader, or the leader's own part of the sums. */
static int read_thread(struct task_proc *p, const struct task *leader, int tid, struct task *ret, uint64_t *ret_print)
{
	bool doubt = false;
	struct proc_dir d;
	int r = proc_dir_open(p->h, leader->pid, tid, &d);

	if (r < 0)
		return r == -ENOENT || r == -ESRCH ? GONE : r;
	task_missing(READING_ABSENT, ret);
	r = read_pulse(p, &d, ret, ret_print);
	const struct known *old = r == 0 && tid != leader->pid ? known_of(p, ret) : NULL;
	if (rests(p, old, ret, *ret_print)) {
		*ret = old->last;
	} else {
		if (r == 0 && tid != leader->pid)
			r = read_status(p, &d, ret, &doubt);
		if (r == 0)
			r = read_io(p, &d, ret, &doubt);
		if (r == 0 && tid != leader->pid)
			r = read_wait(p, &d, true, ret, &doubt);
		if (r == 0 && doubt && proc_dir_read(&d, "stat", &p->text) < 0)
			r = GONE;
		if (r == 0 && tid != leader->pid)
			grow(old, ret);
	}
	proc_dir_close(&d);
	clear_process_part(leader, ret);
	return r;
}

static int push_thread(struct task_proc *p, const struct task *t, uint64_t print)
{
	struct task *thread = vec_push(&p->threads);
	uint64_t *kept = vec_push(&p->prints);

	if (!thread || !kept)
		return -ENOMEM;
	*thread = *t;
	*kept = print;
	return 0;
}

/* Adds the threads behind the leader and splits the sums of the process among them. */
static int read_threads(struct task_proc *p, struct proc_dir *d, const struct known *old)
{
	struct task *leader = &p->threads.v[0], own = *leader, t;
	struct sums whole = sums_of(leader), live = { .threads = 0 };
	struct span tids, line;
	uint64_t tid, print;
	int r = proc_dir_list(d, "task", &p->tids);

	if (r < 0)
		return r == -ENOENT || r == -ESRCH ? GONE : r;
	tids = buf_span(&p->tids);
	while (span_line(&tids, &line)) {
		if (!span_u64(line, &tid) || tid == 0 || tid > INT32_MAX)
			continue;
		r = read_thread(p, &p->threads.v[0], (int)tid, &t, &print);
		if (r < 0)
			return r;
		if (r == GONE)
			continue;
		add(&t, &live);
		if (t.tid == t.pid)
			own = t;
		else if ((r = push_thread(p, &t, print)) < 0)
			return r;
	}
	leader = &p->threads.v[0];
	set_own(&own, leader);
	set_dead(&whole, &live, old, leader);
	return 0;
}

static int read_own(struct task_proc *p, const struct known *old)
{
	struct task *leader = &p->threads.v[0], own;
	uint64_t print;

	if (own_follows(p, old, leader)) {
		follow_own(&old->last, leader);
		return 0;
	}
	int r = read_thread(p, leader, leader->pid, &own, &print);
	if (r != 0)
		return r;
	struct sums whole = sums_of(leader), live = sums_of(&own);
	set_own(&own, leader);
	set_dead(&whole, &live, old, leader);
	return 0;
}

static int read_leader(struct task_proc *p, struct proc_dir *d, const struct known *old, bool reread, struct task *t)
{
	bool doubt = false;
	int r = read_status(p, d, t, &doubt);

	if (r == 0)
		r = read_io(p, d, t, &doubt);
	if (r == 0)
		r = read_fd_count(p, d, t, &doubt);
	if (r == 0)
		r = read_wait(p, d, t->threads > 1, t, &doubt);
	if (r == 0 && reread)
		r = read_surroundings(p, d, t, &doubt);
	else if (!reread)
		keep_surroundings(&old->last, t);
	if (r == 0 && doubt && proc_dir_read(d, "stat", &p->text) < 0)
		r = GONE;
	return r;
}

static int read_process_at(struct task_proc *p, struct proc_dir *d, int pid)
{
	uint64_t print = 0;
	struct task t;

	task_missing(READING_ABSENT, &t);
	int r = read_pulse(p, d, &t, &print);
	if (r != 0)
		return r;
	t.pid = pid;
	t.flags |= TASK_IS_LEADER;
	const struct known *old = known_of(p, &t);
	bool reread = !old || p->look >= old->reread_look || host_is_textual(p->h);
	bool idle = !reread && t.threads == 1 && rests(p, old, &t, print);

	if (idle)
		t = old->last;
	else
		r = read_leader(p, d, old, reread, &t);
	if (r == 0)
		r = push_thread(p, &t, print);
	bool parts = !idle && (t.threads > 1 || needed(p, TASK_NEED_THREADS));
	if (r == 0 && parts)
		r = t.threads > 1 ? read_threads(p, d, old) : read_own(p, old);
	if (r == 0 && parts)
		grow(old, &p->threads.v[0]);
	if (r == 0) /* the leader first: it alone is read again now and then */
		r = remember(p, &p->threads.v[0], print, reread);
	return r;
}

static int read_process(struct task_proc *p, int pid)
{
	struct proc_dir d;
	int r = proc_dir_open(p->h, pid, 0, &d);

	p->threads.n = p->prints.n = 0;
	if (r < 0) /* without a descriptor nothing can be read at all */
		return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? r : GONE;
	r = read_process_at(p, &d, pid);
	proc_dir_close(&d);
	for (size_t i = 1; r == 0 && i < p->threads.n; i++)
		r = remember(p, &p->threads.v[i], p->prints.v[i], false);
	return r;
}

static int hand_out(const struct task_proc *p, int (*each)(const struct task *t, void *arg), void *arg)
{
	for (size_t i = 0; i < p->threads.n; i++) {
		int r = each(&p->threads.v[i], arg);
		if (r < 0)
			return r;
	}
	return 0;
}

int task_proc_each(struct task_proc *p, int (*each)(const struct task *t, void *arg), void *arg)
{
	struct span pids, line;
	uint64_t pid;
	int r = host_list(p->h, "/proc", &p->pids);

	if (r < 0)
		return r;
	p->look++;
	p->inodes.n = 0;
	map_clear(&p->inode_by_path);
	pids = buf_span(&p->pids);
	while (span_line(&pids, &line)) {
		if (!span_u64(line, &pid) || pid == 0 || pid > INT32_MAX)
			continue;
		r = read_process(p, (int)pid);
		if (r == GONE)
			continue;
		if (r == 0)
			r = hand_out(p, each, arg);
		if (r < 0)
			return r;
	}
	return forget_gone(p);
}
