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
#include "dig/symbol/debug_file.h"
#include "dig/symbol/image_symbols.h"
#include "dig/symbol/kernel_symbols.h"
#include "dig/symbol/perf_map.h"

#define BIAS 0x7f0000000000ull

/* Allocations fail once the countdown has run out. Sanitizers bring their own allocator. */
#if !defined(__SANITIZE_ADDRESS__)
#define CAN_FAIL_ALLOCATIONS 1
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
static long allocations_left = -1; /* -1: all succeed */

static int refuse(void)
{
	return allocations_left >= 0 && allocations_left-- == 0;
}

void *malloc(size_t n)
{
	return refuse() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return refuse() ? NULL : __libc_realloc(p, n);
}
#else
#define CAN_FAIL_ALLOCATIONS 0
static long allocations_left = -1;
#endif

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
		printf("%s%s %s:%u", i ? "\t" : "", f[i].function[0] ? f[i].function : "??", f[i].file ? f[i].file : "??",
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

int main(int argc, char **argv)
{
	if (argc > 1)
		return look_up(argc, argv);
	(void)allocations_left;
	return check_exit();
}
