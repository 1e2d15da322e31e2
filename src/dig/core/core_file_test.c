#include "dig/core/core_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "dig/core/core_page.h"

static char directory[] = "/tmp/core_file_testXXXXXX";
static char path[64];

static uint64_t page(uint64_t n)
{
	return n * page_size();
}

static void fill(struct core_file *f, uint64_t first, uint64_t n, char with, bool fresh)
{
	char *data = malloc(page(n));

	memset(data, with, page(n));
	CHECK(core_file_write(f, page(first), data, page(n), fresh) == 0);
	free(data);
}

static Elf64_Ehdr header_of(int fd)
{
	Elf64_Ehdr h = { 0 };

	CHECK(pread(fd, &h, sizeof h, 0) == sizeof h);
	return h;
}

static void places_and_rewrites(void)
{
	struct core_file f;
	uint64_t bytes, disk;
	char byte;

	CHECK(core_file_new(path, false, 4, 100, &f, NULL) == 0);
	CHECK(access(path, F_OK) < 0);
	CHECK(core_file_place(&f, page(10), page(20)) == 0);
	CHECK(core_file_place(&f, page(8), page(22)) == 0);
	CHECK(f.extent.n == 3 && f.extent.v[0].start == page(8) && f.extent.v[1].start == page(10) &&
	      f.extent.v[2].end == page(22));
	fill(&f, 8, 14, 'a', true);
	fill(&f, 9, 2, 'b', false);
	CHECK(core_file_clear(&f, page(12), page(14)) == 0);
	CHECK(core_file_write(&f, page(21), "", 0, true) == 0);
	CHECK(core_file_write(&f, page(30), directory, 1, true) == -EINVAL);

	struct core_segment s[] = { { page(2), page(4), 0, PF_R }, { page(8), page(20), page(12), PF_R | PF_W } };
	struct core_finish how = { .segment = s, .nsegments = 2, .notes = SPAN("notes..."), .machine = EM_X86_64 };

	CHECK(core_file_finish(&f, &how, &bytes, &disk, NULL) == 0);
	CHECK(disk < bytes);
	core_file_deinit(&f);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr h = header_of(fd);
	Elf64_Phdr p[4];
	struct stat st;

	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600 && (uint64_t)st.st_size == bytes);
	CHECK(memcmp(h.e_ident, ELFMAG, SELFMAG) == 0 && h.e_type == ET_CORE && h.e_phnum == 4);
	CHECK(pread(fd, p, sizeof p, (off_t)h.e_phoff) == sizeof p);
	CHECK(p[1].p_filesz == 0 && p[1].p_memsz == page(2));
	CHECK(p[2].p_vaddr == page(8) && p[2].p_filesz == page(2));
	CHECK(p[3].p_vaddr == page(10) && p[3].p_filesz == page(10) && p[3].p_memsz == page(10));
	CHECK(pread(fd, &byte, 1, (off_t)p[2].p_offset) == 1 && byte == 'a');
	CHECK(pread(fd, &byte, 1, (off_t)(p[2].p_offset + page(1))) == 1 && byte == 'b');
	CHECK(pread(fd, &byte, 1, (off_t)p[3].p_offset) == 1 && byte == 'b');
	CHECK(pread(fd, &byte, 1, (off_t)(p[3].p_offset + page(3))) == 1 && byte == '\0');
	CHECK(pread(fd, &byte, 1, (off_t)(p[3].p_offset + page(5))) == 1 && byte == 'a');
	close(fd);
}

static void replaces_only_when_told(void)
{
	struct core_file f;
	struct note note = { "" };
	uint64_t bytes, disk;
	struct core_finish how = { .machine = EM_X86_64 };

	CHECK(core_file_new(path, false, 0, 0, &f, &note) == -EEXIST && strstr(note.text, "--force"));
	CHECK(core_file_new(directory, true, 0, 0, &f, &note) == -EEXIST);
	CHECK(core_file_new("/nowhere/at/all", true, 0, 0, &f, &note) == -ENOENT);
	CHECK(core_file_new(path, true, 0, 0, &f, &note) == 0);
	CHECK(core_file_finish(&f, &how, &bytes, &disk, &note) == 0);
	core_file_deinit(&f);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(header_of(fd).e_phnum == 1);
	close(fd);
	/* Given up: nothing of it is left, and the other stays. */
	CHECK(core_file_new(path, true, 0, 0, &f, &note) == 0);
	core_file_deinit(&f);
	CHECK(access(path, F_OK) == 0);
}

static void many_segments(void)
{
	enum { N = 70000 };
	struct core_segment *s = calloc(N, sizeof *s);
	struct core_file f;
	uint64_t bytes, disk;
	Elf64_Shdr extra;
	Elf64_Phdr last;

	for (uint64_t i = 0; i < N; i++)
		s[i] = (struct core_segment){ page(2 * i + 1), page(2 * i + 2), 0, PF_R };
	struct core_finish how = { .segment = s, .nsegments = N, .notes = SPAN("notes"), .machine = EM_X86_64 };

	CHECK(core_file_new(path, true, 10, 0, &f, NULL) == 0);
	CHECK(core_file_finish(&f, &how, &bytes, &disk, NULL) == 0);
	core_file_deinit(&f);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr h = header_of(fd);

	CHECK(h.e_phnum == PN_XNUM && h.e_shnum == 1);
	CHECK(pread(fd, &extra, sizeof extra, (off_t)h.e_shoff) == sizeof extra && extra.sh_info == N + 1);
	CHECK(pread(fd, &last, sizeof last, (off_t)(h.e_phoff + N * sizeof last)) == sizeof last);
	CHECK_U64(last.p_vaddr, page(2 * (N - 1) + 1));
	close(fd);
	free(s);
}

/* Single pages of zeros do not cut a write in two; 64 KiB of them do. */
static void holes_are_long(void)
{
	struct core_file f;
	uint64_t n = 65536 / page_size(), before;
	char *data = calloc(n + 4, page_size()), byte = 'x';

	CHECK(core_file_new(path, true, 4, 100, &f, NULL) == 0);
	CHECK(core_file_place(&f, page(8), page(8 + n + 4)) == 0);
	data[0] = data[page(2)] = data[page(3 + n)] = 'a';
	before = f.written_bytes;
	CHECK(core_file_write(&f, page(8), data, page(n + 4), true) == 0);
	CHECK(f.written_bytes - before == page(4));
	CHECK(core_file_read(&f, page(9), &byte, 1) == 0 && byte == '\0');
	CHECK(core_file_read(&f, page(8 + 3 + n), &byte, 1) == 0 && byte == 'a');
	CHECK(core_file_reset(&f) == 0 && f.written_bytes == 0);
	CHECK(core_file_read(&f, page(8), &byte, 1) == -EIO);
	core_file_deinit(&f);
	free(data);
}

int main(void)
{
	if (!mkdtemp(directory))
		check_skip("no /tmp");
	snprintf(path, sizeof path, "%s/core", directory);
	places_and_rewrites();
	holes_are_long();
	replaces_only_when_told();
	many_segments();
	unlink(path);
	rmdir(directory);
	return check_exit();
}
