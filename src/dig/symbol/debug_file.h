/* Where the symbols and lines of a stripped file lie: separate debug files, .gnu_debugdata.
 *
 * Looked for in the target's own root first (/proc/PID/root, links resolved within it), then in ours:
 * .build-id/xx/….debug in /usr/lib/debug, whose build-id must be the file's; then what .gnu_debuglink names,
 * beside the file, in .debug/ beside it and under /usr/lib/debug, whose CRC-32 must be the one in the link
 * (or build-ids be equal). A file that is none of these is passed over.
 *
 * Sources: GDB manual, "Debugging Information in Separate Files", "MiniDebugInfo". */
#ifndef OSPREY_DIG_SYMBOL_DEBUG_FILE_H
#define OSPREY_DIG_SYMBOL_DEBUG_FILE_H

#include "base/buf.h"
#include "dig/image/address_space.h"

#define MINI_DEBUG_MAX (256u << 20) /* bytes unpacked */

/* -ENOENT: there is none; -ENOMEM. */
int debug_file_open(const struct image *i, struct elf_image **ret) __attribute__((warn_unused_result));
/* Pure: the name (never with a '/') and the CRC of a .gnu_debuglink section. -EBADMSG. */
int debug_link_parse(struct span section, const char **ret_name, uint32_t *ret_crc)
	__attribute__((warn_unused_result));
/* Unpacks .gnu_debugdata; the bytes must outlive the image. -ENOENT: the file has none; -EBADMSG, -EFBIG, -ENOMEM. */
int mini_debug_open(struct elf_image *e, struct buf *ret_bytes, struct elf_image **ret)
	__attribute__((warn_unused_result));
/* Pure: xz bytes, unpacked. -EBADMSG, -EFBIG, -ENOMEM. */
int xz_unpack(struct span packed, struct buf *ret) __attribute__((warn_unused_result));

#endif
