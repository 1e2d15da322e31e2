/* What the sampler measures, as JSON, for comparison with other tools: each counter at the first
 * and at the last look of a window.
 *
 *     figures [--proc] SECONDS [PID…]
 *
 * --proc: tasks from /proc, not from BPF. PIDs: processes to be told of. Prints "ready MS" on stderr
 * once the window has begun, MS before its end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "sample/sampler.h"

static void pair(struct json *j, const char *name, reading first, reading last)
{
	json_array(j, name);
	json_reading(j, NULL, first);
	json_reading(j, NULL, last);
	json_end(j);
}

static void fields(struct json *j, const struct field *table, size_t n, const void *first, const void *last)
{
	for (size_t i = 0; i < n; i++)
		pair(j, table[i].name, *field_at(&table[i], (void *)(uintptr_t)first),
		     *field_at(&table[i], (void *)(uintptr_t)last));
}

static void host(struct json *j, const struct counters *first, const struct counters *last)
{
	json_object(j, "cpu");
	fields(j, cpu_time_fields, cpu_time_nfields, &first->cpu.total, &last->cpu.total);
	fields(j, cpu_stat_fields, cpu_stat_nfields, &first->cpu, &last->cpu);
	pair(j, "busy_ns", cpu_times_busy_ns(&first->cpu.total), cpu_times_busy_ns(&last->cpu.total));
	pair(j, "total_ns", cpu_times_total_ns(&first->cpu.total), cpu_times_total_ns(&last->cpu.total));
	json_end(j);
	json_object(j, "memory");
	fields(j, meminfo_fields, meminfo_nfields, &first->memory, &last->memory);
	json_end(j);
	json_object(j, "vmstat");
	fields(j, vmstat_fields, vmstat_nfields, &first->vmstat, &last->vmstat);
	json_end(j);
	json_object(j, "psi");
	pair(j, "cpu_some_ns", first->psi.cpu.some_ns, last->psi.cpu.some_ns);
	pair(j, "memory_some_ns", first->psi.memory.some_ns, last->psi.memory.some_ns);
	pair(j, "io_some_ns", first->psi.io.some_ns, last->psi.io.some_ns);
	json_end(j);
}

static void disks(struct json *j, const struct window *w)
{
	json_object(j, "disks");
	vec_each(d, &w->last->disks) {
		const struct disk *was = sample_disk(w->first, d->major, d->minor);

		if (!was)
			continue;
		json_object(j, d->name);
		fields(j, disk_fields, disk_nfields, was, d);
		json_end(j);
	}
	json_end(j);
}

static void interfaces(struct json *j, const struct window *w)
{
	const struct net_ns *first = &w->first->net_ns[0], *last = &w->last->net_ns[0];

	json_object(j, "interfaces");
	vec_each(i, &last->interfaces) {
		const struct interface *was = net_ns_interface(first, i->name);

		if (!was)
			continue;
		json_object(j, i->name);
		fields(j, interface_fields, interface_nfields, was, i);
		json_end(j);
	}
	json_end(j);
}

static void process(struct json *j, const struct window *w, int32_t pid)
{
	const struct process_span *p = window_process(w, pid);
	const struct task_span *t = window_task(w, pid);
	char key[16];

	if (!p || !t)
		return;
	snprintf(key, sizeof key, "%d", (int)pid);
	json_object(j, key);
	json_string(j, "comm", p->comm);
	json_reading(j, "cpu_ns", p->cpu_ns);
	json_reading(j, "user_ns", p->user_ns);
	json_reading(j, "system_ns", p->system_ns);
	json_reading(j, "wait_ns", p->wait_ns);
	json_reading(j, "rss_bytes", p->rss_bytes);
	json_reading(j, "read_bytes", p->read_bytes);
	json_reading(j, "write_bytes", p->write_bytes);
	json_reading(j, "fd_count", p->fd_count);
	json_reading(j, "voluntary_switches", p->voluntary_switches);
	json_reading(j, "involuntary_switches", p->involuntary_switches);
	pair(j, "run_ns", t->first.run_ns, t->last.run_ns);
	json_end(j);
}

static size_t living(const struct window *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nprocesses; i++)
		n += !w->processes[i].gone;
	return n;
}

static int print(const struct window *w, char *const *pids, int n)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	json_object(&j, NULL);
	json_double(&j, "seconds", w->seconds);
	json_bool(&j, "bpf", w->abilities->bpf_tasks);
	json_u64(&j, "cpus", w->topology->cpus);
	json_u64(&j, "processes", living(w));
	host(&j, window_first_tick(w), window_last_tick(w));
	disks(&j, w);
	interfaces(&j, w);
	json_object(&j, "process");
	for (int i = 0; i < n; i++)
		process(&j, w, atoi(pids[i]));
	json_end(&j);
	json_end(&j);
	int r = json_finish(&j);
	if (r == 0 && fwrite(text.data, 1, text.n, stdout) != text.n)
		r = -EIO;
	return r;
}

static int watch(struct host *h, bool proc, double seconds, char *const *pids, int n, struct note *note)
{
	struct sampler_options options = { .no_bpf = proc };
	struct sampler *s;
	struct window w;
	int r = sampler_new(h, &options, &s, note);

	if (r < 0)
		return r;
	uint64_t end_ns = host_time(h).mono_ns + (uint64_t)(seconds * 1e9), now_ns = clock_mono_ns();
	fprintf(stderr, "ready %.0f\n", end_ns > now_ns ? (double)(end_ns - now_ns) / 1e6 : 0.0);
	while ((r = sampler_step(s, end_ns)) > 0)
		;
	if (r == 0)
		r = sampler_window(s, &w);
	if (r == 0)
		r = print(&w, pids, n);
	sampler_free(s);
	return r;
}

int main(int argc, char *argv[])
{
	bool proc = argc > 1 && strcmp(argv[1], "--proc") == 0;
	struct note note = { "" };
	struct host *h;

	argv += proc ? 2 : 1;
	argc -= proc ? 2 : 1;
	if (argc < 1 || atof(argv[0]) <= 0) {
		fputs("usage: figures [--proc] SECONDS [PID…]\n", stderr);
		return 2;
	}
	int r = host_open_live("/", &h, &note);
	if (r == 0) {
		r = watch(h, proc, atof(argv[0]), argv + 1, argc - 1, &note);
		host_free(h);
	}
	if (r < 0)
		fprintf(stderr, "figures: %s\n", note.text[0] ? note.text : strerror(-r));
	return r < 0 ? 3 : 0;
}
