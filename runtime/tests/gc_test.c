/* The collected heap: what is reachable from wherever it may be stays whole, most of the rest goes; maps,
 * finalizers, many fibers. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define KEPT 2000

struct node {
	struct node *next, *other;
	uint64_t number, check;
	char rest[40];
};

static const uint32_t offsets[] = { offsetof(struct node, next) };
static const struct rt_gc_map map = { sizeof(struct node), 1, offsets };

static struct node *in_data;
static _Thread_local struct node *in_tls;
static struct node **in_heap, **in_libc;

static struct node *node_new(uint64_t number, struct node *next, const struct rt_gc_map *how)
{
	struct node *n = rt_gc_alloc(sizeof *n, how);

	CHECK(n && !n->next && !n->number && !n->rest[39]);
	n->next = next;
	n->number = number;
	n->check = ~number;
	return n;
}

static __attribute__((noinline)) struct node *list_new(uint64_t n, const struct rt_gc_map *how)
{
	struct node *first = NULL;

	while (n--)
		first = node_new(n, first, how);
	return first;
}

static bool list_is_whole(const struct node *l, uint64_t n)
{
	uint64_t i = 0;

	for (; l; l = l->next, i++)
		if (l->number != i || l->check != ~i)
			return false;
	return i == n;
}

static uint64_t live(void)
{
	struct rt_gc_state s;

	rt_gc_look(&s);
	return s.live_blocks;
}

static int makes_garbage(void *arg)
{
	for (uintptr_t i = 0; i < (uintptr_t)arg; i++)
		(void)list_new(10, i % 2 ? &map : NULL);
	wipe_stack();
	return 0;
}

static void in_a_fiber(rt_function *f, void *arg)
{
	struct rt_fiber fiber;

	CHECK(rt_spawn(f, arg, NULL, &fiber) == 0 && rt_join(fiber, NULL, RT_FOREVER) == 0);
}

static int builds(void *arg)
{
	(void)arg;
	in_data = list_new(KEPT, &map);
	in_heap[0] = list_new(KEPT, NULL);
	in_libc[0] = (struct node *)(void *)((char *)list_new(KEPT, NULL) + 20);	/* into the middle */
	wipe_stack();
	return 0;
}

static int keeps(void *arg)
{
	struct node *volatile on_stack = list_new(KEPT, NULL);
	struct node **volatile tls = &in_tls;	/* of the thread that it runs on now */

	(void)arg;
	*tls = list_new(KEPT, NULL);
	in_heap = rt_malloc(sizeof *in_heap);
	in_libc = malloc(sizeof *in_libc);
	in_a_fiber(builds, NULL);
	in_a_fiber(makes_garbage, (void *)3000);
	CHECK(rt_gc_collect() == 0);
	uint64_t n = live();
	/* Of 30 000 that are garbage, some may look as if they were not. */
	CHECK(n >= 5 * KEPT && n < 7 * KEPT);
	in_a_fiber(makes_garbage, (void *)3000);
	CHECK(list_is_whole(*tls, KEPT));
	*tls = NULL;
	CHECK(list_is_whole(on_stack, KEPT) && list_is_whole(in_data, KEPT));
	CHECK(list_is_whole(in_heap[0], KEPT) && list_is_whole((struct node *)(void *)((char *)in_libc[0] - 20), KEPT));
	in_data = NULL;
	rt_free(in_heap);
	free(in_libc);
	return 0;
}

/* By the number of processors: what only looked as if it were in use is finalized later, in another run
 * perhaps. */
static _Atomic int lost[5], finalized[5];
static struct node *again;

/* `next` is in the map, `other` is not. */
static void is_lost(void *block, void *arg)
{
	_Atomic int *n = arg;

	(void)block;
	++*n;
}

static int builds_mapped(void *arg)
{
	in_data = node_new(0, NULL, &map);
	for (int i = 0; i < 1000; i++) {
		struct node *n = node_new(1, in_data->next, &map);
		n->other = rt_gc_alloc(64, &rt_gc_no_pointers);
		CHECK(rt_gc_finalizer(n->other, is_lost, arg) == 0);
		in_data->next = n;
	}
	wipe_stack();
	return 0;
}

static int maps(void *arg)
{
	_Atomic int *n = &lost[rt_processors()];
	int length = 0;

	(void)arg;
	in_a_fiber(builds_mapped, n);
	in_a_fiber(makes_garbage, (void *)100);
	CHECK(rt_gc_collect() == 0);
	CHECK(*n >= 900 && *n <= 1000);
	for (struct node *l = in_data; l; l = l->next)
		length++;
	CHECK(length == 1001);
	in_data = NULL;
	return 0;
}

/* Nothing of the heap's own has the address of its first block. P = 1 comes first; of more threads one may have
 * run the fiber, and its registers and stack hold what it was left with. */
static int makes_the_first(void *arg)
{
	void *block = rt_gc_alloc(16, &rt_gc_no_pointers);

	CHECK(rt_gc_finalizer(block, is_lost, arg) == 0);
	wipe_stack();
	return 0;
}

static int the_first(void *arg)
{
	static _Atomic int n;

	(void)arg;
	if (rt_processors() > 1)
		return 0;
	in_a_fiber(makes_the_first, (void *)&n);
	CHECK(rt_gc_collect() == 0 && n == 1);
	return 0;
}

/* -- finalizers */

static void is_finalized(void *block, void *arg)
{
	struct node *n = block;
	_Atomic int *count = arg;

	/* What it points to is there, finalized or not. */
	CHECK(count > finalized && count < finalized + 5);
	CHECK(n->check == ~n->number && n->next->check == ~n->next->number);
	if (n->number == 7)
		again = n;
	CHECK(rt_gc_alloc(100, NULL) != NULL);
	++*count;
}

static int makes_finalized(void *arg)
{
	for (uint64_t i = 0; i < 100; i++) {
		struct node *n = node_new(i, node_new(i, NULL, NULL), i % 2 ? &map : NULL);
		CHECK(rt_gc_finalizer(n, is_finalized, arg) == 0);
		CHECK(rt_gc_finalizer((char *)n + 8, is_finalized, NULL) == -EINVAL);
	}
	wipe_stack();
	return 0;
}

static int finalizers(void *arg)
{
	_Atomic int *n = &finalized[rt_processors()];

	(void)arg;
	again = NULL;
	in_data = node_new(1, node_new(2, NULL, NULL), NULL);
	CHECK(rt_gc_finalizer(in_data, is_finalized, n) == 0);
	in_a_fiber(makes_finalized, n);
	for (int i = 0; i < 3; i++) {
		in_a_fiber(makes_garbage, (void *)100);
		CHECK(rt_gc_collect() == 0);
	}
	CHECK(*n >= 90 && *n <= 100);
	CHECK(!again || (again->number == 7 && again->next->number == 7));
	again = NULL;
	in_data = NULL;
	wipe_stack();
	for (int i = 0; i < 3; i++)
		CHECK(rt_gc_collect() == 0);
	return 0;
}

/* -- many at once; collections come by themselves */

static int churns(void *arg)
{
	struct node *volatile mine = list_new(100, (uintptr_t)arg % 2 ? &map : NULL);
	struct rt_chan *c = NULL;

	CHECK(rt_chan_new(sizeof mine, 1, &c) == 0);
	for (int i = 0; i < 30; i++) {
		struct node *in_channel = list_new(50, NULL);
		CHECK(rt_send(c, &in_channel, RT_FOREVER) == 0);
		in_channel = NULL;
		(void)list_new(200, &map);
		rt_yield();
		CHECK(rt_receive(c, &in_channel, RT_FOREVER) == 0);
		CHECK(list_is_whole(in_channel, 50) && list_is_whole(mine, 100));
	}
	rt_chan_free(c);
	return 0;
}

static void *thread_churns(void *arg)
{
	struct node *volatile mine = list_new(100, NULL);

	for (int i = 0; i < 100; i++)
		(void)list_new(100, NULL);
	CHECK(list_is_whole(mine, 100));
	return arg;
}

static int many(void *arg)
{
	struct rt_gc_state before, after;
	struct rt_scope s;
	pthread_t thread;

	(void)arg;
	rt_gc_tune(50, 1 << 20);
	rt_gc_look(&before);
	CHECK(pthread_create(&thread, NULL, thread_churns, NULL) == 0);
	rt_scope_open(&s, RT_FOREVER);
	for (uintptr_t i = 0; i < 20; i++)
		CHECK(rt_scope_go(&s, churns, (void *)i) == 0);
	CHECK(rt_scope_close(&s) == 0);
	rt_block_begin();
	pthread_join(thread, NULL);
	rt_block_end();
	rt_gc_look(&after);
	/* 15 MB were allocated. */
	CHECK(after.collections > before.collections + 2 && after.mapped_bytes < (uint64_t)14 << 20);
	return 0;
}

static int sizes(void *arg)
{
	static void *large[20];
	uint64_t seed = 5;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		size_t bytes = seed >> 33 & ((2u << (seed >> 60)) * 8 - 1);
		unsigned char *p = rt_gc_alloc(bytes, &rt_gc_no_pointers);
		bool zero = p && (uintptr_t)p % 16 == 0;
		for (size_t k = 0; zero && k < bytes; k++)
			zero &= p[k] == 0;
		CHECK(zero);
		memset(p, 0xff, bytes);
		large[i % 20] = p;
	}
	memset(large, 0, sizeof large);
	volatile size_t most = SIZE_MAX;
	CHECK(rt_gc_alloc(most, NULL) == NULL && rt_gc_alloc(most >> 14, NULL) == NULL);
	return 0;
}

/* -- fork, while another thread allocates and collects */

static _Atomic bool forks_end;

static void *allocates_always(void *arg)
{
	while (!forks_end) {
		CHECK(rt_gc_alloc(10000, &rt_gc_no_pointers));
		if (arg)
			CHECK(rt_gc_collect() == 0);
	}
	return NULL;
}

static void forks(bool collects)
{
	struct node *volatile mine = list_new(100, NULL);
	pthread_t thread;

	forks_end = false;
	CHECK(pthread_create(&thread, NULL, allocates_always, collects ? &forks_end : NULL) == 0);
	for (int i = 0; i < 15; i++) {
		int status = -1;
		pid_t pid = fork();
		if (pid == 0) {
			alarm(30);
			check_failed = 0;
			CHECK(list_is_whole(list_new(100, &map), 100));
			CHECK(rt_gc_collect() == 0 && list_is_whole(mine, 100));
			_exit(check_failed ? 1 : 0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	forks_end = true;
	pthread_join(thread, NULL);
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "the first block", the_first },
		{ "what is reachable stays", keeps },
		{ "maps", maps },
		{ "finalizers", finalizers },
		{ "many at once", many },
		{ "sizes", sizes },
	};
	if (SANITIZED) {
		CHECK(rt_gc_collect() == -ENOSYS);
		return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	forks(false);
	forks(true);
	return check_all(tests, sizeof tests / sizeof *tests);
}
