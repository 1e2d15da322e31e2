#include "dig/probe/user_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "dig/image/memory_map.h"
#include "dig/probe/language.h"

/* ---- by name ---- */

/* "libc" is "libc.so.6" and "libc-2.31.so", not "libcrypt.so.1". */
static bool name_is(struct span file, struct span name)
{
	struct span after;
	struct span base = file;

	if (span_until_last(&base, '/', &after))
		file = after;
	if (span_equal(file, name))
		return true;
	if (file.n <= name.n || memcmp(file.p, name.p, name.n) != 0)
		return false;
	struct span rest = { file.p + name.n, file.n - name.n };
	return span_starts(rest, ".so") ||
	       (rest.p[0] == '-' && rest.n > 4 && rest.p[1] >= '0' && rest.p[1] <= '9' && memmem(rest.p, rest.n, ".so", 3));
}

static uint32_t u32_at(struct span s, size_t at)
{
	uint32_t v;

	memcpy(&v, s.p + at, sizeof v);
	return v;
}

static bool string_at(struct span s, uint32_t at, struct span *ret)
{
	if (at >= s.n)
		return false;
	size_t n = strnlen(s.p + at, s.n - at);
	*ret = (struct span){ s.p + at, n };
	return n < s.n - at;
}

/* glibc's elf/cache.c: a header of 48 bytes, entries of 24 (flags, name, path, OS version, hardware), offsets from
 * the start. Bits 8 to 15 of the flags are the machine: 3 is x86-64, 10 is AArch64. */
bool loader_cache_find(struct span cache, struct span name, char *ret, size_t size)
{
	static const char magic[] = "glibc-ld.so.cache1.1";
#ifdef __aarch64__
	const uint32_t machine = 10;
#else
	const uint32_t machine = 3;
#endif

	if (cache.n < 48 || memcmp(cache.p, magic, sizeof magic - 1) != 0)
		return false;
	uint64_t n = u32_at(cache, 20);
	for (uint64_t i = 0; i < n && 48 + (i + 1) * 24 <= cache.n; i++) {
		size_t at = 48 + (size_t)i * 24;
		struct span soname, path;

		if ((u32_at(cache, at) >> 8 & 0xff) == machine && string_at(cache, u32_at(cache, at + 4), &soname) &&
		    string_at(cache, u32_at(cache, at + 8), &path) && path.n && path.n < size && name_is(soname, name)) {
			span_copy(path, ret, size);
			return true;
		}
	}
	return false;
}

static int read_whole(const char *path, struct buf *ret)
{
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (;;) {
		if (ret->n > 16 << 20)
			return -EFBIG;
		if (buf_reserve(ret, 65536) < 0)
			return -ENOMEM;
		ssize_t n = read(fd, ret->data + ret->n, 65536);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		ret->n += (size_t)n;
	}
}

static bool find_in_path(struct span name, char *ret, size_t size)
{
	const char *path = getenv("PATH");
	struct span rest = span_from(path && *path ? path : "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"), dir;

	do {
		if (!span_until(&rest, ':', &dir)) {
			dir = rest;
			rest.n = 0;
		}
		if (dir.n && snprintf(ret, size, "%.*s/%.*s", (int)dir.n, dir.p, (int)name.n, name.p) < (int)size &&
		    access(ret, X_OK) == 0)
			return true;
	} while (rest.n);
	return false;
}

static int find_in_host(struct span name, char *ret, size_t size, struct note *note)
{
	cleanup(buf_deinit) struct buf cache = { 0 };

	if (read_whole("/etc/ld.so.cache", &cache) == 0 && loader_cache_find(buf_span(&cache), name, ret, size))
		return 0;
	if (find_in_path(name, ret, size))
		return 0;
	return note_set(note, -ENOENT, "'%.*s' is no library that the loader knows and no program in PATH; a path with a / says it "
				       "exactly, and --pid PID looks among what that process has mapped",
			(int)(name.n > 60 ? 60 : name.n), name.p);
}

/* Some that it has mapped, for the hint. */
static void offer_mapped(const struct memory_map *map, char *ret, size_t size)
{
	const char *last = "";
	size_t n = 0;

	ret[0] = '\0';
	vec_each(m, &map->mapping) {
		const char *slash = strrchr(m->name, '/');
		if (!slash || m->name[0] != '/' || strcmp(last, m->name) == 0 || n > size / 2)
			continue;
		last = m->name;
		int put = snprintf(ret + n, size - n, "%s%s", n ? ", " : "", slash + 1);
		n += put > 0 && (size_t)put < size - n ? (size_t)put : 0;
	}
}

static int find_in_process(struct span name, int pid, char *ret, size_t size, struct note *note)
{
	struct memory_map map = { 0 };
	char mapped[120];
	int r = memory_map_read(pid, &map);

	if (r < 0)
		return note_set(note, r, "process %d: %s", pid,
				r == -ESRCH ? "there is none" :
				r == -EACCES || r == -EPERM ? "it is not ours; needs root (CAP_SYS_PTRACE)" : strerror(-r));
	r = -ENOENT;
	vec_each(m, &map.mapping) {
		if (m->name[0] == '/' && !m->deleted && name_is(span_from(m->name), name)) {
			r = snprintf(ret, size, "/proc/%d/root%s", pid, m->name) < (int)size ? 0 : -ENAMETOOLONG;
			break;
		}
	}
	if (r == -ENOENT) {
		offer_mapped(&map, mapped, sizeof mapped);
		note_set(note, r, "process %d has no file mapped that is called '%.*s'; it has %s", pid,
			 (int)(name.n > 40 ? 40 : name.n), name.p, mapped[0] ? mapped : "none at all");
	}
	memory_map_deinit(&map);
	return r;
}

static int check_readable(const char *path, int pid, struct note *note)
{
	if (access(path, R_OK) == 0)
		return 0;
	int error = errno;
	return note_set(note, -error, "%s: %s%s", path, strerror(error),
			pid && error == ENOENT ? " (as that process sees it)" : error == EACCES ? "; needs root" : "");
}

int user_file_find(struct span given, int pid, char *ret, size_t size, struct note *note)
{
	int r;

	if (given.n == 0 || given.n >= PATH_MAX - 64 || memchr(given.p, '\0', given.n))
		return note_set(note, -EINVAL, "this is no file's name");
	if (!memchr(given.p, '/', given.n)) {
		r = pid ? find_in_process(given, pid, ret, size, note) : find_in_host(given, ret, size, note);
		return r;
	}
	char root[32] = "";
	if (pid && given.p[0] == '/' && !span_starts(given, "/proc/"))
		snprintf(root, sizeof root, "/proc/%d/root", pid);
	if (snprintf(ret, size, "%s%.*s", root, (int)given.n, given.p) >= (int)size)
		return note_set(note, -ENAMETOOLONG, "this path is too long");
	return check_readable(ret, pid, note);
}

/* ---- symbols ---- */

int user_offset_of(const struct elf_image *e, uint64_t address, uint64_t *ret)
{
	for (size_t i = 0; i < e->nsegments; i++) {
		const Elf64_Phdr *p = &e->segment[i];
		if (p->p_type == PT_LOAD && address >= p->p_vaddr && address - p->p_vaddr < p->p_filesz) {
			*ret = address - p->p_vaddr + p->p_offset;
			return 0;
		}
	}
	return -ENOENT;
}

static bool table_of(struct elf_image *e, const char *symbols, const char *strings, struct span *ret_symbols,
		     struct span *ret_strings)
{
	return elf_image_section(e, symbols, ret_symbols) == 0 && elf_image_section(e, strings, ret_strings) == 0;
}

static const char *const tables[2][2] = { { ".symtab", ".strtab" }, { ".dynsym", ".dynstr" } };

int user_functions_each(struct elf_image *e, struct span pattern, int (*each)(void *arg, const char *name, uint64_t offset),
			void *arg)
{
	struct span symbols, strings, name;
	bool any = false;

	for (size_t t = 0; t < 2; t++) {
		if (!table_of(e, tables[t][0], tables[t][1], &symbols, &strings))
			continue;
		any = true;
		for (size_t i = 0; i < symbols.n / sizeof(Elf64_Sym); i++) {
			Elf64_Sym s;
			uint64_t offset;

			memcpy(&s, symbols.p + i * sizeof s, sizeof s);
			if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || s.st_shndx == SHN_UNDEF ||
			    !string_at(strings, s.st_name, &name) || name.n == 0 || !probe_matches(pattern, name) ||
			    user_offset_of(e, s.st_value, &offset) < 0)
				continue;
			int r = each(arg, name.p, offset);
			if (r)
				return r;
		}
	}
	return any ? 0 : -ENOENT;
}

bool user_symbol_find(struct elf_image *e, struct span wanted, uint64_t *ret_address)
{
	struct span symbols, strings, name;

	for (size_t t = 0; t < 2; t++) {
		if (!table_of(e, tables[t][0], tables[t][1], &symbols, &strings))
			continue;
		for (size_t i = 0; i < symbols.n / sizeof(Elf64_Sym); i++) {
			Elf64_Sym s;

			memcpy(&s, symbols.p + i * sizeof s, sizeof s);
			if (s.st_shndx != SHN_UNDEF && string_at(strings, s.st_name, &name) && span_equal(name, wanted)) {
				*ret_address = s.st_value;
				return true;
			}
		}
	}
	return false;
}
