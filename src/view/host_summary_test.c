#include "view/host_summary.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"

static bool near(double a, double b)
{
	return fabs(a - b) < 0.01;
}

static void put_cpu(struct host_look *l, uint32_t cpu, uint64_t user, uint64_t idle)
{
	struct cpu_line *line = vec_push(&l->cpus);

	CHECK(line != NULL);
	*line = (struct cpu_line){ .cpu = cpu, .times = { .user_ns = user, .idle_ns = idle } };
}

static void put_disk(struct host_look *l, uint32_t minor, const char *name, uint64_t busy_ns, uint64_t reads, uint64_t read_ns)
{
	struct disk *d = vec_push(&l->disks);

	CHECK(d != NULL);
	d->minor = minor;
	d->busy_ns = busy_ns;
	d->reads = reads;
	d->read_ns = read_ns;
	d->read_bytes = reads * 4096;
	strcpy(d->name, name);
}

static void put_interface(struct host_look *l, const char *name, uint64_t rx, uint64_t dropped)
{
	struct interface *i = vec_push(&l->interfaces);

	CHECK(i != NULL);
	i->rx_bytes = rx;
	i->rx_dropped = dropped;
	strcpy(i->name, name);
}

static void fill(struct host_look *a, struct host_look *b)
{
	a->at.mono_ns = 10 * NS_PER_S;
	b->at.mono_ns = 12 * NS_PER_S;
	a->cpu.total = (struct cpu_times){ .user_ns = 0, .idle_ns = 0 };
	b->cpu.total = (struct cpu_times){ .user_ns = 30, .system_ns = 10, .idle_ns = 50, .iowait_ns = 10 };
	put_cpu(a, 0, 0, 0);
	put_cpu(b, 0, 100, 300);
	/* CPU 1 came online; 3 comes at another place. */
	put_cpu(a, 3, 0, 0);
	put_cpu(b, 1, 5, 5);
	put_cpu(b, 3, 50, 50);
	a->psi.cpu = (struct psi_line){ 0, READING_ABSENT };
	b->psi.cpu = (struct psi_line){ NS_PER_S, READING_ABSENT };
	put_disk(a, 1, "sda", 0, 0, 0);
	put_disk(b, 1, "sda", NS_PER_S, 100, 500 * NS_PER_MS);
	put_disk(a, 2, "dm-0", 0, 0, 0);
	put_disk(b, 2, "dm-0", 2 * NS_PER_S, 100, 0);
	put_disk(b, 3, "sdb", 2 * NS_PER_S, 100, 0); /* new: nothing is known of before */
	put_interface(a, "lo", 0, 0);
	put_interface(b, "lo", 1 << 30, 0);
	put_interface(a, "eth0", 1000, 5);
	put_interface(b, "eth0", 3000, 9);
}

static void test_rates(void)
{
	struct host_look a = { 0 }, b = { 0 };
	struct host_summary s = { 0 };

	fill(&a, &b);
	CHECK(host_summary_make(&a, &b, &s) == 0);
	CHECK(near(s.seconds, 2));
	CHECK(near(s.total.user, 30) && near(s.total.system, 10) && near(s.total.iowait, 10) && near(s.total.idle, 50));
	CHECK_U64(s.cpus.n, 3);
	CHECK(near(s.cpus.v[0].user, 25));
	CHECK(isnan(s.cpus.v[1].user));
	CHECK(near(s.cpus.v[2].user, 50));
	CHECK(near(s.cpu_stall.some, 50));
	CHECK(isnan(s.cpu_stall.full));
	/* The disk itself, not what is stacked on it. */
	CHECK_STR(s.disk.name, "sda");
	CHECK(near(s.disk.busy_pct, 50) && near(s.disk.await_ms, 5) && near(s.disk.read_bytes_per_s, 204800));
	CHECK_STR(s.interface.name, "eth0");
	CHECK(near(s.interface.rx_bytes_per_s, 1000) && near(s.drops_per_s, 2));
	host_look_deinit(&a);
	host_look_deinit(&b);
	host_summary_deinit(&s);
}

static void test_first_look(void)
{
	struct host_look now = { 0 };
	struct host_summary s = { 0 };

	put_cpu(&now, 0, 10, 10);
	now.memory.total_bytes = 1000;
	now.memory.free_bytes = 300;
	now.memory.cached_bytes = 400;
	now.memory.buffers_bytes = 50;
	now.memory.shmem_bytes = 100;
	now.memory.slab_reclaimable_bytes = 20;
	now.memory.available_bytes = READING_ABSENT;
	now.memory.swap_total_bytes = 10;
	now.memory.swap_free_bytes = 4;
	CHECK(host_summary_make(NULL, &now, &s) == 0);
	/* No rate is told of one look. */
	CHECK(isnan(s.seconds) && isnan(s.total.user) && isnan(s.cpu_stall.some) && isnan(s.drops_per_s));
	CHECK_U64(s.cpus.n, 1);
	CHECK(isnan(s.cpus.v[0].user));
	CHECK_U64(s.memory_cache, 370);
	CHECK_U64(s.memory_used, 330);
	CHECK_U64(s.memory_available, READING_ABSENT);
	CHECK_U64(s.swap_used, 6);
	CHECK_STR(s.disk.name, "");
	host_look_deinit(&now);
	host_summary_deinit(&s);
}

/* A counter that ran backwards, or was not there: not a number, and never a huge one. */
static void test_missing(void)
{
	struct host_look a = { 0 }, b = { 0 };
	struct host_summary s = { 0 };

	fill(&a, &b);
	b.cpu.context_switches = 5;
	a.cpu.context_switches = 10;
	b.cpu.forks = READING_ABSENT;
	a.cpu.total.idle_ns = 1000;
	b.disks.n = 0;
	b.interfaces.n = 1;
	CHECK(host_summary_make(&a, &b, &s) == 0);
	CHECK(isnan(s.context_switches_per_s) && isnan(s.forks_per_s) && isnan(s.total.user));
	CHECK_STR(s.disk.name, "");
	CHECK_STR(s.interface.name, "lo"); /* there is nothing else */
	host_look_deinit(&a);
	host_look_deinit(&b);
	host_summary_deinit(&s);
}

int main(void)
{
	test_rates();
	test_first_look();
	test_missing();
	return check_exit();
}
