/* An ELF file (64-bit, little endian) read piece by piece, every offset checked.
 *
 * Headers are read when it is opened; sections when they are asked for, by pread: a file that is cut while it is
 * read ends in -EBADMSG, not in SIGBUS as a mapped one would. Compressed sections (SHF_COMPRESSED, zlib and zstd) are
 * unpacked. Any bytes are taken: hostile files end in -EBADMSG or in sections that are missing. Threads: one. */
#ifndef OSPREY_DIG_IMAGE_ELF_IMAGE_H
#define OSPREY_DIG_IMAGE_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>

#include "base/note.h"
#include "base/span.h"

#define BUILD_ID_MAX 32
#define ELF_IMAGE_SECTION_MAX (1u << 30) /* bytes of a section that is read; larger: -EFBIG */
#define ELF_IMAGE_UNPACKED_MAX (256u << 20) /* of one that is compressed: a few bytes may claim much */

struct elf_section {
	Elf64_Shdr header;
	const char *name;    /* in the image */
	char *data;	     /* NULL until asked for; in the image */
	size_t size;	     /* of data */
};

struct elf_image {
	int fd; /* -1: in memory */
	struct span memory;
	uint64_t file_size;
	Elf64_Ehdr header;
	Elf64_Phdr *segment;
	size_t nsegments;
	struct elf_section *section; /* none when the file has been cut or its headers are stripped */
	size_t nsections;
	char *names;
	unsigned char build_id[BUILD_ID_MAX]; /* of NT_GNU_BUILD_ID */
	size_t build_id_size;		      /* 0: it has none */
	uint64_t device, inode, changed_ns;   /* of the file; 0 in memory */
};

/* Takes `fd` over, on failure too. -EBADMSG: no such ELF file; -errno of pread; -ENOMEM. */
int elf_image_open_fd(int fd, struct elf_image **ret, struct note *note) __attribute__((warn_unused_result));
int elf_image_open(const char *path, struct elf_image **ret, struct note *note) __attribute__((warn_unused_result));
/* A file that may be anything (a path that a core file or another process names): a regular file's descriptor, or
 * -errno; -EBADMSG: it is none, and was not opened as what it is. */
int open_regular(const char *path) __attribute__((warn_unused_result));
/* Bytes that stay the caller's, and stay (a vDSO that was copied). */
int elf_image_open_memory(struct span bytes, struct elf_image **ret, struct note *note)
	__attribute__((warn_unused_result));
void elf_image_free(struct elf_image *e);

/* The section of that name, read; the span lives as long as the image. -ENOENT: none, or it has no bytes in the file
 * (NOBITS); -EBADMSG, -EFBIG, -ENOMEM. */
int elf_image_section(struct elf_image *e, const char *name, struct span *ret) __attribute__((warn_unused_result));
/* Its header; NULL: there is none. */
const struct elf_section *elf_image_find(const struct elf_image *e, const char *name);
/* The i-th section's bytes. */
int elf_image_section_at(struct elf_image *e, size_t i, struct span *ret) __attribute__((warn_unused_result));
/* Bytes at a file offset, n of them: 0 or -EBADMSG. */
int elf_image_read(const struct elf_image *e, uint64_t offset, void *to, size_t n) __attribute__((warn_unused_result));
/* The file's own address (as symbols count) of a file offset, by its PT_LOAD segments. -ENOENT: in none. */
int elf_image_address_of(const struct elf_image *e, uint64_t offset, uint64_t *ret) __attribute__((warn_unused_result));
/* Lower-case hexadecimal, "" without: 2 * BUILD_ID_MAX + 1 bytes. */
void elf_image_build_id_text(const struct elf_image *e, char *ret);

struct elf_note {
	uint32_t type;
	struct span name, desc; /* the name without its NUL */
};
/* Takes the next note off the front of a note section or segment; `align`: 4, or 8 where the header says so. False:
 * there is none, or it is cut. */
bool elf_note_next(struct span *notes, size_t align, struct elf_note *ret);

#endif
