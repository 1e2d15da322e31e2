#include "trace/halt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "futex.h"
#include "osprey/rt/fiber.h"
#include "short_lock.h"

#define MOST_THREADS 16384u
#define PATIENCE_NS INT64_C(1000000000)
#define NAP_NS 1000000

enum { IS_GONE, IS_ASKED, IS_HALTED };

static struct short_lock lock;
static struct halted *threads;		/* MOST_THREADS of them, memory as it is touched */
static size_t nthreads;
static _Atomic uint32_t halting;	/* the number of this halt, 0: none */
static _Atomic uint32_t nhalted;	/* in the handler */
static uint32_t last_halt;

static uintptr_t stack_pointer(const ucontext_t *c)
{
#if defined __x86_64__
	return (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
#else
	return (uintptr_t)c->uc_mcontext.sp;
#endif
}

static union sigval word_of(uint32_t halt, size_t n)
{
	return (union sigval){ .sival_ptr = (void *)((uintptr_t)halt << 32 | n) };
}

static void rest(struct halted *h, uint32_t halt)
{
	atomic_store(&h->state, IS_HALTED);
	futex_wake(&h->state, 1);
	while (atomic_load(&halting) == halt)
		futex_wait(&halting, halt, INT64_MAX);
}

/* Which of the threads it is, and for which halt, comes with the signal: one that was blocked may come when that halt has
 * been given up. It counts itself before it looks: then either it sees that, or who gave up waits for it. */
static void on_halt(int signal, siginfo_t *info, void *context)
{
	uintptr_t word = (uintptr_t)info->si_value.sival_ptr;
	uint32_t halt = (uint32_t)(word >> 32), n = (uint32_t)word;

	(void)signal;
	if (info->si_code != SI_QUEUE || halt == 0 || n >= MOST_THREADS)
		return;
	atomic_fetch_add(&nhalted, 1);
	if (atomic_load(&halting) == halt) {
		threads[n].sp = stack_pointer(context);
		threads[n].frame = (uintptr_t)__builtin_frame_address(0);
		rest(&threads[n], halt);
	}
	atomic_fetch_sub(&nhalted, 1);
}

static int prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_halt, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK }, now;

	if (!threads) {
		void *p = mmap(NULL, MOST_THREADS * sizeof *threads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
		if (p == MAP_FAILED)
			return -errno;
		threads = p;
	}
	if (sigaction(HALT_SIGNAL, NULL, &now) < 0)
		return -errno;
	if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_halt)
		return 0;
	if ((now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL)
		return -EBUSY;
	sigfillset(&action.sa_mask);
	return sigaction(HALT_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}

static bool known(pid_t tid)
{
	for (size_t i = 0; i < nthreads; i++)
		if (threads[i].tid == tid && atomic_load(&threads[i].state) != IS_GONE)
			return true;
	return false;
}

static int ask(pid_t tid)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	if (nthreads == MOST_THREADS)
		return -EAGAIN;
	struct halted *h = &threads[nthreads];
	info.si_signo = HALT_SIGNAL;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value = word_of(atomic_load(&halting), nthreads);
	h->tid = tid;
	h->sp = h->frame = 0;
	atomic_store(&h->state, IS_ASKED);
	nthreads++;
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, HALT_SIGNAL, &info) == 0)
		return 0;
	int r = errno == ESRCH ? 0 : -errno;
	atomic_store(&h->state, IS_GONE);
	return r;
}

struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short bytes;
	unsigned char type;
	char name[];
};

/* Has it ended, or is it the first thread, which stays as a zombie after pthread_exit? */
static bool is_gone(pid_t tid)
{
	char path[64] = "/proc/self/task/", stat[256], digits[16];
	int n = 0, fd;

	for (pid_t left = tid; left; left /= 10)
		digits[n++] = (char)('0' + left % 10);
	char *at = path + strlen(path);
	while (n)
		*at++ = digits[--n];
	memcpy(at, "/stat", sizeof "/stat");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	ssize_t bytes = read(fd, stat, sizeof stat - 1);
	close(fd);
	if (bytes <= 0)
		return true;
	stat[bytes] = '\0';
	at = strrchr(stat, ')');
	return at && at[1] == ' ' && (at[2] == 'Z' || at[2] == 'X');
}

/* Asks those that are not known. *ret_new: how many. */
static int ask_all(size_t *ret_new)
{
	char buffer[2048] __attribute__((aligned(8)));
	int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = fd < 0 ? -errno : 0;
	pid_t self = (pid_t)syscall(SYS_gettid);
	long n;

	*ret_new = 0;
	while (r == 0 && (n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) != 0) {
		if (n < 0)
			r = -errno;
		for (long at = 0; at < n && r == 0; ) {
			const struct entry *e = (const void *)(buffer + at);
			pid_t tid = atoi(e->name);
			at += e->bytes;
			if (tid <= 0 || tid == self || known(tid) || (tid == getpid() && is_gone(tid)))
				continue;
			r = ask(tid);
			++*ret_new;
		}
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int await(struct halted *h, int64_t deadline)
{
	while (atomic_load(&h->state) == IS_ASKED) {
		int64_t now = rt_now();
		futex_wait(&h->state, IS_ASKED, now + NAP_NS);
		if (atomic_load(&h->state) != IS_ASKED)
			break;
		if (is_gone(h->tid))
			atomic_store(&h->state, IS_GONE);
		else if (now > deadline)
			return -ETIMEDOUT;
	}
	return 0;
}

/* Until all are known: one that runs may start another. */
static int halt_all(void)
{
	int64_t deadline = rt_now() + PATIENCE_NS;
	size_t more = 1, waited = 0;
	int r = 0;

	nthreads = 0;
	while (r == 0 && more) {
		r = ask_all(&more);
		for (; waited < nthreads && r == 0; waited++)
			r = await(&threads[waited], deadline);
	}
	return r;
}

static void resume(void)
{
	atomic_store(&halting, 0);
	futex_wake(&halting, INT_MAX);
	/* Those that have still to leave the handler do not look at `threads` any more, but count
	 * themselves. */
	while (atomic_load(&nhalted)) {
		futex_wake(&halting, INT_MAX);
		syscall(SYS_sched_yield);
	}
}

int halt_begin(const struct halted **ret, size_t *ret_n)
{
	int kept = errno;

	short_lock_take(&lock);
	int r = prepare();
	if (r == 0) {
		last_halt += last_halt == UINT32_MAX ? 2 : 1;
		atomic_store(&halting, last_halt);
		r = halt_all();
		if (r < 0)
			resume();
	}
	if (r < 0) {
		short_lock_give(&lock);
	} else {
		*ret = threads;
		*ret_n = nthreads;
	}
	errno = kept;
	return r;
}

void halt_end(void)
{
	int kept = errno;

	resume();
	short_lock_give(&lock);
	errno = kept;
}

/* -- fork: no halt is under way, and the child is alone. Before the heap's locks (heap_thread.c), which who looks for leaks
 * takes under this one. */

static void fork_before(void)
{
	short_lock_take(&lock);
}

static void fork_after(void)
{
	short_lock_give(&lock);
}

static void fork_in_child(void)
{
	/* Somebody whose signal came late may have been within. */
	atomic_store(&nhalted, 0);
	short_lock_give(&lock);
}

/* Handlers are called in the opposite order before the fork. */
__attribute__((constructor(102))) static void fork_prepared(void)
{
	pthread_atfork(fork_before, fork_after, fork_in_child);
}
