/* A core file: threads with their registers, mappings, memory. As the kernel, gdb's gcore and `osprey core` write it.
 *
 * Reads the notes NT_PRSTATUS, NT_PRPSINFO, NT_AUXV and NT_FILE (3.7; without it files have no names) and the PT_LOAD
 * segments. Any bytes are taken. Bytes that the dump left out (text of files) come from the files, when these still are
 * the ones that ran: a file whose build-id differs from the one in the dump is not opened. Format: core(5), gABI. */
#ifndef OSPREY_DIG_IMAGE_CORE_DUMP_H
#define OSPREY_DIG_IMAGE_CORE_DUMP_H

#include "base/vec.h"
#include "dig/image/address_space.h"

#define CORE_REGISTERS 27 /* struct user_regs_struct of x86-64, in its order */

struct core_thread {
	int tid;
	int signal; /* that it was about to get; the first thread's ended the process */
	uint64_t registers[CORE_REGISTERS];
};

struct core_dump {
	struct elf_image *elf;
	char *path, *executable; /* `executable` as given; nullable */
	int pid;
	char comm[16];
	uint64_t entry, vdso; /* of the auxiliary vector; 0: not told */
	VEC(struct core_thread) threads; /* in the file's order: the one that crashed first */
	struct memory_map map;		 /* moved into the space by core_dump_space */
	struct address_space *opened;	 /* that space */
	uint64_t missing_bytes; /* of memory, which the headers tell and the file, since it was cut, has not */
	const char *other_file; /* the last that was not opened since it is not the one that ran; NULL: none */
};

/* -EBADMSG: no core file (told apart in the note: an executable, a 32-bit core, cut, compressed); -errno. */
int core_dump_open(const char *path, const char *executable, struct core_dump **ret, struct note *note)
	__attribute__((warn_unused_result));
void core_dump_free(struct core_dump *c);
/* Its address space; to be freed before the core. Once. */
int core_dump_space(struct core_dump *c, struct image_store *s, struct address_space **ret)
	__attribute__((warn_unused_result));
/* Bytes of its memory: all of n, or -EFAULT. */
int core_dump_read(const struct core_dump *c, uint64_t address, void *to, size_t n)
	__attribute__((warn_unused_result));

#endif
