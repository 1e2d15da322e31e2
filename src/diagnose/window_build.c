#include "diagnose/window_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void missing_counters(struct counters *c)
{
	memset(c, 0xff, sizeof *c); /* READING_ABSENT is all ones */
	c->cpu.presence = c->load.presence = c->psi.presence = PRESENT;
	c->vmstat.presence = c->memory.presence = PRESENT;
	c->cpu.total = (struct cpu_times){ 0 };
	c->cpu.context_switches = c->cpu.forks = 0;
	c->cpu.running = 1;
	c->cpu.blocked = 0;
}

void window_build_init(struct window_build *b, double seconds, unsigned cpus)
{
	uint64_t start = 1000 * NS_PER_S, length = (uint64_t)(seconds * 1e9);

	memset(b, 0, sizeof *b);
	b->topology = (struct topology){ .cpus = cpus, .nodes = 1 };
	b->abilities = (struct abilities){ .root = true, .bpf_tasks = true, .forks_exact = true };
	for (unsigned i = 0; i < WINDOW_BUILD_TICKS; i++) {
		uint64_t now = start + length * i / (WINDOW_BUILD_TICKS - 1);

		missing_counters(&b->ticks[i]);
		b->ticks[i].at = (struct host_time){ now, now, now };
	}
	b->window = (struct window){
		.topology = &b->topology,
		.abilities = &b->abilities,
		.from = b->ticks[0].at,
		.to = b->ticks[WINDOW_BUILD_TICKS - 1].at,
		.seconds = seconds,
		.ticks = b->ticks,
		.nticks = WINDOW_BUILD_TICKS,
		.first = &b->first,
		.last = &b->last,
		.task_looks = (uint32_t)seconds + 1,
	};
	window_build_grow(b, &b->ticks[0].cpu.total.idle_ns, length * cpus);
}

void window_build_deinit(struct window_build *b)
{
	sample_deinit(&b->first);
	sample_deinit(&b->last);
	vec_free(&b->tasks);
	vec_free(&b->processes);
	vec_free(&b->forks);
	vec_free(&b->findings);
}

static reading *in_tick(struct window_build *b, const reading *member, unsigned tick)
{
	return (reading *)((char *)&b->ticks[tick] + ((const char *)member - (const char *)&b->ticks[0]));
}

void window_build_grow(struct window_build *b, const reading *counter, uint64_t total)
{
	for (unsigned i = 0; i < WINDOW_BUILD_TICKS; i++)
		*in_tick(b, counter, i) = total * i / (WINDOW_BUILD_TICKS - 1);
}

void window_build_level(struct window_build *b, const reading *gauge, uint64_t value)
{
	for (unsigned i = 0; i < WINDOW_BUILD_TICKS; i++)
		*in_tick(b, gauge, i) = value;
}

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct task_span *window_build_task(struct window_build *b, int32_t pid, int32_t tid, const char *comm)
{
	struct task_span *t = need(vec_push(&b->tasks));
	struct task *a = &t->first;

	memset(a, 0xff, sizeof *a);
	a->pid = pid;
	a->tid = tid;
	a->ppid = 1;
	a->uid = 1000;
	a->state = 'S';
	a->flags = TASK_HAS_WAIT_NS | (pid == tid ? TASK_IS_LEADER : 0);
	a->syscall = -1;
	snprintf(a->comm, sizeof a->comm, "%s", comm);
	a->start_ns = NS_PER_S;
	a->user_ns = a->system_ns = a->run_ns = a->wait_ns = a->runs = 0;
	a->voluntary_switches = a->involuntary_switches = 0;
	for (int i = 0; i < TASK_CGROUP_COUNT; i++)
		a->cgroup[i] = 1; /* the root */
	t->last = *a;
	t->looks = b->window.task_looks;
	return t;
}

static void missing_cgroup(struct cgroup *c, uint64_t id, const char *path)
{
	memset(c, 0xff, sizeof *c);
	c->id = id;
	snprintf(c->path, sizeof c->path, "%s", path);
	snprintf(c->mount, sizeof c->mount, "/sys/fs/cgroup/cpu");
	c->v2 = false;
	c->controllers = CGROUP_CPU;
	c->cpu_quota_ns = CGROUP_UNLIMITED;
	c->cpu_period_ns = 100 * NS_PER_MS;
	c->cpu_usage_ns = c->cpu_periods = c->cpu_throttled_periods = c->cpu_throttled_ns = 0;
	c->nio = 0;
}

struct cgroup *window_build_cgroup(struct window_build *b, uint64_t id, const char *path)
{
	struct cgroup *c = need(vec_push(&b->last.cgroups));

	missing_cgroup(need(vec_push(&b->first.cgroups)), id, path);
	missing_cgroup(c, id, path);
	return c;
}

static void open_process(struct process_span *p, const struct task_span *t, size_t first_thread)
{
	memset(p, 0xff, sizeof *p);
	p->pid = t->last.pid;
	p->ppid = t->last.ppid;
	p->uid = t->last.uid;
	snprintf(p->comm, sizeof p->comm, "%s", t->last.comm);
	p->kernel_thread = t->last.flags & TASK_IS_KERNEL_THREAD;
	p->born = t->born;
	p->gone = t->gone;
	p->threads = 0;
	p->first_thread = first_thread;
	p->cpu_ns = p->user_ns = p->system_ns = p->wait_ns = 0;
	p->voluntary_switches = p->involuntary_switches = 0;
	p->looks = p->blocked = p->iowait = p->running = 0;
	p->read_bytes = p->write_bytes = 0;
	p->major_faults = 0;
	memcpy(p->cgroup, t->last.cgroup, sizeof p->cgroup);
	p->start_ns = t->last.start_ns;
}

static reading resident(const struct task *t)
{
	return reading_sum(t->anon_bytes, reading_sum(t->file_bytes, t->shmem_bytes));
}

static void add_thread(struct process_span *p, const struct task_span *t)
{
	p->threads++;
	p->user_ns = reading_sum(p->user_ns, reading_delta(t->first.user_ns, t->last.user_ns));
	p->system_ns = reading_sum(p->system_ns, reading_delta(t->first.system_ns, t->last.system_ns));
	p->cpu_ns = reading_sum(p->user_ns, p->system_ns);
	p->wait_ns = reading_sum(p->wait_ns, reading_delta(t->first.wait_ns, t->last.wait_ns));
	p->voluntary_switches = reading_sum(p->voluntary_switches, reading_delta(t->first.voluntary_switches,
										 t->last.voluntary_switches));
	p->involuntary_switches =
		reading_sum(p->involuntary_switches,
			    reading_delta(t->first.involuntary_switches, t->last.involuntary_switches));
	p->read_bytes = reading_sum(p->read_bytes, reading_delta(t->first.read_bytes, t->last.read_bytes));
	p->write_bytes = reading_sum(p->write_bytes, reading_delta(t->first.write_bytes, t->last.write_bytes));
	p->major_faults = reading_sum(p->major_faults, reading_delta(t->first.major_faults, t->last.major_faults));
	if (t->last.flags & TASK_IS_LEADER) {
		p->rss_bytes = resident(&t->last);
		p->rss_before_bytes = resident(&t->first);
		p->swap_bytes = t->last.swap_bytes;
		p->fd_count = t->last.fd_count;
		p->fd_limit = t->last.fd_limit;
	}
	p->looks += t->looks;
	p->blocked += t->blocked;
	p->iowait += t->iowait;
	p->running += t->running;
}

const struct window *window_build_done(struct window_build *b)
{
	b->processes.n = 0;
	for (size_t i = 0; i < b->tasks.n; i++) {
		const struct task_span *t = &b->tasks.v[i];

		if (b->processes.n == 0 || b->processes.v[b->processes.n - 1].pid != t->last.pid)
			open_process(need(vec_push(&b->processes)), t, i);
		add_thread(&b->processes.v[b->processes.n - 1], t);
	}
	b->window.tasks = b->tasks.v;
	b->window.ntasks = b->tasks.n;
	b->window.processes = b->processes.v;
	b->window.nprocesses = b->processes.n;
	b->window.forks = b->forks.v;
	b->window.nforks = b->forks.n;
	return &b->window;
}

void window_build_judge(struct window_build *b, void (*rule)(const struct window *w, struct verdict *v))
{
	b->findings.n = 0;
	b->verdict = (struct verdict){ .findings = &b->findings };
	rule(window_build_done(b), &b->verdict);
}
