#include "dig/trace/trace_summary.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dig/trace/trace_bpf.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/trace/trace_sums.skel.h"
#pragma GCC diagnostic pop

struct trace_summary {
	BPF_PROGRAMS(trace_sums) bpf;
	enum trace_by by;
	int32_t child;
	int status;
	int cpus;
	struct trace_sum *of_cpu; /* room for one look-up */
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
		memcpy(rodata->calls, q->filter->call, sizeof rodata->calls);
	});
	if (r < 0) {
		(void)!bpf_load_failed(note, r, "trace summary");
		return -EOPNOTSUPP;
	}
	if (q->argv)
		return trace_bpf_start(q, BPF_MAP_FD(&s->bpf, targets), BPF_LINK_FD(&s->bpf, find_targets), &s->child, note);
	r = trace_bpf_find_targets(BPF_MAP_FD(&s->bpf, targets), BPF_LINK_FD(&s->bpf, find_targets), q->pid, q->npids);
	if (r < 0)
		return note_set(note, r, "the threads could not be found: %s", strerror(-r));
	return trace_summary_living(s) ? 0 : note_set(note, -ESRCH, "no thread of the targets is left");
}

int trace_summary_new(struct host *h, const struct trace_request *q, enum trace_by by, struct trace_summary **ret, struct note *note)
{
	struct trace_summary *s = calloc(1, sizeof *s);
	int cpus = libbpf_num_possible_cpus();

	if (s && cpus > 0)
		s->of_cpu = calloc((size_t)cpus, sizeof *s->of_cpu);
	if (!s || !s->of_cpu) {
		free(s);
		return note_set(note, -ENOMEM, "out of memory");
	}
	s->by = by;
	s->status = -1;
	s->cpus = cpus;
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
	BPF_UNLOAD(trace_sums, &s->bpf);
	free(s->of_cpu);
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

static int read_all(struct trace_summary *s, trace_summary_rows *rows)
{
	int map = BPF_MAP_FD(&s->bpf, sums);

	for (unsigned call = 0; call < TRACE_CALLS; call++) {
		struct trace_sum sum = { 0 };

		if (bpf_map_lookup_elem(map, &call, s->of_cpu) < 0)
			return -errno;
		for (int cpu = 0; cpu < s->cpus; cpu++) {
			sum.count += s->of_cpu[cpu].count;
			sum.errors += s->of_cpu[cpu].errors;
			sum.total_ns += s->of_cpu[cpu].total_ns;
			sum.max_ns = s->of_cpu[cpu].max_ns > sum.max_ns ? s->of_cpu[cpu].max_ns : sum.max_ns;
			for (unsigned i = 0; i < TRACE_BUCKETS; i++)
				sum.bucket[i] += s->of_cpu[cpu].bucket[i];
		}
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
