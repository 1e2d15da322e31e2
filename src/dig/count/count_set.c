#include "dig/count/count_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "dig/count/count_pmu.h"

#define ROUNDS 50

struct counted {
	struct note why; /* empty: it is counted, or was not tried */
	bool dead;	 /* no more tries */
	VEC(int) fds;
};

struct count_set {
	const struct count_event *events;
	size_t n;
	struct counted *counted;
	struct count_pmus pmus;
	bool only_user;
	size_t nfds;
};

int count_set_new(const struct count_event *events, size_t n, struct count_set **ret)
{
	struct count_set *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->events = events;
	s->n = n;
	s->counted = calloc(n, sizeof *s->counted);
	if (!s->counted) {
		free(s);
		return -ENOMEM;
	}
	count_pmus_read(&s->pmus);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	*ret = s;
	return 0;
}

void count_set_free(struct count_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		vec_each(fd, &s->counted[i].fds)
			close(*fd);
		vec_free(&s->counted[i].fds);
	}
	free(s->counted);
	free(s);
}

/* ---- opening ---- */

struct place {
	pid_t pid; /* or cgroup fd */
	int cpu;
	unsigned long flags;
	bool inherit, on_exec;
};

static void fill(const struct count_set *s, const struct count_event *e, unsigned core, const struct place *at,
		 bool leads, struct perf_event_attr *ret)
{
	static const uint32_t types[] = { [COUNT_SOFTWARE] = PERF_TYPE_SOFTWARE, [COUNT_HARDWARE] = PERF_TYPE_HARDWARE,
					  [COUNT_CACHE] = PERF_TYPE_HW_CACHE, [COUNT_RAW] = PERF_TYPE_RAW,
					  [COUNT_TRACEPOINT] = PERF_TYPE_TRACEPOINT };

	*ret = (struct perf_event_attr){
		.size = sizeof *ret,
		.type = types[e->kind],
		.config = e->config,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.disabled = leads,
		.inherit = at->inherit,
		.enable_on_exec = leads && at->on_exec,
		.exclude_kernel = e->only_user || s->only_user,
		.exclude_hv = e->only_user || s->only_user,
		.exclude_user = e->only_kernel,
		.exclude_guest = count_event_needs_pmu(e),
	};
	/* linux/perf_event.h: the upper half names the PMU where there are several (5.13). */
	if (s->pmus.ncores > 1 && e->kind == COUNT_RAW)
		ret->type = s->pmus.core[core];
	else if (s->pmus.ncores > 1 && count_event_needs_pmu(e))
		ret->config |= (uint64_t)s->pmus.core[core] << 32;
}

static int open_event(struct perf_event_attr *a, const struct place *at, int leader)
{
	long fd = syscall(SYS_perf_event_open, a, at->pid, at->cpu, leader, at->flags | PERF_FLAG_FD_CLOEXEC);

	/* Software that has no such bit (guests) refuses it before it says anything else. */
	if (fd < 0 && errno == EINVAL && a->exclude_guest) {
		a->exclude_guest = 0;
		fd = syscall(SYS_perf_event_open, a, at->pid, at->cpu, leader, at->flags | PERF_FLAG_FD_CLOEXEC);
	}
	return fd < 0 ? -errno : (int)fd;
}

static bool denied(int r)
{
	return r == -EACCES || r == -EPERM;
}

/* Of user space alone the kernel's own events say nothing. */
static bool of_kernel(const struct count_event *e)
{
	return e->kind == COUNT_TRACEPOINT || e->only_kernel ||
	       (e->kind == COUNT_SOFTWARE &&
		(e->config == PERF_COUNT_SW_CONTEXT_SWITCHES || e->config == PERF_COUNT_SW_CPU_MIGRATIONS));
}

static void give_up(struct count_set *s, size_t i, int r)
{
	struct counted *c = &s->counted[i];

	c->dead = true;
	if (denied(r))
		count_pmu_denied(&c->why, s->events[i].kind == COUNT_TRACEPOINT);
	else if (count_event_needs_pmu(&s->events[i]) && s->pmus.ncores == 0)
		note_set(&c->why, 0, "needs a hardware PMU (%s)", s->pmus.virtual_machine ?
			 "this is a virtual machine without one" : "the kernel knows of none on this CPU");
	else if (count_event_needs_pmu(&s->events[i]) && (r == -ENOENT || r == -EOPNOTSUPP || r == -EINVAL))
		note_set(&c->why, 0, "this CPU's PMU has no such event%s",
			 r == -EINVAL ? ", or too few counters for the group" : "");
	else
		note_set(&c->why, 0, "the kernel refuses it: %s", strerror(-r));
}

static int keep(struct count_set *s, size_t i, int fd)
{
	int *place = vec_push(&s->counted[i].fds);

	if (!place) {
		close(fd);
		return -ENOMEM;
	}
	*place = fd;
	s->nfds++;
	return 0;
}

static int try_open(struct count_set *s, size_t i, unsigned core, const struct place *at, int leader)
{
	struct perf_event_attr attr;
	int r;

	fill(s, &s->events[i], core, at, leader < 0, &attr);
	r = open_event(&attr, at, leader);
	/* What user space does may be counted at paranoid 2. */
	if (denied(r) && !attr.exclude_kernel && !s->only_user && s->nfds == 0 && !of_kernel(&s->events[i]) && at->pid >= 0 &&
	    !(at->flags & PERF_FLAG_PID_CGROUP)) {
		s->only_user = true;
		fill(s, &s->events[i], core, at, leader < 0, &attr);
		r = open_event(&attr, at, leader);
		s->only_user = r >= 0;
	}
	return r;
}

/* All events at one place. What fails for the event itself is noted there; what fails for the place (gone, not ours,
 * no descriptors) is returned. */
static int open_at(struct count_set *s, const struct place *at, struct note *note)
{
	unsigned cores = s->pmus.ncores > 1 ? s->pmus.ncores : 1;

	for (unsigned core = 0; core < cores; core++) {
		int leader = -1, r;

		for (size_t i = 0; i < s->n; i++) {
			const struct count_event *e = &s->events[i];

			if (i > 0 && e->group != s->events[i - 1].group)
				leader = -1;
			if (s->counted[i].dead || (core > 0 && !count_event_needs_pmu(e)))
				continue;
			if (s->only_user && of_kernel(e)) {
				give_up(s, i, -EACCES);
				continue;
			}
			r = try_open(s, i, core, at, leader);
			if (r == -ESRCH)
				return r;
			if (r == -EMFILE || r == -ENFILE)
				return note_set(note, r, "%zu counters are open and no file descriptor is left: choose fewer "
					        "events by -e, or raise the limit of open files", s->nfds);
			if (r < 0) {
				give_up(s, i, r);
				continue;
			}
			leader = leader < 0 ? r : leader;
			r = keep(s, i, r);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- targets ---- */

/* Field 22 of stat: when it started, in ticks since boot. */
static bool start_ticks(pid_t pid, pid_t tid, uint64_t *ret)
{
	char path[64], text[1024];

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	struct span rest, word = { 0 };

	if (n <= 0)
		return false;
	struct span all = { text, (size_t)n };
	span_until_last(&all, ')', &rest);
	for (unsigned field = 3; field <= 22; field++)
		if (!span_word(&rest, &word))
			return false;
	return span_u64(word, ret);
}

static int list_threads(pid_t pid, struct map *known, int (*each)(void *, pid_t), void *arg, size_t *ret_new)
{
	char path[32];
	struct dirent *entry;
	uint64_t tid;
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_new = 0;
	while (r == 0 && (errno = 0, entry = readdir(d))) {
		if (!span_u64(span_from(entry->d_name), &tid) || map_get(known, tid) != MAP_NONE)
			continue;
		r = map_set(known, tid, 1);
		if (r == 0)
			r = each(arg, (pid_t)tid);
		++*ret_new;
	}
	closedir(d);
	return r;
}

struct round {
	struct count_set *s;
	struct note *note;
	pid_t pid;
	unsigned number, unsure;
	uint64_t settled_ticks; /* who started later has an attached creator, and inherits */
	size_t attached;
};

static int attach(void *arg, pid_t tid)
{
	struct round *round = arg;
	struct place at = { .pid = tid, .cpu = -1, .inherit = true };
	uint64_t started;

	if (round->number > 0) {
		if (!start_ticks(round->pid, tid, &started) || started > round->settled_ticks)
			return 0;
		round->unsure++;
	}
	int r = open_at(round->s, &at, round->note);
	round->attached += r == 0;
	return r == -ESRCH ? 0 : r;
}

int count_set_add_process(struct count_set *s, pid_t pid, unsigned *ret_unsure, struct note *note)
{
	struct round round = { .s = s, .note = note, .pid = pid };
	struct map known = { 0 };
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	size_t found;
	int r;

	do {
		r = list_threads(pid, &known, attach, &round, &found);
		if (round.number == 0)
			round.settled_ticks = clock_boot_ns() / tick_ns;
	} while (r == 0 && found && ++round.number < ROUNDS);
	map_deinit(&known);
	if (r == -ESRCH || (r == 0 && !round.attached))
		return note_set(note, -ESRCH, kill(pid, 0) == 0 ? "process %d has ended, and waits for its parent to take notice" :
								  "there is no process %d", pid);
	*ret_unsure = round.unsure;
	return r;
}

int count_set_add_child(struct count_set *s, pid_t pid, struct note *note)
{
	return open_at(s, &(struct place){ .pid = pid, .cpu = -1, .inherit = true, .on_exec = true }, note);
}

int count_set_add_cpus(struct count_set *s, int cgroup_fd, struct note *note)
{
	struct place at = { .pid = cgroup_fd, .flags = cgroup_fd >= 0 ? PERF_FLAG_PID_CGROUP : 0 };
	char text[4096];
	cleanup(close_fd) int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	struct span rest = { text, n < 0 ? 0 : (size_t)n }, part;
	int r = n < 0 ? note_set(note, -errno, "/sys/devices/system/cpu/online: %s", strerror(errno)) : 0;

	rest = span_trim(rest);
	while (r == 0 && rest.n) {
		uint64_t first, last;

		if (!span_until(&rest, ',', &part)) {
			part = rest;
			rest.n = 0;
		}
		struct span low = part;
		if (!span_until(&part, '-', &low))
			low = part;
		if (!span_u64(low, &first) || !span_u64(part, &last) || last > 65535)
			return note_set(note, -EBADMSG, "/sys/devices/system/cpu/online: malformed");
		for (uint64_t cpu = first; r == 0 && cpu <= last; cpu++) {
			at.cpu = (int)cpu;
			r = open_at(s, &at, note);
		}
	}
	return r;
}

/* ---- counting ---- */

void count_set_enable(void)
{
	prctl(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0);
}

void count_set_disable(void)
{
	prctl(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0);
}

int count_set_read(const struct count_set *s, struct count_value *ret)
{
	for (size_t i = 0; i < s->n; i++) {
		struct count_value sum = { .count = READING_ABSENT };

		vec_each(fd, &s->counted[i].fds) {
			uint64_t v[3];
			ssize_t n = read(*fd, v, sizeof v);

			if (n != sizeof v)
				return n < 0 ? -errno : -EIO;
			sum.count = reading_or(sum.count, 0) + v[0];
			sum.enabled_ns += v[1];
			sum.running_ns += v[2];
		}
		/* Each kind of core runs a share of the time that it is enabled for. */
		if (s->pmus.ncores > 1 && count_event_needs_pmu(&s->events[i]))
			sum.enabled_ns /= s->pmus.ncores;
		ret[i] = sum;
	}
	return 0;
}

const char *count_set_why(const struct count_set *s, size_t event)
{
	const struct counted *c = &s->counted[event];

	return c->fds.n == 0 && c->why.text[0] ? c->why.text : NULL;
}

bool count_set_only_user(const struct count_set *s)
{
	return s->only_user;
}

/* ---- values ---- */

double count_value_scaled(const struct count_value *v)
{
	if (!reading_ok(v->count))
		return NAN;
	if (v->running_ns == 0)
		return v->enabled_ns ? NAN : (double)v->count; /* a task that never ran has counted nothing */
	return v->running_ns >= v->enabled_ns ? (double)v->count :
						(double)v->count * (double)v->enabled_ns / (double)v->running_ns;
}

double count_value_running_pct(const struct count_value *v)
{
	if (!reading_ok(v->count))
		return NAN;
	if (v->running_ns >= v->enabled_ns)
		return 100;
	return 100.0 * (double)v->running_ns / (double)v->enabled_ns;
}

struct count_value count_value_delta(const struct count_value *before, const struct count_value *after)
{
	return (struct count_value){ reading_delta(before->count, after->count), after->enabled_ns - before->enabled_ns,
				     after->running_ns - before->running_ns };
}
