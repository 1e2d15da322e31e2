#include "view/host_summary.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void host_look_deinit(struct host_look *l)
{
	vec_free(&l->cpus);
	vec_free(&l->disks);
	vec_free(&l->interfaces);
}

int host_look_read(struct host_look *l, struct host *h, struct buf *scratch)
{
	enum presence presence;

	l->at = host_time(h);
	l->cpus.n = l->disks.n = l->interfaces.n = 0;
	int r = cpu_stat_read(h, scratch, &l->cpu, &l->cpus);
	loadavg_read(h, scratch, &l->load);
	psi_read(h, scratch, &l->psi);
	meminfo_read(h, scratch, &l->memory);
	/* Not disks_read: it asks sysfs for the queue of each. */
	if (r == 0 && host_read_kept(h, "/proc/diskstats", scratch) == 0)
		r = disks_parse(buf_span(scratch), &l->disks);
	return r < 0 ? r : interfaces_read(h, 0, scratch, &l->interfaces, &presence);
}

/* ---- CPUs ---- */

static double share(reading before, reading after, double total_ns)
{
	return 100 * reading_value(reading_delta(before, after)) / total_ns;
}

static struct cpu_shares shares_of(uint32_t cpu, const struct cpu_times *a, const struct cpu_times *b)
{
	double total = reading_value(reading_delta(cpu_times_total_ns(a), cpu_times_total_ns(b)));

	/* Nothing was counted, or not yet: a look may come sooner than a tick. */
	if (!(total > 0))
		total = NAN;
	return (struct cpu_shares){
		.cpu = cpu,
		.user = share(a->user_ns, b->user_ns, total),
		.nice = share(a->nice_ns, b->nice_ns, total),
		.system = share(a->system_ns, b->system_ns, total),
		.irq = share(a->irq_ns, b->irq_ns, total),
		.softirq = share(a->softirq_ns, b->softirq_ns, total),
		.steal = share(a->steal_ns, b->steal_ns, total),
		.iowait = share(a->iowait_ns, b->iowait_ns, total),
		.idle = share(a->idle_ns, b->idle_ns, total),
	};
}

static const struct cpu_line *line_of(const cpu_line_vec *cpus, uint32_t cpu)
{
	vec_each(line, cpus)
		if (line->cpu == cpu)
			return line;
	return NULL;
}

static int summarise_cpus(const struct host_look *before, const struct host_look *now, struct host_summary *ret)
{
	ret->total = shares_of(0, &before->cpu.total, &now->cpu.total);
	for (size_t i = 0; i < now->cpus.n; i++) {
		const struct cpu_line *line = &now->cpus.v[i];
		/* Mostly at the same place. */
		const struct cpu_line *was = i < before->cpus.n && before->cpus.v[i].cpu == line->cpu ?
						     &before->cpus.v[i] :
						     line_of(&before->cpus, line->cpu);
		struct cpu_shares *shares = vec_push(&ret->cpus);
		if (!shares)
			return -ENOMEM;
		*shares = shares_of(line->cpu, was ? &was->times : &line->times, &line->times);
	}
	return 0;
}

static double rate(reading before, reading after, double seconds)
{
	return reading_value(reading_delta(before, after)) / seconds;
}

static struct stall stall_of(struct psi_line before, struct psi_line after, double seconds)
{
	return (struct stall){ rate(before.some_ns, after.some_ns, seconds) / 1e7,
			       rate(before.full_ns, after.full_ns, seconds) / 1e7 };
}

/* ---- memory ---- */

/* As free(1) of procps 4: the cache that can be dropped is not used. */
static void summarise_memory(const struct meminfo *m, struct host_summary *ret)
{
	ret->memory_total = m->total_bytes;
	ret->memory_available = m->available_bytes;
	reading cache = reading_sum(reading_sum(m->cached_bytes, m->buffers_bytes),
				    reading_or(m->slab_reclaimable_bytes, 0));
	/* Shared memory and tmpfs are counted as cached and cannot be dropped. */
	ret->memory_cache = reading_delta(reading_or(m->shmem_bytes, 0), cache);
	ret->memory_used = reading_delta(reading_sum(m->free_bytes, ret->memory_cache), m->total_bytes);
	ret->swap_total = m->swap_total_bytes;
	ret->swap_used = reading_delta(m->swap_free_bytes, m->swap_total_bytes);
}

/* ---- the busiest ---- */

static const struct disk *disk_before(const disk_vec *disks, const struct disk *like)
{
	vec_each(disk, disks)
		if (disk->major == like->major && disk->minor == like->minor)
			return disk;
	return NULL;
}

/* dm and md devices pass on what disks do: the name tells, sysfs is not asked. */
static bool is_stacked(const struct disk *d)
{
	return strncmp(d->name, "dm-", 3) == 0 || (strncmp(d->name, "md", 2) == 0 && d->name[2] >= '0' && d->name[2] <= '9');
}

static struct disk_summary disk_summary_of(const struct disk *a, const struct disk *b, double seconds)
{
	struct disk_summary s = { .busy_pct = rate(a->busy_ns, b->busy_ns, seconds) / 1e7,
				  .read_bytes_per_s = rate(a->read_bytes, b->read_bytes, seconds),
				  .write_bytes_per_s = rate(a->write_bytes, b->write_bytes, seconds) };
	reading done = reading_delta(reading_sum(a->reads, a->writes), reading_sum(b->reads, b->writes));
	reading took = reading_delta(reading_sum(a->read_ns, a->write_ns), reading_sum(b->read_ns, b->write_ns));

	s.await_ms = reading_ok(done) && done > 0 ? reading_value(took) / (double)done / 1e6 : NAN;
	if (s.busy_pct > 100)
		s.busy_pct = 100; /* the kernel counts in steps of a tick */
	snprintf(s.name, sizeof s.name, "%s", b->name);
	return s;
}

static bool is_busier(const struct disk_summary *a, const struct disk_summary *b)
{
	if (a->busy_pct != b->busy_pct)
		return a->busy_pct > b->busy_pct;
	return a->read_bytes_per_s + a->write_bytes_per_s > b->read_bytes_per_s + b->write_bytes_per_s;
}

static void find_disk(const struct host_look *before, const struct host_look *now, struct host_summary *ret)
{
	bool stacked = true;

	vec_each(disk, &now->disks) {
		const struct disk *was = disk_before(&before->disks, disk);
		if (!was)
			continue;
		struct disk_summary s = disk_summary_of(was, disk, ret->seconds);
		if (ret->disk.name[0] && is_stacked(disk) >= stacked &&
		    (is_stacked(disk) > stacked || !is_busier(&s, &ret->disk)))
			continue;
		ret->disk = s;
		stacked = is_stacked(disk);
	}
}

static const struct interface *interface_before(const interface_vec *interfaces, const struct interface *like)
{
	vec_each(interface, interfaces)
		if (strcmp(interface->name, like->name) == 0)
			return interface;
	return NULL;
}

static void find_interface(const struct host_look *before, const struct host_look *now, struct host_summary *ret)
{
	double most = -1;

	vec_each(now_if, &now->interfaces) {
		const struct interface *was = interface_before(&before->interfaces, now_if);
		if (!was)
			continue;
		struct interface_summary s = {
			.rx_bytes_per_s = rate(was->rx_bytes, now_if->rx_bytes, ret->seconds),
			.tx_bytes_per_s = rate(was->tx_bytes, now_if->tx_bytes, ret->seconds),
			.drops_per_s = rate(reading_sum(was->rx_dropped, was->tx_dropped),
					    reading_sum(now_if->rx_dropped, now_if->tx_dropped), ret->seconds),
		};
		snprintf(s.name, sizeof s.name, "%s", now_if->name);
		if (!isnan(s.drops_per_s))
			ret->drops_per_s = (isnan(ret->drops_per_s) ? 0 : ret->drops_per_s) + s.drops_per_s;
		double sum = s.rx_bytes_per_s + s.tx_bytes_per_s;
		if (strcmp(s.name, "lo") == 0)
			sum = sum > 0 ? 0 : -0.5;
		if (sum > most) {
			most = sum;
			ret->interface = s;
		}
	}
}

/* ---- all ---- */

void host_summary_deinit(struct host_summary *s)
{
	vec_free(&s->cpus);
}

static void know_nothing(struct host_summary *ret)
{
	cpu_shares_vec cpus = ret->cpus;
	struct stall none = { NAN, NAN };

	cpus.n = 0;
	*ret = (struct host_summary){ .cpus = cpus, .seconds = NAN, .cpu_stall = none, .memory_stall = none,
				      .io_stall = none, .context_switches_per_s = NAN, .forks_per_s = NAN,
				      .drops_per_s = NAN };
	ret->total = (struct cpu_shares){ 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN };
}

int host_summary_make(const struct host_look *before, const struct host_look *now, struct host_summary *ret)
{
	static const struct host_look none;

	know_nothing(ret);
	ret->uptime_s = (double)now->at.boot_ns / 1e9;
	ret->load1_milli = now->load.load1_milli;
	ret->load5_milli = now->load.load5_milli;
	ret->load15_milli = now->load.load15_milli;
	ret->running = now->cpu.running;
	ret->blocked = now->cpu.blocked;
	summarise_memory(&now->memory, ret);
	if (!before)
		return summarise_cpus(&none, now, ret);
	ret->seconds = (double)(now->at.mono_ns - before->at.mono_ns) / 1e9;
	ret->context_switches_per_s = rate(before->cpu.context_switches, now->cpu.context_switches, ret->seconds);
	ret->forks_per_s = rate(before->cpu.forks, now->cpu.forks, ret->seconds);
	ret->cpu_stall = stall_of(before->psi.cpu, now->psi.cpu, ret->seconds);
	ret->memory_stall = stall_of(before->psi.memory, now->psi.memory, ret->seconds);
	ret->io_stall = stall_of(before->psi.io, now->psi.io, ret->seconds);
	find_disk(before, now, ret);
	find_interface(before, now, ret);
	return summarise_cpus(before, now, ret);
}
