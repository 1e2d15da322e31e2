#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "source/process/process_memory.h"

#define FIGURES(rss, pss, dirty, swap)                                                    \
	"Size:   9999 kB\nRss: " #rss " kB\nPss: " #pss " kB\nPss_Dirty: 1 kB\n"             \
	"Private_Dirty: " #dirty " kB\nSwap: " #swap " kB\nLocked: 0 kB\nVmFlags: rd mr\n"

static const char smaps[] =
	"55d000000000-55d000004000 r-xp 00000000 fe:00 12    /usr/bin/x y\n" FIGURES(16, 8, 0, 0)
	"55d000004000-55d000005000 rw-p 00004000 fe:00 12    /usr/bin/x y\n" FIGURES(4, 4, 4, 0)
	"55d000100000-55d000200000 rw-p 00000000 00:00 0     [heap]\n" FIGURES(512, 512, 512, 64)
	"7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \n" FIGURES(100, 100, 100, 0)
	"7f0000200000-7f0000300000 rw-s 00000000 00:01 7     /memfd:z (deleted)\n" FIGURES(1024, 1024, 1024, 0)
	"7f0000400000-7f0000401000 r-xp 00000000 00:00 0     [vdso]\n" FIGURES(4, 0, 0, 0)
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0     [stack]\n" FIGURES(12, 12, 12, 0)
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n" FIGURES(0, 0, 0, 0);

static void test_smaps(void)
{
	cleanup(process_memory_deinit) struct process_memory m = { 0 };

	m.each = true;
	for (int round = 0; round < 2; round++) { /* refilled, not added to */
		CHECK(process_memory_parse(SPAN(smaps), &m) == 0);
		CHECK(m.source == MEMORY_FROM_SMAPS);
		CHECK_U64(m.total.mappings, 8);
		CHECK_U64(m.kind[MEMORY_TEXT].resident_bytes, 16384);
		CHECK_U64(m.kind[MEMORY_FILE].size_bytes, 4096);
		CHECK_U64(m.kind[MEMORY_HEAP].size_bytes, 1 << 20);
		CHECK_U64(m.kind[MEMORY_HEAP].swap_bytes, 65536);
		CHECK_U64(m.kind[MEMORY_ANONYMOUS].private_dirty_bytes, 102400);
		CHECK_U64(m.kind[MEMORY_SHARED].proportional_bytes, 1 << 20);
		CHECK_U64(m.kind[MEMORY_KERNEL].mappings, 2);
		CHECK_U64(m.kind[MEMORY_STACK].resident_bytes, 12288);
		CHECK_U64(m.total.resident_bytes, (16 + 4 + 512 + 100 + 1024 + 4 + 12) * 1024);
		CHECK_U64(m.files.n, 2);
		CHECK(span_is(memory_file_path(&m, &m.files.v[0]), "/memfd:z (deleted)"));
		CHECK(m.files.v[0].deleted);
		CHECK(span_is(memory_file_path(&m, &m.files.v[1]), "/usr/bin/x y"));
		CHECK(m.files.v[1].executable && !m.files.v[1].deleted);
		CHECK_U64(m.files.v[1].part.mappings, 2);
		CHECK_U64(m.mappings.n, 8);
		CHECK_U64(m.mappings.v[1].start, 0x55d000004000);
		CHECK_U64(m.mappings.v[1].part.resident_bytes, 4096);
		CHECK(span_is(memory_mapping_name(&m, &m.mappings.v[1]), "/usr/bin/x y"));
		CHECK(span_is(memory_mapping_name(&m, &m.mappings.v[2]), "[heap]"));
		CHECK(m.mappings.v[2].kind == MEMORY_HEAP);
		CHECK_U64(m.mappings.v[2].part.swap_bytes, 65536);
		CHECK_U64(memory_mapping_name(&m, &m.mappings.v[3]).n, 0);
	}
}

static void test_maps(void)
{
	cleanup(process_memory_deinit) struct process_memory m = { 0 };

	CHECK(process_memory_parse(SPAN("1000-3000 rw-p 0 00:00 0 [anon:glibc]\n3000-4000 r--p 0 08:01 5 /lib/a\n"), &m) == 0);
	CHECK(m.source == MEMORY_FROM_MAPS);
	CHECK_U64(m.kind[MEMORY_ANONYMOUS].size_bytes, 0x2000);
	CHECK(m.kind[MEMORY_ANONYMOUS].resident_bytes == READING_ABSENT); /* maps does not tell */
	CHECK_U64(m.mappings.n, 0); /* not asked for */
	memory_rollup_parse(SPAN("1000-4000 ---p 0 00:00 0 [rollup]\nRss: 8 kB\nPss: 6 kB\nSwap: 2 kB\n"), &m.total);
	CHECK_U64(m.total.resident_bytes, 8192);
	CHECK_U64(m.total.swap_bytes, 2048);
}

static void test_odd(void)
{
	cleanup(process_memory_deinit) struct process_memory m = { 0 };

	CHECK(process_memory_parse(SPAN(""), &m) == -EBADMSG);
	CHECK(process_memory_parse(SPAN("Rss: 5 kB\n"), &m) == -EBADMSG); /* a figure of no mapping */
	CHECK(process_memory_parse(SPAN("3000-1000 rw-p 0 0 0 /x\n"), &m) == -EBADMSG);
	CHECK(process_memory_parse(SPAN("0-ffffffffffffffff rw-p 0 0:0 0 /a\n0-ffffffffffffffff rw-p 0 0:0 0 /a\n"), &m) == 0);
	CHECK(m.total.size_bytes == READING_MALFORMED); /* does not fit, and is not zero */
	for (size_t n = 0; n < sizeof smaps; n++)
		(void)!process_memory_parse((struct span){ smaps, n }, &m);
}

int main(void)
{
	test_smaps();
	test_maps();
	test_odd();
	return check_exit();
}
