/* The leak finder: what is lost is found, what is pointed to from anywhere is not; the same for fibers. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define LOST 200
#define KEPT 50

struct node {
	struct node *next;
	char rest[56];
};

static void *in_data[KEPT];
static _Thread_local void *in_tls;
static void **in_libc;
static struct node *chain;
static struct rt_leaked_block some[4096];
static struct rt_event go_on, parked;

static __attribute__((noinline)) void lose(void)
{
	for (size_t i = 0; i < LOST; i++) {
		struct node *volatile n = rt_calloc(1, i % 2 ? sizeof(struct node) : 3000);
		n->next = rt_calloc(1, 40);	/* lost with it */
	}
	struct node *volatile large = rt_calloc(1, 3 << 20);
	large->next = NULL;
}

static __attribute__((noinline)) void keep(void)
{
	in_libc = malloc(KEPT * sizeof *in_libc);
	in_tls = rt_malloc(100);
	for (int i = 0; i < KEPT; i++) {
		struct node *n = rt_calloc(1, sizeof *n);
		n->next = chain;
		chain = n;
		in_data[i] = (char *)rt_malloc(200) + 100;	/* into the middle */
		in_libc[i] = rt_malloc(50);
	}
}

static __attribute__((noinline)) void release(void)
{
	struct node *next;

	for (int i = 0; i < KEPT; i++) {
		rt_free((char *)in_data[i] - 100);
		rt_free(in_libc[i]);
	}
	for (; chain; chain = next) {
		next = chain->next;
		rt_free(chain);
	}
	memset(in_data, 0, sizeof in_data);
	rt_free(in_tls);
	in_tls = NULL;
	free(in_libc);
}

static int on_its_stack(void *arg)
{
	void *volatile blocks[KEPT];

	(void)arg;
	for (int i = 0; i < KEPT; i++)
		blocks[i] = rt_malloc(333);
	rt_event_set(&parked);
	rt_event_wait(&go_on, RT_FOREVER);
	for (int i = 0; i < KEPT; i++)
		rt_free(blocks[i]);
	return 0;
}

static void free_some(const struct rt_leaks *l)
{
	for (uint64_t i = 0; i < l->blocks; i++)
		rt_free(some[i].block);
}

static int loses(void *arg)
{
	lose();
	wipe_stack();
	(void)arg;
	return 0;
}

static void *thread_holds(void *arg)
{
	void *volatile block = rt_malloc(777);
	char c;

	CHECK(read(*(int *)arg, &c, 1) == 1);
	rt_free(block);
	return NULL;
}

static int blocks(void *arg)
{
	struct rt_leaks before, after;
	struct rt_fiber f;
	pthread_t thread;
	int p[2];

	(void)arg;
	memset(&go_on, 0, sizeof go_on);
	memset(&parked, 0, sizeof parked);
	/* Those of the last time to which a word still pointed. */
	for (int i = 0; i < 3; i++) {
		CHECK(rt_leaks_find(&before, some, 4096) == 0 && before.blocks <= 20);
		free_some(&before);
	}
	keep();
	CHECK(pipe(p) == 0 && pthread_create(&thread, NULL, thread_holds, &p[0]) == 0);
	CHECK(rt_spawn(on_its_stack, NULL, NULL, &f) == 0);
	CHECK(rt_event_wait(&parked, RT_FOREVER) == 0);
	CHECK(rt_leaks_find(&before, some, 4096) == 0);
	CHECK(before.blocks == 0 && before.fibers == 0);
	struct rt_fiber loser;
	CHECK(rt_spawn(loses, NULL, NULL, &loser) == 0 && rt_join(loser, NULL, RT_FOREVER) == 0);
	CHECK(rt_leaks_find(&after, some, 4096) == 0);
	/* Some words may look like pointers, not many. */
	CHECK(after.blocks <= 2 * LOST + 1 && after.blocks >= 2 * LOST - 20);
	CHECK(after.bytes >= (uint64_t)(LOST - 20) * 1500);
	bool right = true;
	for (uint64_t i = 0; i < after.blocks; i++)
		right &= some[i].bytes != 333 && some[i].bytes < 100 ? true : some[i].bytes >= 3000;
	CHECK(right);
	free_some(&after);
	rt_event_set(&go_on);
	CHECK(rt_join(f, NULL, RT_FOREVER) == 0);
	CHECK(write(p[1], "x", 1) == 1);
	rt_block_begin();
	pthread_join(thread, NULL);
	rt_block_end();
	close(p[0]);
	close(p[1]);
	release();
	return 0;
}

/* -- fibers */

static struct rt_chan *known;
static struct rt_mutex mutex;

/* Their stacks were others' before. */
static int waits_at(void *arg)
{
	wipe_stack();
	return rt_receive(arg, NULL, RT_FOREVER);
}

static int waits_with_deadline(void *arg)
{
	wipe_stack();
	return rt_receive(NULL, NULL, rt_now() + (intptr_t)arg);
}

static int waits_for_mutex(void *arg)
{
	(void)arg;
	wipe_stack();
	int r = rt_lock(&mutex, RT_FOREVER);
	rt_unlock(&mutex);
	return r;
}

/* Two that wait for each other, and nobody knows the channels. */
struct vain {
	struct rt_chan *mine, *others;
};

static _Atomic int ended;

static int waits_in_vain(void *arg)
{
	struct vain *v = arg;

	wipe_stack();
	CHECK(rt_receive(v->mine, NULL, RT_FOREVER) == -EPIPE);
	if (v->others)
		rt_close(v->others);
	ended++;
	return 0;
}

/* Hidden from the finder, to end them after all. */
#define STRANDS 5
static void *hidden[STRANDS][5];

static void *hide(void *p)
{
	return (void *)~(uintptr_t)p;
}

static int strands(void *arg)
{
	struct vain *v[3];
	struct rt_chan *c[3];
	void **hide_in = arg;

	for (int i = 0; i < 3; i++) {
		CHECK(rt_chan_new(sizeof(long), 0, &c[i]) == 0);
		v[i] = rt_malloc(sizeof *v[i]);
	}
	*v[0] = (struct vain){ c[0], NULL };
	*v[1] = (struct vain){ c[1], c[2] };
	*v[2] = (struct vain){ c[2], NULL };
	for (int i = 0; i < 3; i++) {
		CHECK(rt_go(waits_in_vain, v[i]) == 0);
		if (i < 2)
			hide_in[i] = hide(c[i]);
		hide_in[i + 2] = hide(v[i]);
	}
	for (int i = 0; i < 20; i++)
		rt_yield();
	wipe_stack();
	return 0;
}

static __attribute__((noinline)) void end_strands(void **of, int until_ended)
{
	struct rt_chan *last = ((struct vain *)hide(of[4]))->mine;

	rt_close(hide(of[0]));
	rt_close(hide(of[1]));
	while (ended < until_ended)
		rt_yield();
	rt_chan_free(hide(of[0]));
	rt_chan_free(hide(of[1]));
	rt_chan_free(last);
	for (int i = 2; i < 5; i++)
		rt_free(hide(of[i]));
}

static int runs_elsewhere(void *arg)
{
	(void)arg;
	wipe_stack();
	return rt_sleep(MS / 10);
}

static void others_run(void)
{
	struct rt_scope s;

	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < 16; i++)
		CHECK(rt_scope_go(&s, runs_elsewhere, NULL) == 0);
	CHECK(rt_scope_close(&s) == 0);
}

static int fibers(void *arg)
{
	struct rt_leaks leaks = { 0 };
	struct rt_fiber f, others[3];

	(void)arg;
	ended = 0;
	memset(&mutex, 0, sizeof mutex);
	CHECK(rt_chan_new(0, 0, &known) == 0);
	CHECK(rt_lock(&mutex, RT_FOREVER) == 0);
	CHECK(rt_spawn(waits_at, known, NULL, &others[0]) == 0);
	CHECK(rt_spawn(waits_with_deadline, (void *)(200 * MS), NULL, &others[1]) == 0);
	CHECK(rt_spawn(waits_for_mutex, NULL, NULL, &others[2]) == 0);
	rt_sleep(2 * MS);
	CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
	CHECK(leaks.fibers == 0);
	for (int i = 0; i < STRANDS; i++)
		CHECK(rt_spawn(strands, hidden[i], NULL, &f) == 0 && rt_join(f, NULL, RT_FOREVER) == 0);
	rt_sleep(2 * MS);
	/* Words that threads have left behind may still name one, until others have run there. */
	for (int i = 0; i < 10 && leaks.fibers < 3 * STRANDS; i++) {
		others_run();
		CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
	}
	CHECK(leaks.fibers >= 3 * STRANDS - 4 && leaks.fibers <= 3 * STRANDS && leaks.blocks >= leaks.fibers);
	for (int i = 0; i < STRANDS; i++)
		end_strands(hidden[i], 3 * i + 3);
	rt_close(known);
	rt_unlock(&mutex);
	for (int i = 0; i < 3; i++)
		CHECK(rt_join(others[i], NULL, RT_FOREVER) == 0);
	rt_chan_free(known);
	return 0;
}

/* Halts, while others allocate, switch and start threads. */
static _Atomic bool stop;

static int does_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int busy(void *arg)
{
	void *volatile mine[64] = { 0 };
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; !stop; i++) {
		seed = seed * 1664525 + 1013904223;
		rt_free(mine[seed >> 20 & 63]);
		mine[seed >> 20 & 63] = rt_malloc(seed >> 24);
		if (i % 16 == 0)
			rt_yield();
		if (i % 4096 == 0)
			(void)rt_pool_run(NULL, does_nothing, NULL, NULL, RT_FOREVER);
	}
	for (int i = 0; i < 64; i++)
		rt_free(mine[i]);
	return 0;
}

static int under_load(void *arg)
{
	struct rt_scope s;
	struct rt_leaks leaks;
	int found = 0;

	(void)arg;
	stop = false;
	rt_scope_open(&s, RT_FOREVER);
	for (uintptr_t i = 0; i < 8; i++)
		CHECK(rt_scope_go(&s, busy, (void *)(i + 1)) == 0);
	/* Each waits until all threads have had a CPU, which they get between many others. */
	int halts = (int)check_load(30);
	for (int i = 0; i < halts; i++) {
		int r = rt_leaks_find(&leaks, NULL, 0);
		CHECK(r == 0 || r == -EAGAIN);
		found += r == 0;
		CHECK(leaks.fibers == 0);
		rt_yield();
	}
	CHECK(3 * found > halts);
	stop = true;
	CHECK(rt_scope_close(&s) == 0);
	return 0;
}

static __attribute__((noinline)) void lose_by_huge(void)
{
	void **huge = rt_malloc(2 << 20);

	for (int i = 0; i < LOST; i++)
		huge[i] = rt_malloc(100);
	rt_free(huge);
}

/* The heap keeps the mapping of a huge block that was freed: what is in there holds nothing. */
static void freed_huge(void)
{
	struct rt_leaks leaks;

	CHECK(rt_leaks_find(&leaks, some, 4096) == 0);
	free_some(&leaks);
	lose_by_huge();
	wipe_stack();
	CHECK(rt_leaks_find(&leaks, some, 4096) == 0 && leaks.blocks >= LOST - 20 && leaks.blocks <= LOST);
	free_some(&leaks);
}

/* Until it is told, and some time longer: then it gets at once what halts have sent that were given up. */
static void *blocks_all_signals(void *arg)
{
	sigset_t all, before;
	char c;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	stop = true;
	CHECK(read(*(int *)arg, &c, 1) == 1);
	usleep(100000);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	CHECK(read(*(int *)arg, &c, 1) == 1);
	return NULL;
}

static void *waits(void *arg)
{
	char c;

	CHECK(read(*(int *)arg, &c, 1) == 1);
	return NULL;
}

static void refuses(void)
{
	struct rt_leaks leaks = { .blocks = 5 };
	pthread_t thread, earlier;
	int p[2], q[2];

	/* With one before it that ends meanwhile it is another one's number that comes late. */
	CHECK(pipe(q) == 0 && pthread_create(&earlier, NULL, waits, &q[0]) == 0);
	CHECK(pipe(p) == 0 && pthread_create(&thread, NULL, blocks_all_signals, &p[0]) == 0);
	while (!stop)
		usleep(1000);
	for (int i = 0; i < 2; i++)
		CHECK(rt_leaks_find(&leaks, NULL, 0) == -ETIMEDOUT && leaks.blocks == 5);
	CHECK(write(q[1], "x", 1) == 1);
	pthread_join(earlier, NULL);
	CHECK(write(p[1], "x", 1) == 1);
	CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
	CHECK(write(p[1], "x", 1) == 1);
	pthread_join(thread, NULL);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
}

/* -- fork, while another thread looks */

static void *looks_always(void *arg)
{
	struct rt_leaks leaks;

	while (!stop)
		CHECK(rt_leaks_find(&leaks, NULL, 0) == 0);
	return arg;
}

static void forks(void)
{
	pthread_t thread;

	stop = false;
	CHECK(pthread_create(&thread, NULL, looks_always, NULL) == 0);
	for (int i = 0; i < 15; i++) {
		struct rt_leaks leaks;
		int status = -1;
		pid_t pid = fork();
		if (pid == 0) {
			alarm(30);
			_exit(rt_leaks_find(&leaks, NULL, 0) == 0 ? 0 : 1);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	stop = true;
	pthread_join(thread, NULL);
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "lost blocks", blocks },
		{ "fibers that wait for ever", fibers },
		{ "halts under load", under_load },
	};
	if (SANITIZED) {
		CHECK(rt_leaks_find(&(struct rt_leaks){ 0 }, NULL, 0) == -ENOSYS);
		return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	forks();
	freed_huge();
	refuses();
	return check_all(tests, sizeof tests / sizeof *tests);
}
