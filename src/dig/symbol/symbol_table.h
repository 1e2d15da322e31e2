/* The functions of an ELF file: symbol tables and PLT stubs, merged, sorted, indexed.
 *
 * Taken: STT_FUNC, STT_GNU_IFUNC, and STT_NOTYPE in sections with code (assembly), but local labels (.L…).
 * Where several cover an
 * address: the one that starts closest before it, then global before weak before local, then the shorter one, then the
 * first of the table: what elfutils chooses. A symbol without size reaches to the next one or the end of its
 * section, and counts only where no symbol with a size covers. PLT stubs are named after the relocation of
 * the slot they jump through.
 *
 * Pure but for elf_image's pread. Any bytes are taken. Cost: ~100 ns a symbol to build, ~50 ns a look-up; 64
 * bytes a symbol. */
#ifndef OSPREY_DIG_SYMBOL_SYMBOL_TABLE_H
#define OSPREY_DIG_SYMBOL_SYMBOL_TABLE_H

#include "dig/image/elf_image.h"
#include "dig/symbol/range_index.h"

struct symbol_entry {
	uint64_t address; /* the file's own */
	/* as the table has it, perhaps with an "@VERSION"; in the image it came from, or in `stubs` */
	const char *name;
	uint32_t size;	  /* 0: not known */
	uint32_t order;	  /* in which it was added */
	uint8_t binding;  /* rank: 3 global, 2 weak, 1 local */
	bool stub;	  /* of the PLT: "@plt" goes behind the name, which is that of the function it leads to */
	bool indirect;	  /* STT_GNU_IFUNC: the resolver */
};

struct symbol_table {
	VEC(struct symbol_entry) entry;
	struct range_index index;
};

void symbol_table_deinit(struct symbol_table *t);
/* Adds those of one section (".symtab" or ".dynsym", with the strings its sh_link names). -ENOENT: the file
 * has none; -EBADMSG, -EFBIG, -ENOMEM. The image must outlive the table. */
int symbol_table_add(struct symbol_table *t, struct elf_image *e, const char *section)
	__attribute__((warn_unused_result));
/* Adds the stubs of .plt, .plt.sec and .plt.got (x86-64). Having none is fine. -ENOMEM. */
int symbol_table_add_stubs(struct symbol_table *t, struct elf_image *e) __attribute__((warn_unused_result));
/* After all have been added, before the first look-up. `e`: whose sections bound the symbols without size. */
int symbol_table_finish(struct symbol_table *t, const struct elf_image *e) __attribute__((warn_unused_result));
/* NULL: none covers it. */
const struct symbol_entry *symbol_table_find(const struct symbol_table *t, uint64_t address);
/* By name, the version cut off, global ones first; NULL: none. Linear. */
const struct symbol_entry *symbol_table_named(const struct symbol_table *t, struct span name);
/* The name without "@VERSION". */
struct span symbol_entry_name(const struct symbol_entry *s);

/* The value of any symbol (data, too) in the section's table; -ENOENT. Linear. */
int symbol_section_value(struct elf_image *e, const char *section, struct span name, uint64_t *ret_address,
			 uint64_t *ret_size) __attribute__((warn_unused_result));
/* The other way: the variable (STT_OBJECT) of the section's table that covers an address, global ones first. The name lives as long
 * as the image. -ENOENT. Linear. */
int symbol_section_variable(struct elf_image *e, const char *section, uint64_t address, const char **ret_name,
			    uint64_t *ret_offset) __attribute__((warn_unused_result));

#endif
