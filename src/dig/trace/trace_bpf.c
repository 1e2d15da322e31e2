#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "dig/child/waiting_child.h"
#include "dig/trace/trace_bpf.h"
#include "dig/trace/trace_source.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/trace/trace_calls.skel.h"
#pragma GCC diagnostic pop
#include "kernel/bpf_map_size.h"

#define DELAY_MIN_NS UINT64_C(200000)
#define DELAY_MAX_NS UINT64_C(50000000)

struct bpf_source {
	struct trace_source source;
	BPF_PROGRAMS(trace_calls) bpf;
	struct ring_buffer *ring;
	uint64_t delay_ns;
	size_t taken_bytes; /* in this round */
	trace_sink sink;
	void *arg;
	bool enough;
};

int trace_bpf_settings(const struct trace_request *q, struct trace_settings *ret, struct note *note)
{
	struct stat ours;

	if (stat("/proc/self/ns/pid", &ours) < 0)
		return note_set(note, -errno, "/proc/self/ns/pid: %s", strerror(errno));
	*ret = q->filter->settings;
	ret->reader_namespace = (uint32_t)ours.st_ino;
	ret->excerpt_bytes = q->excerpt_bytes;
	ret->follow = !q->no_follow;
	ret->await_exec = q->argv != NULL;
	ret->stacks = q->stacks;
	ret->signals = q->signals;
	return 0;
}

int trace_bpf_find_targets(int targets_map, int iterator_link, const int32_t *pid, size_t n)
{
	uint8_t yes = 1;
	char nothing[64];
	ssize_t got;

	for (size_t i = 0; i < n; i++)
		if (bpf_map_update_elem(targets_map, &pid[i], &yes, BPF_ANY) < 0)
			return -errno;
	int fd = bpf_iter_create(iterator_link);
	if (fd < 0)
		return fd;
	do
		got = read(fd, nothing, sizeof nothing);
	while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
	int r = got < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int on_record(void *arg, void *data, size_t size)
{
	struct bpf_source *s = arg;

	s->taken_bytes += size;
	if (!s->enough && s->sink(s->arg, (struct span){ data, size }) != 0)
		s->enough = true;
	return s->enough ? -ECANCELED : 0;
}

static int consume(struct bpf_source *s, trace_sink sink, void *arg)
{
	s->sink = sink;
	s->arg = arg;
	s->taken_bytes = 0;
	int r = ring_buffer__consume(s->ring);
	return s->enough ? 1 : r < 0 ? r : 0;
}

/* Seldom enough to cost nothing, often enough that the ring never fills. */
static void adapt(struct bpf_source *s)
{
	size_t ring = s->source.copy.ring_bytes;

	if (s->taken_bytes > ring / 8)
		s->delay_ns /= 4;
	else if (s->taken_bytes < ring / 64)
		s->delay_ns += s->delay_ns / 2;
	s->delay_ns = s->delay_ns < DELAY_MIN_NS ? DELAY_MIN_NS : s->delay_ns > DELAY_MAX_NS ? DELAY_MAX_NS : s->delay_ns;
}

static void reap(struct trace_source *s)
{
	int status;

	if (s->child && waitpid(s->child, &status, WNOHANG) == s->child) {
		s->status = status;
		s->child = 0;
	}
}

static int take(struct trace_source *source, uint64_t until_ns, trace_sink sink, void *arg)
{
	struct bpf_source *s = (struct bpf_source *)source;
	uint64_t now = clock_mono_ns(), wait_ns = s->delay_ns;

	if (until_ns < now + wait_ns)
		wait_ns = until_ns > now ? until_ns - now : 0;
	bool over = BPF_GLOBAL(&s->bpf, living) <= 0;
	int slept = wait_ns && !over ? clock_sleep_until(now + wait_ns) : 0;
	int r = consume(s, sink, arg);
	if (r != 0)
		return r;
	adapt(s);
	reap(source);
	if (slept == -EINTR)
		return -EINTR;
	return over ? 1 : 0;
}

static int end(struct trace_source *source, trace_sink sink, void *arg)
{
	struct bpf_source *s = (struct bpf_source *)source;
	int r = consume(s, sink, arg);

	for (size_t i = 0; r == 0 && i < source->copy.npids; i++) {
		r = trace_pending(&source->copy, source->copy.pid[i], sink, arg);
		r = r < 0 ? 0 : r; /* it has ended */
	}
	/* A command is ended with its trace, as it is by the other way. */
	if (source->child && BPF_GLOBAL(&s->bpf, living) > 0)
		kill(source->child, SIGTERM);
	for (int i = 0; source->child && i < 1000; i++) {
		reap(source);
		if (source->child)
			usleep(1000);
	}
	return r;
}

static uint64_t lost(const struct trace_source *source)
{
	const struct bpf_source *s = (const struct bpf_source *)source;

	return BPF_GLOBAL(&s->bpf, lost) + BPF_GLOBAL(&s->bpf, threads_lost);
}

static void free_bpf(struct trace_source *source)
{
	struct bpf_source *s = (struct bpf_source *)source;

	ring_buffer__free(s->ring);
	BPF_UNLOAD(trace_calls, &s->bpf);
	free(s);
}

static int load(struct bpf_source *s, struct note *note)
{
	const struct trace_request *q = &s->source.copy;
	struct trace_settings settings;
	int r = trace_bpf_settings(q, &settings, note);

	if (r < 0)
		return r;
	r = BPF_LOAD(trace_calls, &s->bpf, {
		rodata->settings = settings;
		memcpy(rodata->calls, q->filter->call, sizeof rodata->calls);
		BPF_MAP_SIZE(s_->maps.ring, q->ring_bytes);
	});
	if (r < 0) {
		(void)!bpf_load_failed(note, r, "trace");
		return -EOPNOTSUPP;
	}
	s->ring = ring_buffer__new(BPF_MAP_FD(&s->bpf, ring), on_record, s, NULL);
	return s->ring ? 0 : note_set(note, -errno, "no ring buffer: %s", strerror(errno));
}

int trace_bpf_start(const struct trace_request *q, int targets_map, int iterator_link, int32_t *ret_pid, struct note *note)
{
	struct waiting_child_request wanted = { .argv = q->argv, .restore = q->restore };
	struct waiting_child child;
	int r = waiting_child_start(&wanted, &child, note);

	if (r < 0)
		return r;
	r = trace_bpf_find_targets(targets_map, iterator_link, &child.pid, 1);
	if (r < 0) {
		waiting_child_drop(&child);
		return note_set(note, r, "the command could not be found by BPF: %s", strerror(-r));
	}
	r = waiting_child_go(&child, note);
	if (r == 0)
		*ret_pid = child.pid;
	return r;
}

int trace_by_bpf(struct host *h, const struct trace_request *q, struct trace_source **ret, struct note *note)
{
	if (bpf_usable(h, note) < 0)
		return -EOPNOTSUPP;
	struct bpf_source *s = calloc(1, sizeof *s);
	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->source = (struct trace_source){ .take = take, .end = end, .lost = lost, .free = free_bpf, .copy = *q, .status = -1 };
	s->delay_ns = DELAY_MIN_NS * 10;
	int r = load(s, note);
	if (r == 0 && q->argv)
		r = trace_bpf_start(q, BPF_MAP_FD(&s->bpf, targets), BPF_LINK_FD(&s->bpf, find_targets), &s->source.child, note);
	else if (r == 0) {
		r = trace_bpf_find_targets(BPF_MAP_FD(&s->bpf, targets), BPF_LINK_FD(&s->bpf, find_targets), q->pid, q->npids);
		if (r < 0)
			note_set(note, r, "the threads could not be found: %s", strerror(-r));
		else if (BPF_GLOBAL(&s->bpf, living) <= 0)
			r = note_set(note, -ESRCH, "no thread of the targets is left");
	}
	if (r < 0) {
		free_bpf(&s->source);
		return r;
	}
	*ret = &s->source;
	return 0;
}
