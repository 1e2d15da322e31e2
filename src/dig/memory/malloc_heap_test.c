/* glibc's own mallinfo2 against what is read of this very process, and hostile bytes. */
#include "dig/memory/malloc_heap.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "dig/image/target_memory.h"

extern char __data_start[], _end[];

static int read_self(void *arg, uint64_t address, void *to, size_t n)
{
	(void)arg;
	return target_memory_read(getpid(), address, to, n);
}

static void *kept[3000];

static void fill(unsigned seed)
{
	for (unsigned i = 0; i < 3000; i++) {
		seed = seed * 1103515245 + 12345;
		kept[i] = malloc(16 + seed / 65536 % 5000);
	}
	for (unsigned i = 0; i < 3000; i += 3)
		free(kept[i]);
}

static pthread_barrier_t filled, seen;

static void *other_arena(void *arg)
{
	void *more[200];

	for (size_t i = 0; i < 200; i++)
		more[i] = malloc(40 + i * 30);
	for (size_t i = 0; i < 200; i += 2)
		free(more[i]);
	pthread_barrier_wait(&filled);
	pthread_barrier_wait(&seen);
	return arg;
}

/* The allocator of a sanitizer is another one. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void test_as_mallinfo(void)
{
	struct heap_memory self = { read_self, NULL };
	struct heap_range range = { (uintptr_t)__data_start & ~4095ul, (uintptr_t)_end & ~15ul };
	struct malloc_heap h = { 0 };
	pthread_t thread;

	pthread_barrier_init(&filled, NULL, 2);
	pthread_barrier_init(&seen, NULL, 2);
	fill(1);
	CHECK(pthread_create(&thread, NULL, other_arena, NULL) == 0);
	pthread_barrier_wait(&filled);
	struct mallinfo2 before = mallinfo2();
	int r = malloc_heap_read(&self, &range, 1, &h);

	pthread_barrier_wait(&seen);
	pthread_join(thread, NULL);
	CHECK(r == 0);
	CHECK_U64(h.arenas.n, 2);
	if (r < 0)
		return;
	CHECK(h.arenas.v[0].main && !h.arenas.v[1].main);
	CHECK(!h.total.torn && !h.total.cut);
	CHECK_U64(h.total.system_bytes, before.arena);
	/* The vector of arenas was allocated after the sums were taken, the bytes of the range were freed again. */
	CHECK_NEAR((double)h.total.free_bytes, (double)before.fordblks, 16384);
	CHECK(h.total.blocks >= before.ordblks / 2);
	CHECK(h.total.largest_bytes > 0 && h.total.fast_bytes <= before.fsmblks + 16384);
	malloc_heap_deinit(&h);
}
#endif

struct image {
	uint64_t base;
	const unsigned char *bytes;
	size_t n;
};

static int read_image(void *arg, uint64_t address, void *to, size_t n)
{
	const struct image *i = arg;

	if (address < i->base || address - i->base > i->n || n > i->n - (address - i->base))
		return -EFAULT;
	memcpy(to, i->bytes + (address - i->base), n);
	return 0;
}

/* An arena put together by hand: 112 bytes, 127 empty bins, the rest; and its top. */
#define BASE 0x10000u
static uint64_t words[1024];

static void make_arena(void)
{
	memset(words, 0, sizeof words);
	uint64_t bins = BASE + 0x70;

	for (unsigned i = 0; i < 127; i++)
		words[14 + 2 * i] = words[15 + 2 * i] = bins + i * 16 - 16;
	words[12] = BASE + 600 * 8;	     /* top */
	words[14 + 254 + 2] = BASE;	     /* next */
	words[14 + 254 + 4] = 1;	     /* attached */
	words[14 + 254 + 5] = 4096;	     /* system */
	words[14 + 254 + 6] = 8192;	     /* peak */
	words[601] = 1024 | 1;		     /* size of top */
	/* Bin 3 holds a block of 64. */
	words[14 + 4] = words[14 + 5] = BASE + 700 * 8;
	words[701] = 64 | 1;
	words[702] = words[703] = bins + 2 * 16 - 16;
	/* A fast bin of size 32 holds two, linked as since 2.32. */
	words[2] = BASE + 800 * 8;
	words[801] = 32;
	words[802] = (BASE + 810 * 8) ^ ((BASE + 802 * 8) >> 12);
	words[811] = 32;
	words[812] = 0 ^ ((BASE + 812 * 8) >> 12);
}

static int read_words(struct malloc_heap *h)
{
	struct image image = { BASE, (const unsigned char *)words, sizeof words };
	struct heap_memory memory = { read_image, &image };
	struct heap_range range = { BASE, BASE + sizeof words };

	return malloc_heap_read(&memory, &range, 1, h);
}

static void test_by_hand(void)
{
	struct malloc_heap h = { 0 };

	make_arena();
	CHECK(read_words(&h) == 0);
	CHECK_U64(h.arenas.n, 1);
	CHECK_U64(h.total.system_bytes, 4096);
	CHECK_U64(h.total.top_bytes, 1024);
	CHECK_U64(h.total.binned_bytes, 64);
	CHECK_U64(h.total.fast_bytes, 64);
	CHECK_U64(h.total.free_bytes, 1024 + 64 + 64);
	CHECK_U64(h.total.blocks, 3);
	CHECK(!h.total.torn);
	words[703] = 16; /* its neighbour does not agree */
	CHECK(read_words(&h) == 0 && h.total.torn && h.total.free_bytes == 0);
	make_arena();
	words[702] = BASE + 700 * 8; /* a ring that never comes back */
	CHECK(read_words(&h) == 0 && h.total.torn);
	make_arena();
	words[14 + 254 + 2] = BASE + 16; /* arenas that make no ring */
	CHECK(read_words(&h) == -ENOENT);
	make_arena();
	words[802] = 1;
	CHECK(read_words(&h) == 0 && h.total.torn);
	malloc_heap_deinit(&h);
}

/* Every word in turn is something else: it ends, and reads nothing that is not there. */
static void test_hostile(void)
{
	static const uint64_t others[] = { 0, 1, UINT64_MAX, BASE, BASE + 0x60, BASE + 700 * 8, 1ull << 63 };

	for (size_t i = 0; i < 1024; i++) {
		for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
			struct malloc_heap h = { 0 };

			make_arena();
			words[i] = others[k];
			int r = read_words(&h);
			CHECK(r == 0 || r == -ENOENT);
			CHECK(r < 0 || h.total.torn || h.total.free_bytes <= h.total.system_bytes);
			malloc_heap_deinit(&h);
		}
	}
}

static void test_none(void)
{
	struct malloc_heap h = { 0 };

	memset(words, 0, sizeof words);
	CHECK(read_words(&h) == -ENOENT);
	CHECK(malloc_heap_read(&(struct heap_memory){ read_image, NULL }, NULL, 0, &h) == -ENOENT);
}

int main(void)
{
	test_by_hand();
	test_hostile();
	test_none();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	test_as_mallinfo();
#else
	(void)fill;
	(void)other_arena;
	(void)read_self;
	(void)__data_start;
	(void)_end;
#endif
	return check_exit();
}
