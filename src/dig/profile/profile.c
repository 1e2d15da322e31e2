#include "dig/profile/profile.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dig/profile/profile_bpf.bpf.h"
#include "dig/profile/profile_name.h"
#include "dig/profile/profile_space.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/profile/profile_bpf.skel.h"
#pragma GCC diagnostic pop

#define FIRST_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO */
enum { ONLY_TARGETS = 1, ONLY_CGROUP = 2 }; /* as in profile_bpf.bpf.c */

struct profile {
	struct profile_options o;
	BPF_PROGRAMS(profile_bpf) bpf;
	struct ring_buffer *ring;
	VEC(int) events;
	struct profile_spaces *spaces;
	profile_stack_vec stacks;
	struct map stack_of_id;
	VEC(int) wishes;
	uint64_t started_ns, started_real_ns, bytes_moved;
	size_t sent;   /* stacks since there was room for all */
	uint64_t lost; /* counts of stacks that never came */
	int error; /* of the ring's callback */
};

static const struct profile_event events[] = {
	{ "cpu-clock", "time on a CPU, by the clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, true, "the CPU time" },
	{ "cycles", "CPU cycles (needs a PMU)", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, false, "the CPU cycles" },
	{ "instructions", "instructions (needs a PMU)", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, false,
	  "the instructions" },
	{ "cache-misses", "last-level cache misses (needs a PMU)", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, false,
	  "the cache misses" },
	{ "branch-misses", "mispredicted branches (needs a PMU)", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES, false,
	  "the branch misses" },
	{ "page-faults", "page faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, false, "the page faults" },
};

const struct profile_event *profile_event_at(size_t i)
{
	return i < sizeof events / sizeof events[0] ? &events[i] : NULL;
}

/* ---- what comes in ---- */

static int remember(struct profile *p, const struct profile_stack *s)
{
	uint32_t known = map_get(&p->stack_of_id, s->id.a | 1);

	/* Its count was read out before, and it came again. */
	if (known != MAP_NONE && p->stacks.v[known].id_b == s->id.b)
		return 0;
	struct profile_kept_stack *k = vec_push(&p->stacks);
	if (!k)
		return -ENOMEM;
	if (profile_stack_keep(k, s) < 0 || map_set(&p->stack_of_id, s->id.a | 1, (uint32_t)(p->stacks.n - 1)) < 0) {
		p->stacks.n--;
		return -ENOMEM;
	}
	return 0;
}

static int on_record(void *arg, void *data, size_t size)
{
	struct profile *p = arg;
	const struct profile_stack *s = data;
	const struct profile_wish *w = data;

	if (size >= sizeof *w && w->kind == PROFILE_WISH) {
		int *slot = vec_push(&p->wishes);
		if (slot)
			*slot = (int)w->tgid;
	} else if (size >= offsetof(struct profile_stack, pc) && s->kind == PROFILE_STACK &&
		   size >= offsetof(struct profile_stack, pc) + (size_t)(s->nkernel + s->nuser) * sizeof s->pc[0]) {
		p->bytes_moved += size;
		p->sent++;
		int r = remember(p, s);
		p->error = p->error ? p->error : r;
	}
	return 0;
}

static void grant_wishes(struct profile *p)
{
	/* One that has ended is not there to be read: its samples stay unnamed, and are counted. */
	vec_each(pid, &p->wishes)
		(void)!profile_spaces_load(p->spaces, *pid, NULL);
	p->wishes.n = 0;
}

static void count_stack(struct profile *p, const struct profile_id *id, uint64_t count, uint64_t *lost)
{
	uint32_t known = map_get(&p->stack_of_id, id->a | 1);

	p->bytes_moved += sizeof *id + sizeof count;
	if (known == MAP_NONE || p->stacks.v[known].id_b != id->b)
		*lost += count;
	else
		p->stacks.v[known].count += count;
}

/* Before the kernel's table is full: what is taken out is sent again when it comes again, and is known by then. */
static int make_room(struct profile *p)
{
	int map = BPF_MAP_FD(&p->bpf, stacks);
	struct profile_id id;
	uint64_t count;

	if (p->sent < PROFILE_STACKS / 4 * 3)
		return 0;
	for (uint32_t i = 0; i < PROFILE_STACKS && bpf_map_get_next_key(map, NULL, &id) == 0; i++) {
		if (bpf_map_lookup_and_delete_elem(map, &id, &count) < 0)
			return -errno;
		count_stack(p, &id, count, &p->lost);
	}
	p->sent = 0;
	return 0;
}

int profile_pump(struct profile *p, int timeout_ms)
{
	int r = ring_buffer__poll(p->ring, timeout_ms);

	/* Stacks come without waking anybody. */
	if (r >= 0)
		r = ring_buffer__consume(p->ring);
	grant_wishes(p);
	if (r >= 0)
		r = make_room(p);
	return r < 0 ? r : p->error;
}

/* ---- start ---- */

static int open_event(const struct profile_options *o, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof attr, .type = o->event->type, .config = o->event->config, .freq = 1,
		.sample_freq = o->rate_hz, .disabled = 1, .exclude_hv = 1,
	};

	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_events(struct profile *p, struct note *note)
{
	int ncpus = (int)sysconf(_SC_NPROCESSORS_CONF), last = -ENODEV;

	for (int cpu = 0; cpu < ncpus; cpu++) {
		int fd = open_event(&p->o, cpu);
		if (fd == -ENODEV) /* offline */
			continue;
		if (fd == -ENOENT || fd == -EOPNOTSUPP)
			return note_set(note, fd, "event %s: this machine has no such counter (no PMU, or a virtual machine "
					"without one); cpu-clock is everywhere", p->o.event->name);
		if (fd == -EACCES || fd == -EPERM)
			return note_set(note, fd, "event %s: needs root, or CAP_PERFMON", p->o.event->name);
		if (fd == -EINVAL)
			return note_set(note, fd, "event %s at %u Hz: refused; the limit is kernel.perf_event_max_sample_rate",
					p->o.event->name, p->o.rate_hz);
		if (fd < 0)
			return note_set(note, fd, "event %s: %s", p->o.event->name, strerror(-fd));
		int *slot = vec_push(&p->events);
		if (!slot) {
			close(fd);
			return -ENOMEM;
		}
		*slot = fd;
		last = 0;
		if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, BPF_PROGRAM_FD(&p->bpf, profile_sample)) < 0)
			return note_set(note, -errno, "event %s takes no BPF program: %s", p->o.event->name, strerror(errno));
	}
	return last;
}

static int find_cgroup(struct host *h, const char *directory, int *ret_hierarchy, uint64_t *ret_inode, struct note *note)
{
	cleanup(buf_deinit) struct buf mounts = { 0 }, groups = { 0 };
	struct stat s;
	int r = 0;

	if (stat(directory, &s) < 0)
		return note_set(note, -errno, "cgroup %s: %s", directory, strerror(errno));
	char real[PATH_MAX];
	if (!realpath(directory, real) || !S_ISDIR(s.st_mode))
		return note_set(note, -ENOTDIR, "cgroup %s: no directory", directory);
	if ((r = host_read(h, "/proc/self/mountinfo", &mounts)) < 0 || (r = host_read(h, "/proc/self/cgroup", &groups)) < 0)
		return note_set(note, r, "cgroup %s: %s", directory, strerror(-r));
	r = profile_cgroup_hierarchy(buf_span(&mounts), buf_span(&groups), real, ret_hierarchy);
	if (r < 0)
		return note_set(note, r, "cgroup %s: no directory of a control group with controllers", directory);
	*ret_inode = s.st_ino;
	return 0;
}

static int load(struct profile *p, struct host *h, struct note *note)
{
	struct stat ours;
	int hierarchy = 0;
	uint64_t inode = 0;
	int r = bpf_usable(h, note);

	if (r == 0 && p->o.cgroup)
		r = find_cgroup(h, p->o.cgroup, &hierarchy, &inode, note);
	if (r < 0)
		return r;
	if (stat("/proc/self/ns/pid", &ours) < 0)
		return note_set(note, -errno, "/proc/self/ns/pid: %s", strerror(errno));
	r = BPF_LOAD(profile_bpf, &p->bpf, ({
		rodata->filter = p->o.npids ? ONLY_TARGETS : p->o.cgroup ? ONLY_CGROUP : 0;
		rodata->reader_namespace = ours.st_ino == FIRST_PID_NAMESPACE ? 0 : (unsigned)ours.st_ino;
		rodata->cgroup_hierarchy = hierarchy;
		rodata->cgroup_inode = inode;
		rodata->by_thread = p->o.by == PROFILE_BY_THREAD;
		rodata->with_kernel = !p->o.no_kernel;
		rodata->with_user = !p->o.no_user;
		rodata->use_rows = !p->o.frame_pointers;
	}));
	return r < 0 ? bpf_load_failed(note, r, "profile (needs Linux 5.17)") : 0;
}

static int check_process(struct host *h, int pid, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	int r = host_read(h, path, &text);
	return r >= 0 ? 0 : note_set(note, r, r == -ENOENT || r == -ESRCH ? "there is no process %d" : "process %d cannot be read",
				     pid);
}

static int set_targets(struct profile *p, struct host *h, struct note *note)
{
	uint8_t one = 1;

	for (size_t i = 0; i < p->o.npids; i++) {
		uint32_t tgid = (uint32_t)p->o.pids[i];
		int r = check_process(h, p->o.pids[i], note);

		if (r < 0)
			return r;
		if (bpf_map_update_elem(BPF_MAP_FD(&p->bpf, targets), &tgid, &one, BPF_ANY) < 0)
			return note_set(note, -errno, "process %u: %s", tgid, strerror(errno));
		/* A kernel thread has no memory, and may be looked at all the same. */
		r = profile_spaces_load(p->spaces, (int)tgid, note);
		if (r < 0 && r != -ESRCH)
			return r;
	}
	return 0;
}

/* Of whole hosts and groups: look on for a while without counting, so that what runs is known. */
#define WARM_UP_NS (250 * NS_PER_MS)

static int warm_up(struct profile *p)
{
	uint64_t end = clock_mono_ns() + WARM_UP_NS;
	int r = 0;

	while (r >= 0 && p->o.npids == 0 && clock_mono_ns() < end)
		r = profile_pump(p, 10);
	return r < 0 ? r : 0;
}

static int enable(struct profile *p, struct note *note)
{
	vec_each(fd, &p->events)
		if (ioctl(*fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
			return note_set(note, -errno, "event %s: %s", p->o.event->name, strerror(errno));
	return 0;
}

int profile_start(struct host *h, const struct profile_options *o, struct profile **ret, struct note *note)
{
	struct profile *p = calloc(1, sizeof *p);
	int r = p ? 0 : -ENOMEM;

	if (r < 0)
		return note_set(note, r, "out of memory");
	p->o = *o;
	if (!p->o.event)
		p->o.event = &events[0];
	r = load(p, h, note);
	if (r == 0)
		r = profile_spaces_new(o->frame_pointers ? -1 : BPF_MAP_FD(&p->bpf, spaces), BPF_MAP_FD(&p->bpf, tables), &p->spaces);
	if (r == 0 && !(p->ring = ring_buffer__new(BPF_MAP_FD(&p->bpf, ring), on_record, p, NULL)))
		r = note_set(note, -ENOMEM, "ring buffer: out of memory");
	if (r == 0)
		r = set_targets(p, h, note);
	if (r == 0)
		r = open_events(p, note);
	if (r == 0)
		r = enable(p, note);
	if (r == 0)
		r = warm_up(p);
	if (r < 0) {
		profile_free(p);
		return r;
	}
	p->started_real_ns = clock_real_ns();
	p->started_ns = clock_mono_ns();
	BPF_GLOBAL(&p->bpf, counting) = 1;
	*ret = p;
	return 0;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	vec_each(fd, &p->events)
		close(*fd);
	vec_free(&p->events);
	ring_buffer__free(p->ring);
	if (BPF_LOADED(&p->bpf))
		BPF_UNLOAD(profile_bpf, &p->bpf);
	profile_spaces_free(p->spaces);
	vec_each(k, &p->stacks)
		free(k->pc);
	vec_free(&p->stacks);
	map_deinit(&p->stack_of_id);
	vec_free(&p->wishes);
	free(p);
}

/* ---- end ---- */

static int read_counts(struct profile *p, struct profile_counts *ret)
{
	int ncpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;

	if (ncpus < 0)
		return ncpus;
	struct profile_counts *all = calloc((size_t)ncpus, sizeof *all);
	if (!all)
		return -ENOMEM;
	int r = bpf_map_lookup_elem(BPF_MAP_FD(&p->bpf, counts), &zero, all) < 0 ? -errno : 0;
	*ret = (struct profile_counts){ 0 };
	for (int cpu = 0; r == 0 && cpu < ncpus; cpu++) {
		ret->samples += all[cpu].samples;
		ret->lost += all[cpu].lost;
		ret->idle += all[cpu].idle;
		ret->guessed += all[cpu].guessed;
		for (size_t i = 0; i < 6; i++)
			ret->ends[i] += all[cpu].ends[i];
	}
	free(all);
	return r;
}

uint64_t profile_samples(struct profile *p)
{
	struct profile_counts c;

	return read_counts(p, &c) < 0 ? 0 : c.samples;
}

/* Counts of all stacks that are still in the kernel. */
static void take_stacks(struct profile *p)
{
	struct profile_id id, previous, *from = NULL;
	int map = BPF_MAP_FD(&p->bpf, stacks);
	uint64_t count;

	while (bpf_map_get_next_key(map, from, &id) == 0) {
		if (bpf_map_lookup_elem(map, &id, &count) == 0)
			count_stack(p, &id, count, &p->lost);
		previous = id;
		from = &previous;
	}
}

static void fill_result(const struct profile *p, const struct profile_counts *c, struct profile_result *r)
{
	struct profile_spaces_statistics s;

	profile_spaces_statistics(p->spaces, &s);
	*r = (struct profile_result){
		.wall_ns = clock_mono_ns() - p->started_ns,
		.real_ns = p->started_real_ns,
		.period_ns = p->o.event->timed ? NS_PER_S / p->o.rate_hz : 0,
		.ncpus = (unsigned)p->events.n,
		.samples = c->samples, .lost = c->lost, .idle = c->idle, .guessed = c->guessed,
		.whole = c->ends[PROFILE_END_WHOLE], .none = c->ends[PROFILE_END_NONE],
		.unknown = c->ends[PROFILE_END_UNKNOWN], .no_rule = c->ends[PROFILE_END_NO_RULE],
		.no_memory = c->ends[PROFILE_END_NO_MEMORY], .full = c->ends[PROFILE_END_FULL],
		.processes = s.processes, .files = s.files, .rows = s.rows, .files_left_out = s.left_out,
	};
	r->early = r->unknown + r->no_rule + r->no_memory + r->full;
}

int profile_finish(struct profile *p, struct call_tree *ret, struct profile_result *ret_result)
{
	struct profile_result result;
	struct profile_counts c;

	BPF_GLOBAL(&p->bpf, counting) = 0;
	vec_each(fd, &p->events)
		(void)!ioctl(*fd, PERF_EVENT_IOC_DISABLE, 0);
	int r = read_counts(p, &c);
	fill_result(p, &c, &result);
	if (r == 0 && (r = ring_buffer__consume(p->ring)) > 0)
		r = 0;
	grant_wishes(p);
	if (r == 0)
		take_stacks(p);
	result.lost += p->lost;
	result.bytes_moved = p->bytes_moved;
	result.stacks = p->stacks.n;
	if (r == 0)
		r = profile_name_all(&p->o, p->spaces, &p->stacks, ret, &result);
	if (r == 0)
		*ret_result = result;
	return r < 0 ? r : 0;
}
