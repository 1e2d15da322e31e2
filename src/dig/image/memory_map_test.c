#include "dig/image/memory_map.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"

static const char text[] =
	"55d0a0000000-55d0a0002000 r--p 00000000 fe:01 1234                       /usr/bin/a b\n"
	"55d0a0002000-55d0a0004000 r-xp 00002000 fe:01 1234                       /usr/bin/a b\n"
	"7f0000000000-7f0000001000 rw-s 00001000 00:05 77                         /dev/shm/x\\012y (deleted)\n"
	"7f0000001000-7f0000002000 ---p 00000000 00:00 0 \n"
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static void parses(void)
{
	struct memory_map m = { 0 };

	CHECK(memory_map_parse(span_from(text), &m) == 0);
	CHECK_U64(m.mapping.n, 6);
	CHECK_STR(m.mapping.v[1].name, "/usr/bin/a b");
	CHECK_U64(m.mapping.v[1].offset, 0x2000);
	CHECK_U64(m.mapping.v[1].flags, MAPPING_READ | MAPPING_EXECUTE);
	CHECK_U64(m.mapping.v[1].device_major, 0xfe);
	CHECK_STR(m.mapping.v[2].name, "/dev/shm/x\ny");
	CHECK(m.mapping.v[2].deleted);
	CHECK_U64(m.mapping.v[2].flags, MAPPING_READ | MAPPING_WRITE | MAPPING_SHARED);
	CHECK_STR(m.mapping.v[3].name, "");
	CHECK(memory_map_find(&m, 0x55d0a0002000) == &m.mapping.v[1]);
	CHECK(memory_map_find(&m, 0x55d0a0003fff) == &m.mapping.v[1]);
	CHECK(memory_map_find(&m, 0x55d0a0004000) == NULL);
	CHECK(memory_map_find(&m, 0xffffffffff600fff) == &m.mapping.v[5]);
	CHECK(memory_map_find(&m, 0) == NULL);
	memory_map_deinit(&m);
}

static void refuses(void)
{
	static const char *const bad[] = {
		"x", "1-2", "2-1 r--p 0 00:00 0\n", "1000-2000 r--q 0 00:00 0\n", "1000-2000 rw 0 00:00 0\n",
		"1000-2000 r--p 0 0000 0\n", "1000-2000 r--p 0 00:00\n",
		"1000-3000 r--p 0 00:00 0\n2000-4000 r--p 0 00:00 0\n",
	};
	struct memory_map m = { 0 };

	CHECK(memory_map_parse(span_from(text), &m) == 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(memory_map_parse(span_from(bad[i]), &m) == -EBADMSG);
	CHECK_U64(m.mapping.n, 6);
	CHECK(memory_map_parse(SPAN(""), &m) == 0);
	CHECK_U64(m.mapping.n, 0);
	memory_map_deinit(&m);
}

static void reads_ourselves(void)
{
	struct memory_map m = { 0 };
	int local = 0;
	const struct mapping *at;

	CHECK(memory_map_read(getpid(), &m) == 0);
	at = memory_map_find(&m, (uint64_t)(uintptr_t)&local);
	CHECK(at && strcmp(at->name, "[stack]") == 0);
	at = memory_map_find(&m, (uint64_t)(uintptr_t)reads_ourselves);
	CHECK(at && (at->flags & MAPPING_EXECUTE));
	CHECK(memory_map_read(0x7ffffff0, &m) == -ESRCH);
	memory_map_deinit(&m);
}

int main(void)
{
	parses();
	refuses();
	reads_ourselves();
	return check_exit();
}
