/* Which function of a file an instruction is in, by the file's own symbol tables.
 *
 * Reads the ELF file (libelf): program headers, .symtab or else .dynsym, and where both are silent
 * the separate debug file that Debian's -dbgsym packages put below /usr/lib/debug/.build-id.
 * Privilege: read permission on the file. Cost: the symbol table is read once for each question: some
 * ms for a large library. All of the answer is text under the key "elf_symbol:IP:BASE:SIZE:OFFSET:PATH",
 * numbers in hexadecimal, so that captures replay it. */
#ifndef OSPREY_SOURCE_PROCESS_ELF_SYMBOL_H
#define OSPREY_SOURCE_PROCESS_ELF_SYMBOL_H

#include "base/note.h"
#include "base/reading.h"
#include "kernel/host.h"

#define ELF_SYMBOL_CODE 64

/* An instruction at `ip` within a mapping of the file. */
struct elf_place {
	uint64_t ip, base, size;
	reading file_offset; /* of the instruction in the file; absent: it follows from the segment that has
			      * the mapping's size, or is the only one with code */
};

struct elf_symbol {
	char name[160];	   /* as the table has it (C++ is mangled); "": no symbol covers it */
	uint64_t offset;   /* of the instruction in the function */
	bool has_symtab;   /* false: the file is stripped, only exported functions have names */
	bool debug_file;   /* the name came from the separate debug file */
	uint64_t address;  /* of the instruction as the file's own addresses count */
	uint64_t changed_real_ns; /* when the file was last changed */
	/* Bytes of the file around the instruction, code[code_ip] the first of its own. */
	unsigned char code[ELF_SYMBOL_CODE];
	size_t code_length, code_ip;
};

/* 0; -ENOENT, -EACCES: no such file; -EBADMSG: no ELF file of this machine's word size; -ESRCH: no part
 * of the file with code can have been the mapping, so it is not the file that ran. -ETIMEDOUT: its file system does not answer. -ENOMEM. */
int elf_symbol_find(struct host *h, const char *path, const struct elf_place *place, struct elf_symbol *ret)
	__attribute__((warn_unused_result));
/* The answer's text. Pure. */
int elf_symbol_parse(struct span text, struct elf_symbol *ret) __attribute__((warn_unused_result));

#endif
