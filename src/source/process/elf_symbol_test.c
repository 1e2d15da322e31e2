#include "source/process/elf_symbol.h"

#include <errno.h>
#include <link.h>
#include <unistd.h>

#include "base/check.h"

static void test_parse(void)
{
	struct elf_symbol s;

	CHECK(elf_symbol_parse(SPAN("address 1129\nchanged 5\nsymtab\nsymbol 4 crash here\ncode 1 0102ff\n"), &s) == 0);
	CHECK_U64(s.address, 0x1129);
	CHECK_U64(s.offset, 4);
	CHECK_STR(s.name, "crash here");
	CHECK(s.has_symtab && !s.debug_file && s.code_length == 3 && s.code_ip == 1 && s.code[2] == 0xff);
	CHECK(elf_symbol_parse(SPAN("address 1\n"), &s) == 0 && !s.name[0] && !s.has_symtab);
	CHECK(elf_symbol_parse(SPAN(""), &s) == -EBADMSG);
	CHECK(elf_symbol_parse(SPAN("symbol 4 x\n"), &s) == -EBADMSG);
	CHECK(elf_symbol_parse(SPAN("address 1\ncode 3 0102ff\n"), &s) == -EBADMSG);
	CHECK(elf_symbol_parse(SPAN("address 1\nwhat 3\n"), &s) == 0); /* of a later version */
}

__attribute__((noinline)) int elf_symbol_test_landmark(int x);
__attribute__((noinline)) int elf_symbol_test_landmark(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x * 3 + 1;
}

/* The mapping that holds `address`, from the program's own maps. */
static bool mapping_of(uint64_t address, struct elf_place *ret)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long long start, end, offset;
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		if (sscanf(line, "%llx-%llx %*s %llx", &start, &end, &offset) == 3 && start <= address && address < end) {
			*ret = (struct elf_place){ address, start, end - start, offset + (address - start) };
			found = true;
		}
	if (f)
		fclose(f);
	return found;
}

/* This very program: by the place in the file, and by the size of the mapping alone. */
static void test_self(void)
{
	uint64_t at = (uint64_t)(uintptr_t)elf_symbol_test_landmark + 2;
	struct elf_place place;
	struct elf_symbol s;
	struct host *h;
	char exe[512];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	CHECK(n > 0);
	exe[n > 0 ? n : 0] = '\0';
	CHECK(elf_symbol_test_landmark(1) == 4);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(mapping_of(at, &place));
	CHECK(elf_symbol_find(h, exe, &place, &s) == 0);
	CHECK_STR(s.name, "elf_symbol_test_landmark");
	CHECK_U64(s.offset, 2);
	CHECK(s.has_symtab && s.code_length > s.code_ip);
	CHECK(memcmp(s.code + s.code_ip, (const void *)(uintptr_t)at, 8) == 0);
	place.file_offset = READING_ABSENT;
	CHECK(elf_symbol_find(h, exe, &place, &s) == 0);
	CHECK_STR(s.name, "elf_symbol_test_landmark");
	CHECK(memcmp(s.code + s.code_ip, (const void *)(uintptr_t)at, 8) == 0);
	place.file_offset = UINT64_C(1) << 40;
	CHECK(elf_symbol_find(h, exe, &place, &s) == -ESRCH);
	CHECK(elf_symbol_find(h, "/proc/self/maps", &place, &s) == -EBADMSG);
	CHECK(elf_symbol_find(h, "/nonexistent", &place, &s) == -ENOENT);
	CHECK(elf_symbol_find(h, "/", &place, &s) == -ENOENT);
	host_free(h);
}

int main(void)
{
	test_parse();
	test_self();
	return check_exit();
}
