#include "dig/latency/latency.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/map.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/latency/latency_disk.skel.h"
#include "dig/latency/latency_runq.skel.h"
#include "dig/latency/latency_softirq.skel.h"
#include "dig/latency/latency_syscall.skel.h"
#pragma GCC diagnostic pop

#define FUTEX_WAIT_CALL 455	     /* 6.7; the same number everywhere */
#define FIRST_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO */

struct latency {
	struct latency_request request;
	BPF_PROGRAMS(latency_runq) runq;
	BPF_PROGRAMS(latency_disk) disk;
	BPF_PROGRAMS(latency_syscall) syscall;
	BPF_PROGRAMS(latency_softirq) softirq;
	int totals, numbers, keys, slow;
	unsigned ncpus;
	struct latency_counts *each_cpu; /* room for one value of a map of all CPUs */
	struct ring_buffer *ring;
	latency_tell_fn tell;
	void *arg;
};

bool latency_by_fits(enum latency_kind kind, enum latency_by by)
{
	switch (by) {
	case LATENCY_BY_NUMBER: return kind != LATENCY_DISK && kind != LATENCY_FUTEX;
	case LATENCY_BY_PLACE: return kind == LATENCY_DISK || kind == LATENCY_FUTEX;
	default: return kind != LATENCY_SOFTIRQ;
	}
}

/* ---- loading ---- */

static unsigned reader_namespace(void)
{
	struct stat ours;

	if (stat("/proc/self/ns/pid", &ours) < 0 || ours.st_ino == FIRST_PID_NAMESPACE)
		return 0;
	return (unsigned)ours.st_ino;
}

/* Constants that all programs have. */
#define SET_UP(rodata)                                            \
	do {                                                      \
		(rodata)->reader_namespace = reader_namespace(); \
		(rodata)->wanted_pid = q->pid;                    \
		(rodata)->wanted_cgroup = q->cgroup;              \
		(rodata)->wanted_cgroup_level = q->cgroup_level;  \
		(rodata)->latency_by = q->by;                     \
		(rodata)->slow_ns = q->slow_ns;                   \
	} while (0)

#define MAPS_OF(l, programs)                                   \
	do {                                                   \
		(l)->totals = BPF_MAP_FD((programs), totals);   \
		(l)->numbers = BPF_MAP_FD((programs), numbers); \
		(l)->keys = BPF_MAP_FD((programs), keys);       \
		(l)->slow = BPF_MAP_FD((programs), slow);       \
	} while (0)

static int load_runq(struct latency *l)
{
	const struct latency_request *q = &l->request;
	int r = BPF_LOAD(latency_runq, &l->runq, SET_UP(rodata); rodata->began_boot_ns = clock_boot_ns());

	if (r == 0)
		MAPS_OF(l, &l->runq);
	return r;
}

static int load_disk(struct latency *l)
{
	const struct latency_request *q = &l->request;
	int r = BPF_LOAD(latency_disk, &l->disk, SET_UP(rodata));

	if (r == 0)
		MAPS_OF(l, &l->disk);
	return r;
}

static int load_syscall(struct latency *l)
{
	const struct latency_request *q = &l->request;
	int r = BPF_LOAD(latency_syscall, &l->syscall, SET_UP(rodata); rodata->futexes_only = q->kind == LATENCY_FUTEX;
			 rodata->futex_call = SYS_futex; rodata->futex_wait_call = FUTEX_WAIT_CALL);

	if (r == 0)
		MAPS_OF(l, &l->syscall);
	return r;
}

static int load_softirq(struct latency *l)
{
	const struct latency_request *q = &l->request;
	int r = BPF_LOAD(latency_softirq, &l->softirq, SET_UP(rodata));

	if (r == 0)
		MAPS_OF(l, &l->softirq);
	return r;
}

static int load(struct latency *l, struct note *note)
{
	static int (*const loaders[])(struct latency *) = { load_runq, load_disk, load_syscall, load_softirq, load_syscall };
	int r = loaders[l->request.kind](l);

	if (r == 0 || r == -EPERM || r == -ENOMEM)
		return r < 0 ? bpf_load_failed(note, r, "latency") : 0;
	return note_set(note, r, "needs Linux 5.11 with BTF (loading failed: %s)", strerror(-r));
}

static int on_slow(void *arg, void *data, size_t size)
{
	struct latency *l = arg;

	if (size >= sizeof(struct latency_slow) && l->tell)
		l->tell(l->arg, data);
	return 0;
}

static int prepare(struct latency *l, struct note *note)
{
	int ncpus = libbpf_num_possible_cpus();

	if (ncpus <= 0)
		return note_set(note, -EIO, "the number of CPUs is not known");
	l->ncpus = (unsigned)ncpus;
	l->each_cpu = calloc(l->ncpus, sizeof *l->each_cpu);
	if (!l->each_cpu)
		return note_set(note, -ENOMEM, "out of memory");
	int r = load(l, note);
	if (r < 0 || !l->request.slow_ns)
		return r;
	l->ring = ring_buffer__new(l->slow, on_slow, l, NULL);
	return l->ring ? 0 : note_set(note, -errno, "ring buffer: %s", strerror(errno));
}

int latency_new(struct host *h, const struct latency_request *request, struct latency **ret, struct note *note)
{
	struct note why = { "" };
	int r = bpf_usable(h, &why);

	if (r < 0)
		return note_set(note, r, r == -ENOENT ? "needs Linux 5.11 with BTF: %s" : "%s", why.text);
	struct latency *l = calloc(1, sizeof *l);
	if (!l)
		return note_set(note, -ENOMEM, "out of memory");
	l->request = *request;
	r = prepare(l, note);
	if (r < 0) {
		latency_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void latency_free(struct latency *l)
{
	if (!l)
		return;
	ring_buffer__free(l->ring);
	BPF_UNLOAD(latency_runq, &l->runq);
	BPF_UNLOAD(latency_disk, &l->disk);
	BPF_UNLOAD(latency_syscall, &l->syscall);
	BPF_UNLOAD(latency_softirq, &l->softirq);
	free(l->each_cpu);
	free(l);
}

/* ---- reading ---- */

void latency_result_deinit(struct latency_result *r)
{
	vec_free(&r->rows);
}

static int read_cpus(struct latency *l, int map, uint32_t key, struct latency_counts *ret)
{
	if (bpf_map_lookup_elem(map, &key, l->each_cpu) < 0)
		return -errno;
	memset(ret, 0, sizeof *ret);
	for (unsigned i = 0; i < l->ncpus; i++)
		histogram_add(ret, &l->each_cpu[i]);
	return 0;
}

static int read_numbers(struct latency *l, struct latency_result *ret)
{
	for (uint32_t i = 0; i < LATENCY_NUMBERS; i++) {
		struct latency_counts counts;
		int r = read_cpus(l, l->numbers, i, &counts);

		if (r < 0)
			return r;
		if (!counts.count)
			continue;
		struct latency_row *row = vec_push(&ret->rows);
		if (!row)
			return -ENOMEM;
		row->key.a = i;
		row->counts = counts;
		histogram_add(&ret->total, &counts);
	}
	return 0;
}

static int read_keys(struct latency *l, struct latency_result *ret)
{
	struct latency_key key, previous, *from = NULL;

	while (bpf_map_get_next_key(l->keys, from, &key) == 0) {
		struct latency_row *row = vec_push(&ret->rows);

		if (!row)
			return -ENOMEM;
		row->key = key;
		if (bpf_map_lookup_elem(l->keys, &key, &row->counts) < 0 || !row->counts.count)
			ret->rows.n--;
		previous = key;
		from = &previous;
	}
	return 0;
}

#define LOST(l, which)                                                                                          \
	((l)->request.kind == LATENCY_RUNQ    ? BPF_GLOBAL(&(l)->runq, which) :                                \
	 (l)->request.kind == LATENCY_DISK    ? BPF_GLOBAL(&(l)->disk, which) :                                \
	 (l)->request.kind == LATENCY_SOFTIRQ ? BPF_GLOBAL(&(l)->softirq, which) :                             \
						BPF_GLOBAL(&(l)->syscall, which))

int latency_read(struct latency *l, struct latency_result *ret)
{
	int r;

	ret->rows.n = 0;
	memset(&ret->total, 0, sizeof ret->total);
	ret->at_ns = clock_mono_ns();
	if (l->request.kind == LATENCY_RUNQ && BPF_GLOBAL(&l->runq, no_sched_info))
		return -EOPNOTSUPP;
	r = l->request.by == LATENCY_BY_NUMBER ? read_numbers(l, ret) : read_cpus(l, l->totals, 0, &ret->total);
	if (r == 0 && l->request.by != LATENCY_BY_NUMBER)
		r = read_keys(l, ret);
	if (r == 0)
		r = read_cpus(l, l->totals, 1, &ret->queued);
	ret->keys_lost = LOST(l, keys_lost);
	ret->slow_lost = LOST(l, slow_lost);
	return r;
}

static uint64_t hash_of(const struct latency_key *key)
{
	return map_hash(key, sizeof *key);
}

static int rows_between(const latency_row_vec *before, const latency_row_vec *after, const struct map *places,
			latency_row_vec *ret)
{
	static const struct latency_counts none;

	vec_each(row, after) {
		uint32_t at = map_get(places, hash_of(&row->key));
		bool known = at != MAP_NONE && memcmp(&before->v[at].key, &row->key, sizeof row->key) == 0;
		struct latency_row *grown;

		if (known && before->v[at].counts.count == row->counts.count)
			continue;
		grown = vec_push(ret);
		if (!grown)
			return -ENOMEM;
		grown->key = row->key;
		histogram_delta(known ? &before->v[at].counts : &none, &row->counts, &grown->counts);
	}
	return 0;
}

int latency_between(const struct latency_result *before, const struct latency_result *after, struct latency_result *ret)
{
	struct map places = { 0 };
	int r = 0;

	ret->rows.n = 0;
	ret->at_ns = after->at_ns;
	ret->keys_lost = after->keys_lost - before->keys_lost;
	ret->slow_lost = after->slow_lost - before->slow_lost;
	histogram_delta(&before->total, &after->total, &ret->total);
	histogram_delta(&before->queued, &after->queued, &ret->queued);
	for (size_t i = 0; i < before->rows.n && r == 0; i++)
		r = map_set(&places, hash_of(&before->rows.v[i].key), (uint32_t)i);
	if (r == 0)
		r = rows_between(&before->rows, &after->rows, &places, &ret->rows);
	map_deinit(&places);
	return r;
}

/* ---- slow ones ---- */

void latency_on_slow(struct latency *l, latency_tell_fn tell, void *arg)
{
	l->tell = tell;
	l->arg = arg;
}

int latency_wait(struct latency *l, unsigned timeout_ms)
{
	int r;

	if (!l->ring)
		return poll(NULL, 0, (int)timeout_ms) < 0 ? -errno : 0;
	r = ring_buffer__poll(l->ring, (int)timeout_ms);
	return r < 0 ? r : 0;
}
