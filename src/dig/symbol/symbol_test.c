/* Names of this program's own functions, of hostile tables, and under failing allocations. With arguments it is
 * the other half of tests/dig/symbols.sh:
 *
 *   symbol_test [--no-lines] [--mangled] FILE <addresses      hexadecimal, the file's own, one a line
 *
 * prints for each address a line of "function file:line" of all calls, innermost first, with tabs between. */
#include "dig/symbol/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/failing_allocator.h"
#include "dig/symbol/debug_file.h"
#include "dig/symbol/image_symbols.h"
#include "dig/symbol/kernel_symbols.h"
#include "dig/symbol/perf_map.h"

#ifdef __clang__ /* it makes no clones */
#define OWN_FRAME __attribute__((noinline))
#else
#define OWN_FRAME __attribute__((noinline, noclone))
#endif

#define BIAS 0x7f0000000000ull

/* ---- a file, mapped as a loader would ---- */

static int open_name(void *arg, const struct mapping *m)
{
	int fd = open(m->name, O_RDONLY | O_CLOEXEC);

	(void)arg;
	return fd < 0 ? -errno : fd;
}

static int map_of_file(const char *path, struct memory_map *ret)
{
	struct elf_image *e;
	struct buf text = { 0 };
	uint64_t last = 0;
	int rc = elf_image_open(path, &e, NULL);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < e->nsegments; i++) {
		const Elf64_Phdr *p = &e->segment[i];
		uint64_t start = (BIAS + p->p_vaddr) & ~4095ull;
		uint64_t end = (BIAS + p->p_vaddr + p->p_filesz + 4095) & ~4095ull;

		if (p->p_type != PT_LOAD || !p->p_filesz)
			continue;
		start = start < last ? last : start;
		last = end;
		rc = buf_printf(&text, "%" PRIx64 "-%" PRIx64 " r-%cp %08" PRIx64 " 00:10 77 %s\n", start, end,
				p->p_flags & PF_X ? 'x' : '-', p->p_offset - p->p_offset % 4096, path);
	}
	elf_image_free(e);
	if (rc == 0)
		rc = memory_map_parse(buf_span(&text), ret);
	buf_deinit(&text);
	return rc;
}

static int space_of_file(struct image_store *store, const char *path, struct address_space **ret)
{
	struct memory_map map = { 0 };
	int rc = map_of_file(path, &map);

	if (rc == 0)
		rc = address_space_of_map(store, &map, ret);
	if (rc == 0)
		(*ret)->open_file = open_name;
	return rc;
}

static void print_answer(const struct symbol *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s%s %s:%u", i ? "\t" : "", f[i].function[0] ? f[i].function : "??",
		       f[i].file ? f[i].file : "??",
		       f[i].line);
	putchar('\n');
}

static int look_up(int argc, char **argv)
{
	struct symbolizer_options options = { 0 };
	struct image_store *store = NULL;
	struct address_space *a = NULL;
	struct symbolizer *s = NULL;
	const struct symbol *f;
	char line[64];
	size_t n;
	int i = 1, rc;

	for (; i < argc && argv[i][0] == '-'; i++) {
		options.no_lines |= strcmp(argv[i], "--no-lines") == 0;
		options.mangled |= strcmp(argv[i], "--mangled") == 0;
	}
	rc = image_store_new(&store);
	if (rc == 0)
		rc = i < argc ? space_of_file(store, argv[i], &a) : -EINVAL;
	if (rc == 0)
		rc = symbolizer_new(&options, &s);
	while (rc == 0 && fgets(line, sizeof line, stdin)) {
		rc = symbolize(s, a, BIAS + strtoull(line, NULL, 16), true, &f, &n);
		if (rc == 0)
			print_answer(f, n);
	}
	if (rc < 0)
		fprintf(stderr, "%s\n", strerror(-rc));
	symbolizer_free(s);
	address_space_free(a);
	image_store_free(store);
	return rc < 0;
}

/* ---- ranges ---- */

static void nested_ranges(void)
{
	struct range r[] = { { 100, 200, 1, 0 }, { 120, 140, 2, 1 }, { 130, 135, 3, 2 }, { 150, 250, 2, 3 },
			     { 300, 300, 9, 4 }, { 140, 145, 0, 5 } };
	static const struct { uint64_t at; uint32_t value; } wanted[] = {
		{ 99, RANGE_NONE }, { 100, 0 }, { 119, 0 }, { 120, 1 }, { 130, 2 }, { 135, 1 }, { 139, 1 }, { 140, 0 },
		{ 144, 0 }, { 150, 3 }, { 199, 3 }, { 249, 3 }, { 250, RANGE_NONE }, { 300, RANGE_NONE },
	};
	struct range_index x;

	CHECK(range_index_build(r, sizeof r / sizeof *r, &x) == 0);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		CHECK_U64(range_index_find(&x, wanted[i].at), wanted[i].value);
	range_index_deinit(&x);
	CHECK(range_index_build(NULL, 0, &x) == 0);
	CHECK_U64(range_index_find(&x, 5), RANGE_NONE);
	range_index_deinit(&x);
}

/* Against looking at all of them. */
static void random_ranges(void)
{
	struct range r[40], all[40];
	struct range_index x;

	srandom(7);
	for (int round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < 40; i++) {
			uint64_t start = (uint64_t)random() % 200;

			all[i] = r[i] = (struct range){ start, start + (uint64_t)random() % 60,
							(uint64_t)random() % 8, i };
		}
		CHECK(range_index_build(r, 40, &x) == 0);
		for (uint64_t at = 0; at < 270; at++) {
			const struct range *best = NULL;

			for (uint32_t i = 0; i < 40; i++)
				if (all[i].start <= at && at < all[i].end && (!best || all[i].rank > best->rank))
					best = &all[i];
			CHECK_U64(range_index_find(&x, at), best ? best->value : RANGE_NONE);
		}
		range_index_deinit(&x);
	}
}

/* ---- names ---- */

static void names(void)
{
	static const char *const pairs[][2] = {
		{ "_ZN3foo3barEv", "foo::bar()" },
		{ "_ZNSt6vectorIiSaIiEE9push_backERKi",
		  "std::vector<int, std::allocator<int> >::push_back(int const&)" },
		{ "_Z1fv.cold", "f() [clone .cold]" },
		{ "_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE", "core::fmt::Formatter::write_str" },
		{ "_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar" },
		{ "_D3std5stdio4File5closeMFNeZv", "std.stdio.File.close()" },
	};
	static const char *const plain[] = { "", "_", "main", "_start", "_ZZZ", "_Z", "_R", "_D", "_Dummy",
					     "__libc_start_main" };
	struct buf name = { 0 };

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		CHECK(demangle(pairs[i][0], &name));
		CHECK_STR(name.data, pairs[i][1]);
	}
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		CHECK(!demangle(plain[i], &name));
	CHECK_STR(name.data, pairs[5][1]);
	buf_deinit(&name);
}

/* Each template takes the one before it twice: 40 of them would make 2^40 characters. */
static void exploding_name(void)
{
	struct buf mangled = { 0 }, name = { 0 };

	CHECK(buf_printf(&mangled, "_Z1f1aIiiE") == 0);
	for (int i = 0; i < 40; i++) {
		static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
		char last[4] = { 0 };
		int at = 2 * i;

		if (i)
			snprintf(last, sizeof last, at > 36 ? "%c%c" : "%c",
				 at > 36 ? digits[(at - 1) / 36] : digits[at - 1],
				 digits[(at - 1) % 36]);
		CHECK(buf_printf(&mangled, "1bIS%s_S%s_E", last, last) == 0);
	}
	(void)demangle(mangled.data, &name);
	CHECK(name.n <= DEMANGLE_OUTPUT_MAX);
	buf_deinit(&mangled);
	buf_deinit(&name);
}

/* ---- perf maps ---- */

static void perf_map_of(const char *text, struct perf_map *ret)
{
	struct buf bytes = { 0 };

	CHECK(buf_append(&bytes, text, strlen(text)) == 0 && perf_map_parse(&bytes, ret) == 0);
}

static bool jit_name_is(const struct perf_map *m, uint64_t address, const char *name)
{
	const struct perf_map_code *code = perf_map_find(m, address);

	return name ? code && span_is(code->name, name) : !code;
}

static void perf_maps(void)
{
	struct perf_map m = { 0 };
	uint32_t user;
	int pid;

	perf_map_of("1000 100 old one\n2000 10 LazyCompile:~f /a b.js:3\nzzz\n1080 40 newer\n\n10 0 empty\n"
		    "ffffffffffffff00 fff wraps\n3000 8 last", &m);
	CHECK(jit_name_is(&m, 0x1000, "old one") && jit_name_is(&m, 0x107f, "old one"));
	CHECK(jit_name_is(&m, 0x1080, "newer") && jit_name_is(&m, 0x10c0, "old one") && jit_name_is(&m, 0x1100, NULL));
	CHECK(jit_name_is(&m, 0x200f, "LazyCompile:~f /a b.js:3") && jit_name_is(&m, 0x3007, "last"));
	CHECK(jit_name_is(&m, 0x10, NULL) && jit_name_is(&m, UINT64_MAX - 1, NULL));
	perf_map_deinit(&m);
	CHECK(perf_map_identity(SPAN("Pid:\t300\nUid:\t1\t2\t3\t4\nNSpid:\t300\t20\t7\n"), &pid, &user));
	CHECK(pid == 7 && user == 2);
	CHECK(!perf_map_identity(SPAN("Uid:\t1\t2\n"), &pid, &user) &&
	      !perf_map_identity(SPAN("Pid:\t3\n"), &pid, &user));
}

/* ---- the kernel ---- */

static void kernel_parsed(void)
{
	struct kernel_symbols k = { 0 };
	const char *name, *module;
	uint64_t offset;

	CHECK(kernel_symbols_parse(SPAN("ffffffff81000000 T _stext\nffffffff81000000 T _text\n"
					"ffffffff81000100 t do_thing\nffffffff81000200 D data\n"
					"ffffffffc0001000 t mod_init\t[nf_tables]\nffffffffc0000000 t mod_exit\t[nf_tables]\n"
					"garbage\nffffffffc0100000 t bpf_prog_1234_x\t[bpf]\n"), &k) == 0);
	CHECK(!kernel_symbols_why(&k, 0));
	CHECK(kernel_symbols_find(&k, 0xffffffff81000000, &name, &module, &offset) && offset == 0);
	CHECK_STR(name, "_stext");
	CHECK_STR(module, "[kernel]");
	CHECK(kernel_symbols_find(&k, 0xffffffff81000104, &name, &module, &offset) && offset == 4);
	CHECK_STR(name, "do_thing");
	CHECK(kernel_symbols_find(&k, 0xffffffffc0000fff, &name, &module, &offset) && offset == 0xfff);
	CHECK_STR(name, "mod_exit");
	CHECK_STR(module, "[nf_tables]");
	CHECK(!kernel_symbols_find(&k, 0xffffffff80ffffff, &name, &module, &offset));
	CHECK(!kernel_symbols_find(&k, 0xffffffffc0200000, &name, &module, &offset));
	kernel_symbols_deinit(&k);
	CHECK(kernel_symbols_parse(SPAN("0000000000000000 T _text\n0000000000000000 t x\n"), &k) == 0);
	CHECK(k.hidden == 2 && strstr(kernel_symbols_why(&k, 0), "CAP_SYSLOG"));
	kernel_symbols_deinit(&k);
}

static void kernel_live(struct symbolizer *s)
{
	const struct symbol *f;
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], name[512] = "", type;
	unsigned long long address = 0;

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "%llx %c %511s", &address, &type, name) == 3 && strcmp(name, "vfs_read") == 0)
			break;
	if (file)
		fclose(file);
	if (strcmp(name, "vfs_read") != 0 || !address) {
		CHECK(symbolizer_kernel_why(s) || strcmp(name, "vfs_read") != 0);
		return;
	}
	CHECK(symbolize_kernel(s, address + 5, &f) == 0);
	CHECK(strcmp(f->function, "vfs_read") == 0 && strcmp(f->module, "[kernel]") == 0 && f->offset == 5);
	CHECK(!symbolizer_kernel_why(s));
}

/* ---- debug files ---- */

static void links(void)
{
	const char *name;
	uint32_t crc;

	CHECK(debug_link_parse(SPAN("libx.debug\0\0\x78\x56\x34\x12"), &name, &crc) == 0);
	CHECK_STR(name, "libx.debug");
	CHECK_U64(crc, 0x12345678);
	CHECK(debug_link_parse(SPAN("../x.debug\0\0\x78\x56\x34\x12"), &name, &crc) == -EBADMSG);
	CHECK(debug_link_parse(SPAN("libx.debug\0\0\x78\x56\x34"), &name, &crc) == -EBADMSG);
	CHECK(debug_link_parse(SPAN("libx"), &name, &crc) == -EBADMSG);
	CHECK(debug_link_parse((struct span){ "", 0 }, &name, &crc) == -EBADMSG);
}

static void xz(void)
{
	/* "osprey" */
	static const char packed[] =
		"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x05\x6f\x73\x70\x72\x65\x79\x00\x00";
	struct buf to = { 0 };

	CHECK(xz_unpack((struct span){ packed, sizeof packed - 1 }, &to) == -EBADMSG); /* it is cut */
	CHECK(xz_unpack(SPAN("no xz"), &to) == -EBADMSG && !to.data);
}

/* ---- this process ---- */

static volatile int sink;

static inline __attribute__((always_inline)) void *inner(void)
{
	__asm__ volatile("1:");
	sink++;
	void *at;
	__asm__ volatile("lea 1b(%%rip), %0" : "=r"(at));
	sink--;
	return at;
}

OWN_FRAME static void *outer(void)
{
	return inner();
}

static void own_functions(struct symbolizer *s, struct address_space *a)
{
	uint64_t at = (uint64_t)(uintptr_t)outer();
	const struct symbol *f;
	size_t n;

	CHECK(symbolize(s, a, at, true, &f, &n) == 0 && n == 2);
	if (n == 2) {
		CHECK_STR(f[0].function, "inner");
		CHECK_STR(f[1].function, "outer");
		CHECK(f[0].inlined && !f[1].inlined && f[0].line && f[1].line > f[0].line);
		CHECK(f[0].file && strstr(f[0].file, "symbol_test.c") && strcmp(f[1].module, "symbol_test") == 0);
		CHECK_U64(f[1].offset, at - (uint64_t)(uintptr_t)outer);
	}
	CHECK(symbolize(s, a, (uint64_t)(uintptr_t)kernel_live, true, &f, &n) == 0 && n == 1 && f->offset == 0);
	CHECK_STR(f->function, "kernel_live");
	CHECK(symbolize(s, a, (uint64_t)(uintptr_t)kernel_live + 1, false, &f, &n) == 0 && f->offset == 1);
	CHECK_STR(f->function, "kernel_live");
	CHECK(symbolize(s, a, (uint64_t)(uintptr_t)&at, true, &f, &n) == 0 && n == 1);
	CHECK_STR(f->module, "[stack]");
	CHECK(symbolize(s, a, 16, true, &f, &n) == 0 && n == 1 && !f->module[0] && !f->function[0] && f->offset == 16);
}

static void own_vdso(struct symbolizer *s, struct address_space *a)
{
	const struct symbol *f;
	size_t n, named = 0;

	vec_each(m, &a->map.mapping)
		if (strcmp(m->name, "[vdso]") == 0)
			for (uint64_t at = m->start; at < m->end; at += 16) {
				CHECK(symbolize(s, a, at, true, &f, &n) == 0 && strcmp(f->module, "[vdso]") == 0);
				named += strstr(f->function, "clock_gettime") != NULL;
			}
	CHECK(named > 0);
}

static void write_map(const char *path, const char *mode, uint64_t at, const char *name)
{
	FILE *file = fopen(path, mode);

	CHECK(file);
	if (file) {
		fprintf(file, "%" PRIx64 " 20 %s\n", at, name);
		fclose(file);
	}
}

/* A JIT that goes on working. */
static void own_jit(struct symbolizer *s)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = (uint64_t)(uintptr_t)code;
	struct image_store *store = NULL;
	struct address_space *a = NULL;
	const struct symbol *f;
	char path[64];
	size_t n;

	snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
	CHECK(image_store_new(&store) == 0 && address_space_of_process(store, getpid(), &a, NULL) == 0);
	CHECK(symbolize(s, a, at, true, &f, &n) == 0 && !f->function[0]);
	write_map(path, "we", at, "JIT:first");
	CHECK(symbolize(s, a, at + 31, true, &f, &n) == 0);
	CHECK_STR(f->function, "JIT:first");
	CHECK_STR(f->module, "[jit]");
	write_map(path, "ae", at + 32, "_ZN6second3jitEv");
	CHECK(symbolize(s, a, at + 64, false, &f, &n) == 0 && f->offset == 32);
	CHECK_STR(f->function, "second::jit()");
	unlink(path);
	address_space_free(a);
	image_store_free(store);
	munmap(code, 4096);
}

static void own_process(void)
{
	struct image_store *store = NULL;
	struct address_space *a = NULL;
	struct symbolizer *s = NULL;

	CHECK(image_store_new(&store) == 0 && symbolizer_new(NULL, &s) == 0);
	CHECK(address_space_of_process(store, getpid(), &a, NULL) == 0);
	if (a) {
		own_functions(s, a);
		own_functions(s, a); /* from the cache */
		own_vdso(s, a);
		own_jit(s);
		kernel_live(s);
	}
	address_space_free(a);
	symbolizer_free(s);
	image_store_free(store);
}

static void symbol_values(void)
{
	struct image_store *store = NULL;
	struct address_space *a = NULL;
	struct place place;
	uint64_t address, size;

	CHECK(image_store_new(&store) == 0 && address_space_of_process(store, getpid(), &a, NULL) == 0);
	CHECK(address_space_find(a, (uint64_t)(uintptr_t)outer, &place) && place.image);
	CHECK(image_symbol(place.image, "sink", &address, &size) == 0);
#ifdef __SANITIZE_ADDRESS__ /* puts room behind it */
	CHECK(size >= sizeof sink);
#else
	CHECK_U64(size, sizeof sink);
#endif
	CHECK_U64(address + place.bias, (uint64_t)(uintptr_t)&sink);
	CHECK(image_symbol(place.image, "outer", &address, &size) == 0 && size > 0);
	CHECK(image_symbol(place.image, "no such symbol", &address, &size) == -ENOENT);
	address_space_free(a);
	image_store_free(store);
}

/* ---- each allocation fails in turn: but within libdw, which does not check them all ---- */

static int one_look(uint64_t at)
{
	const struct symbolizer_options options = { .no_lines = true };
	struct image_store *store = NULL;
	struct address_space *a = NULL;
	struct symbolizer *s = NULL;
	const struct symbol *f;
	size_t n;
	int rc = image_store_new(&store);

	if (rc == 0)
		rc = symbolizer_new(&options, &s);
	if (rc == 0)
		rc = address_space_of_process(store, getpid(), &a, NULL);
	if (rc == 0)
		rc = symbolize(s, a, at, true, &f, &n);
	if (rc == 0)
		CHECK(n >= 1 && f[n - 1].function && f[n - 1].module);
	address_space_free(a);
	symbolizer_free(s);
	image_store_free(store);
	return rc;
}

static void without_memory(void)
{
	uint64_t at = (uint64_t)(uintptr_t)outer();
	bool ran_out = CAN_FAIL_ALLOCATIONS;

	for (long i = 0; ran_out; i = i < 150 ? i + 1 : i + i / 16) {
		allocations_left = i;
		int rc = one_look(at);

		ran_out = allocations_left < 0;
		allocations_left = -1;
		CHECK(rc == 0 || rc == -ENOMEM || ran_out);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return look_up(argc, argv);
	nested_ranges();
	random_ranges();
	names();
	exploding_name();
	perf_maps();
	kernel_parsed();
	links();
	xz();
	own_process();
	symbol_values();
	without_memory();
	return check_exit();
}
