#include "dig/image/elf_debug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/check.h"

#define TEXT_BYTES 5000

/* A file with .debug_info packed, .debug_str plain, .debug_loclists packed, and one section to be named by the test. */
struct packed_file {
	Elf64_Ehdr header;
	char names[64];
	Elf64_Chdr chdr;
	unsigned char packed[1024];
	char strings[16];
	Elf64_Shdr section[6];
};

static char text[TEXT_BYTES];

static struct packed_file make_file(const char *other)
{
	static const char names[] = "\0.shstrtab\0.debug_info\0.debug_str\0.debug_loclists\0";
	uLongf n = sizeof(unsigned char[1024]);
	struct packed_file f = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			    .e_machine = EM_X86_64,
			    .e_shoff = offsetof(struct packed_file, section),
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 6,
			    .e_shstrndx = 1 },
		.chdr = { .ch_type = ELFCOMPRESS_ZLIB, .ch_size = TEXT_BYTES, .ch_addralign = 1 },
		.strings = "fifteen letters",
	};

	for (size_t i = 0; i < TEXT_BYTES; i++)
		text[i] = (char)(i / 100);
	CHECK(compress(f.packed, &n, (const Bytef *)text, TEXT_BYTES) == Z_OK);
	memcpy(f.names, names, sizeof names);
	strcpy(f.names + sizeof names - 1, other);
	Elf64_Shdr packed = { .sh_name = 11, .sh_type = SHT_PROGBITS, .sh_flags = SHF_COMPRESSED,
			      .sh_offset = offsetof(struct packed_file, chdr), .sh_size = sizeof f.chdr + n };
	f.section[1] = (Elf64_Shdr){ .sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct packed_file, names),
				     .sh_size = sizeof f.names };
	f.section[2] = f.section[4] = f.section[5] = packed;
	f.section[3] = (Elf64_Shdr){ .sh_name = 23, .sh_type = SHT_PROGBITS, .sh_size = sizeof f.strings,
				     .sh_offset = offsetof(struct packed_file, strings) };
	f.section[4].sh_name = 34;
	f.section[5].sh_name = sizeof names - 1;
	return f;
}

static int unpack(const struct packed_file *f, char **ret, size_t *ret_size)
{
	struct elf_image *e = NULL;
	int r = elf_image_open_memory((struct span){ (const char *)f, sizeof *f }, &e, NULL);

	CHECK(r == 0);
	if (r == 0)
		r = elf_debug_unpack(e, false, ret, ret_size);
	elf_image_free(e);
	return r;
}

static void unpacks_what_lines_need(void)
{
	struct packed_file f = make_file(".other");
	struct elf_image *e = NULL;
	struct span got;
	char *bytes = NULL;
	size_t size = 0;

	CHECK(unpack(&f, &bytes, &size) == 0);
	CHECK(elf_image_open_memory((struct span){ bytes, size }, &e, NULL) == 0);
	if (e) {
		CHECK(elf_image_section(e, ".debug_info", &got) == 0 && got.n == TEXT_BYTES &&
		      memcmp(got.p, text, TEXT_BYTES) == 0);
		CHECK(elf_image_section(e, ".debug_str", &got) == 0 && got.n == 16 && strcmp(got.p, "fifteen letters") == 0);
		CHECK(!elf_image_find(e, ".debug_loclists") && !elf_image_find(e, ".debug_line"));
		CHECK(e->header.e_machine == EM_X86_64);
	}
	elf_image_free(e);
	elf_debug_free(bytes, size);
}

static void leaves_others_to_libdw(void)
{
	struct packed_file f = make_file(".debug_addr");
	char *bytes = NULL;
	size_t size = 0;

	CHECK(unpack(&f, &bytes, &size) == -ENOENT);
	f = make_file(".gnu_debugalt");
	f.section[2].sh_flags = 0; /* nothing that is needed is packed */
	CHECK(unpack(&f, &bytes, &size) == -ENOENT);
	CHECK(!bytes && !size);
}

static void refuses_damage(void)
{
	struct packed_file f = make_file(".other");
	char *bytes = NULL;
	size_t size = 0;

	f.packed[40] ^= 0x10;
	CHECK(unpack(&f, &bytes, &size) == -EBADMSG);
	f = make_file(".other");
	f.chdr.ch_size++;
	CHECK(unpack(&f, &bytes, &size) == -EBADMSG);
	f = make_file(".other");
	f.section[2].sh_size = sizeof f.chdr - 1;
	CHECK(unpack(&f, &bytes, &size) == -EBADMSG);
	f = make_file(".other");
	f.section[2].sh_offset = sizeof f - 8;
	CHECK(unpack(&f, &bytes, &size) == -EBADMSG);
	f = make_file(".other");
	f.chdr.ch_size = UINT64_MAX;
	CHECK(unpack(&f, &bytes, &size) == -EFBIG);
	f = make_file(".other");
	f.chdr.ch_type = 77;
	CHECK(unpack(&f, &bytes, &size) == -EBADMSG);
	CHECK(!bytes && !size);
}

int main(void)
{
	unpacks_what_lines_need();
	leaves_others_to_libdw();
	refuses_damage();
	return check_exit();
}
