#include "dig/image/mapping_watch.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"

#define RING_PAGES 64
#define RECORD_MAX 65536

struct cpu_ring {
	int fd;
	struct perf_event_mmap_page *page;
};

struct mapping_watch {
	VEC(struct cpu_ring) ring;
	size_t page_bytes;
	VEC(struct mapping_event) waiting; /* by time, from `applied` on */
	size_t applied;
	uint64_t drained_ns, changes;
	struct map by_pid; /* position in `process`, of pid + 1 */
	VEC(struct mapped_process) process;
	size_t oldest;	      /* where the next newcomer goes once all places are taken */
	struct map by_name;   /* position in `name` */
	VEC(char *) name;
	char *record; /* one that lies over the ring's end */
};

/* ---- records ---- */

/* "//anon" is what perf calls memory without a file; names in brackets are as in maps. */
static int parse_map(struct span s, struct mapping_event *e)
{
	struct {
		uint32_t pid, tid;
		uint64_t start, length, offset;
		uint32_t major, minor;
		uint64_t inode, generation;
		uint32_t protection, flags;
	} m;

	if (!span_take_bytes(&s, &m, sizeof m) || !memchr(s.p, '\0', s.n) || m.start + m.length < m.start)
		return -EBADMSG;
	if (!m.length)
		return 0;
	e->kind = MAPPING_EVENT_MAP;
	e->pid = (int)m.pid;
	const int shared = m.flags & MAP_SHARED ? MAPPING_SHARED : 0;
	e->mapping = (struct mapping){ .start = m.start, .end = m.start + m.length, .offset = m.offset,
				       .inode = m.inode, .device_major = m.major, .device_minor = m.minor,
				       .flags = (uint8_t)((m.protection & 7) | shared),
				       .name = s.p[0] == '/' && s.p[1] == '/' ? "" : s.p };
	return 0;
}

int mapping_event_parse(struct span record, struct mapping_event *ret)
{
	struct perf_event_header h;
	uint32_t id[4];
	struct mapping_event e = { 0 };
	struct span s = record;
	int r = 0;

	if (!span_take_bytes(&s, &h, sizeof h) || h.size != record.n)
		return -EBADMSG;
	if (h.type == PERF_RECORD_LOST) {
		e.kind = MAPPING_EVENT_LOST;
	} else if (h.type == PERF_RECORD_MMAP2 || h.type == PERF_RECORD_COMM || h.type == PERF_RECORD_FORK) {
		if (s.n < sizeof e.time_ns)
			return -EBADMSG;
		s.n -= sizeof e.time_ns;
		memcpy(&e.time_ns, s.p + s.n, sizeof e.time_ns);
		if (h.type == PERF_RECORD_MMAP2) {
			r = parse_map(s, &e);
		} else if (!span_take_bytes(&s, id, h.type == PERF_RECORD_COMM ? 8 : sizeof id)) {
			r = -EBADMSG;
		} else if (h.type == PERF_RECORD_COMM) {
			e.kind = h.misc & PERF_RECORD_MISC_COMM_EXEC ? MAPPING_EVENT_EXEC : MAPPING_EVENT_NONE;
			e.pid = (int)id[0];
		} else if (id[0] != id[1]) { /* no thread */
			e.kind = MAPPING_EVENT_FORK;
			e.pid = (int)id[0];
			e.parent = (int)id[1];
		}
	}
	if (r == 0)
		*ret = e;
	return r;
}

/* ---- what is known ---- */

int mapping_put(struct mapped_process *p, const struct mapping *m)
{
	size_t at = 0;

	if (vec_reserve(&p->mapping, 2) < 0)
		return -ENOMEM;
	while (at < p->mapping.n && p->mapping.v[at].end <= m->start)
		at++;
	struct mapping *v = p->mapping.v;
	if (at < p->mapping.n && v[at].start < m->start) {
		/* The new one lies within, or over the end: what is before it stays, and is doubled for what
		 * is behind. */
		memmove(&v[at + 1], &v[at], (p->mapping.n - at) * sizeof *v);
		p->mapping.n++;
		v[at].end = m->start;
		v[at + 1].offset += m->start - v[at + 1].start;
		v[at + 1].start = m->start;
		at++;
	}
	size_t to = at;
	while (to < p->mapping.n && v[to].end <= m->end)
		to++;
	if (to < p->mapping.n && v[to].start < m->end) {
		v[to].offset += m->end - v[to].start;
		v[to].start = m->end;
	}
	memmove(&v[at + 1], &v[to], (p->mapping.n - to) * sizeof *v);
	v[at] = *m;
	p->mapping.n = p->mapping.n - (to - at) + 1;
	return 0;
}

static struct mapped_process *process_of(struct mapping_watch *w, int pid)
{
	uint32_t at = map_get(&w->by_pid, (uint64_t)pid + 1);
	struct mapped_process *p;

	if (at != MAP_NONE)
		return &w->process.v[at];
	if (w->process.n < MAPPING_WATCH_PROCESSES) {
		p = vec_push(&w->process);
		if (!p)
			return NULL;
	} else {
		p = &w->process.v[w->oldest];
		w->oldest = (w->oldest + 1) % MAPPING_WATCH_PROCESSES;
		map_remove(&w->by_pid, (uint64_t)p->pid + 1);
		p->mapping.n = 0;
	}
	p->pid = pid;
	p->parent = 0;
	p->whole = false;
	return map_set(&w->by_pid, (uint64_t)pid + 1, (uint32_t)(p - w->process.v)) < 0 ? NULL : p;
}

static void lose(struct mapping_watch *w)
{
	vec_each(p, &w->process)
		p->whole = false;
}

static int copy_of_parent(struct mapping_watch *w, struct mapped_process *child)
{
	const struct mapped_process *parent = mapping_watch_find(w, child->parent);

	child->mapping.n = 0;
	child->whole = parent && parent->whole;
	if (!child->whole || !parent->mapping.n)
		return 0;
	if (vec_reserve(&child->mapping, parent->mapping.n) < 0)
		return -ENOMEM;
	memcpy(child->mapping.v, parent->mapping.v, parent->mapping.n * sizeof *child->mapping.v);
	child->mapping.n = parent->mapping.n;
	return 0;
}

static void apply(struct mapping_watch *w, const struct mapping_event *e)
{
	struct mapped_process *p = e->kind == MAPPING_EVENT_LOST ? NULL : process_of(w, e->pid);

	if (!p) {
		lose(w);
		return;
	}
	p->change = ++w->changes;
	switch (e->kind) {
	case MAPPING_EVENT_MAP:
		if (p->whole && mapping_put(p, &e->mapping) < 0)
			p->whole = false;
		break;
	case MAPPING_EVENT_EXEC:
		p->mapping.n = 0;
		p->whole = true;
		break;
	case MAPPING_EVENT_FORK:
		p->parent = e->parent;
		if (copy_of_parent(w, p) < 0)
			p->whole = false;
		break;
	default:
		break;
	}
}

const struct mapped_process *mapping_watch_find(const struct mapping_watch *w, int pid)
{
	uint32_t at = map_get(&w->by_pid, (uint64_t)pid + 1);

	return at == MAP_NONE ? NULL : &w->process.v[at];
}

int mapping_watch_map(const struct mapped_process *p, struct memory_map *ret)
{
	struct memory_map m = { 0 };

	if (p->mapping.n && vec_reserve(&m.mapping, p->mapping.n) < 0)
		return -ENOMEM;
	if (p->mapping.n)
		memcpy(m.mapping.v, p->mapping.v, p->mapping.n * sizeof *m.mapping.v);
	m.mapping.n = p->mapping.n;
	*ret = m;
	return 0;
}

/* ---- rings ---- */

/* One copy of each name for all that map it. NULL without memory. */
static const char *keep_name(struct mapping_watch *w, const char *name)
{
	uint64_t hash = map_hash(name, strlen(name));
	uint32_t at = map_get(&w->by_name, hash);

	if (at != MAP_NONE && strcmp(w->name.v[at], name) == 0)
		return w->name.v[at];
	char *copy = strdup(name), **slot = copy ? vec_push(&w->name) : NULL;
	if (!slot) {
		free(copy);
		return NULL;
	}
	*slot = copy;
	if (at == MAP_NONE && map_set(&w->by_name, hash, (uint32_t)(w->name.n - 1)) < 0)
		return copy; /* it is kept, only not found again */
	return copy;
}

static void wait_for_its_time(struct mapping_watch *w, struct mapping_event *e)
{
	if (e->kind == MAPPING_EVENT_MAP) {
		e->mapping.name = keep_name(w, e->mapping.name);
		if (!e->mapping.name)
			e->kind = MAPPING_EVENT_LOST;
	}
	struct mapping_event *slot = vec_push(&w->waiting);
	if (slot)
		*slot = *e;
	else
		lose(w);
}

static struct span record_at(struct mapping_watch *w, const char *data, uint64_t size, uint64_t tail)
{
	const struct perf_event_header *h = (const void *)(data + tail % size);
	size_t first = size - tail % size;

	if (h->size <= first)
		return (struct span){ (const char *)h, h->size };
	memcpy(w->record, h, first);
	memcpy(w->record + first, data, h->size - first);
	return (struct span){ w->record, h->size };
}

static void drain(struct mapping_watch *w, struct cpu_ring *ring)
{
	const char *data = (const char *)ring->page + w->page_bytes;
	uint64_t size = RING_PAGES * w->page_bytes, head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE),
		 tail = ring->page->data_tail;

	while (tail < head) {
		struct span record = record_at(w, data, size, tail);
		struct mapping_event e;

		if (record.n < sizeof(struct perf_event_header))
			break;
		if (mapping_event_parse(record, &e) < 0)
			e = (struct mapping_event){ .kind = MAPPING_EVENT_LOST };
		if (e.kind != MAPPING_EVENT_NONE)
			wait_for_its_time(w, &e);
		tail += record.n;
	}
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

static int compare_times(const void *a, const void *b)
{
	const struct mapping_event *ea = a, *eb = b;

	return (ea->time_ns > eb->time_ns) - (ea->time_ns < eb->time_ns);
}

void mapping_watch_until(struct mapping_watch *w, uint64_t ns)
{
	if (ns >= w->drained_ns) {
		size_t left = w->waiting.n - w->applied;

		if (w->applied)
			memmove(w->waiting.v, w->waiting.v + w->applied, left * sizeof *w->waiting.v);
		w->waiting.n = left;
		w->applied = 0;
		w->drained_ns = clock_mono_ns();
		vec_each(ring, &w->ring)
			drain(w, ring);
		if (w->waiting.n > left)
			qsort(w->waiting.v, w->waiting.n, sizeof *w->waiting.v, compare_times);
	}
	while (w->applied < w->waiting.n && w->waiting.v[w->applied].time_ns <= ns)
		apply(w, &w->waiting.v[w->applied++]);
}

static int open_ring(struct mapping_watch *w, int cpu)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof a,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	int fd = (int)syscall(SYS_perf_event_open, &a, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno; /* a CPU that is off */
	void *page = mmap(NULL, (1 + RING_PAGES) * w->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct cpu_ring *ring = page != MAP_FAILED ? vec_push(&w->ring) : NULL;
	if (!ring) {
		int r = page == MAP_FAILED ? -errno : -ENOMEM;
		if (page != MAP_FAILED)
			munmap(page, (1 + RING_PAGES) * w->page_bytes);
		close(fd);
		return r;
	}
	*ring = (struct cpu_ring){ fd, page };
	return 0;
}

int mapping_watch_new(struct mapping_watch **ret, struct note *note)
{
	struct mapping_watch *w = calloc(1, sizeof *w);
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int r = 0;

	if (!w)
		return -ENOMEM;
	w->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	w->record = malloc(RECORD_MAX);
	if (!w->record)
		r = -ENOMEM;
	for (int cpu = 0; r == 0 && cpu < cpus; cpu++)
		r = open_ring(w, cpu);
	if (r < 0) {
		mapping_watch_free(w);
		return note_set(note, r, "new mappings cannot be watched: %s", strerror(-r));
	}
	*ret = w;
	return 0;
}

void mapping_watch_free(struct mapping_watch *w)
{
	if (!w)
		return;
	vec_each(ring, &w->ring) {
		munmap(ring->page, (1 + RING_PAGES) * w->page_bytes);
		close(ring->fd);
	}
	vec_free(&w->ring);
	vec_free(&w->waiting);
	vec_each(p, &w->process)
		vec_free(&p->mapping);
	vec_free(&w->process);
	vec_each(name, &w->name)
		free(*name);
	vec_free(&w->name);
	map_deinit(&w->by_pid);
	map_deinit(&w->by_name);
	free(w->record);
	free(w);
}
