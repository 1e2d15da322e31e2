#include "net/ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "in_use.h"
#include "kernel_call.h"
#include "misuse.h"
#include "queues.h"
#include "scheduler.h"

#define ENTRIES 256
#define ANSWERS 2048

static bool wanted;

void ring_configure(void)
{
	const char *value = getenv("OSPREY_RT_URING");

	wanted = (!value || strcmp(value, "0") != 0) && !sanitizer_follows_calls();
}

void ring_init(struct ring *r)
{
	*r = (struct ring){ .fd = wanted ? -1 : -2 };
}

void ring_deinit(struct ring *r)
{
	if (r->calls)
		kernel_call(SYS_munmap, r->calls, r->calls_bytes);
	if (r->rings)
		kernel_call(SYS_munmap, r->rings, r->rings_bytes);
	if (r->fd >= 0)
		kernel_call(SYS_close, r->fd);
	*r = (struct ring){ .fd = -2 };
}

static void *map(int fd, size_t bytes, uint64_t offset)
{
	long at = kernel_call(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	if (at < 0 && at > -4096)
		return NULL;
	/* Children of fork() are not to share it. */
	kernel_call(SYS_madvise, at, bytes, MADV_DONTFORK);
	return (void *)at;
}

static bool map_all(struct ring *r, const struct io_uring_params *p)
{
	size_t submit = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t answer = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	r->rings_bytes = submit > answer ? submit : answer;
	r->calls_bytes = p->sq_entries * sizeof(struct io_uring_sqe);
	r->rings = map(r->fd, r->rings_bytes, IORING_OFF_SQ_RING);
	r->calls = map(r->fd, r->calls_bytes, IORING_OFF_SQES);
	if (!r->rings || !r->calls)
		return false;
	char *rings = r->rings;
	uint32_t *array = (uint32_t *)(rings + p->sq_off.array);
	for (uint32_t i = 0; i < p->sq_entries; i++)
		array[i] = i;
	r->entries = p->sq_entries;
	r->most_under_way = p->cq_entries;
	r->submit_tail = (_Atomic uint32_t *)(rings + p->sq_off.tail);
	r->submit_mask = p->sq_entries - 1;
	r->answer_head = (_Atomic uint32_t *)(rings + p->cq_off.head);
	r->answer_tail = (_Atomic uint32_t *)(rings + p->cq_off.tail);
	r->answer_mask = p->cq_entries - 1;
	r->answers = (struct io_uring_cqe *)(rings + p->cq_off.cqes);
	return true;
}

/* Its answers are told by the poller, so that threads that sleep need watch one thing only. */
static bool open_ring(struct thread *t, struct ring *r)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = ANSWERS };
	const uint32_t need = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS;
	long fd = kernel_call(SYS_io_uring_setup, ENTRIES, &p);

	r->fd = fd < 0 ? -2 : (int)fd;
	if (fd < 0)
		return false;
	if ((p.features & need) == need && map_all(r, &p) && poller_enter_ring(t, r->fd) == 0)
		return true;
	ring_deinit(r);
	return false;
}

bool ring_is_ready(struct thread *t)
{
	struct ring *r = &t->processor->poller.ring;

	if (r->fd < 0 && (r->fd == -2 || !open_ring(t, r)))
		return false;
	return r->under_way < r->most_under_way && !in_use_too_many();
}

/* The kernel takes less than all only while it has no memory for them: there is nothing to do but to ask again. */
static void submit(struct ring *r)
{
	while (r->queued > 0) {
		long n = kernel_call(SYS_io_uring_enter, r->fd, r->queued, 0, 0, NULL, 0);
		if (n > 0)
			r->queued -= (uint32_t)n;
		else if (n == 0 || n == -EAGAIN || n == -EBUSY || n == -ENOMEM)
			kernel_call(SYS_sched_yield);
		else if (n != -EINTR)
			misuse("io_uring_enter is refused since the run began: a sandbox allows it, or is there from the start");
	}
}

void ring_put(struct thread *t, const struct io_uring_sqe *call, struct ring_waiter *w)
{
	struct ring *r = &t->processor->poller.ring;

	if (r->queued == r->entries)
		submit(r);
	uint32_t tail = atomic_load_explicit(r->submit_tail, memory_order_relaxed);
	struct io_uring_sqe *to = &r->calls[tail & r->submit_mask];
	*to = *call;
	to->user_data = (uintptr_t)w;
	atomic_store_explicit(r->submit_tail, tail + 1, memory_order_release);
	r->queued++;
	r->under_way++;
}

int ring_call(struct thread *t, const struct io_uring_sqe *call)
{
	struct ring_waiter w = { .fiber = t->running };

	ring_put(t, call, &w);
	t->processor->poller.outside++;
	fiber_park(t, FIBER_WAIT_KERNEL, NULL, NULL, NULL);
	thread_self()->processor->poller.outside--;
	return w.result;
}

void ring_run(struct thread *t, struct ring *r)
{
	if (r->queued > 0)
		submit(r);
	uint32_t head = atomic_load_explicit(r->answer_head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(r->answer_tail, memory_order_acquire);
	for (; head != tail; head++) {
		const struct io_uring_cqe *answer = &r->answers[head & r->answer_mask];
		struct ring_waiter *w = (struct ring_waiter *)(uintptr_t)answer->user_data;
		w->result = answer->res;
		r->under_way--;
		fiber_ready_later(t, w->fiber);
	}
	atomic_store_explicit(r->answer_head, head, memory_order_release);
}
