#include "dig/trace/trace_summary.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dig/trace/trace_bpf.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/trace/trace_sums.skel.h"
#pragma GCC diagnostic pop
#include "kernel/bpf_map_size.h"

struct trace_summary {
	BPF_PROGRAMS(trace_sums) bpf;
	enum trace_by by;
	int32_t child;
	int status;
	size_t cpus;
	const volatile struct trace_sum *of_cpu; /* the programs' own, TRACE_CALLS for each CPU; NULL: they sum by task */
};

unsigned trace_bucket(uint64_t ns)
{
	if (ns < 64)
		return 0;
	unsigned bit = 63 - (unsigned)__builtin_clzll(ns);
	unsigned bucket = 1 + ((bit - 6) << 2) + (unsigned)(ns >> (bit - 2) & 3);
	return bucket < TRACE_BUCKETS ? bucket : TRACE_BUCKETS - 1;
}

uint64_t trace_bucket_start_ns(unsigned bucket)
{
	if (bucket == 0)
		return 0;
	unsigned bit = (bucket - 1) / 4 + 6;
	return (UINT64_C(4) + (bucket - 1) % 4) << (bit - 2);
}

double trace_percentile_ns(const struct trace_sum *s, double share)
{
	double wanted = share * (double)s->count, seen = 0;

	for (unsigned i = 0; i < TRACE_BUCKETS; i++) {
		seen += s->bucket[i];
		if (s->bucket[i] == 0 || seen < wanted)
			continue;
		double from = (double)trace_bucket_start_ns(i);
		double to = i + 1 < TRACE_BUCKETS ? (double)trace_bucket_start_ns(i + 1) : (double)s->max_ns;
		double middle = (from + to) / 2;
		return middle < (double)s->max_ns ? middle : (double)s->max_ns;
	}
	return (double)s->max_ns;
}

static size_t sums_bytes(const struct trace_summary *s)
{
	return s->cpus * TRACE_CALLS * sizeof *s->of_cpu;
}

static int map_sums(struct trace_summary *s, struct note *note)
{
	void *sums = mmap(NULL, sums_bytes(s), PROT_READ, MAP_SHARED, BPF_MAP_FD(&s->bpf, sums), 0);

	if (sums == MAP_FAILED)
		return note_set(note, -errno, "the sums cannot be mapped: %s", strerror(errno));
	s->of_cpu = sums;
	return 0;
}

static int start(struct host *h, struct trace_summary *s, const struct trace_request *q, struct note *note)
{
	struct trace_settings settings;

	if (bpf_usable(h, note) < 0)
		return -EOPNOTSUPP;
	int r = trace_bpf_settings(q, &settings, note);
	if (r < 0)
		return r;
	r = BPF_LOAD(trace_sums, &s->bpf, {
		rodata->settings = settings;
		rodata->by = (uint8_t)s->by;
		for (size_t i = 0; i < TRACE_CALLS; i++)
			rodata->call_flags[i] = q->filter->call[i].flags;
		if (s->by == TRACE_BY_ALL)
			BPF_MAP_SIZE(s_->maps.sums, s->cpus * TRACE_CALLS);
	});
	if (r < 0) {
		(void)!bpf_load_failed(note, r, "trace summary");
		return -EOPNOTSUPP;
	}
	r = s->by == TRACE_BY_ALL ? map_sums(s, note) : 0;
	if (r < 0)
		return r;
	if (q->argv)
		return trace_bpf_start(q, BPF_MAP_FD(&s->bpf, targets), BPF_LINK_FD(&s->bpf, find_targets), &s->child, note);
	r = trace_bpf_find_targets(BPF_MAP_FD(&s->bpf, targets), BPF_LINK_FD(&s->bpf, find_targets), q->pid, q->npids);
	if (r < 0)
		return note_set(note, r, "the threads could not be found: %s", strerror(-r));
	return trace_summary_living(s) ? 0 : note_set(note, -ESRCH, "no thread of the targets is left");
}

int trace_summary_new(struct host *h, const struct trace_request *q, enum trace_by by, struct trace_summary **ret, struct note *note)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus <= 0)
		return note_set(note, cpus < 0 ? cpus : -EIO, "how many CPUs there can be is not told");
	struct trace_summary *s = calloc(1, sizeof *s);
	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->by = by;
	s->status = -1;
	s->cpus = (size_t)cpus;
	int r = start(h, s, q, note);
	if (r < 0) {
		trace_summary_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void trace_summary_free(struct trace_summary *s)
{
	if (!s)
		return;
	if (s->of_cpu)
		munmap((void *)s->of_cpu, sums_bytes(s));
	BPF_UNLOAD(trace_sums, &s->bpf);
	free(s);
}

bool trace_summary_living(struct trace_summary *s)
{
	return BPF_GLOBAL(&s->bpf, living) > 0;
}

uint64_t trace_summary_lost(const struct trace_summary *s)
{
	return BPF_GLOBAL(&s->bpf, lost) + BPF_GLOBAL(&s->bpf, threads_lost);
}

int trace_summary_status(struct trace_summary *s)
{
	/* It is no more traced from its last moment on, and can be waited for soon after. */
	for (int i = 0; s->child && i < 1000; i++) {
		if (waitpid(s->child, &s->status, WNOHANG) == s->child)
			s->child = 0;
		else if (trace_summary_living(s))
			return -1;
		else
			usleep(1000);
	}
	return s->status;
}

void trace_summary_stop(struct trace_summary *s)
{
	if (s->child)
		kill(s->child, SIGTERM);
}

static int add_row(trace_summary_rows *rows, int32_t task, unsigned call, const struct trace_sum *sum)
{
	struct trace_summary_row *row = vec_push(rows);

	if (!row)
		return -ENOMEM;
	*row = (struct trace_summary_row){ task, syscall_entry(call), call, *sum };
	return 0;
}

static void add_sum(struct trace_sum *to, const volatile struct trace_sum *from)
{
	uint64_t max_ns = from->max_ns;

	to->count += from->count;
	to->errors += from->errors;
	to->total_ns += from->total_ns;
	to->max_ns = max_ns > to->max_ns ? max_ns : to->max_ns;
	for (unsigned i = 0; i < TRACE_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

static int read_all(struct trace_summary *s, trace_summary_rows *rows)
{
	for (unsigned call = 0; call < TRACE_CALLS; call++) {
		struct trace_sum sum = { 0 };

		for (size_t cpu = 0; cpu < s->cpus; cpu++)
			if (s->of_cpu[cpu * TRACE_CALLS + call].count)
				add_sum(&sum, &s->of_cpu[cpu * TRACE_CALLS + call]);
		if (sum.count && add_row(rows, 0, call, &sum) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_by_task(struct trace_summary *s, trace_summary_rows *rows)
{
	int map = BPF_MAP_FD(&s->bpf, sums_by_task);
	struct trace_sum_key key, previous, *from = NULL;

	while (bpf_map_get_next_key(map, from, &key) == 0) {
		struct trace_sum sum;

		if (bpf_map_lookup_elem(map, &key, &sum) == 0 && add_row(rows, (int32_t)key.task, key.call, &sum) < 0)
			return -ENOMEM;
		previous = key;
		from = &previous;
	}
	return 0;
}

/* Tasks together, then the most time first. */
static int most_first(const void *a, const void *b)
{
	const struct trace_summary_row *ra = a, *rb = b;

	if (ra->task != rb->task)
		return ra->task < rb->task ? -1 : 1;
	if (ra->sum.total_ns != rb->sum.total_ns)
		return ra->sum.total_ns < rb->sum.total_ns ? 1 : -1;
	return ra->number < rb->number ? -1 : 1;
}

int trace_summary_read(struct trace_summary *s, trace_summary_rows *ret)
{
	ret->n = 0;
	int r = s->by == TRACE_BY_ALL ? read_all(s, ret) : read_by_task(s, ret);
	if (r == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof ret->v[0], most_first);
	return r;
}
