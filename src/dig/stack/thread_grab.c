#include "dig/stack/thread_grab.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/bpf_load.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "dig/stack/thread_grab.skel.h"
#pragma GCC diagnostic pop

/* The kernel writes at most eight pages a read, and never a part of a record. */
#define CHUNK_BYTES (64 * 1024)

struct thread_grab {
	BPF_PROGRAMS(thread_grab) bpf;
	char chunk[CHUNK_BYTES] __attribute__((aligned(8)));
};

int thread_grab_new(struct host *h, struct thread_grab **ret, struct note *note)
{
	int r = bpf_usable(h, note);

	if (r < 0)
		return r;
	struct thread_grab *g = calloc(1, sizeof *g);
	if (!g)
		return note_set(note, -ENOMEM, "out of memory");
	r = BPF_LOAD_PLAIN(thread_grab, &g->bpf);
	if (r < 0) {
		free(g);
		return bpf_load_failed(note, r, "stacks by BPF");
	}
	*ret = g;
	return 0;
}

void thread_grab_free(struct thread_grab *g)
{
	if (!g)
		return;
	BPF_UNLOAD(thread_grab, &g->bpf);
	free(g);
}

/* Kernels before 6.1 do not know this wish and walk over all tasks: the program looks at each itself. */
static int link_to(struct thread_grab *g, const struct thread_grab_wish *wish)
{
	union bpf_iter_link_info to = { 0 };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &to, .iter_info_len = sizeof to);

	if (wish->tid)
		to.task.tid = (uint32_t)wish->tid;
	else
		to.task.pid = (uint32_t)wish->pid;
	return bpf_link_create(BPF_PROGRAM_FD(&g->bpf, grab_thread), 0, BPF_TRACE_ITER, &opts);
}

static int hand_out(struct thread_grab *g, size_t *held, thread_grab_fn each, void *arg, size_t *count)
{
	size_t at = 0;

	for (;;) {
		const struct grab_record *r = (const void *)(g->chunk + at);
		if (*held - at < sizeof *r || *held - at < r->size)
			break;
		if (r->size != sizeof *r + r->stack_end || r->stack_skip > GRAB_PAGE)
			return -EBADMSG;
		size_t skip = r->stack_skip < r->stack_end ? r->stack_skip : r->stack_end;
		int e = each(arg, r, (struct span){ (const char *)(r + 1) + skip, r->stack_end - skip });
		if (e < 0)
			return e;
		at += r->size;
		(*count)++;
	}
	*held -= at;
	memmove(g->chunk, g->chunk + at, *held);
	return 0;
}

static int read_all(struct thread_grab *g, int fd, thread_grab_fn each, void *arg)
{
	size_t held = 0, count = 0;

	for (;;) {
		ssize_t got = read(fd, g->chunk + held, sizeof g->chunk - held);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		held += (size_t)got;
		int r = hand_out(g, &held, each, arg, &count);
		if (r < 0)
			return r;
	}
	return held ? -EBADMSG : count ? 0 : -ESRCH;
}

int thread_grab_each(struct thread_grab *g, const struct thread_grab_wish *wish, thread_grab_fn each, void *arg)
{
	BPF_GLOBAL(&g->bpf, wanted_pid) = wish->pid;
	BPF_GLOBAL(&g->bpf, wanted_tid) = wish->tid;
	BPF_GLOBAL(&g->bpf, most_pages) = wish->most_pages;
	cleanup(close_fd) int link = link_to(g, wish);
	if (link < 0)
		return link;
	cleanup(close_fd) int fd = bpf_iter_create(link);
	return fd < 0 ? -errno : read_all(g, fd, each, arg);
}

char grab_state_letter(uint32_t state, uint32_t exit_state)
{
	static const char letters[] = "RSDTtXZP";
	uint32_t reported = (state | exit_state) & 0x7f;

	if ((state & 0x402) == 0x402) /* TASK_IDLE */
		return 'I';
	if (state & 0x9000) /* waits for an RT lock; frozen (6.1) */
		return 'D';
	return letters[reported ? 32 - __builtin_clz(reported) : 0];
}
