#include "dig/image/elf_image.h"

#include <errno.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"

/* A file of our own: header, three sections (none, .shstrtab, .data), one note segment. */
struct small {
	Elf64_Ehdr header;
	Elf64_Phdr segment[2];
	struct {
		Elf64_Nhdr header;
		char name[4];
		unsigned char id[20];
	} note;
	char names[24];
	char data[8];
	Elf64_Shdr section[3];
};

static struct small make_small(void)
{
	struct small s = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			    .e_phoff = offsetof(struct small, segment),
			    .e_shoff = offsetof(struct small, section),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2,
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 3,
			    .e_shstrndx = 1 },
		.note = { { 4, 20, NT_GNU_BUILD_ID }, "GNU", { 0xab, 0xcd } },
		.names = "\0.shstrtab\0.data",
		.data = "12345678",
	};
	s.segment[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = offsetof(struct small, note),
				     .p_filesz = sizeof s.note, .p_align = 4 };
	s.segment[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = 0x40, .p_vaddr = 0x401040, .p_filesz = 0x100,
				     .p_flags = PF_R | PF_X };
	s.section[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_STRTAB, .sh_size = sizeof s.names,
				     .sh_offset = offsetof(struct small, names) };
	s.section[2] = (Elf64_Shdr){ .sh_name = 11, .sh_type = SHT_PROGBITS, .sh_size = 8,
				     .sh_offset = offsetof(struct small, data) };
	return s;
}

static int open_small(const struct small *s, size_t n, struct elf_image **ret)
{
	return elf_image_open_memory((struct span){ (const char *)s, n }, ret, NULL);
}

static void reads_a_small_one(void)
{
	struct small s = make_small();
	struct elf_image *e;
	struct span data;
	uint64_t address;
	char id[2 * BUILD_ID_MAX + 1];

	CHECK(open_small(&s, sizeof s, &e) == 0);
	elf_image_build_id_text(e, id);
	CHECK_STR(id, "abcd000000000000000000000000000000000000");
	CHECK(elf_image_section(e, ".data", &data) == 0 && span_is(data, "12345678"));
	CHECK(elf_image_section(e, ".text", &data) == -ENOENT);
	CHECK(elf_image_address_of(e, 0x41, &address) == 0 && address == 0x401041);
	CHECK(elf_image_address_of(e, 0x140, &address) == -ENOENT);
	elf_image_free(e);
}

/* Cut anywhere, it is either refused or short of something, and never read behind its end. */
static void takes_cut_files(void)
{
	struct small s = make_small();

	for (size_t n = 0; n < sizeof s; n++) {
		char *exact = malloc(n ? n : 1);
		struct elf_image *e;
		struct span data;
		memcpy(exact, &s, n);
		int r = elf_image_open_memory((struct span){ exact, n }, &e, NULL);
		CHECK((r == 0) == (n >= offsetof(struct small, note)));
		if (r == 0) {
			CHECK(elf_image_section(e, ".data", &data) == -ENOENT);
			elf_image_free(e);
		}
		free(exact);
	}
}

static void refuses_others(void)
{
	struct small s = make_small();
	struct elf_image *e;

	s.header.e_ident[EI_CLASS] = ELFCLASS32;
	CHECK(open_small(&s, sizeof s, &e) == -EBADMSG);
	s = make_small();
	s.header.e_phentsize = 1;
	CHECK(open_small(&s, sizeof s, &e) == -EBADMSG);
	CHECK(elf_image_open("/dev/null", &e, NULL) == -EBADMSG);
	CHECK(elf_image_open("/no/such/file", &e, NULL) == -ENOENT);
}

static void reads_ourselves(void)
{
	struct elf_image *e;
	struct span text;
	uint64_t address;

	CHECK(elf_image_open("/proc/self/exe", &e, NULL) == 0);
	CHECK(elf_image_section(e, ".text", &text) == 0 && text.n > 1000);
	CHECK(elf_image_section(e, ".bss", &text) == -ENOENT);
	const struct elf_section *s = elf_image_find(e, ".text");
	CHECK(s && elf_image_address_of(e, s->header.sh_offset, &address) == 0 && address == s->header.sh_addr);
	elf_image_free(e);
}

int main(void)
{
	reads_a_small_one();
	takes_cut_files();
	refuses_others();
	reads_ourselves();
	return check_exit();
}
