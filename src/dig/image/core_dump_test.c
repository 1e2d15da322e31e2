#include "dig/image/core_dump.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "base/check.h"

/* A core file that is put together by hand: header, up to 8 segments, notes, bytes. */
struct made {
	Elf64_Ehdr header;
	Elf64_Phdr segment[8];
	char notes[8192];
	char memory[8192];
};
static struct made made;
static size_t notes_size;

static void add_note(uint32_t type, const char *name, const void *desc, size_t n)
{
	Elf64_Nhdr h = { (Elf64_Word)strlen(name) + 1, (Elf64_Word)n, type };
	char *at = made.notes + notes_size;

	memcpy(at, &h, sizeof h);
	memcpy(at + sizeof h, name, h.n_namesz);
	at += sizeof h + ((h.n_namesz + 3) & ~3u);
	if (n)
		memcpy(at, desc, n);
	notes_size = (size_t)(at - made.notes) + ((n + 3) & ~(size_t)3);
	made.segment[0].p_filesz = notes_size;
}

static void add_thread(int tid, int signal, uint64_t rip)
{
	struct elf_prstatus s = { .pr_pid = tid, .pr_cursig = (short)signal };

	s.pr_reg[16] = rip; /* its place in struct user_regs_struct */
	add_note(NT_PRSTATUS, "CORE", &s, sizeof s);
}

static void begin(void)
{
	memset(&made, 0, sizeof made);
	notes_size = 0;
	memcpy(made.header.e_ident, ELFMAG, SELFMAG);
	made.header.e_ident[EI_CLASS] = ELFCLASS64;
	made.header.e_ident[EI_DATA] = ELFDATA2LSB;
	made.header.e_ident[EI_VERSION] = EV_CURRENT;
	made.header.e_type = ET_CORE;
	made.header.e_machine = EM_X86_64;
	made.header.e_version = EV_CURRENT;
	made.header.e_ehsize = sizeof made.header;
	made.header.e_phoff = offsetof(struct made, segment);
	made.header.e_phentsize = sizeof(Elf64_Phdr);
	made.header.e_phnum = 1;
	made.segment[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = offsetof(struct made, notes) };
	memset(made.memory, 'm', sizeof made.memory);
}

static void add_segment(uint64_t address, uint64_t in_file, uint64_t in_memory, uint64_t at, uint32_t flags)
{
	made.segment[made.header.e_phnum++] =
		(Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = flags, .p_offset = offsetof(struct made, memory) + at,
			      .p_vaddr = address, .p_filesz = in_file, .p_memsz = in_memory };
}

static int open_made(size_t size, struct core_dump **ret, struct note *note)
{
	char path[40];
	int fd = memfd_create("core", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, &made, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int r = core_dump_open(path, NULL, ret, note);
	close(fd);
	return r;
}

static void add_files(void)
{
	struct {
		uint64_t count, page, range[2][3];
		char names[24];
	} files = { 2, 4096, { { 0x10000, 0x12000, 3 }, { 0x40000, 0x41000, 0 } }, "/bin/one\0/lib/two" };

	add_note(NT_FILE, "CORE", &files, sizeof files);
}

static void test_whole(void)
{
	struct core_dump *c = NULL;
	char bytes[16];

	begin();
	add_thread(100, 11, 0x10010);
	add_note(NT_PRSTATUS, "LINUX", "not ours", 8);
	add_thread(101, 0, 0x10020);
	add_files();
	add_segment(0x20000, 0x1000, 0x3000, 0, PF_R | PF_W);
	add_segment(0x11000, 0x1000, 0x1000, 0x1000, PF_R | PF_X);
	made.memory[0x1000] = 'c';
	CHECK(open_made(sizeof made, &c, NULL) == 0);
	CHECK_U64(c->threads.n, 2);
	CHECK(c->threads.v[0].tid == 100 && c->threads.v[0].signal == 11 && c->threads.v[0].registers[16] == 0x10010);
	CHECK(c->threads.v[1].tid == 101 && c->threads.v[1].registers[16] == 0x10020);
	/* Files without a segment at their start are added whole, as gdb leaves them out. */
	const struct mapping *m = memory_map_find(&c->map, 0x11800);
	CHECK(m && m->start == 0x10000 && m->end == 0x12000);
	CHECK_STR(m->name, "/bin/one");
	CHECK_U64(m->offset, 3 * 4096);
	CHECK(m->flags == (MAPPING_READ | MAPPING_EXECUTE));
	m = memory_map_find(&c->map, 0x40000);
	CHECK(m && m->offset == 0);
	CHECK_STR(m->name, "/lib/two");
	m = memory_map_find(&c->map, 0x22fff);
	CHECK(m && m->name[0] == '\0' && m->flags == (MAPPING_READ | MAPPING_WRITE));
	CHECK_U64(c->missing_bytes, 0);
	/* Bytes: within what the file has, never beyond. */
	CHECK(core_dump_read(c, 0x11000, bytes, 1) == 0 && bytes[0] == 'c');
	CHECK(core_dump_read(c, 0x20ff0, bytes, 16) == 0 && bytes[15] == 'm');
	CHECK(core_dump_read(c, 0x20ff1, bytes, 16) == -EFAULT);
	CHECK(core_dump_read(c, 0x21000, bytes, 1) == -EFAULT);
	CHECK(core_dump_read(c, UINT64_MAX, bytes, 16) == -EFAULT);
	core_dump_free(c);
}

/* By address, none over another, whatever the file says; one that wraps around is none. */
static void test_overlaps(void)
{
	struct core_dump *c = NULL;

	begin();
	add_thread(1, 6, 0);
	add_segment(0x3000, 0x1000, 0x1000, 0, PF_R);
	add_segment(0x1000, 0x1000, 0x2800, 0, PF_R);
	add_segment(0x2000, 0x1000, 0x1000, 0, PF_R);
	add_segment(UINT64_MAX - 0xfff, 0x1000, 0x2000, 0, PF_R);
	add_segment(0x9000, 0, 0, 0, PF_R);
	CHECK(open_made(sizeof made, &c, NULL) == 0);
	uint64_t end = 0;
	CHECK(c->map.mapping.n >= 1 && c->map.mapping.v[0].start == 0x1000);
	vec_each(m, &c->map.mapping) {
		CHECK(m->start >= end && m->end > m->start);
		end = m->end;
	}
	CHECK(memory_map_find(&c->map, 0x2500) == &c->map.mapping.v[0]);
	core_dump_free(c);
}

/* Notes and files that say more than there is: what is there counts, and nothing is read beyond it. */
static void test_cut(void)
{
	struct core_dump *c = NULL;
	struct note note = { "" };
	uint64_t huge[2] = { UINT64_MAX / 24 + 2, 4096 }, few[6] = { 1, 4096, 0x1000, 0x2000, 0, 0x4242424242424242 };

	begin();
	CHECK(open_made(sizeof made, &c, &note) == -EBADMSG && strstr(note.text, "without threads"));
	add_thread(7, 0, 0);
	add_note(NT_FILE, "CORE", huge, sizeof huge);
	CHECK(open_made(sizeof made, &c, NULL) == 0 && c->threads.n == 1 && c->map.mapping.n == 0);
	core_dump_free(c);
	add_note(NT_FILE, "CORE", few, sizeof few); /* a name without an end */
	CHECK(open_made(sizeof made, &c, NULL) == 0 && c->map.mapping.n == 0);
	core_dump_free(c);
	size_t whole = notes_size;
	add_thread(8, 0, 0);
	for (size_t n = whole; n < notes_size; n += 4) {
		made.segment[0].p_filesz = n;
		CHECK(open_made(sizeof made, &c, NULL) == 0 && c->threads.n == 1);
		core_dump_free(c);
	}
	/* What its memory lacks is told. */
	add_segment(0x20000, 0x1000, 0x1000, 0, PF_R);
	add_segment(0x30000, 0x1000, 0x1000, 0x1000, PF_R);
	CHECK(open_made(offsetof(struct made, memory) + 0x800, &c, NULL) == 0);
	CHECK_U64(c->missing_bytes, 0x1800);
	core_dump_free(c);
	/* The notes themselves are cut off the file. */
	CHECK(open_made(offsetof(struct made, notes) + 8, &c, &note) == -EBADMSG);
	made.segment[0].p_filesz = UINT64_MAX;
	CHECK(open_made(sizeof made, &c, NULL) == -EBADMSG);
	made.header.e_type = ET_EXEC;
	CHECK(open_made(sizeof made, &c, &note) == -EBADMSG && strstr(note.text, "no core file"));
}

int main(void)
{
	test_whole();
	test_overlaps();
	test_cut();
	return check_exit();
}
