/* Stacks of a child whose functions are known, by every way of reading them. */
#include "dig/stack/stack.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "dig/stack/thread_wait.h"
#include "dig/symbol/symbol.h"

#define DEPTH 40

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int pipe_fds[2];
static volatile unsigned sink; /* the spinner's turns pass it: they wrap */

__attribute__((noinline)) static void leaf_mutex(void)
{
	pthread_mutex_lock(&lock);
	sink++;
}

__attribute__((noinline)) static void leaf_read(void)
{
	char c;
	sink += (unsigned)read(pipe_fds[0], &c, 1);
}

__attribute__((noinline)) static void leaf_spin(void)
{
	for (;;)
		sink++;
}

/* Nothing ever comes of what it waits for; a place without a descriptor is passed over. */
__attribute__((noinline)) static void leaf_poll(void)
{
	struct pollfd fds[] = { { .fd = pipe_fds[0], .events = POLLIN }, { .fd = -1 }, { .fd = pipe_fds[1] } };

	sink += (unsigned)poll(fds, 3, 100000000);
}

__attribute__((noinline)) static void leaf_select(void)
{
	struct timeval limit = { .tv_sec = 100000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pipe_fds[0], &set);
	sink += (unsigned)select(pipe_fds[0] + 1, &set, NULL, NULL, &limit);
}

__attribute__((noinline)) static int deep(int depth, void (*leaf)(void))
{
	volatile char room[3000];

	room[depth] = 1;
	if (depth == 0)
		leaf();
	else
		sink += (unsigned)deep(depth - 1, leaf);
	return room[depth];
}

static void *worker(void *leaf)
{
	sink += (unsigned)deep(DEPTH, (void (*)(void))(uintptr_t)leaf);
	return NULL;
}

static void start(void (*leaf)(void), const char *name)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, worker, (void *)(uintptr_t)leaf) == 0)
		pthread_setname_np(thread, name);
}

static void child(int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_mutex_lock(&lock);
	start(leaf_mutex, "locker");
	start(leaf_read, "reader");
	start(leaf_poll, "poller");
	start(leaf_select, "selector");
	start(leaf_spin, "spinner");
	usleep(100000);
	sink += (unsigned)write(ready, "", 1);
	for (;;)
		pause();
}

static pid_t start_child(void)
{
	int ready[2];
	char c;

	if (pipe(ready) < 0 || pipe(pipe_fds) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0)
		child(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1);
	return pid;
}

static const struct thread_stack *named(const struct process_stacks *s, const char *comm)
{
	vec_each(t, &s->threads)
		if (strcmp(t->comm, comm) == 0)
			return t;
	return NULL;
}

/* How often a function stands in a stack. */
static size_t count(struct symbolizer *y, const struct process_stacks *s, const struct thread_stack *t,
		    const char *function)
{
	size_t found = 0;

	for (size_t i = 0; t && i < t->nframes; i++) {
		const struct symbol *symbols;
		size_t n;
		CHECK(symbolize(y, s->space, t->frames[i].pc, t->frames[i].exact, &symbols, &n) == 0);
		for (size_t k = 0; k < n; k++)
			found += strcmp(symbols[k].function, function) == 0;
	}
	return found;
}

static void check_thread(struct symbolizer *y, const struct process_stacks *s, const char *comm, const char *leaf)
{
	const struct thread_stack *t = named(s, comm);

	if (!t || t->nframes <= DEPTH || t->end != UNWIND_OUTERMOST)
		fprintf(stderr, "%s: %zu frames, %s, %s\n", comm, t ? t->nframes : 0, t ? stack_way_words(t->way) : "?",
			t ? unwind_end_words(t->end) : "?");
	CHECK(t && t->nframes > DEPTH && t->end == UNWIND_OUTERMOST);
	CHECK_U64(count(y, s, t, leaf), 1);
	CHECK_U64(count(y, s, t, "deep"), DEPTH + 1);
	CHECK_U64(count(y, s, t, "worker"), 1);
}

static void check_poll(const char *what)
{
	char wanted[64];

	snprintf(wanted, sizeof wanted, "of descriptors %d, pipe:[", pipe_fds[0]);
	CHECK(strstr(what, wanted));
	snprintf(wanted, sizeof wanted, "]; %d, pipe:[", pipe_fds[1]);
	CHECK(strstr(what, wanted));
	CHECK(strstr(what, ", for 27.8 h at most") && !strstr(what, "more"));
}

static void take(struct host *h, pid_t pid, const struct stack_wish *wish, enum stack_way way)
{
	struct image_store *store;
	struct symbolizer *y;
	struct process_stacks *s = NULL;
	struct thread_wait *waits = NULL;
	struct note note = { "" };

	CHECK(image_store_new(&store) == 0 &&
	      symbolizer_new(&(struct symbolizer_options){ .no_lines = true }, &y) == 0);
	int r = process_stacks_take(h, store, pid, wish, &s, &note);
	if (r < 0)
		fprintf(stderr, "%s\n", note.text);
	CHECK(r == 0);
	if (r == 0 && way == STACK_BPF && s->why_no_bpf[0]) {
		fprintf(stderr, "without BPF: %s\n", s->why_no_bpf);
		way = STACK_PROC;
	}
	if (r == 0) {
		CHECK_U64(s->threads.n, 6);
		check_thread(y, s, "locker", "leaf_mutex");
		check_thread(y, s, "reader", "leaf_read");
		check_thread(y, s, "poller", "leaf_poll");
		check_thread(y, s, "selector", "leaf_select");
		check_thread(y, s, "spinner", "leaf_spin");
		CHECK(named(s, "reader")->way == way);
		CHECK(wish->consistent ? s->stopped == 6 : named(s, "spinner")->way == STACK_PTRACE || s->stopped == 0);
		CHECK(thread_waits_read(h, s, &waits) == 0);
		for (size_t i = 0; i < s->threads.n && !wish->consistent; i++) {
			if (strcmp(s->threads.v[i].comm, "locker") == 0)
				CHECK(waits[i].owner_tid == pid);
			if (strcmp(s->threads.v[i].comm, "reader") == 0)
				CHECK(waits[i].fd == pipe_fds[0] && strstr(waits[i].what, "pipe:"));
			if (strcmp(s->threads.v[i].comm, "selector") == 0)
				CHECK(waits[i].fd == pipe_fds[0] && strstr(waits[i].what, ", for 27.8 h at most"));
			if (strcmp(s->threads.v[i].comm, "poller") == 0)
				check_poll(waits[i].what);
		}
		free(waits);
		process_stacks_free(s);
	}
	symbolizer_free(y);
	image_store_free(store);
}

static void tells_who_is_not_there(struct host *h)
{
	struct image_store *store;
	struct process_stacks *s = NULL;
	struct note note = { "" };

	CHECK(image_store_new(&store) == 0);
	CHECK(process_stacks_take(h, store, 0x7ffffff0, &(struct stack_wish){ 0 }, &s, &note) == -ESRCH);
	CHECK_STR(note.text, "there is no process 2147483632");
	CHECK(process_stacks_of_core(store, "/proc/self/exe", NULL, &s, &note) == -EBADMSG);
	CHECK(strstr(note.text, "no core file"));
	image_store_free(store);
}

int main(void)
{
	struct host *h = NULL;
	pid_t pid = start_child();

	CHECK(pid > 0 && host_open_live("/", &h, NULL) == 0);
	take(h, pid, &(struct stack_wish){ 0 }, STACK_BPF);
	take(h, pid, &(struct stack_wish){ .no_bpf = true }, STACK_PROC);
	take(h, pid, &(struct stack_wish){ .no_bpf = true, .no_perf = true }, STACK_PROC);
	take(h, pid, &(struct stack_wish){ .consistent = true }, STACK_PTRACE);
	tells_who_is_not_there(h);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	host_free(h);
	return check_exit();
}
