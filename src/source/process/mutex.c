#include "source/process/mutex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/bounded.h"

/* The head of glibc's struct __pthread_mutex_s on 64-bit machines. */
struct mutex_head {
	uint32_t word; /* 0 free, 1 locked, 2 locked with waiters; PI and robust: owner and flags */
	uint32_t count;
	uint32_t owner;
	uint32_t users;
	uint32_t kind;
};

#define READ_TIMEOUT_MS 50

#define LOCKED 1
#define LOCKED_WITH_WAITERS 2
/* Types 0-3, robust 0x10, PI 0x20, protected 0x40, shared 0x80, elision 0x100 and 0x200. */
#define KNOWN_KINDS 0x3ffu
#define KIND_ROBUST 0x10u
#define KIND_PI 0x20u
#define PID_MAX_LIMIT 4194304u /* of the kernel, on 64-bit machines */

static uint32_t command(const struct task *t)
{
	return (uint32_t)t->argument[1] & (uint32_t)FUTEX_CMD_MASK;
}

static bool waits_for_owner(const struct task *t)
{
	return command(t) == FUTEX_LOCK_PI || command(t) == 13 /* FUTEX_LOCK_PI2, since 5.14 */;
}

bool mutex_wait_suspected(const struct task *t)
{
	if (!(t->flags & TASK_HAS_SYSCALL) || t->syscall != SYS_futex || t->state == 'R')
		return false;
	if (waits_for_owner(t))
		return true;
	if (command(t) != FUTEX_WAIT && command(t) != FUTEX_WAIT_BITSET) /* the second: timed locks */
		return false;
	uint32_t expected = (uint32_t)t->argument[2];
	return expected == LOCKED_WITH_WAITERS || (expected & FUTEX_WAITERS); /* the second: robust */
}

/* The owner as the process numbers it; 0: this is no mutex, or it was just released. Others sleep
 * in futex too, on words of their own meaning: the kind must fit the way of waiting, and the owner
 * be a number that the kernel gives to threads. */
static uint32_t owner_of(const struct mutex_head *m, const struct task *t)
{
	bool robust = (uint32_t)t->argument[2] & FUTEX_WAITERS;
	uint32_t owner = 0;

	if (waits_for_owner(t)) /* the kernel itself reads the owner there, whatever surrounds it */
		owner = m->word & FUTEX_TID_MASK;
	else if (m->kind & ~KNOWN_KINDS)
		return 0;
	else if (robust && (m->kind & KIND_ROBUST))
		owner = m->word & FUTEX_TID_MASK;
	else if (!robust && !(m->kind & (KIND_ROBUST | KIND_PI)) &&
		 (m->word == LOCKED || m->word == LOCKED_WITH_WAITERS))
		/* 1: a thread took the free lock before the one woken for it, with sleepers behind it */
		owner = m->owner;
	return owner <= PID_MAX_LIMIT ? owner : 0;
}

/* The innermost number of a task, from the last word of "NSpid:\t812\t7"; `ret_levels` counts the
 * namespaces from ours down to its own. */
static int innermost_pid(struct host *h, struct buf *scratch, int pid, struct span tid, uint64_t *ret,
			 unsigned *ret_levels)
{
	char path[80];
	struct span lines, line, word;

	snprintf(path, sizeof path, "/proc/%d/task/%.*s/status", pid, (int)tid.n, tid.p);
	int r = host_read(h, path, scratch);
	lines = buf_span(scratch);
	while (r == 0) {
		if (!span_line(&lines, &line)) {
			r = -ENOENT;
		} else if (span_starts(line, "NSpid:")) {
			span_word(&line, &word);
			for (*ret_levels = 0; span_next_u64(&line, ret); ++*ret_levels)
				;
			r = *ret_levels ? 0 : -EBADMSG;
			break;
		}
	}
	return r;
}

/* The thread of `pid` that its own namespace calls `owner`. A mutex shared between processes may
 * have its owner elsewhere: then nobody is named. */
static int thread_called(struct host *h, struct buf *scratch, int pid, uint32_t owner, int32_t *ret)
{
	struct buf names = { 0 };
	struct span list, name;
	char path[40];
	uint64_t inner, tid;
	unsigned levels;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	int r = host_list(h, path, &names);
	list = buf_span(&names);
	while (r == 0 && span_line(&list, &name))
		if (innermost_pid(h, scratch, pid, name, &inner, &levels) == 0 && inner == owner && span_u64(name, &tid)) {
			*ret = (int32_t)tid;
			break;
		}
	buf_deinit(&names);
	return r;
}

static int translate(struct host *h, struct buf *scratch, const struct task *t, uint32_t owner, int32_t *ret)
{
	char number[16];
	uint64_t inner;
	unsigned levels;
	int n = snprintf(number, sizeof number, "%d", t->tid);
	int r = innermost_pid(h, scratch, t->pid, (struct span){ number, (size_t)n }, &inner, &levels);

	/* Kernels before 4.1 have no NSpid; one number means that the namespace is ours. */
	if (r == -ENOENT || (r == 0 && levels == 1))
		*ret = (int32_t)owner;
	else if (r == 0)
		r = thread_called(h, scratch, t->pid, owner, ret);
	return r == -ENOENT ? 0 : r;
}

/* All waiters of a mutex have the same owner, and the search is dear in a container of a thousand
 * threads: the last answer of a look serves the next waiter. */
static int owner_in_our_namespace(struct host *h, struct buf *scratch, const struct task *t, uint32_t owner,
				  int32_t *ret)
{
	static _Thread_local struct {
		uint64_t at_ns;
		int32_t pid;
		uint32_t owner;
		int32_t tid;
	} last;
	uint64_t now_ns = host_time(h).mono_ns;

	if (last.at_ns == now_ns && last.pid == t->pid && last.owner == owner) {
		*ret = last.tid;
		return 0;
	}
	int r = translate(h, scratch, t, owner, ret);
	if (r == 0) {
		last.at_ns = now_ns;
		last.pid = t->pid;
		last.owner = owner;
		last.tid = *ret;
	}
	return r;
}

/* Processes whose memory does not answer at this moment; 0: free. */
static _Atomic int32_t hanging[4];

struct head_call {
	int32_t pid;
	uint64_t address;
	_Atomic int32_t *slot;
	struct mutex_head head;
};

static int head_call(void *arg)
{
	struct head_call *c = arg;
	struct iovec here = { &c->head, sizeof c->head };
	struct iovec there = { (void *)(uintptr_t)c->address, sizeof c->head };
	ssize_t n = process_vm_readv(c->pid, &here, 1, &there, 1, 0);

	if (n < 0)
		return -errno;
	return n == sizeof c->head ? 0 : -EFAULT;
}

static void head_release(void *arg)
{
	struct head_call *c = arg;

	atomic_store(c->slot, 0);
	free(c);
}

static bool is_hanging(int32_t pid)
{
	for (size_t i = 0; i < sizeof hanging / sizeof hanging[0]; i++)
		if (atomic_load(&hanging[i]) == pid)
			return true;
	return false;
}

static _Atomic int32_t *take_slot(int32_t pid)
{
	for (size_t i = 0; i < sizeof hanging / sizeof hanging[0]; i++) {
		int32_t none = 0;

		if (atomic_compare_exchange_strong(&hanging[i], &none, pid))
			return &hanging[i];
	}
	return NULL;
}

/* The kernel takes the process's mmap_lock and may have to fetch the page: it waits as long as a
 * thread that maps memory is stuck, or a disk or a dead server does not answer. */
static int head_bounded(const struct task *t, struct mutex_head *ret)
{
	_Atomic int32_t *slot = is_hanging(t->pid) ? NULL : take_slot(t->pid);

	if (!slot)
		return -ETIMEDOUT;
	struct head_call *c = calloc(1, sizeof *c);
	if (!c) {
		atomic_store(slot, 0);
		return -ENOMEM;
	}
	*c = (struct head_call){ .pid = t->pid, .address = t->argument[0], .slot = slot };
	int r = bounded_call(head_call, c, head_release, READ_TIMEOUT_MS);
	if (r == -EAGAIN)
		r = head_call(c); /* no thread can be had */
	if (r == -ETIMEDOUT)
		return r; /* the call has `c` */
	*ret = c->head;
	head_release(c);
	return r;
}

static int live_head(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct mutex_head m = { 0 };
	int r = head_bounded(arg, &m);

	(void)h;
	(void)key;
	return r < 0 ? r : buf_printf(ret, "%u %u %u\n", m.word, m.owner, m.kind);
}

static int read_head(struct host *h, struct buf *scratch, const struct task *t, struct mutex_head *ret)
{
	struct span line;
	char key[64];
	uint64_t word, owner, kind;

	snprintf(key, sizeof key, "mutex:%d:%llx", t->pid, (unsigned long long)t->argument[0]);
	int r = host_fetch(h, key, live_head, (void *)(uintptr_t)t, scratch);
	line = span_trim(buf_span(scratch));
	if (r == 0 && !(span_next_u64(&line, &word) && span_next_u64(&line, &owner) &&
			span_next_u64(&line, &kind) && word <= UINT32_MAX && owner <= INT32_MAX && kind <= UINT32_MAX))
		r = -EBADMSG;
	if (r == 0)
		*ret = (struct mutex_head){ .word = (uint32_t)word, .owner = (uint32_t)owner, .kind = (uint32_t)kind };
	return r;
}

int mutex_wait_read(struct host *h, struct buf *scratch, const struct task *t, struct mutex_wait *ret)
{
	struct mutex_head m = { 0 };
	int32_t owner_tid = 0;
	int r = read_head(h, scratch, t, &m);

	if (r < 0)
		return r;
	uint32_t owner = owner_of(&m, t);
	if (owner == 0)
		return -ENOENT;
	r = owner_in_our_namespace(h, scratch, t, owner, &owner_tid);
	if (r < 0)
		return r;
	*ret = (struct mutex_wait){ .pid = t->pid, .tid = t->tid, .owner_tid = owner_tid, .address = t->argument[0] };
	return 0;
}
