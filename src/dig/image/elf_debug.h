/* The debugging sections of a file as a file in memory, unpacked.
 *
 * libdw unpacks all that a file has, into small pages: of libc's debug file 10 MB, of which lines need 8.5 (not the places of
 * variables, not the index of addresses). What comes out is an ELF file with the sections that lines and functions are read
 * from, those of `places` where they are asked for, and nothing else. */
#ifndef OSPREY_DIG_IMAGE_ELF_DEBUG_H
#define OSPREY_DIG_IMAGE_ELF_DEBUG_H

#include "dig/image/elf_image.h"

/* Bytes for elf_debug_free. -ENOENT: nothing is packed, or it refers to other files (split units, dwz), which only
 * libdw's own look at the file finds; -EFBIG: libdw may have more memory for it; -EBADMSG, -ENOMEM. */
int elf_debug_unpack(const struct elf_image *e, bool places, char **ret, size_t *ret_size) __attribute__((warn_unused_result));
void elf_debug_free(char *bytes, size_t size); /* NULL is fine */

#endif
