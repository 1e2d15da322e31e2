#include "source/process/fork_watch.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kernel/bpf_load.h"
#include "source/process/fork_watch.bpf.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "source/process/fork_watch.skel.h"
#pragma GCC diagnostic pop

struct fork_watch {
	struct host *host;
	BPF_PROGRAMS(fork_watch) bpf; /* not loaded: the newest task is asked for its parent at each tick */
	fork_count_vec sampled;
	struct buf scratch;
};

static int load(struct fork_watch *w)
{
	struct stat ours;

	if (stat("/proc/self/ns/pid", &ours) < 0)
		return -errno;
	return BPF_LOAD(fork_watch, &w->bpf, rodata->reader_namespace = (unsigned)ours.st_ino);
}

int fork_watch_new(struct host *h, struct fork_watch **ret, struct note *note)
{
	struct fork_watch *w = calloc(1, sizeof *w);

	if (!w)
		return note_set(note, -ENOMEM, "out of memory");
	w->host = h;
	if (host_is_textual(h)) {
		note_set(note, 0, "a capture holds text alone");
	} else if (bpf_usable(h, note) == 0) {
		int r = load(w);
		if (r < 0)
			bpf_load_failed(note, r, "fork watch");
	}
	*ret = w;
	return 0;
}

void fork_watch_free(struct fork_watch *w)
{
	if (!w)
		return;
	BPF_UNLOAD(fork_watch, &w->bpf);
	vec_free(&w->sampled);
	buf_deinit(&w->scratch);
	free(w);
}

bool fork_watch_exact(const struct fork_watch *w)
{
	return BPF_LOADED(&w->bpf);
}

static struct fork_count *sampled_count(struct fork_watch *w, int32_t pid)
{
	vec_each(c, &w->sampled)
		if (c->pid == pid)
			return c;
	struct fork_count *c = vec_push(&w->sampled);
	if (c)
		c->pid = pid;
	return c;
}

/* Who made a task, from its /proc/PID/status: the process of a thread, the parent of a process. */
static int32_t maker_of(struct span status)
{
	struct span line, name;
	uint64_t tgid = 0, pid = 0, ppid = 0;

	while (span_line(&status, &line)) {
		if (!span_word(&line, &name))
			continue;
		if (span_is(name, "Tgid:"))
			span_next_u64(&line, &tgid);
		else if (span_is(name, "Pid:"))
			span_next_u64(&line, &pid);
		else if (span_is(name, "PPid:"))
			span_next_u64(&line, &ppid);
	}
	uint64_t maker = tgid != pid ? tgid : ppid;
	return maker <= INT32_MAX ? (int32_t)maker : 0;
}

static void name_parent(struct fork_watch *w, struct fork_count *c)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/comm", c->pid);
	if (host_read(w->host, path, &w->scratch) == 0)
		span_copy(span_trim(buf_span(&w->scratch)), c->comm, sizeof c->comm);
}

void fork_watch_tick(struct fork_watch *w, uint64_t last_pid)
{
	char path[40];

	if (BPF_LOADED(&w->bpf) || last_pid == 0 || last_pid > INT32_MAX)
		return;
	snprintf(path, sizeof path, "/proc/%d/status", (int)last_pid);
	if (host_read(w->host, path, &w->scratch) < 0)
		return; /* gone already: the next tick may do better */
	int32_t maker = maker_of(buf_span(&w->scratch));
	struct fork_count *c = maker ? sampled_count(w, maker) : NULL;
	if (!c)
		return;
	c->forks++;
	if (!c->comm[0])
		name_parent(w, c);
}

static int read_births(int map, fork_count_vec *ret)
{
	int32_t key, previous, *from = NULL;

	while (bpf_map_get_next_key(map, from, &key) == 0) {
		struct fork_births born;

		if (bpf_map_lookup_elem(map, &key, &born) == 0 && born.pid) {
			struct fork_count *c = vec_push(ret);
			if (!c)
				return -ENOMEM;
			c->pid = born.pid;
			c->forks = born.births;
			memcpy(c->comm, born.comm, sizeof c->comm);
		}
		previous = key;
		from = &previous;
	}
	return 0;
}

static int most_first(const void *a, const void *b)
{
	const struct fork_count *fa = a, *fb = b;

	if (fa->forks != fb->forks)
		return fa->forks < fb->forks ? 1 : -1;
	return (fa->pid > fb->pid) - (fa->pid < fb->pid);
}

int fork_watch_read(struct fork_watch *w, fork_count_vec *ret)
{
	int r = 0;

	ret->n = 0;
	if (BPF_LOADED(&w->bpf)) {
		r = read_births(BPF_MAP_FD(&w->bpf, births), ret);
	} else {
		vec_each(c, &w->sampled) {
			struct fork_count *copy = vec_push(ret);
			if (!copy)
				return -ENOMEM;
			*copy = *c;
		}
	}
	if (r == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof ret->v[0], most_first);
	return r;
}
