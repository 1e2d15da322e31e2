/* All that is known of the names in one file, made when first asked for and kept in its image: the merged table of
 * functions, the debug files it came from, and its lines. Within dig/symbol; others use symbol.h. */
#ifndef OSPREY_DIG_SYMBOL_IMAGE_SYMBOLS_H
#define OSPREY_DIG_SYMBOL_IMAGE_SYMBOLS_H

#include "dig/go/go_image.h"
#include "dig/image/address_space.h"
#include "dig/symbol/lines.h"
#include "dig/symbol/symbol_table.h"

struct image_symbols {
	uint64_t serial; /* no other has it, also after this one is gone: caches are keyed by it */
	bool tables_read; /* of what follows */
	struct symbol_table table;
	struct elf_image *debug; /* the separate debug file; NULL */
	struct elf_image *mini;	 /* .gnu_debugdata; NULL */
	struct buf mini_bytes;
	struct lines *lines; /* NULL: not asked yet, or none */
	bool lines_tried;
	struct go_image *go; /* NULL: not asked yet, or no Go program */
	bool go_tried;
};

/* NULL in *ret: the image has no file. -ENOMEM. A damaged file gives an empty table. */
int image_symbols_of(struct image *i, struct image_symbols **ret) __attribute__((warn_unused_result));
/* NULL in *ret: it has no DWARF. -ENOMEM. */
int image_lines_of(struct image *i, struct image_symbols *s, struct lines **ret) __attribute__((warn_unused_result));
/* NULL in *ret: no Go program. -ENOMEM. Does not read the tables of what is none. */
int image_go_of(struct image *i, struct go_image **ret) __attribute__((warn_unused_result));

#endif
