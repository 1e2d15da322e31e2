#include "source/process/task_iter.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "kernel/bpf_load.h"
#include "source/process/cpu_split.h"
#include "source/process/task_iter.bpf.h"
#include "source/process/task_proc.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "source/process/task.skel.h"
#include "source/process/task_walk.skel.h"
#pragma GCC diagnostic pop

/* The kernel fills at most eight pages a read. */
#define CHUNK_BYTES (64 * 1024)

/* A task as it was last written. */
struct known {
	uint32_t look;
	struct task task;
	struct cpu_split own, dead;
};

struct task_iter {
	BPF_PROGRAMS(task) bpf; /* or walk.programs */
	int dump_fd;		/* link of the iterator */
	unsigned *bpf_look;
	struct walk {
		struct task_walk_light *programs; /* NULL: there is no walk */
		int link_fd;			  /* of the walk */
		const struct task_record *changed;
		const struct task_pulse *pulses;
		unsigned not_before; /* look; after one at which too many had changed */
	} walk;
	bool whole; /* the next look takes nothing from the last */
	bool forgetful; /* every look is whole: there is `only` in place of `known` */
	struct known only;
	bool schedstat_kept;
	uint32_t look;
	VEC(struct known) known;
	struct map known_by_tid;
	size_t next; /* of known: tasks come by tid at each look, so mostly this one is next */
	size_t seen; /* of known, at this look */
	enum task_motion rests; /* the task handed out last */
	size_t n;    /* bytes in chunk */
	char chunk[CHUNK_BYTES] __attribute__((aligned(8)));
};

static unsigned page_shift(void)
{
	return (unsigned)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
}

static int load(struct task_iter *i)
{
	int r = BPF_LOAD(task, &i->bpf, rodata->page_shift = page_shift());

	if (r < 0)
		return r;
	i->dump_fd = BPF_LINK_FD(&i->bpf, dump_task);
	i->bpf_look = &BPF_GLOBAL(&i->bpf, look);
	return 0;
}

/* ---- the walk ---- */

static size_t map_bytes(size_t n, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = n * ((size + 7) / 8 * 8);

	return (bytes + page - 1) / page * page;
}

static const void *map_of(int fd, size_t n, size_t size)
{
	void *at = mmap(NULL, map_bytes(n, size), PROT_READ, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void unload_walk(struct walk *w)
{
	if (w->changed)
		munmap((void *)(uintptr_t)w->changed, map_bytes(TASK_WALK_MOST, sizeof *w->changed));
	if (w->pulses)
		munmap((void *)(uintptr_t)w->pulses, map_bytes(TASK_PULSES, sizeof *w->pulses));
	if (w->programs && w->link_fd > 0)
		close(w->link_fd);
	if (w->programs)
		task_walk_light__destroy(w->programs);
	*w = (struct walk){ 0 };
}

/* An iterator over one task, ourselves: so that the walk runs once a look. */
static int link_walk(struct walk *w)
{
	union bpf_iter_link_info one = { .task = { .tid = (uint32_t)getpid() } };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &one, .iter_info_len = sizeof one);

	return bpf_link_create(w->programs->progs.walk_tasks.prog_fd, 0, BPF_TRACE_ITER, &opts);
}

static int load_walk(struct task_iter *i)
{
	struct walk *w = &i->walk;
	int r = BPF_LOAD_BY(task_walk_light, w->programs, rodata->page_shift = page_shift());

	if (r < 0)
		return r;
	w->changed = map_of(w->programs->maps.changed.map_fd, TASK_WALK_MOST, sizeof *w->changed);
	w->pulses = map_of(w->programs->maps.pulses.map_fd, TASK_PULSES, sizeof *w->pulses);
	w->link_fd = link_walk(w);
	if (!w->changed || !w->pulses || w->link_fd < 0) {
		unload_walk(w);
		return -EOPNOTSUPP;
	}
	i->dump_fd = w->programs->links.dump_task_fd;
	i->bpf_look = &w->programs->bss->look;
	return 0;
}

int task_iter_new(struct host *h, bool often, struct task_iter **ret, struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	int r = bpf_usable(h, note);

	if (r < 0)
		return r;
	struct task_iter *i = calloc(1, sizeof *i);
	if (!i)
		return note_set(note, -ENOMEM, "out of memory");
	i->schedstat_kept = task_schedstat_kept(h, &scratch);
	i->whole = true;
	r = often ? load_walk(i) : -EOPNOTSUPP;
	if (r < 0)
		r = load(i);
	if (r < 0) {
		task_iter_free(i);
		return bpf_load_failed(note, r, "task iterator");
	}
	*ret = i;
	return 0;
}

void task_iter_free(struct task_iter *i)
{
	if (!i)
		return;
	unload_walk(&i->walk);
	BPF_UNLOAD(task, &i->bpf);
	vec_free(&i->known);
	map_deinit(&i->known_by_tid);
	free(i);
}

static void scale(uint64_t run_ns, reading *user_ns, reading *system_ns, struct cpu_split *kept)
{
	cpu_split_scale(*user_ns, *system_ns, run_ns, kept);
	*user_ns = kept->user_ns;
	*system_ns = kept->system_ns;
}

static uint32_t index_of(struct task_iter *i, int32_t tid)
{
	uint32_t at = (uint32_t)i->next;

	if (at >= i->known.n || i->known.v[at].task.tid != tid)
		at = map_get(&i->known_by_tid, (uint64_t)tid);
	if (at != MAP_NONE)
		i->next = at + 1;
	return at;
}

/* The place of a task; a new one when it was not known, or was another of the same tid. */
static struct known *place_of(struct task_iter *i, const struct task *t)
{
	if (i->forgetful) {
		i->only = (struct known){ 0 };
		return &i->only;
	}
	uint32_t at = index_of(i, t->tid);

	if (at != MAP_NONE) {
		struct known *k = &i->known.v[at];
		if (k->task.start_ns != t->start_ns)
			*k = (struct known){ .look = k->look };
		return k;
	}
	struct known *k = vec_push(&i->known);
	if (k && map_set(&i->known_by_tid, (uint64_t)t->tid, (uint32_t)(i->known.n - 1)) < 0) {
		i->known.n--;
		k = NULL;
	}
	return k;
}

static void complete(const struct task_iter *i, const struct task_record *r, struct known *k)
{
	struct task *t = &k->task;

	*t = r->task;
	if (!i->schedstat_kept) {
		t->wait_ns = t->runs = t->run_ns = READING_ABSENT;
		t->flags &= (uint8_t)~TASK_HAS_WAIT_NS;
	}
	if (!reading_ok(t->run_ns))
		return; /* the parts stay as they were charged */
	scale(t->run_ns, &t->user_ns, &t->system_ns, &k->own);
	if (t->flags & TASK_IS_LEADER)
		scale(r->dead_run_ns, &t->dead_user_ns, &t->dead_system_ns, &k->dead);
}

static int take_record(struct task_iter *i, const struct task_record *r, struct known **ret)
{
	struct known *k = place_of(i, &r->task);

	if (!k)
		return -ENOMEM;
	complete(i, r, k);
	*ret = k;
	return 0;
}

static int take_rest(struct task_iter *i, const struct task_rest *r, struct known **ret)
{
	uint32_t at = index_of(i, -r->minus_tid);

	/* BPF writes a rest of what it wrote at the last look alone. */
	if (at == MAP_NONE || i->known.v[at].look != i->look - 1)
		return -EBADMSG;
	struct task *t = &i->known.v[at].task;
	if ((t->flags & (TASK_IS_LEADER | TASK_IS_KERNEL_THREAD)) == TASK_IS_LEADER) {
		t->anon_bytes = r->anon_bytes;
		t->file_bytes = r->file_bytes;
		t->shmem_bytes = r->shmem_bytes;
		t->swap_bytes = r->swap_bytes;
	}
	*ret = &i->known.v[at];
	return 0;
}

/* Takes what stands at the front of `p`: its size, 0 when there is less than a whole one. */
static int take_one(struct task_iter *i, const char *p, size_t n, struct known **ret)
{
	const struct task_rest *rest = (const void *)p;
	int r;

	if (n < sizeof *rest)
		return 0;
	i->rests = rest->minus_tid < 0 ? TASK_RESTS : TASK_MOVED;
	if (i->rests) {
		r = take_rest(i, rest, ret);
		return r < 0 ? r : (int)sizeof *rest;
	}
	if (n < sizeof(struct task_record))
		return 0;
	r = take_record(i, (const void *)p, ret);
	return r < 0 ? r : (int)sizeof(struct task_record);
}

/* Hands out what is whole in the chunk; what is left stays at its front. */
static int hand_out(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
{
	struct known *k;
	size_t at = 0;
	int taken;

	while ((taken = take_one(i, i->chunk + at, i->n - at, &k)) > 0) {
		at += (size_t)taken;
		i->seen += k->look != i->look;
		k->look = i->look;
		int r = each(&k->task, arg);
		if (r < 0)
			return r;
	}
	if (taken < 0)
		return taken;
	i->n -= at;
	memmove(i->chunk, i->chunk + at, i->n);
	return 0;
}

static int read_all(struct task_iter *i, int fd, int (*each)(const struct task *t, void *arg), void *arg)
{
	i->n = 0;
	for (;;) {
		ssize_t got = read(fd, i->chunk + i->n, sizeof i->chunk - i->n);

		/* EAGAIN: the kernel gives others a turn after a million silent tasks. */
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return i->n ? -EBADMSG : 0;
		i->n += (size_t)got;
		int r = hand_out(i, each, arg);
		if (r < 0)
			return r;
	}
}

/* Tasks that were not seen at this look are gone. */
static int forget_gone(struct task_iter *i)
{
	size_t kept = 0;

	if (i->seen == i->known.n)
		return 0;
	/* Mostly the young die: what stands before the first that is gone keeps its place. */
	for (size_t at = 0; at < i->known.n; at++) {
		struct known *k = &i->known.v[at];
		if (k->look != i->look) {
			map_remove(&i->known_by_tid, (uint64_t)k->task.tid);
			continue;
		}
		if (kept != at) {
			int r = map_set(&i->known_by_tid, (uint64_t)k->task.tid, (uint32_t)kept);
			if (r < 0)
				return r;
			i->known.v[kept] = *k;
		}
		kept++;
	}
	i->known.n = kept;
	return 0;
}

static int iterate(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
{
	cleanup(close_fd) int fd = bpf_iter_create(i->dump_fd);

	if (fd < 0)
		return -errno;
	*i->bpf_look = ++i->look;
	i->seen = i->next = 0;
	return read_all(i, fd, each, arg);
}

static int hand_out_changed(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
{
	unsigned n = i->walk.programs->bss->changed_count;
	int r = 0;

	i->rests = TASK_MOVED;
	for (unsigned at = 0; at < n && at < TASK_WALK_MOST && r >= 0; at++) {
		struct known *k;
		r = take_record(i, &i->walk.changed[at], &k);
		if (r < 0)
			return r;
		i->seen += k->look != i->look;
		k->look = i->look;
		r = each(&k->task, arg);
	}
	return r;
}

/* Those whose pulse the walk has found as it was. */
static int hand_out_resting(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
{
	i->rests = TASK_RESTS_WHOLLY;
	for (size_t at = 0; at < i->known.n; at++) {
		struct known *k = &i->known.v[at];
		/* Each is on a cache line of its own, in a stride that the CPU does not guess. */
		__builtin_prefetch(k + 12);
		const struct task_pulse *pulse = &i->walk.pulses[(uint32_t)k->task.tid % TASK_PULSES];
		if (k->look != i->look - 1 || pulse->tid != k->task.tid || pulse->look != i->look)
			continue;
		k->look = i->look;
		i->seen++;
		int r = each(&k->task, arg);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -EAGAIN: not this time; nothing was handed out. */
static int walk(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
{
	char nothing[64];

	if (!i->walk.programs || i->whole || i->look < i->walk.not_before)
		return -EAGAIN;
	cleanup(close_fd) int fd = bpf_iter_create(i->walk.link_fd);
	if (fd < 0)
		return -EAGAIN;
	*i->bpf_look = ++i->look;
	i->walk.programs->bss->walk_state = 0;
	i->seen = i->next = 0;
	while (read(fd, nothing, sizeof nothing) > 0)
		;
	unsigned state = i->walk.programs->bss->walk_state;
	if (state != 1) {
		/* Half a walk is none: the iterator takes all anew. */
		i->look++;
		i->walk.not_before = state == 2 ? i->look + TASK_WALKS_BETWEEN_REREADS : UINT32_MAX;
		return -EAGAIN;
	}
	int r = hand_out_changed(i, each, arg);
	return r < 0 ? r : hand_out_resting(i, each, arg);
}

int task_iter_each(struct task_iter *i, int (*each)(const struct task *t, void *arg), void *arg)
{
	int r = walk(i, each, arg);

	if (r == -EAGAIN)
		r = iterate(i, each, arg);
	if (r == 0)
		r = forget_gone(i);
	i->whole = r < 0 || i->forgetful;
	if (i->whole)
		i->look++; /* half a look is none: write all tasks whole at the next */
	return r;
}

void task_iter_forget(struct task_iter *i)
{
	i->forgetful = i->whole = true;
}

enum task_motion task_iter_rests(const struct task_iter *i)
{
	return i->rests;
}

/* BPF writes a rest only at the look that follows the last one. */
void task_iter_reread(struct task_iter *i)
{
	i->look++;
	i->whole = true;
}
