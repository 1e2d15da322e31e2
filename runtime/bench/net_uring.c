/* The floor: an echo server in plain C that does the very least that io_uring(7) needs. One thread, one ring
 * with one issuer; each connection has one receive that stays armed and takes its buffers from a ring of
 * buffers, so a request costs one send, put in beside those of others, and each round one entry into the
 * kernel. It does not look after errors, slow readers, or fairness.
 *
 *	net_uring echo
 *
 * Prints the address at which it listens. Exits 77 where the kernel has not what it needs (Linux 6.1). */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 2048
#define BUFFERS 4096
#define BUFFER_BYTES 2048

static struct {
	int fd;
	unsigned queued, mask, answer_mask, *tail;
	_Atomic unsigned *answer_head, *answer_tail;
	struct io_uring_sqe *calls;
	struct io_uring_cqe *answers;
} ring;
static struct io_uring_buf_ring *buffers;
static char *memory;
static unsigned buffers_tail;

static void die(const char *what)
{
	fprintf(stderr, "net_uring: %s: %s\n", what, strerror(errno));
	exit(errno == EINVAL || errno == ENOSYS || errno == EPERM ? 77 : 3);
}

static void *map(size_t bytes, int fd, off_t at)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, at);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void give_buffer(unsigned id)
{
	struct io_uring_buf *b = &buffers->bufs[buffers_tail++ % BUFFERS];

	b->addr = (uintptr_t)(memory + id * BUFFER_BYTES);
	b->len = BUFFER_BYTES;
	b->bid = (unsigned short)id;
}

static void open_ring(void)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
				     .cq_entries = 4 * ENTRIES };

	ring.fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (ring.fd < 0)
		die("io_uring_setup");
	size_t calls = p.sq_off.array + p.sq_entries * sizeof(unsigned);
	size_t answers = p.cq_off.cqes + p.cq_entries * sizeof *ring.answers;
	char *rings = map(calls > answers ? calls : answers, ring.fd, IORING_OFF_SQ_RING);
	ring.calls = map(p.sq_entries * sizeof *ring.calls, ring.fd, IORING_OFF_SQES);
	unsigned *array = (unsigned *)(rings + p.sq_off.array);
	for (unsigned i = 0; i < p.sq_entries; i++)
		array[i] = i;
	ring.tail = (unsigned *)(rings + p.sq_off.tail);
	ring.mask = p.sq_entries - 1;
	ring.answer_head = (_Atomic unsigned *)(rings + p.cq_off.head);
	ring.answer_tail = (_Atomic unsigned *)(rings + p.cq_off.tail);
	ring.answer_mask = p.cq_entries - 1;
	ring.answers = (struct io_uring_cqe *)(rings + p.cq_off.cqes);

	buffers = map(BUFFERS * sizeof(struct io_uring_buf), -1, 0);
	memory = map(BUFFERS * BUFFER_BYTES, -1, 0);
	struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS };
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PBUF_RING, &reg, 1) < 0)
		die("IORING_REGISTER_PBUF_RING");
	for (unsigned i = 0; i < BUFFERS; i++)
		give_buffer(i);
	__atomic_store_n(&buffers->tail, (unsigned short)buffers_tail, __ATOMIC_RELEASE);
}

static void enter(unsigned wait_for)
{
	long n = syscall(SYS_io_uring_enter, ring.fd, ring.queued, wait_for, IORING_ENTER_GETEVENTS, NULL, 0);

	if (n < 0 && errno != EINTR)
		die("io_uring_enter");
	ring.queued -= n > 0 ? (unsigned)n : 0;
}

static void call(struct io_uring_sqe c)
{
	if (ring.queued == ENTRIES)
		enter(0);
	ring.calls[*ring.tail & ring.mask] = c;
	__atomic_store_n(ring.tail, *ring.tail + 1, __ATOMIC_RELEASE);
	ring.queued++;
}

static void receive(int fd)
{
	call((struct io_uring_sqe){ .opcode = IORING_OP_RECV, .fd = fd, .ioprio = IORING_RECV_MULTISHOT,
				    .flags = IOSQE_BUFFER_SELECT, .user_data = (unsigned)fd });
}

static void answered(const struct io_uring_cqe *a, int listener)
{
	int fd = (int)a->user_data;

	if (fd == listener) {
		if (a->res >= 0)
			receive(a->res);
		return;
	}
	if (a->res > 0) {
		unsigned id = a->flags >> IORING_CQE_BUFFER_SHIFT;
		call((struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = fd, .addr = (uintptr_t)(memory + id * BUFFER_BYTES),
					    .len = (unsigned)a->res, .flags = IOSQE_CQE_SKIP_SUCCESS,
					    .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL, .user_data = (unsigned)listener });
		/* The kernel takes it for another receive after this send has copied it: both are of the same entry. */
		give_buffer(id);
		if (!(a->flags & IORING_CQE_F_MORE))
			receive(fd);
	} else if (a->res == -ENOBUFS) {
		receive(fd);
	} else {
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	socklen_t bytes = sizeof a;

	if (argc != 2 || strcmp(argv[1], "echo") != 0) {
		fprintf(stderr, "usage: net_uring echo\n");
		return 2;
	}
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&a, bytes) < 0 || listen(listener, 4096) < 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &bytes) < 0)
		die("listen");
	open_ring();
	call((struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = listener, .ioprio = IORING_ACCEPT_MULTISHOT,
				    .user_data = (unsigned)listener });
	printf("listening at 127.0.0.1:%d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		enter(1);
		__atomic_store_n(&buffers->tail, (unsigned short)buffers_tail, __ATOMIC_RELEASE);
		unsigned head = atomic_load_explicit(ring.answer_head, memory_order_relaxed);
		unsigned tail = atomic_load_explicit(ring.answer_tail, memory_order_acquire);
		for (; head != tail; head++)
			answered(&ring.answers[head & ring.answer_mask], listener);
		atomic_store_explicit(ring.answer_head, head, memory_order_release);
	}
}
