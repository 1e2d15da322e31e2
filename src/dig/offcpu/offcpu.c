#include "dig/offcpu/offcpu.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dig/offcpu/offcpu_name.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/offcpu/offcpu_watch.skel.h"
#pragma GCC diagnostic pop

#define FIRST_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO */
#define LEARN_NS (3 * NS_PER_S)

struct offcpu {
	struct offcpu_request q;
	BPF_PROGRAMS(offcpu_watch) bpf;
	struct ring_buffer *ring;
	struct profile_spaces *spaces;
	VEC(struct profile_stack *) stacks; /* each as long as its frames need */
	struct map stack_of_id;
	VEC(int) wishes;
	uint64_t started_ns, started_real_ns;
	size_t sent; /* since the kernel forgot what it had sent */
	int error;   /* of the ring's callback */
};

void offcpu_result_deinit(struct offcpu_result *r)
{
	offcpu_rows_deinit(&r->rows);
}

/* ---- what comes in ---- */

static uint64_t key_of(const struct profile_id *id)
{
	return map_hash(id, sizeof *id);
}

static const struct profile_stack *find_stack(const struct offcpu *o, const struct profile_id *id)
{
	uint32_t known = map_get(&o->stack_of_id, key_of(id));

	return known == MAP_NONE ? NULL : o->stacks.v[known];
}

static int remember(struct offcpu *o, const struct profile_stack *s, size_t size)
{
	if (find_stack(o, &s->id))
		return 0;
	/* The whole of what is not frames: some of it may lie behind the frames that were sent. */
	struct profile_stack *copy = calloc(1, size > sizeof *copy - sizeof copy->pc ? size : sizeof *copy);
	struct profile_stack **slot = copy ? vec_push(&o->stacks) : NULL;
	if (!slot) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, s, size);
	copy->comm[sizeof copy->comm - 1] = copy->process[sizeof copy->process - 1] = '\0';
	*slot = copy;
	return map_set(&o->stack_of_id, key_of(&s->id), (uint32_t)(o->stacks.n - 1));
}

static int on_record(void *arg, void *data, size_t size)
{
	struct offcpu *o = arg;
	const struct profile_stack *s = data;
	const struct profile_wish *w = data;

	if (size >= sizeof *w && w->kind == PROFILE_WISH) {
		int *slot = vec_push(&o->wishes);
		if (slot)
			*slot = (int)w->tgid;
	} else if (size >= offsetof(struct profile_stack, pc) && s->kind == PROFILE_STACK &&
		   size >= offsetof(struct profile_stack, pc) + (size_t)(s->nkernel + s->nuser) * sizeof s->pc[0]) {
		int r = remember(o, s, size);
		o->error = o->error ? o->error : r;
		o->sent++;
	}
	return 0;
}

static void grant_wishes(struct offcpu *o)
{
	/* One that has ended is not there to be read: its stacks stay unnamed, and are counted. */
	vec_each(pid, &o->wishes)
		(void)!profile_spaces_load(o->spaces, *pid, NULL);
	o->wishes.n = 0;
}

/* Before the kernel's list of what it has sent is full: what it forgets it sends again, and that is known by then. */
static void make_room(struct offcpu *o)
{
	int map = BPF_MAP_FD(&o->bpf, stacks);
	struct profile_id id;

	if (o->sent < PROFILE_STACKS / 4 * 3)
		return;
	for (size_t i = 0; i < PROFILE_STACKS && bpf_map_get_next_key(map, NULL, &id) == 0; i++)
		(void)!bpf_map_delete_elem(map, &id);
	o->sent = 0;
}

int offcpu_pump(struct offcpu *o, int timeout_ms)
{
	int r = ring_buffer__poll(o->ring, timeout_ms);

	/* Stacks come without waking anybody. */
	if (r >= 0)
		r = ring_buffer__consume(o->ring);
	grant_wishes(o);
	make_room(o);
	return r < 0 ? r : o->error;
}

/* ---- start ---- */

static int load(struct offcpu *o, struct host *h, struct note *note)
{
	const struct offcpu_request *q = &o->q;
	struct stat ours;
	int r = bpf_usable(h, note);

	if (r < 0)
		return r;
	if (stat("/proc/self/ns/pid", &ours) < 0)
		return note_set(note, -errno, "/proc/self/ns/pid: %s", strerror(errno));
	r = BPF_LOAD(offcpu_watch, &o->bpf, ({
		rodata->reader_namespace = ours.st_ino == FIRST_PID_NAMESPACE ? 0 : (unsigned)ours.st_ino;
		rodata->wanted_pid = q->pid;
		rodata->wanted_cgroup = q->cgroup;
		rodata->wanted_cgroup_level = q->cgroup_level;
		rodata->min_ns = q->min_ns;
		rodata->wanted_state = q->state;
		rodata->by_thread = q->by_thread;
		rodata->kernel_threads = q->kernel_threads;
	}));
	return r < 0 ? bpf_load_failed(note, r, "waits of threads (needs Linux 5.17)") : 0;
}

/* All processes, as long as there is time: of those left out the first long wait has a stack that ends early. */
static void learn_host(struct offcpu *o)
{
	uint64_t end = clock_mono_ns() + LEARN_NS;
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d)) && clock_mono_ns() < end) {
		uint64_t pid;

		if (span_u64(span_from(e->d_name), &pid) && pid <= INT32_MAX)
			(void)!profile_spaces_load(o->spaces, (int)pid, NULL);
	}
	if (d)
		closedir(d);
}

static int learn(struct offcpu *o, struct note *note)
{
	if (!o->q.pid) {
		learn_host(o);
		return 0;
	}
	/* A kernel thread has no memory, and may be looked at all the same. */
	int r = profile_spaces_load(o->spaces, o->q.pid, note);
	return r == -ESRCH ? 0 : r;
}

static uint64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void begin(struct offcpu *o)
{
	o->started_real_ns = clock_real_ns();
	o->started_ns = clock_mono_ns();
	BPF_GLOBAL(&o->bpf, started_boot_ns) = boot_ns();
	BPF_GLOBAL(&o->bpf, started_ns) = o->started_ns;
	__atomic_store_n(&BPF_GLOBAL(&o->bpf, counting), 1, __ATOMIC_SEQ_CST);
}

int offcpu_start(struct host *h, const struct offcpu_request *q, struct offcpu **ret, struct note *note)
{
	struct offcpu *o = calloc(1, sizeof *o);
	int r = o ? 0 : -ENOMEM;

	if (r < 0)
		return note_set(note, r, "out of memory");
	o->q = *q;
	r = load(o, h, note);
	if (r == 0)
		r = profile_spaces_new(BPF_MAP_FD(&o->bpf, spaces), BPF_MAP_FD(&o->bpf, tables), &o->spaces);
	if (r == 0 && !(o->ring = ring_buffer__new(BPF_MAP_FD(&o->bpf, ring), on_record, o, NULL)))
		r = note_set(note, -ENOMEM, "ring buffer: out of memory");
	if (r == 0)
		r = learn(o, note);
	if (r < 0) {
		offcpu_free(o);
		return r;
	}
	begin(o);
	*ret = o;
	return 0;
}

void offcpu_free(struct offcpu *o)
{
	if (!o)
		return;
	ring_buffer__free(o->ring);
	if (BPF_LOADED(&o->bpf))
		BPF_UNLOAD(offcpu_watch, &o->bpf);
	profile_spaces_free(o->spaces);
	vec_each(s, &o->stacks)
		free(*s);
	vec_free(&o->stacks);
	map_deinit(&o->stack_of_id);
	vec_free(&o->wishes);
	free(o);
}

/* ---- end ---- */

static int read_counts(struct offcpu *o, struct offcpu_counts *ret)
{
	int ncpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;

	if (ncpus < 0)
		return ncpus;
	struct offcpu_counts *all = calloc((size_t)ncpus, sizeof *all);
	if (!all)
		return -ENOMEM;
	int r = bpf_map_lookup_elem(BPF_MAP_FD(&o->bpf, counts), &zero, all) < 0 ? -errno : 0;
	*ret = (struct offcpu_counts){ 0 };
	for (int cpu = 0; r == 0 && cpu < ncpus; cpu++) {
		ret->waits += all[cpu].waits;
		ret->lost += all[cpu].lost;
		ret->lost_ns += all[cpu].lost_ns;
		ret->wakers_lost += all[cpu].wakers_lost;
		ret->spent_ns += all[cpu].spent_ns;
		for (size_t i = 0; i < 6; i++)
			ret->ends[i] += all[cpu].ends[i];
	}
	free(all);
	return r;
}

uint64_t offcpu_waits(struct offcpu *o)
{
	struct offcpu_counts c;

	return read_counts(o, &c) < 0 ? 0 : c.waits;
}

/* Threads that are blocked now: the iterator's program adds them, and writes nothing. */
static int take_rest(struct offcpu *o)
{
	cleanup(close_fd) int fd = bpf_iter_create(BPF_LINK_FD(&o->bpf, offcpu_rest));
	char none[64];
	ssize_t n = fd < 0 ? -errno : 1;

	while (n > 0 || n == -EINTR || n == -EAGAIN) {
		n = read(fd, none, sizeof none);
		n = n < 0 ? -errno : n;
		int r = ring_buffer__consume(o->ring);
		if (r < 0)
			return r;
	}
	return (int)n;
}

static enum offcpu_waker_kind kind_of(const struct offcpu_key *key, const struct profile_stack *waker)
{
	if (waker)
		return OFFCPU_BY_TASK;
	return key->waker.b == 0 && key->waker.a == OFFCPU_WAKER_NONE ? OFFCPU_BY_NOBODY : OFFCPU_BY_UNKNOWN;
}

static int take_waits(struct offcpu *o, offcpu_pair_vec *ret, uint64_t *lost)
{
	struct offcpu_key key, previous, *from = NULL;
	int map = BPF_MAP_FD(&o->bpf, waits);
	struct offcpu_sum sum;

	for (; bpf_map_get_next_key(map, from, &key) == 0; previous = key, from = &previous) {
		if (bpf_map_lookup_elem(map, &key, &sum) < 0)
			continue;
		const struct profile_stack *wait = find_stack(o, &key.stack), *waker = find_stack(o, &key.waker);
		if (!wait) {
			*lost += sum.count;
			continue;
		}
		struct offcpu_pair *p = vec_push(ret);
		if (!p)
			return -ENOMEM;
		*p = (struct offcpu_pair){ wait, waker, kind_of(&key, waker), sum };
	}
	return 0;
}

static int collect(struct offcpu *o, offcpu_pair_vec *pairs, struct offcpu_result *result)
{
	uint64_t lost = 0;
	int r = ring_buffer__consume(o->ring);

	grant_wishes(o);
	if (r >= 0)
		r = take_rest(o);
	grant_wishes(o);
	if (r >= 0)
		r = o->error;
	if (r == 0)
		r = read_counts(o, &result->counts);
	if (r == 0)
		r = take_waits(o, pairs, &lost);
	result->counts.lost += lost;
	return r;
}

int offcpu_finish(struct offcpu *o, struct offcpu_result *ret)
{
	struct offcpu_result result = { .real_ns = o->started_real_ns };
	struct profile_spaces_statistics known;
	offcpu_pair_vec pairs = { 0 };

	uint64_t ended = clock_mono_ns();
	BPF_GLOBAL(&o->bpf, ended_ns) = ended;
	__atomic_store_n(&BPF_GLOBAL(&o->bpf, counting), 0, __ATOMIC_SEQ_CST);
	result.wall_ns = ended - o->started_ns;
	int r = offcpu_rows_init(&result.rows, o->q.by_thread, o->q.lines);
	if (r < 0)
		return r;
	r = collect(o, &pairs, &result);
	for (size_t i = PROFILE_END_UNKNOWN; i < 6; i++)
		result.early += result.counts.ends[i];
	if (r == 0)
		r = offcpu_name_all(o->spaces, &pairs, !o->q.pid, &result);
	profile_spaces_statistics(o->spaces, &known);
	result.processes = known.processes;
	result.stacks = o->stacks.n;
	vec_free(&pairs);
	if (r < 0)
		offcpu_rows_deinit(&result.rows);
	else
		*ret = result;
	return r;
}
