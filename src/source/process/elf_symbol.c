#include "source/process/elf_symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounded.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define PAGE 4096
#define BEFORE_IP 42 /* as much as the kernel shows of the code before the instruction */

static void end_elf(Elf **elf)
{
	elf_end(*elf);
}

static int open_file(int root_fd, const char *path)
{
	while (*path == '/')
		path++;
	int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* ---- where in the file ---- */

static bool holds_code(const GElf_Phdr *p)
{
	return p->p_type == PT_LOAD && (p->p_flags & PF_X);
}

static uint64_t mapped_size(const GElf_Phdr *p)
{
	uint64_t start = p->p_vaddr & ~(uint64_t)(PAGE - 1);

	return ((p->p_vaddr + p->p_filesz + PAGE - 1) & ~(uint64_t)(PAGE - 1)) - start;
}

/* Before 6.4 the kernel tells the mapping, not the place in the file: the segment of that size it is, or
 * the only one with code (a mapping may have been split). */
static bool offset_by_mapping(Elf *elf, const struct elf_place *place, uint64_t *ret)
{
	size_t n, candidates = 0;
	bool exact = false;

	if (elf_getphdrnum(elf, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf, (int)i, &p) || !holds_code(&p))
			continue;
		bool same = mapped_size(&p) == place->size;
		if (exact && !same)
			continue;
		candidates += !same;
		exact = exact || same;
		*ret = (p.p_offset & ~(uint64_t)(PAGE - 1)) + (place->ip - place->base);
	}
	return exact || candidates == 1;
}

static bool address_of(Elf *elf, uint64_t offset, uint64_t *ret)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(elf, (int)i, &p) && holds_code(&p) && offset >= p.p_offset &&
		    offset - p.p_offset < p.p_filesz) {
			*ret = offset - p.p_offset + p.p_vaddr;
			return true;
		}
	}
	return false;
}

/* ---- symbols ---- */

struct best {
	char name[160];
	uint64_t value;
	bool sized;
};

static bool names_code(const GElf_Sym *s)
{
	unsigned type = GELF_ST_TYPE(s->st_info);

	return s->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

/* A symbol that covers the address; of several the innermost. One without a size (assembly) counts only
 * when none covers it. */
static void search_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, uint64_t address, struct best *best)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n = data && header->sh_entsize ? data->d_size / header->sh_entsize : 0;

	for (size_t i = 0; i < n && i < INT_MAX; i++) {
		GElf_Sym s;

		if (!gelf_getsym(data, (int)i, &s) || !names_code(&s) || s.st_value > address)
			continue;
		bool covers = address - s.st_value < s.st_size;
		if (!covers && (s.st_size || best->sized || GELF_ST_TYPE(s.st_info) == STT_NOTYPE))
			continue;
		if (best->name[0] && (best->sized > covers || (best->sized == covers && best->value >= s.st_value)))
			continue;
		const char *name = elf_strptr(elf, header->sh_link, s.st_name);
		if (!name || !*name)
			continue;
		snprintf(best->name, sizeof best->name, "%s", name);
		best->value = s.st_value;
		best->sized = covers;
	}
}

static bool search(Elf *elf, unsigned type, uint64_t address, struct best *best)
{
	Elf_Scn *section = NULL;
	bool there = false;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header) || header.sh_type != type)
			continue;
		/* A debug file keeps the header of .dynsym, without its contents. */
		there = true;
		search_table(elf, section, &header, address, best);
	}
	return there;
}

/* "/usr/lib/debug/.build-id/ab/cdef….debug" */
static bool debug_path(Elf *elf, char *ret, size_t size)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		GElf_Nhdr note;
		size_t name, desc;
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE ||
		    !(data = elf_getdata(section, NULL)) || !gelf_getnote(data, 0, &note, &name, &desc) ||
		    note.n_type != NT_GNU_BUILD_ID || note.n_descsz < 2 || note.n_descsz > 64)
			continue;
		const unsigned char *id = (const unsigned char *)data->d_buf + desc;
		int n = snprintf(ret, size, "/usr/lib/debug/.build-id/%02x/", id[0]);
		for (size_t i = 1; i < note.n_descsz && (size_t)n + 10 < size; i++)
			n += snprintf(ret + n, size - (size_t)n, "%02x", id[i]);
		snprintf(ret + n, size - (size_t)n, ".debug");
		return true;
	}
	return false;
}

static void search_debug_file(int root_fd, Elf *elf, uint64_t address, struct best *best)
{
	char path[200];

	if (!debug_path(elf, path, sizeof path))
		return;
	cleanup(close_fd) int fd = open_file(root_fd, path);
	if (fd < 0)
		return;
	cleanup(end_elf) Elf *debug = elf_begin(fd, ELF_C_READ, NULL);
	if (debug)
		search(debug, SHT_SYMTAB, address, best);
}

/* ---- the answer ---- */

static int put_code(int fd, uint64_t offset, struct buf *ret)
{
	unsigned char code[ELF_SYMBOL_CODE];
	uint64_t from = offset > BEFORE_IP ? offset - BEFORE_IP : 0;
	ssize_t n = pread(fd, code, sizeof code, (off_t)from);
	int r = 0;

	if (n <= 0 || (uint64_t)n <= offset - from)
		return 0;
	r = buf_printf(ret, "code %" PRIu64 " ", offset - from);
	for (ssize_t i = 0; r == 0 && i < n; i++)
		r = buf_printf(ret, "%02x", code[i]);
	return r < 0 ? r : buf_printf(ret, "\n");
}

static int answer(int root_fd, int fd, Elf *elf, const struct elf_place *place, struct buf *ret)
{
	uint64_t offset = 0, address;
	struct best best = { "", 0, false };
	struct stat st;

	if (reading_ok(place->file_offset))
		offset = place->file_offset;
	else if (place->ip < place->base || !offset_by_mapping(elf, place, &offset))
		return -ESRCH;
	if (!address_of(elf, offset, &address))
		return -ESRCH;
	bool symtab = search(elf, SHT_SYMTAB, address, &best);
	if (!best.sized)
		search(elf, SHT_DYNSYM, address, &best);
	bool own = best.name[0];
	if (!own)
		search_debug_file(root_fd, elf, address, &best);
	if (fstat(fd, &st) < 0)
		return -errno;
	int r = buf_printf(ret, "address %" PRIx64 "\nchanged %" PRIu64 "\n%s", address,
			   (uint64_t)st.st_ctim.tv_sec * NS_PER_S + (uint64_t)st.st_ctim.tv_nsec,
			   symtab ? "symtab\n" : "");
	if (r == 0 && best.name[0])
		r = buf_printf(ret, "%s %" PRIx64 " %s\n", own ? "symbol" : "debug", address - best.value, best.name);
	return r < 0 ? r : put_code(fd, offset, ret);
}

/* Files may lie on a server that has gone: then the one who asks goes on without the answer. */
#define TIMEOUT_MS 3000

struct question {
	int root_fd; /* owned */
	struct elf_place place;
	struct buf text;
	char path[];
};

static int question_call(void *arg)
{
	struct question *q = arg;
	struct stat st;
	cleanup(close_fd) int fd = open_file(q->root_fd, q->path);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -EBADMSG;
	/* Read, not mapped: a file that shrinks meanwhile must not kill us. */
	cleanup(end_elf) Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		return -EBADMSG;
	return answer(q->root_fd, fd, elf, &q->place, &q->text);
}

static void question_release(void *arg)
{
	struct question *q = arg;

	close_fd(&q->root_fd);
	buf_deinit(&q->text);
	free(q);
}

static int question_new(struct host *h, const char *path, const struct elf_place *place, struct question **ret)
{
	size_t n = strlen(path) + 1;
	struct question *q = calloc(1, sizeof *q + n);

	if (!q)
		return -ENOMEM;
	q->root_fd = fcntl(host_root_fd(h), F_DUPFD_CLOEXEC, 0);
	if (q->root_fd < 0) {
		int r = -errno;
		free(q);
		return r;
	}
	q->place = *place;
	memcpy(q->path, path, n);
	*ret = q;
	return 0;
}

struct asked {
	const char *path;
	const struct elf_place *place;
};

/* Most places that are tried have no such file, and a thread for each costs more than the look. Where the
 * system itself lives a look cannot hang: nothing would run. */
static bool surely_absent(struct host *h, const char *path)
{
	static const char *const system[] = { "/usr/", "/lib", "/bin/", "/sbin/" };

	for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
		if (strncmp(path, system[i], strlen(system[i])) == 0)
			return faccessat(host_root_fd(h), path + 1, F_OK, 0) < 0 && errno == ENOENT;
	return false;
}

static int live_find(struct host *h, const char *key, void *arg, struct buf *ret)
{
	const struct asked *asked = arg;
	struct question *q = NULL;

	(void)key;
	if (surely_absent(h, asked->path))
		return -ENOENT;
	int r = question_new(h, asked->path, asked->place, &q);
	if (r < 0)
		return r;
	r = bounded_call(question_call, q, question_release, TIMEOUT_MS);
	if (r == -ETIMEDOUT)
		return r;
	if (r == 0)
		r = buf_append(ret, buf_span(&q->text).p, q->text.n);
	question_release(q);
	return r;
}

int elf_symbol_find(struct host *h, const char *path, const struct elf_place *place, struct elf_symbol *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct asked asked = { path, place };
	char key[PATH_MAX + 100], offset[24] = "-";

	if (reading_ok(place->file_offset))
		snprintf(offset, sizeof offset, "%" PRIx64, place->file_offset);
	snprintf(key, sizeof key, "elf_symbol:%" PRIx64 ":%" PRIx64 ":%" PRIx64 ":%s:%s", place->ip, place->base,
		 place->size, offset, path);
	int r = host_fetch(h, key, live_find, &asked, &text);
	return r < 0 ? r : elf_symbol_parse(buf_span(&text), ret);
}

static bool parse_code(struct span line, struct elf_symbol *ret)
{
	struct span hex;
	uint64_t ip, byte;

	if (!span_next_u64(&line, &ip) || !span_word(&line, &hex) || hex.n / 2 > sizeof ret->code || ip >= hex.n / 2)
		return false;
	for (size_t i = 0; i < hex.n / 2; i++) {
		if (!span_hex((struct span){ hex.p + 2 * i, 2 }, &byte))
			return false;
		ret->code[i] = (unsigned char)byte;
	}
	ret->code_ip = (size_t)ip;
	ret->code_length = hex.n / 2;
	return true;
}

static bool parse_symbol(struct span line, struct elf_symbol *ret)
{
	struct span word;

	if (!span_word(&line, &word) || !span_hex(word, &ret->offset))
		return false;
	span_copy(span_trim(line), ret->name, sizeof ret->name);
	return ret->name[0];
}

int elf_symbol_parse(struct span text, struct elf_symbol *ret)
{
	struct elf_symbol got = { 0 };
	struct span line, word;
	bool address = false;

	while (span_line(&text, &line)) {
		bool good = span_word(&line, &word);

		if (good && span_is(word, "address"))
			good = address = span_hex(span_trim(line), &got.address);
		else if (good && span_is(word, "changed"))
			good = span_next_u64(&line, &got.changed_real_ns);
		else if (good && span_is(word, "symtab"))
			got.has_symtab = true;
		else if (good && (span_is(word, "symbol") || span_is(word, "debug")))
			good = (got.debug_file = span_is(word, "debug"), parse_symbol(line, &got));
		else if (good && span_is(word, "code"))
			good = parse_code(line, &got);
		if (!good)
			return -EBADMSG;
	}
	if (!address)
		return -EBADMSG;
	*ret = got;
	return 0;
}
