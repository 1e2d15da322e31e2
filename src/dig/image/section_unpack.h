/* What SHF_COMPRESSED packs, zlib or zstd, to memory of h->ch_size bytes. 0; -EBADMSG: damaged, or packed otherwise; -EFBIG: more
 * than ELF_IMAGE_UNPACKED_MAX; -ENOMEM. */
#ifndef OSPREY_DIG_IMAGE_SECTION_UNPACK_H
#define OSPREY_DIG_IMAGE_SECTION_UNPACK_H

#include <elf.h>
#include <stddef.h>

/* Whether `n` packed bytes can be what they claim: asked before memory is. 0, -EBADMSG or -EFBIG. */
int section_unpackable(const Elf64_Chdr *h, size_t n) __attribute__((warn_unused_result));
int section_unpack(const Elf64_Chdr *h, const char *from, size_t n, char *to) __attribute__((warn_unused_result));

#endif
