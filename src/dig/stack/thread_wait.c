#include "dig/stack/thread_wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "dig/stack/fd_words.h"
#include "source/process/mutex.h"
#include "source/process/wait_words.h"

struct asker {
	struct host *h;
	const struct process_stacks *stacks;
	struct fd_words words;
	struct buf scratch;
};

static void append(struct thread_wait *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(struct thread_wait *w, const char *format, ...)
{
	size_t n = strlen(w->what);
	va_list args;

	va_start(args, format);
	vsnprintf(w->what + n, sizeof w->what - n, format, args);
	va_end(args);
}

/* ---- descriptors ---- */

#define FDS_SHOWN 3
#define FDS_READ 64 /* of what a call waits for: those beyond are counted, not looked up */

/* Descriptors that a thread waits on by poll or select; `n` may be more than were read. */
struct fd_list {
	int fd[FDS_READ];
	size_t read, n;
};

static void take_fd(struct fd_list *l, int fd)
{
	if (l->read < FDS_READ)
		l->fd[l->read++] = fd;
	l->n++;
}

static void read_poll(const struct process_stacks *s, const struct thread_stack *t, struct fd_list *ret)
{
	struct pollfd fds[FDS_READ];
	uint64_t n = t->argument[1] < FDS_READ ? t->argument[1] : FDS_READ;

	if (n == 0 || process_stacks_read(s, t->argument[0], fds, n * sizeof *fds) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (fds[i].fd >= 0)
			take_fd(ret, fds[i].fd);
	ret->n += t->argument[1] - n;
}

static void read_select(const struct process_stacks *s, const struct thread_stack *t, struct fd_list *ret)
{
	fd_set any = { 0 }, one;
	int n = t->argument[0] > FD_SETSIZE ? FD_SETSIZE : (int)t->argument[0];
	size_t words = ((size_t)n + 63) / 64;

	for (size_t set = 1; set <= 3; set++) {
		if (words == 0 || !t->argument[set] || process_stacks_read(s, t->argument[set], &one, words * 8) < 0)
			continue;
		for (size_t w = 0; w < words; w++)
			any.fds_bits[w] |= one.fds_bits[w];
	}
	for (int fd = 0; fd < n; fd++)
		if (FD_ISSET(fd, &any))
			take_fd(ret, fd);
}

static struct fd_list fds_of(const struct process_stacks *s, const struct thread_stack *t)
{
	struct fd_list l = { .n = 0 };

	if (t->syscall == SYS_poll || t->syscall == SYS_ppoll)
		read_poll(s, t, &l);
	else if (t->syscall == SYS_select || t->syscall == SYS_pselect6)
		read_select(s, t, &l);
	return l;
}

static bool waits_on(void *arg, int fd)
{
	const struct process_stacks *s = arg;

	vec_each(t, &s->threads) {
		const struct syscall_words *words = t->syscall >= 0 ? syscall_words(t->syscall) : NULL;
		if (words && words->of_fd && (int)t->argument[0] == fd)
			return true;
		struct fd_list l = fds_of(s, t);
		for (size_t i = 0; i < l.read && i < FDS_SHOWN; i++)
			if (l.fd[i] == fd)
				return true;
	}
	return false;
}

static void describe_target(const struct asker *a, int fd, struct thread_wait *w)
{
	fd_words_append(&a->words, fd, w->what, sizeof w->what);
}

static void describe_fd(const struct asker *a, int fd, struct thread_wait *w)
{
	w->fd = fd;
	append(w, " of descriptor %d", fd);
	describe_target(a, fd, w);
}

static void describe_fds(const struct asker *a, const struct thread_stack *t, struct thread_wait *w)
{
	struct fd_list l = fds_of(a->stacks, t);

	if (l.n == 1 && l.read == 1) {
		describe_fd(a, l.fd[0], w);
		return;
	}
	for (size_t i = 0; i < l.read && i < FDS_SHOWN; i++) {
		append(w, "%s%d", i ? "; " : " of descriptors ", l.fd[i]);
		describe_target(a, l.fd[i], w);
	}
	if (l.n > FDS_SHOWN)
		append(w, "; and %zu more", l.n - FDS_SHOWN);
}

/* ---- locks ---- */

static struct task task_of(const struct thread_stack *t)
{
	struct task task = { .tid = t->tid, .pid = t->pid, .state = t->state, .syscall = t->syscall,
			     .flags = t->syscall >= 0 ? TASK_HAS_SYSCALL : 0 };

	for (size_t i = 0; i < 4; i++)
		task.argument[i] = t->argument[i];
	return task;
}

static const char *comm_of(const struct process_stacks *s, int tid)
{
	vec_each(t, &s->threads)
		if (t->tid == tid)
			return t->comm;
	return NULL;
}

static bool describe_mutex(struct asker *a, const struct thread_stack *t, struct thread_wait *w)
{
	struct task task = task_of(t);
	struct mutex_wait mutex;

	if (!a->h || !mutex_wait_suspected(&task) || mutex_wait_read(a->h, &a->scratch, &task, &mutex) < 0)
		return false;
	w->lock_address = mutex.address;
	w->owner_tid = mutex.owner_tid;
	append(w, "waits for a mutex at 0x%llx", (unsigned long long)mutex.address);
	if (!mutex.owner_tid)
		return true;
	const char *comm = comm_of(a->stacks, mutex.owner_tid);
	append(w, ", held by %d%s%s%s", mutex.owner_tid, comm ? " (" : "", comm ? comm : "", comm ? ")" : "");
	return true;
}

static void describe_time(struct asker *a, uint64_t address, struct thread_wait *w)
{
	struct timespec time;

	if (!address || process_stacks_read(a->stacks, address, &time, sizeof time) < 0 || time.tv_sec < 0 ||
	    time.tv_sec > 1000000000 || time.tv_nsec < 0 || time.tv_nsec >= (long)NS_PER_S)
		return;
	append(w, " of %s", duration_text((double)time.tv_sec + (double)time.tv_nsec / 1e9).text);
}

/* The last argument of calls that wait for events: how long at most. */
static void describe_limit(struct asker *a, const struct thread_stack *t, struct thread_wait *w)
{
	const bool ms = t->syscall == SYS_poll || t->syscall == SYS_epoll_wait || t->syscall == SYS_epoll_pwait;
	const size_t at = t->syscall == SYS_poll || t->syscall == SYS_ppoll ? 2 : ms ? 3 : 4;
	int64_t time[2]; /* seconds, and ns or (of select) us */

	if (ms) {
		if ((int)t->argument[at] >= 0)
			append(w, ", for %s at most", duration_text((int)t->argument[at] / 1e3).text);
		return;
	}
	if (!t->argument[at] || process_stacks_read(a->stacks, t->argument[at], time, sizeof time) < 0)
		return;
	double seconds = (double)time[0] + (double)time[1] / (t->syscall == SYS_select ? 1e6 : 1e9);
	/* What is no time was written over meanwhile. */
	if (seconds >= 0 && seconds < 1e9)
		append(w, ", for %s at most", duration_text(seconds).text);
}

static bool waits_for_events(int32_t syscall)
{
	return syscall == SYS_poll || syscall == SYS_ppoll || syscall == SYS_select || syscall == SYS_pselect6 ||
	       syscall == SYS_epoll_wait || syscall == SYS_epoll_pwait;
}

/* The word that is waited on says nothing of its kind: a condition, a semaphore, a barrier, the end of a thread. */
static void describe_futex(struct asker *a, const struct thread_stack *t, struct thread_wait *w)
{
	if (describe_mutex(a, t, w))
		return;
	unsigned command = (unsigned)t->argument[1] & (unsigned)FUTEX_CMD_MASK;
	bool timed = t->argument[3] != 0 && command != FUTEX_WAKE;
	append(w, "waits for another thread: futex at 0x%llx%s", (unsigned long long)t->argument[0],
	       timed ? ", with a time limit" : "");
}

static void describe_call(struct asker *a, const struct thread_stack *t, struct thread_wait *w)
{
	const struct syscall_words *words = syscall_words(t->syscall);

	if (t->syscall == SYS_futex) {
		describe_futex(a, t, w);
		return;
	}
	if (!words) {
		append(w, "in system call %d", t->syscall);
		return;
	}
	if (words->waits_for)
		append(w, "waits for %s: %s", words->waits_for, words->name);
	else
		append(w, "in %s", words->name);
	if (words->of_fd)
		describe_fd(a, (int)t->argument[0], w);
	else if (t->syscall == SYS_nanosleep)
		describe_time(a, t->argument[0], w);
	else if (t->syscall == SYS_clock_nanosleep && !(t->argument[1] & TIMER_ABSTIME))
		describe_time(a, t->argument[2], w);
	else if (t->syscall == SYS_wait4 && (int)t->argument[0] > 0)
		append(w, " of process %d", (int)t->argument[0]);
	else
		describe_fds(a, t, w);
	if (waits_for_events(t->syscall))
		describe_limit(a, t, w);
}

static void describe(struct asker *a, const struct thread_stack *t, struct thread_wait *w)
{
	w->fd = -1;
	if (t->on_cpu || t->way == STACK_PERF || t->state == 'R' || t->kernel_thread)
		return;
	if (t->syscall >= 0)
		describe_call(a, t, w);
}

int thread_waits_read(struct host *h, const struct process_stacks *s, struct thread_wait **ret)
{
	struct asker a = { .h = h, .stacks = s };
	struct thread_wait *waits = calloc(s->threads.n ? s->threads.n : 1, sizeof *waits);
	int r = waits ? 0 : -ENOMEM;

	if (r >= 0 && h)
		r = fd_words_read(h, s->pid, waits_on, (void *)(uintptr_t)s, &a.words);
	for (size_t i = 0; r >= 0 && i < s->threads.n; i++)
		describe(&a, &s->threads.v[i], &waits[i]);
	fd_words_deinit(&a.words);
	buf_deinit(&a.scratch);
	if (r < 0) {
		free(waits);
		return r;
	}
	*ret = waits;
	return 0;
}
