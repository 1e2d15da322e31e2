#include "dig/core/core_mapping.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/span.h"

static const char smaps[] =
	"00400000-00452000 r--p 00000000 08:02 173521      /usr/bin/a b (deleted)\n"
	"Rss:                 900 kB\n"
	"Anonymous:             0 kB\n"
	"VmFlags: rd mr mw me \n"
	"00452000-00460000 r--p 00052000 08:02 173521      /usr/bin/a\\012b\n"
	"Anonymous:             8 kB\n"
	"Swap:                  4 kB\n"
	"VmFlags: rd mr mw me ac \n"
	"00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n"
	"VmFlags: rd wr mr mw me ac dd uw \n"
	"7f0000000000-7f0000200000 rw-s 00000000 00:0f 77  /anon_hugepage (deleted)\n"
	"VmFlags: rd wr sh mr mw me ms de ht \n"
	"7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0   [vdso]\n"
	"VmFlags: rd ex mr mw me de \n"
	"7ffc00002000-7ffc00004000 r--p 00000000 00:00 0   [vvar]\n"
	"VmFlags: rd mr pf io de dd \n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]\n"
	"VmFlags: ex \n";

static void parses(void)
{
	struct core_map m = { 0 };

	CHECK(core_map_parse(SPAN(smaps), &m) == 0);
	CHECK(m.mapping.n == 7);
	struct core_mapping *v = m.mapping.v;

	CHECK_STR(v[0].name, "/usr/bin/a b");
	CHECK(v[0].flags == (CORE_READ | CORE_DELETED));
	CHECK_U64(v[0].resident, 900 * 1024);
	CHECK_STR(v[1].name, "/usr/bin/a\nb");
	CHECK(v[1].flags == (CORE_READ | CORE_OWN_PAGES));
	CHECK_U64(v[1].swapped, 4096);
	CHECK(v[2].flags == (CORE_READ | CORE_WRITE | CORE_DONT_DUMP | CORE_TRACKED));
	CHECK(v[3].flags & CORE_HUGETLB);
	CHECK(core_map_find(&m, 0x00e03000) == &v[2] && core_map_find(&m, 0x00e23fff) == &v[2]);
	CHECK(core_map_find(&m, 0x00e24000) == NULL && core_map_find(&m, 0) == NULL);
	core_map_deinit(&m);
}

static void chooses(void)
{
	struct core_map m = { 0 };

	CHECK(core_map_parse(SPAN(smaps), &m) == 0);
	struct core_mapping *v = m.mapping.v;

	CHECK(core_mapping_part(&v[0], CORE_FILTER_DEFAULT) == CORE_PART_HEADER);
	CHECK(core_mapping_part(&v[0], 0x23) == CORE_PART_NONE);
	CHECK(core_mapping_part(&v[0], 0x04) == CORE_PART_WHOLE);
	/* RELRO: read-only now, changed before. */
	CHECK(core_mapping_part(&v[1], CORE_FILTER_DEFAULT) == CORE_PART_WHOLE);
	CHECK(core_mapping_part(&v[1], CORE_FILTER_ELF_HEADERS) == CORE_PART_NONE);
	CHECK(core_mapping_part(&v[2], 0x1ff) == CORE_PART_NONE);
	v[2].flags &= ~(unsigned)CORE_DONT_DUMP;
	CHECK(core_mapping_part(&v[2], 1) == CORE_PART_WHOLE && core_mapping_part(&v[2], 0x1fe) == CORE_PART_NONE);
	CHECK(core_mapping_part(&v[3], CORE_FILTER_DEFAULT) == CORE_PART_NONE);
	CHECK(core_mapping_part(&v[3], CORE_FILTER_HUGETLB_SHARED) == CORE_PART_WHOLE);
	CHECK(core_mapping_part(&v[4], 0) == CORE_PART_WHOLE);
	CHECK(core_mapping_part(&v[5], 0x1ff) == CORE_PART_NONE && !core_mapping_listed(&v[5]));
	CHECK(core_mapping_part(&v[6], 0x1ff) == CORE_PART_NONE && !core_mapping_listed(&v[6]));
	v[3].flags &= ~(unsigned)CORE_HUGETLB;
	CHECK(core_mapping_part(&v[3], CORE_FILTER_ANON_SHARED) == CORE_PART_WHOLE);
	CHECK(core_mapping_part(&v[3], 0x1fd) == CORE_PART_NONE);
	v[3].flags |= CORE_DAX;
	CHECK(core_mapping_part(&v[3], 0x7f) == CORE_PART_NONE);
	CHECK(core_mapping_part(&v[3], CORE_FILTER_DAX_SHARED) == CORE_PART_WHOLE);
	core_map_deinit(&m);
}

static void inherits(void)
{
	struct core_map known = { 0 }, now = { 0 };

	CHECK(core_map_parse(SPAN(smaps), &known) == 0);
	CHECK(core_map_parse(SPAN("00e03000-00e30000 rw-p 00000000 00:00 0 [heap]\n"
				  "00e30000-00e40000 rw-p 00000000 00:00 0\n"
				  "7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0   [vdso]\n"),
			     &now) == 0);
	core_map_inherit(&now, &known);
	CHECK(now.mapping.v[0].flags & CORE_DONT_DUMP);
	/* It has grown: what it grew over is not known. */
	CHECK(now.mapping.v[0].flags & CORE_FLAGS_UNKNOWN);
	CHECK(now.mapping.v[1].flags == (CORE_READ | CORE_WRITE | CORE_FLAGS_UNKNOWN));
	CHECK(!(now.mapping.v[2].flags & CORE_FLAGS_UNKNOWN));
	core_map_deinit(&known);
	core_map_deinit(&now);
}

static void refuses(void)
{
	struct core_map m = { 0 };

	CHECK(core_map_parse(SPAN("Rss: 4 kB\n"), &m) == -EBADMSG);
	CHECK(core_map_parse(SPAN("2000-3000 r--p 0 0:0 0\n1000-2000 r--p 0 0:0 0\n"), &m) == -EBADMSG);
	CHECK(core_map_parse(SPAN("2000-1000 r--p 0 0:0 0\n"), &m) == -EBADMSG);
	CHECK(core_map_parse(SPAN(""), &m) == 0 && m.mapping.n == 0);
	core_map_deinit(&m);
}

static void reads_itself(void)
{
	struct core_map deep = { 0 }, flat = { 0 };
	size_t n = 1 << 20;
	char *area = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED || madvise(area, n, MADV_DONTDUMP) != 0)
		check_skip("no memory of its own");
	memset(area, 1, n);
	CHECK(core_map_read(getpid(), true, &deep) == 0);
	CHECK(core_map_read(getpid(), false, &flat) == 0);
	const struct core_mapping *m = core_map_find(&deep, (uintptr_t)area);

	CHECK(m && (m->flags & CORE_DONT_DUMP) && (m->flags & CORE_OWN_PAGES) && m->resident >= n);
	m = core_map_find(&flat, (uintptr_t)area);
	CHECK(m && (m->flags & CORE_FLAGS_UNKNOWN));
	core_map_inherit(&flat, &deep);
	CHECK(m && (m->flags & CORE_DONT_DUMP));
	CHECK(core_map_read(999999999, true, &deep) == -ESRCH);
	core_map_deinit(&deep);
	core_map_deinit(&flat);
}

int main(void)
{
	parses();
	chooses();
	inherits();
	refuses();
	reads_itself();
	return check_exit();
}
