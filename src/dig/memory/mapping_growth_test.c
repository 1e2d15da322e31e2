#include "dig/memory/mapping_growth.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

#define KB(n) ((n) * 1024.0)

static void parse(const char *text, struct process_memory *ret)
{
	ret->each = true;
	CHECK(process_memory_parse(span_from(text), ret) == 0);
}

/* The row that covers the address. */
static const struct mapping_growth *at(const mapping_growths *g, uint64_t address)
{
	vec_each(row, g) {
		if (row->start <= address && address < row->end)
			return row;
	}
	return NULL;
}

/* A heap that grows, a mapping that melts with its neighbour, one that is split, one that moves, one that is
 * another's. */
static void test_growth(void)
{
	cleanup(process_memory_deinit) struct process_memory before = { 0 }, now = { 0 };
	mapping_growths g = { 0 };

	parse("1000-3000 rw-p 0 00:00 0 [heap]\nRss: 8 kB\n"
	      "10000-14000 rw-p 0 00:00 0 \nRss: 16 kB\n"
	      "20000-24000 rw-p 0 00:00 0 \nRss: 12 kB\nSwap: 4 kB\n"
	      "24000-30000 ---p 0 00:00 0 \nRss: 0 kB\n"
	      "30000-34000 rw-p 0 00:00 0 \nRss: 16 kB\n"
	      "40000-44000 r--p 0 08:01 7 /lib/a\nRss: 16 kB\n"
	      "50000-54000 rw-p 0 00:00 0 \nRss: 4 kB\n", &before);
	parse("1000-5000 rw-p 0 00:00 0 [heap]\nRss: 16 kB\n"
	      "e000-14000 rw-p 0 00:00 0 \nRss: 24 kB\n"
	      "20000-22000 rw-p 0 00:00 0 \nRss: 8 kB\n22000-26000 r--p 0 00:00 0 \nRss: 8 kB\nSwap: 4 kB\n"
	      "26000-30000 ---p 0 00:00 0 \nRss: 0 kB\n"
	      "40000-44000 rw-p 0 00:00 0 \nRss: 4 kB\n"
	      "50000-54000 rw-p 0 00:00 0 \nRss: 4 kB\n", &now);
	CHECK(mapping_growths_make(&before, &now, &g) == 0);
	CHECK_U64(g.n, 6);
	for (size_t i = 1; i < g.n; i++)
		CHECK(g.v[i - 1].bytes >= g.v[i].bytes);
	CHECK(at(&g, 0x1000) && at(&g, 0x1000)->bytes == KB(8) && at(&g, 0x1000)->now_bytes == KB(16));
	CHECK(at(&g, 0xe000) && at(&g, 0xe000)->bytes == KB(8) && at(&g, 0xe000)->start == 0xe000);
	/* Both halves are one row; what nobody has touched behind them is none of it. */
	CHECK(at(&g, 0x20000) && at(&g, 0x20000)->bytes == KB(4) && at(&g, 0x20000)->end == 0x26000);
	CHECK(at(&g, 0x30000) && at(&g, 0x30000)->bytes == -KB(16) && at(&g, 0x30000)->now_bytes == 0);
	CHECK(!at(&g, 0x50000));
	double of_file = 0, of_none = 0;
	vec_each(row, &g) {
		if (row->start == 0x40000)
			*(row->name.n ? &of_file : &of_none) += row->bytes;
	}
	CHECK(of_file == -KB(16) && of_none == KB(4));
	vec_free(&g);
}

static void test_unknown(void)
{
	cleanup(process_memory_deinit) struct process_memory maps = { 0 }, smaps = { 0 };
	mapping_growths g = { 0 };

	parse("1000-3000 rw-p 0 00:00 0 [heap]\n", &maps);
	parse("1000-3000 rw-p 0 00:00 0 [heap]\nRss: 8 kB\n7000-9000 rw-p 0 00:00 0 [stack]\nRss: 4 kB\n", &smaps);
	CHECK(mapping_growths_make(&maps, &smaps, &g) == -ENODATA);
	CHECK(mapping_growths_make(&smaps, &smaps, &g) == 0 && g.n == 0);
	CHECK(!memory_was_replaced(&maps, &smaps));
	CHECK(!memory_was_replaced(&smaps, &smaps));
	parse("1000-3000 rw-p 0 00:00 0 [heap]\nRss: 8 kB\n7000-a000 rw-p 0 00:00 0 [stack]\nRss: 4 kB\n", &maps);
	CHECK(memory_was_replaced(&maps, &smaps));
}

/* 64 MiB aligned: the heap of an arena; two large blocks; a stack, and one of many threads. */
struct bytes {
	uint64_t address;
	uint64_t word[2];
};

static int read_bytes(void *arg, uint64_t address, void *to, size_t n)
{
	for (const struct bytes *b = arg; b->address; b++) {
		if (b->address == address && n <= sizeof b->word) {
			memcpy(to, b->word, n);
			return 0;
		}
	}
	return -EFAULT;
}

static void test_uses(void)
{
	struct bytes bytes[] = { { 64 << 20, { (64 << 20) + 0x30, 0 } },
				 { 0x10000, { 0, 0x3002 } }, { 0x13000, { 0, 0x1002 } },
				 { 0x20000, { 0, 0x3002 } }, { 0x23000, { 0, 0x1000 } }, { 0 } };
	struct heap_arena arenas[] = { { .address = 0x77, .main = true }, { .address = (64 << 20) + 0x30 } };
	struct malloc_heap heap = { .arenas = { arenas, 2, 2 } };
	struct stack_pointer sp[] = { { 0x31000, 7, "one" }, { 0x41000, 8, "two" }, { 0x42000, 9, "three" } };
	stack_pointers pointers = { sp, 3, 3 };
	struct mapping_growth rows[] = {
		{ .start = 64 << 20, .end = 65 << 20, .kind = MEMORY_ANONYMOUS, .now_bytes = 1 },
		{ .start = 0x10000, .end = 0x14000, .kind = MEMORY_ANONYMOUS, .now_bytes = 1 },
		{ .start = 0x20000, .end = 0x24000, .kind = MEMORY_ANONYMOUS, .now_bytes = 1 },
		{ .start = 0x30000, .end = 0x32000, .kind = MEMORY_ANONYMOUS, .now_bytes = 1 },
		{ .start = 0x40000, .end = 0x43000, .kind = MEMORY_ANONYMOUS, .now_bytes = 1 },
		{ .start = 0x10000, .end = 0x14000, .kind = MEMORY_FILE, .now_bytes = 1 },
	};
	mapping_growths g = { rows, 6, 6 };

	mapping_uses_find(&(struct heap_memory){ read_bytes, bytes }, &heap, &pointers, &g);
	CHECK_U64(rows[0].use.arena, (64 << 20) + 0x30);
	CHECK_U64(rows[1].use.blocks, 2);
	CHECK_U64(rows[2].use.blocks, 0); /* the second is no block: what looked like the first is none */
	CHECK_U64(rows[3].use.threads, 1);
	CHECK_U64((uint64_t)rows[3].use.tid, 7);
	CHECK_STR(rows[3].use.comm, "one");
	CHECK_U64(rows[4].use.threads, 2);
	CHECK_U64(rows[5].use.blocks, 0);
	mapping_uses_find(&(struct heap_memory){ read_bytes, bytes }, NULL, &(stack_pointers){ 0 }, &g);
}

int main(void)
{
	test_growth();
	test_unknown();
	test_uses();
	return check_exit();
}
