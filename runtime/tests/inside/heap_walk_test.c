/* Marks: what is allocated is found from any address in it, once, and what was not marked is what is left. */
#include <string.h>

#include "check.h"
#include "heap/heap_walk.h"

#define BLOCKS 4000

static void *blocks[BLOCKS];

/* Small, of several slices, large and with a mapping of their own. */
static size_t size_of(size_t i)
{
	return i % 1000 == 1 ? 2000000 : i % 100 == 2 ? 150000 : i % 10 == 3 ? 20000 : 16 + i % 700;
}

struct count {
	size_t known, kept;
};

/* A block of ours says its number. */
static void count_one(const struct heap_found *found, void *arg)
{
	struct count *count = arg;
	size_t i = *(size_t *)found->block;

	if (i >= BLOCKS || blocks[i] != found->block)
		return;
	count->known++;
	count->kept += i % 4 == 1;
}

static int marks(void *arg)
{
	struct count all = { 0 }, left = { 0 };
	struct heap_found found;

	(void)arg;
	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = rt_malloc(size_of(i));
		CHECK(blocks[i]);
		memcpy(blocks[i], &i, sizeof i);
	}
	for (size_t i = 0; i < BLOCKS; i += 2) {
		rt_free(blocks[i]);
		blocks[i] = NULL;
	}
	heap_marks_begin();
	heap_walk(count_one, &all);
	CHECK(all.known == BLOCKS / 2);
	/* A quarter of all is marked: from within, and its other addresses are marked then. */
	for (size_t i = 1; i < BLOCKS; i += 4) {
		CHECK(heap_mark((char *)blocks[i] + size_of(i) / 2, &found) && found.block == blocks[i]);
		CHECK(found.bytes >= size_of(i) && heap_marked(&found));
		CHECK(!heap_mark(blocks[i], &found) && !heap_mark((char *)blocks[i] + size_of(i) - 1, &found));
	}
	heap_walk_unmarked(count_one, &left);
	CHECK(left.known == BLOCKS / 4 && left.kept == 0);
	/* Free blocks, and what is no block, cannot be marked. */
	CHECK(!heap_mark(&found, &found) && !heap_mark(NULL, &found) && !heap_mark((void *)UINTPTR_MAX, &found));
	void *freed = rt_malloc(48);
	rt_free(freed);
	heap_marks_begin();
	CHECK(!heap_mark(freed, &found));
	for (size_t i = 1; i < BLOCKS; i += 2)
		rt_free(blocks[i]);
	return 0;
}

int main(void)
{
	static const struct check_test tests[] = { { "marks", marks } };

	return check_all(tests, 1);
}
