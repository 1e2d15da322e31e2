/* The heap, asked by fibers and by threads: what blocks hold against an oracle, who frees what, what is given
 * back. */
#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "refuse.h"

#define MIB ((size_t)1 << 20)

/* Of so many bytes or turns, as many as are needed to reach all kinds of blocks. */
static size_t load(size_t n, size_t least)
{
	size_t lighter = (size_t)check_load((long)n);

	return lighter < least ? least : lighter;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* -- blocks that know what they hold */

struct held {
	unsigned char *block;
	size_t size;
	unsigned char fill;
};

/* The ends of long ones. */
#define ENDS 4096

static void fill_ends(unsigned char *block, size_t size, unsigned char fill)
{
	size_t n = size < ENDS ? size : ENDS;

	memset(block, fill, n);
	memset(block + size - n, fill, n);
}

static void hold(struct held *h, size_t size, unsigned char fill)
{
	h->block = rt_malloc(size);
	h->size = size;
	h->fill = fill;
	CHECK(h->block && (uintptr_t)h->block % 16 == 0 && rt_usable(h->block) >= size);
	if (h->block)
		fill_ends(h->block, size, fill);
}

static bool intact(const struct held *h)
{
	size_t n = h->size < ENDS ? h->size : ENDS;

	for (size_t i = 0; i < n; i++)
		if (h->block[i] != h->fill || h->block[h->size - 1 - i] != h->fill)
			return false;
	return true;
}

static void drop(struct held *h)
{
	CHECK(intact(h));
	rt_free(h->block);
	h->block = NULL;
}

static size_t random_size(uint64_t *state)
{
	uint64_t r = next_random(state);

	if (r % 1000 == 0)
		return (r >> 10) % (3 * MIB);
	if (r % 50 == 0)
		return (r >> 10) % 100000;
	return (r >> 10) % ((uint64_t)16 << (r >> 40) % 8);
}

/* -- one caller */

static int sizes(void *arg)
{
	static struct held held[3000];
	size_t n = 0;

	(void)arg;
	for (size_t size = 0; size < 3 * MIB; size += size < 1100 ? 1 : size / 7, n++)
		hold(&held[n], size, (unsigned char)n);
	for (size_t i = 0; i < n; i++)
		CHECK(intact(&held[i]));
	for (size_t i = 0; i < n; i += 2)
		drop(&held[i]);
	for (size_t i = 0; i < n; i += 2)
		hold(&held[i], held[i].size, (unsigned char)(i + 7));
	for (size_t i = 0; i < n; i++)
		drop(&held[i]);
	rt_free(NULL);
	CHECK(rt_usable(NULL) == 0);
	return 0;
}

static int alignments(void *arg)
{
	(void)arg;
	for (size_t alignment = 1; alignment <= 32 * MIB; alignment *= 2) {
		static const size_t some[] = { 0, 1, 100, 5000, 70000, 3 * MIB };
		void *blocks[6];
		for (size_t i = 0; i < 6; i++) {
			blocks[i] = rt_aligned(alignment, some[i]);
			CHECK(blocks[i] && (uintptr_t)blocks[i] % alignment == 0);
			fill_ends(blocks[i], some[i], (unsigned char)i);
			CHECK(rt_usable(blocks[i]) >= some[i]);
		}
		for (size_t i = 0; i < 6; i++) {
			void *found;
			size_t size;
			CHECK(some[i] == 0 || (*(unsigned char *)blocks[i] == i && ((unsigned char *)blocks[i])[some[i] - 1] == i));
			CHECK(rt_heap_block((char *)blocks[i] + some[i] / 2, &found, &size) && found == blocks[i]);
			rt_free(blocks[i]);
		}
	}
	CHECK(!rt_aligned(0, 8) && !rt_aligned(24, 8));
	return 0;
}

static int reallocations(void *arg)
{
	unsigned char *p = rt_realloc(NULL, 1);
	size_t size = 1;

	const size_t most = load(10 * MIB, 2 * MIB);

	(void)arg;
	p[0] = 1;
	/* Up to that and down again, every byte checked now and then. */
	while (size < most) {
		size_t more = size + size / 3 + 1;
		p = rt_realloc(p, more);
		CHECK(p && rt_usable(p) >= more);
		for (size_t i = 0; i < size; i += 1 + size / 1000)
			CHECK(p[i] == (unsigned char)(i % 251 + 1));
		for (size_t i = size; i < more; i++)
			p[i] = (unsigned char)(i % 251 + 1);
		size = more;
	}
	while (size > 1) {
		size = size / 2;
		p = rt_realloc(p, size);
		CHECK(p);
		for (size_t i = 0; i < size; i += 1 + size / 1000)
			CHECK(p[i] == (unsigned char)(i % 251 + 1));
	}
	unsigned char *same = rt_realloc(p, SIZE_MAX / 2);
	CHECK(!same && p[0] == 1);
	p = rt_realloc(p, 0);
	CHECK(p);
	rt_free(p);
	return 0;
}

static int zeroed(void *arg)
{
	(void)arg;
	for (size_t size = 1; size < load(5 * MIB, 2 * MIB); size = size * 3 + 1) {
		for (int turn = 0; turn < 3; turn++) {
			unsigned char *p = rt_calloc(size, 1);
			size_t bad = 0;
			for (size_t i = 0; i < size; i++)
				bad += p[i] != 0;
			CHECK(bad == 0);
			memset(p, 0xff, size);
			rt_free(p);
		}
	}
	volatile size_t half = SIZE_MAX / 2 + 1, most = SIZE_MAX;
	errno = 7;
	CHECK(!rt_calloc(half, 2) && !rt_calloc(half, half) && !rt_malloc(half) && !rt_malloc(most) && !rt_aligned(4096, half));
	CHECK(!rt_malloc(half / 8));
	CHECK(errno == 7);
	return 0;
}

/* -- many callers, at random */

#define SHARED 512
#define MINE 200
static _Atomic(struct held *) shared[SHARED];

static struct held *held_new(uint64_t *state)
{
	struct held *h = rt_malloc(sizeof *h);

	CHECK(h);
	hold(h, random_size(state), (unsigned char)next_random(state));
	return h;
}

static void held_free(struct held *h)
{
	drop(h);
	rt_free(h);
}

static void held_resize(struct held *h, uint64_t *state)
{
	size_t size = random_size(state) + 1;
	size_t least = size < h->size ? size : h->size;

	unsigned char *p = rt_realloc(h->block, size);
	CHECK(p);
	struct held before = { p, least < ENDS ? least : ENDS, h->fill };
	CHECK(intact(&before));
	fill_ends(p, size, h->fill);
	h->block = p;
	h->size = size;
}

/* Blocks wander from one to another by exchange with slots that all share. */
static void at_random(uint64_t seed, int turns, bool fiber)
{
	struct held *mine[MINE] = { 0 };
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;

	while (turns--) {
		struct held **h = &mine[next_random(&state) % MINE];
		if (*h && next_random(&state) % 8 == 0)
			held_resize(*h, &state);
		else if (*h && next_random(&state) % 4 == 0)
			*h = atomic_exchange(&shared[next_random(&state) % SHARED], *h);
		else if (*h) {
			held_free(*h);
			*h = NULL;
		} else
			*h = held_new(&state);
		if (fiber && next_random(&state) % 16 == 0)
			rt_yield();
	}
	for (int i = 0; i < MINE; i++)
		if (mine[i])
			held_free(mine[i]);
}

static int fiber_at_random(void *arg)
{
	at_random((uintptr_t)arg, (int)load(SANITIZED ? 1000 : 5000, 500), true);
	return 0;
}

static void *thread_at_random(void *arg)
{
	at_random((uintptr_t)arg, (int)load(SANITIZED ? 2000 : 8000, 500), false);
	return NULL;
}

static void shared_empty(void)
{
	for (int i = 0; i < SHARED; i++) {
		struct held *h = atomic_exchange(&shared[i], NULL);
		if (h)
			held_free(h);
	}
}

static int fibers_at_random(void *arg)
{
	struct rt_fiber f[8];

	(void)arg;
	for (uintptr_t i = 0; i < 8; i++)
		CHECK(rt_spawn(fiber_at_random, (void *)(i + 1), NULL, &f[i]) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(rt_join(f[i], NULL, RT_FOREVER) == 0);
	shared_empty();
	return 0;
}

static uint64_t live_blocks(void)
{
	struct rt_heap_stats s;

	rt_heap_stats(&s);
	return s.live_blocks;
}

/* Threads come and go: what one leaves, others free, and use. */
static void threads_at_random(void)
{
	uint64_t before = live_blocks();

	for (uintptr_t turn = 0; turn < 3; turn++) {
		pthread_t t[4];
		for (uintptr_t i = 0; i < 4; i++)
			CHECK(pthread_create(&t[i], NULL, thread_at_random, (void *)(turn * 4 + i + 100)) == 0);
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
	}
	shared_empty();
	rt_heap_purge();
	CHECK(live_blocks() == before);
}

/* -- threads that end */

#define LEFT 30000
static void *left[LEFT];

static void *leaves_blocks(void *arg)
{
	for (size_t i = 0; i < LEFT; i++) {
		left[i] = rt_malloc(*(size_t *)arg);
		memset(left[i], 1, *(size_t *)arg);
	}
	return NULL;
}

static void *frees_half(void *arg)
{
	for (size_t i = *(size_t *)arg; i < LEFT; i += 2)
		rt_free(left[i]);
	return NULL;
}

static void in_thread(void *(*function)(void *), void *arg)
{
	pthread_t t;

	CHECK(pthread_create(&t, NULL, function, arg) == 0);
	pthread_join(t, NULL);
}

/* What threads left is not lost: their successors allocate from it, or it goes back to the system. */
static void ended_threads(void)
{
	struct rt_heap_stats before, stats;
	size_t size = 200, even = 0, odd = 1;

	rt_heap_purge();
	rt_heap_stats(&before);
	for (int turn = 0; turn < 6; turn++) {
		in_thread(leaves_blocks, &size);
		in_thread(frees_half, &even);
		frees_half(&odd);
	}
	rt_heap_stats(&stats);
	CHECK(stats.live_blocks == before.live_blocks);
	/* Of one turn, not of all. */
	CHECK(stats.mapped_bytes < before.mapped_bytes + 3 * LEFT * size);
	rt_heap_purge();
	rt_heap_stats(&stats);
	CHECK(stats.mapped_bytes <= before.mapped_bytes + 8 * MIB);
}

static pthread_key_t late_key;

static void late(void *arg)
{
	/* Each round again: the heap of the thread has gone before the last. */
	void *p = rt_malloc(100);
	CHECK(p);
	rt_free(arg);
	rt_free(rt_malloc(100000));
	static _Thread_local int rounds;
	if (++rounds < 4)
		pthread_setspecific(late_key, p);
	else
		rt_free(p);
}

static void *ends_late(void *arg)
{
	pthread_setspecific(late_key, rt_malloc(10));
	return arg;
}

static void allocates_while_ending(void)
{
	uint64_t before = live_blocks();

	pthread_key_create(&late_key, late);
	for (int i = 0; i < 20; i++)
		in_thread(ends_late, NULL);
	pthread_key_delete(late_key);
	rt_heap_purge();
	CHECK(live_blocks() == before);
}

/* -- given back */

static size_t resident_bytes(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%*u %zu", &pages) == 1);
	if (f)
		fclose(f);
	return pages * 4096;
}

static void gives_back(void)
{
	static void *blocks[32 * 1024];
	struct rt_heap_stats stats;

	for (size_t i = 0; i < 32 * 1024; i++)
		memset(blocks[i] = rt_malloc(1000), 1, 1000);
	size_t full = resident_bytes();
	for (size_t i = 0; i < 32 * 1024; i++)
		rt_free(blocks[i]);
	CHECK(rt_heap_purge() > 24 * MIB);
	CHECK(resident_bytes() + 24 * MIB < full);
	rt_heap_stats(&stats);
	CHECK(stats.kept_bytes == 0);
	/* By itself, when it allocates. */
	for (size_t i = 0; i < 32 * 1024; i++)
		blocks[i] = rt_malloc(1000);
	rt_heap_decay(1);
	for (size_t i = 0; i < 32 * 1024; i++)
		rt_free(blocks[i]);
	do {
		usleep(10000);
		rt_free(rt_malloc(100000));
		rt_heap_stats(&stats);
	} while (stats.kept_bytes > MIB);	/* for ever: a failure */
	rt_heap_decay(1000);
}

/* Of memory that is locked (mlockall) the kernel takes nothing back: what was in it still is. */
static void kept_by_the_kernel(unsigned unused)
{
	static const size_t sizes_of[] = { 100000, 1000000, 3000000 };

	(void)unused;
	if (refuse("madvise") < 0)
		return;
	for (size_t i = 0; i < sizeof sizes_of / sizeof *sizes_of; i++) {
		size_t size = sizes_of[i], bad_bytes = 0;
		unsigned char *p = rt_malloc(size);
		CHECK(p);
		memset(p, 0xff, size);
		rt_free(p);
		rt_heap_purge();
		p = rt_calloc(1, size);
		CHECK(p);
		for (size_t k = 0; k < size; k++)
			bad_bytes += p[k] != 0;
		CHECK(bad_bytes == 0);
		rt_free(p);
	}
}

/* -- fork */

static _Atomic bool forks_end;

static void *allocates_always(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!forks_end)
		at_random(seed++, 100, false);
	return NULL;
}

static void forks_in_the_middle(void)
{
	pthread_t t[3];

	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, allocates_always, (void *)(i * 1000 + 1));
	for (uintptr_t i = 0; i < 10; i++) {
		struct held mine;
		int status;
		hold(&mine, 1000, 5);
		pid_t pid = fork();
		if (pid == 0) {
			alarm(60);
			check_failed = 0;
			drop(&mine);
			at_random(i + 77, 500, false);
			_exit(check_failed ? 1 : 0);
		}
		drop(&mine);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	forks_end = true;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	shared_empty();
}

/* -- no memory */

static int without_memory(void)
{
	static void *blocks[100000];
	struct rlimit limit = { 150 * MIB, 150 * MIB };

	setrlimit(RLIMIT_AS, &limit);
	check_failed = 0;
	errno = 7;
	for (size_t size = 100; size < 60 * MIB; size *= 9) {
		size_t n = 0;
		while (n < 100000 && (blocks[n] = rt_malloc(size))) {
			*(char *)blocks[n] = 1;
			n++;
		}
		CHECK(n < 100000 || size < 2000);
		CHECK(n * size > 40 * MIB || size < 2000 || size > 20 * MIB);
		CHECK(n == 0 || !rt_realloc(blocks[0], 200 * MIB));
		while (n-- > 0)
			rt_free(blocks[n]);
	}
	CHECK(errno == 7);
	return check_failed ? 1 : 0;
}

static void refused(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(without_memory());
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* -- walking */

struct walked {
	size_t mine, all;
	void **blocks;
	bool seen[3000];
};

static void see(void *block, size_t size, void *arg)
{
	struct walked *w = arg;

	w->all++;
	CHECK(size >= 16 || size == 0 || getenv("RT_HEAP_DEBUG"));
	uint64_t i = *(uint64_t *)block;
	if (i < 3000 && w->blocks[i] == block) {
		CHECK(!w->seen[i]);
		w->seen[i] = true;
		w->mine++;
	}
}

static void walks(void)
{
	static void *blocks[3000];
	static struct walked w = { .blocks = blocks };
	uint64_t state = 99, before = live_blocks();

	for (uint64_t i = 0; i < 3000; i++) {
		blocks[i] = rt_malloc(random_size(&state) + 16);
		*(uint64_t *)blocks[i] = i;
	}
	for (uint64_t i = 0; i < 3000; i += 3) {
		rt_free(blocks[i]);
		blocks[i] = NULL;
	}
	rt_heap_walk(see, &w);
	CHECK(w.mine == 2000 && w.all == before + 2000);
	for (size_t i = 0; i < 3000; i++) {
		void *found;
		size_t size;
		CHECK(w.seen[i] == (blocks[i] != NULL));
		if (!blocks[i])
			continue;
		CHECK(rt_heap_block((char *)blocks[i] + rt_usable(blocks[i]) - 1, &found, &size) && found == blocks[i]);
		CHECK(size == rt_usable(blocks[i]));
		rt_free(blocks[i]);
	}
	void *found;
	size_t size;
	CHECK(!rt_heap_block(&state, &found, &size) && !rt_heap_block(NULL, &found, &size) && !rt_heap_block(blocks, &found, &size));
	CHECK(!rt_heap_block((void *)UINTPTR_MAX, &found, &size));
}

/* What was cut off is no part of the block, nor one behind it. */
static void cut(void)
{
	char *p = rt_malloc(MIB), *q = rt_realloc(p, 128 << 10);
	void *found;
	size_t size;

	CHECK(q && rt_heap_block(q + rt_usable(q) - 1, &found, &size) && found == q && size == rt_usable(q));
	for (size_t at = rt_usable(q); q == p && at < MIB; at += 4096)
		CHECK(!rt_heap_block(q + at, &found, &size));
	rt_free(q);
}

/* -- before main and after it */

static void *early;

__attribute__((constructor)) static void before_main(void)
{
	early = rt_malloc(123);
	memset(early, 5, 123);
}

__attribute__((destructor)) static void after_main(void)
{
	rt_free(rt_malloc(1000));
}

/* -- faults, each in a process of its own that begins anew */

static char *volatile bad;

static void twice(void)
{
	bad = rt_malloc(40);
	rt_free(bad);
	rt_free(bad);
}

static void twice_later(void)
{
	char *others[10];

	bad = rt_malloc(40);
	for (int i = 0; i < 10; i++)
		others[i] = rt_malloc(40);
	rt_free(bad);
	for (int i = 0; i < 10; i++)
		rt_free(others[i]);
	rt_free(bad);
	for (int i = 0; i < 20; i++)
		others[i % 10] = rt_malloc(40);
	bad = others[0];
}

static void *frees_bad(void *arg)
{
	rt_free(bad);
	return arg;
}

static void twice_elsewhere(void)
{
	bad = rt_malloc(40);
	rt_free(bad);
	in_thread(frees_bad, NULL);
}

static void twice_large(void)
{
	bad = rt_malloc(200000);
	rt_free(bad);
	rt_free(bad);
}

static void within(void)
{
	bad = rt_malloc(20000);
	rt_free(bad + 48);
}

static void within_large(void)
{
	bad = rt_malloc(200000);
	rt_free(bad + 48);
}

static void foreign(void)
{
	static char mine[1 << 23];

	bad = mine + (1 << 22) + 64;
	rt_free(bad);
}

static void behind(void)
{
	bad = rt_malloc(41);
	bad[43] = 0;
	rt_free(bad);
}

static void behind_realloc(void)
{
	bad = rt_malloc(41);
	bad[41] = 0;
	bad = rt_realloc(bad, 100);
	rt_free(bad);
}

static void before(void)
{
	bad = rt_aligned(64, 200);
	bad[-3] = 0;
	rt_free(bad);
}

static void after_free(void)
{
	bad = rt_malloc(300);
	rt_free(bad);
	bad[17] = 1;
	for (int i = 0; i < 1000; i++)
		rt_free(rt_malloc(100000));
}

static void after_free_early(void)
{
	bad = rt_malloc(300);
	rt_free(bad);
	memset(bad, 1, 16);
	for (int i = 0; i < 1000; i++)
		rt_free(rt_malloc(i % 2 ? 100000 : 300));
}

static void after_free_at_exit(void)
{
	bad = rt_malloc(300);
	rt_free(bad);
	bad[299] = 1;
	exit(0);
}

static void usable_after_free(void)
{
	bad = rt_malloc(300);
	rt_free(bad);
	bad = (char *)rt_usable(bad);
}

static const struct fault {
	const char *name;
	void (*run)(void);
	const char *normal;	/* what is said in normal mode; NULL: it may pass */
	const char *debug;
} faults[] = {
	{ "twice", twice, "freed already", "of 40 bytes: freed already" },
	{ "twice later", twice_later, "freed twice, or written after it was freed", "of 40 bytes: freed already" },
	{ "twice elsewhere", twice_elsewhere, "freed already", "of 40 bytes: freed already" },
	{ "twice, large", twice_large, "freed already", "of 200000 bytes: freed already" },
	{ "within", within, NULL, "of 20000 bytes: not the begin of the block, but at byte 48" },
	{ "within large", within_large, "not the begin of a block", "of 200000 bytes: not the begin of the block, but at byte 48" },
	{ "foreign", foreign, "not a block of this heap", "not a block of this heap" },
	{ "behind", behind, NULL, "of 41 bytes: written behind its end, at byte 43" },
	{ "behind, realloc", behind_realloc, NULL, "of 41 bytes: written behind its end, at byte 41" },
	{ "before", before, NULL, "of 200 bytes: written before its begin, at byte -3" },
	{ "after free", after_free, NULL, "of 300 bytes: written after it was freed, at byte 17" },
	{ "after free, early", after_free_early, "freed twice, or written after it was freed",
	  "of 300 bytes: written after it was freed, at byte 0" },
	{ "after free, at exit", after_free_at_exit, NULL, "of 300 bytes: written after it was freed, at byte 299" },
	{ "usable after free", usable_after_free, NULL, "of 300 bytes: used after it was freed" },
};
#define FAULTS (sizeof faults / sizeof *faults)

static int said_by(const char *name, const char *debug, char *text, size_t size)
{
	char own_path[4096] = "";
	int ends[2];

	/* /proc/self/exe is the program for who asks; who runs it may be Valgrind. */
	CHECK(readlink("/proc/self/exe", own_path, sizeof own_path - 1) > 0);
	CHECK(pipe(ends) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		dup2(ends[1], STDERR_FILENO);
		setenv("RT_HEAP_DEBUG", debug, 1);
		execl(own_path, "heap_test", name, NULL);
		_exit(127);
	}
	return child_end(pid, ends, text, size);
}

static void tells(const struct fault *f, const char *debug, const char *says)
{
	static char text[1 << 16];
	int status = said_by(f->name, debug, text, sizeof text);
	char *end = strchr(text, '\n');

	if (end)
		*end = '\0';
	if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, "osprey/rt: heap: block 0x") && strstr(text, says))) {
		fprintf(stderr, "fault \"%s\", debug %s, status %#x: %s\n", f->name, debug, (unsigned)status, text);
		check_failed++;
	}
}

static void tells_all(void)
{
	for (size_t i = 0; i < FAULTS; i++) {
		tells(&faults[i], "1", faults[i].debug);
		if (faults[i].normal)
			tells(&faults[i], "0", faults[i].normal);
	}
}

/* What is no fault is none in debug mode either. */
static const struct check_test in_fibers[] = {
	{ "sizes", sizes },
	{ "alignments", alignments },
	{ "reallocations", reallocations },
	{ "zeroed", zeroed },
	{ "fibers at random", fibers_at_random },
};

static void no_fault(void)
{
	static char text[1 << 16];
	int status = said_by("none", "4", text, sizeof text);

	if (status != 0) {
		fprintf(stderr, "debug mode, no fault, status %#x: %s\n", (unsigned)status, text);
		check_failed++;
	}
}

static int one_fault(const char *name)
{
	for (size_t i = 0; i < FAULTS; i++) {
		if (strcmp(faults[i].name, name) == 0) {
			faults[i].run();
			return 1;
		}
	}
	sizes(NULL);
	alignments(NULL);
	threads_at_random();
	walks();
	return check_failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return one_fault(argv[1]);
	CHECK(((unsigned char *)early)[122] == 5);
	rt_free(early);
	walks();
	cut();
	threads_at_random();
	ended_threads();
	allocates_while_ending();
	gives_back();
	forks_in_the_middle();
	if (BEARS_LIMITS) {
		refused();
		child_check("kept by the kernel", kept_by_the_kernel, 0, 100, 0, "");
	}
	tells_all();
	no_fault();
	return check_all(in_fibers, sizeof in_fibers / sizeof *in_fibers);
}
