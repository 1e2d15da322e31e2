#include "source/memory/meminfo.h"

#include <sys/sysinfo.h>

#include "base/check.h"
#include "base/cleanup.h"

static const char real_text[] =
	"MemTotal:       24684084 kB\nMemFree:        23835356 kB\nMemAvailable:   24248316 kB\n"
	"Buffers:           25260 kB\nCached:           544736 kB\nSwapCached:            0 kB\n"
	"Active:           234484 kB\nInactive:         345552 kB\nActive(anon):       1580 kB\n"
	"Inactive(anon):    17596 kB\nActive(file):     232904 kB\nInactive(file):   327956 kB\n"
	"Unevictable:       20488 kB\nMlocked:           19528 kB\nSwapTotal:             0 kB\n"
	"SwapFree:              0 kB\nZswap:                 0 kB\nZswapped:              0 kB\n"
	"Dirty:            107524 kB\nWriteback:             0 kB\nAnonPages:         30692 kB\n"
	"Mapped:            12428 kB\nShmem:              8872 kB\nKReclaimable:     120544 kB\n"
	"Slab:             146756 kB\nSReclaimable:     120544 kB\nSUnreclaim:        26212 kB\n"
	"KernelStack:        1656 kB\nPageTables:         2636 kB\nSecPageTables:         0 kB\n"
	"CommitLimit:    12342040 kB\nCommitted_AS:     102936 kB\nVmallocTotal:   34359738367 kB\n"
	"VmallocUsed:       16648 kB\nVmallocChunk:          0 kB\nPercpu:             1768 kB\n"
	"HardwareCorrupted:     0 kB\nAnonHugePages:      4096 kB\nShmemHugePages:        0 kB\n"
	"FileHugePages:         0 kB\n"
	"HugePages_Total:       3\nHugePages_Free:        2\nHugePages_Rsvd:        1\n"
	"HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:            6144 kB\n";

static void test_real(void)
{
	struct meminfo m;

	meminfo_parse(SPAN(real_text), &m);
	CHECK(m.presence == PRESENT);
	CHECK_U64(m.total_bytes, UINT64_C(24684084) * 1024);
	CHECK_U64(m.available_bytes, UINT64_C(24248316) * 1024);
	CHECK_U64(m.inactive_anon_bytes, 17596 * 1024);
	CHECK_U64(m.swap_total_bytes, 0);
	CHECK_U64(m.committed_bytes, 102936 * 1024);
	CHECK_U64(m.huge_pages_total, 3); /* pages, not kB */
	CHECK_U64(m.huge_pages_reserved, 1);
	CHECK_U64(m.huge_page_bytes, 2048 * 1024);
	CHECK_U64(m.vmalloc_bytes, 16648 * 1024);
	CHECK_U64(m.anon_huge_bytes, 4096 * 1024);
	for (size_t i = 0; i < meminfo_nfields; i++)
		CHECK(reading_ok(*field_at(&meminfo_fields[i], &m)));
}

static void test_malformed(void)
{
	struct meminfo m;

	meminfo_parse(SPAN(""), &m);
	CHECK(m.presence == MALFORMED);
	CHECK_U64(m.available_bytes, READING_ABSENT);
	meminfo_parse(SPAN("MemTotal: 5 kB\nMemFree: much\n"), &m); /* before 3.14: no MemAvailable */
	CHECK(m.presence == PRESENT && m.available_bytes == READING_ABSENT && m.free_bytes == READING_MALFORMED);
	for (size_t n = 0; n < sizeof real_text - 1; n++)
		meminfo_parse((struct span){ real_text, n }, &m);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct sysinfo told;
	struct host *h = NULL;
	struct meminfo m;

	CHECK(host_open_live("/", &h, NULL) == 0 && sysinfo(&told) == 0);
	meminfo_read(h, &b, &m);
	if (m.presence != PRESENT)
		check_skip("no /proc/meminfo here");
	CHECK_NEAR((double)m.total_bytes, (double)told.totalram * told.mem_unit, 1024);
	CHECK_NEAR((double)m.free_bytes, (double)told.freeram * told.mem_unit, 512e6);
	CHECK_U64(m.swap_total_bytes, told.totalswap * told.mem_unit);
	host_free(h);
	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0); /* a root without /proc */
	meminfo_read(h, &b, &m);
	CHECK(m.presence == ABSENT && m.total_bytes == READING_ABSENT);
	host_free(h);
}

int main(void)
{
	test_real();
	test_malformed();
	test_live();
	return check_exit();
}
