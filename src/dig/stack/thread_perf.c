#include "dig/stack/thread_perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

/* A record's size has 16 bits. */
#define STACK_BYTES (32u << 10)
#define RING_BYTES (64u << 10)
#define PERIOD_NS 20000
#define EVENTS_MAX 64

/* Of enum perf_event_x86_regs: AX BX CX DX SI DI BP SP IP, R8…R15; and what DWARF numbers them. */
#define REGISTER_MASK 0xff01ffull
static const uint8_t dwarf_number[] = { 0, 3, 2, 1, 4, 5, 6, 7, 16, 8, 9, 10, 11, 12, 13, 14, 15 };
#define REGISTERS (sizeof dwarf_number)

struct event {
	struct thread_stack *thread;
	int fd;
	char *ring;
};

/* Addresses come with markers between them that tell whose they are. */
static int take_kernel_frames(struct span *from, struct thread_stack *t)
{
	uint64_t n, address;
	bool kernel = false;

	if (!span_take_bytes(from, &n, sizeof n) || n > from->n / sizeof address)
		return -EBADMSG;
	t->kernel = n ? calloc(n, sizeof *t->kernel) : NULL;
	if (n && !t->kernel)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i++) {
		if (!span_take_bytes(from, &address, sizeof address))
			return -EBADMSG;
		if (address >= (uint64_t)PERF_CONTEXT_MAX)
			kernel = address == (uint64_t)PERF_CONTEXT_KERNEL;
		else if (kernel && t->nkernel < STACK_KERNEL_FRAMES)
			t->kernel[t->nkernel++] = address;
	}
	return 0;
}

static int take_registers(struct span *from, struct thread_stack *t)
{
	uint64_t abi, value;

	if (!span_take_bytes(from, &abi, sizeof abi))
		return -EBADMSG;
	if (abi == PERF_SAMPLE_REGS_ABI_NONE)
		return -ENODATA;
	for (size_t i = 0; i < REGISTERS; i++) {
		if (!span_take_bytes(from, &value, sizeof value))
			return -EBADMSG;
		t->registers.value[dwarf_number[i]] = value;
		t->registers.known |= 1u << dwarf_number[i];
	}
	return 0;
}

static int take_stack(struct span *from, struct thread_stack *t)
{
	uint64_t size, filled = 0;

	if (!span_take_bytes(from, &size, sizeof size) || size > from->n)
		return -EBADMSG;
	struct span bytes = { from->p, size };
	from->p += size;
	from->n -= size;
	if (size && !span_take_bytes(from, &filled, sizeof filled))
		return -EBADMSG;
	if (filled > size)
		return -EBADMSG;
	t->bytes = malloc(filled ? filled : 1);
	if (!t->bytes)
		return -ENOMEM;
	memcpy(t->bytes, bytes.p, filled);
	t->nbytes = filled;
	return 0;
}

int thread_perf_parse(struct span record, struct thread_stack *ret)
{
	struct thread_stack t = { 0 };
	uint32_t ids[2];
	int r = span_take_bytes(&record, ids, sizeof ids) ? take_kernel_frames(&record, &t) : -EBADMSG;

	if (r >= 0)
		r = take_registers(&record, &t);
	if (r >= 0)
		r = take_stack(&record, &t);
	if (r < 0) {
		free(t.kernel);
		free(t.bytes);
		return r;
	}
	free(ret->kernel);
	free(ret->bytes);
	ret->kernel = t.kernel;
	ret->nkernel = t.nkernel;
	ret->kernel_error = 0;
	ret->bytes = t.bytes;
	ret->nbytes = t.nbytes;
	ret->registers = t.registers;
	return 0;
}

static int open_event(int tid, bool kernel)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof a,
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = PERIOD_NS,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
		.sample_regs_user = REGISTER_MASK,
		.sample_stack_user = STACK_BYTES,
		.disabled = 1,
		.wakeup_events = 1,
		.exclude_callchain_user = 1,
		.exclude_kernel = !kernel,
	};
	int fd = (int)syscall(SYS_perf_event_open, &a, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int event_start(struct event *e, struct thread_stack *t)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open_event(t->tid, true);

	if (fd == -EACCES || fd == -EPERM)
		fd = open_event(t->tid, false);
	if (fd < 0)
		return fd;
	char *ring = mmap(NULL, page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED) {
		int r = -errno;
		close(fd);
		return r;
	}
	*e = (struct event){ t, fd, ring };
	/* One sample, and the event ends. */
	return ioctl(fd, PERF_EVENT_IOC_REFRESH, 1) < 0 ? -errno : 0;
}

static void event_end(struct event *e)
{
	munmap(e->ring, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES);
	close(e->fd);
}

/* True: the thread has been sampled. */
static bool event_read(struct event *e)
{
	const struct perf_event_mmap_page *head = (const void *)e->ring;
	const char *data = e->ring + sysconf(_SC_PAGESIZE);
	uint64_t end = __atomic_load_n(&head->data_head, __ATOMIC_ACQUIRE), at = 0;

	while (at + sizeof(struct perf_event_header) <= end && end <= RING_BYTES) {
		struct perf_event_header h;
		memcpy(&h, data + at, sizeof h);
		if (h.size < sizeof h || h.size > end - at)
			return false;
		struct span record = { data + at + sizeof h, h.size - sizeof h };
		if (h.type == PERF_RECORD_SAMPLE && thread_perf_parse(record, e->thread) == 0)
			return true;
		at += h.size;
	}
	return false;
}

static void wait_for(struct event *events, size_t n, unsigned timeout_ms)
{
	uint64_t end = clock_mono_ns() + timeout_ms * 1000000ull;
	struct pollfd fds[EVENTS_MAX];
	size_t left = n;

	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){ events[i].fd, POLLIN, 0 };
	while (left) {
		uint64_t now = clock_mono_ns();
		if (now >= end || poll(fds, n, (int)((end - now) / 1000000) + 1) < 0)
			return;
		left = 0;
		for (size_t i = 0; i < n; i++) {
			if (fds[i].revents)
				fds[i].fd = -1; /* sampled, or its thread has ended */
			left += fds[i].fd >= 0;
		}
	}
}

static int sample_batch(struct thread_stack **threads, size_t n, unsigned timeout_ms)
{
	struct event events[EVENTS_MAX];
	size_t started = 0;
	int r = 0, reached = 0;

	for (size_t i = 0; i < n; i++) {
		int e = event_start(&events[started], threads[i]);
		if (e >= 0)
			started++;
		else if (e != -ESRCH)
			r = e;
	}
	wait_for(events, started, timeout_ms);
	for (size_t i = 0; i < started; i++) {
		if (event_read(&events[i])) {
			events[i].thread->way = STACK_PERF;
			events[i].thread->torn = false;
			reached++;
		}
		event_end(&events[i]);
	}
	return started == 0 && r < 0 ? r : reached;
}

int thread_perf_sample(struct thread_stack **threads, size_t n, unsigned timeout_ms)
{
	int reached = 0;

	for (size_t at = 0; at < n; at += EVENTS_MAX) {
		size_t batch = n - at < EVENTS_MAX ? n - at : EVENTS_MAX;
		int r = sample_batch(threads + at, batch, timeout_ms);
		if (r < 0)
			return reached ? reached : r;
		reached += r;
	}
	return reached;
}
