/* How to find the caller from each address of a file: .eh_frame and .debug_frame as sorted compact rows.
 *
 * The call frame programs of DWARF are run once, for all addresses; what comes out is a row for each range with one
 * rule, and few rules, since most functions are alike. A row is found by binary search in tens of ns, where running
 * the program costs microseconds. The rows go into BPF maps as they are (dig/profile).
 *
 * Sources: DWARF 5 section 6.4, the Linux Standard Base (.eh_frame), the psABI of x86-64 (register numbers, PLT
 * expressions). x86-64 alone. Any bytes are taken: a hostile section gives no rows or wrong ones, within bounds, and no
 * more of them than its size allows. */
#ifndef OSPREY_DIG_UNWIND_UNWIND_TABLE_H
#define OSPREY_DIG_UNWIND_UNWIND_TABLE_H

#include "base/span.h"
#include "dig/image/address_space.h"

#define UNWIND_REGISTERS 17 /* DWARF numbers: rax rdx rcx rbx rsi rdi rbp rsp r8…r15, return address */
enum { UNWIND_RBX = 3, UNWIND_RBP = 6, UNWIND_RSP = 7, UNWIND_RIP = 16 };

enum unwind_cfa {
	UNWIND_CFA_NONE,       /* no rule: the walk ends, this code is not described */
	UNWIND_CFA_REGISTER,   /* register + offset */
	UNWIND_CFA_PLT,	       /* rsp + 8 + ((rip & 15) >= offset) * 8: what linkers write for .plt */
	UNWIND_CFA_DEREF,      /* *(register + offset): a frame that was realigned */
	UNWIND_CFA_EXPRESSION, /* offset: of the DWARF expression in the table's `expressions` */
};

enum unwind_how {
	UNWIND_SAME,	       /* the caller's value is the one now in the register */
	UNWIND_UNDEFINED,      /* lost; of the return address: there is no caller */
	UNWIND_AT_CFA,	       /* at memory CFA + offset */
	UNWIND_CFA_PLUS,       /* is CFA + offset */
	UNWIND_REGISTER,       /* is in register `offset` */
	UNWIND_AT_EXPRESSION,  /* at memory that the expression gives */
	UNWIND_IS_EXPRESSION,  /* is what the expression gives */
};

struct unwind_rule {
	int32_t cfa_offset;
	uint8_t cfa;	      /* enum unwind_cfa */
	uint8_t cfa_register; /* DWARF number */
	uint8_t signal_frame; /* the caller's pc is that of an instruction, not behind a call */
	uint8_t how[UNWIND_REGISTERS];
	int32_t offset[UNWIND_REGISTERS];
};

/* From `pc` on (file's address minus the table's base), up to the next row, the rule holds. */
struct unwind_row {
	uint32_t pc;
	uint32_t rule; /* UINT32_MAX: not described */
};

struct unwind_table {
	uint64_t base; /* the file's lowest address with code */
	const struct unwind_row *row;
	size_t nrows;
	const struct unwind_rule *rule;
	size_t nrules;
	struct span expressions; /* each: a ULEB128 length and its bytes */
	void *storage;		 /* all of the above, in this order without gaps */
	size_t storage_size;
};

struct frame_section;
/* Pure: of sections that were read, either NULL; code lies in [low, high) of the file's addresses. Where both speak,
 * .eh_frame is believed. Of FDEs that overlap, as libdwfl has it: with the linker's table (`searched`) the one that
 * starts last, up to the next; else the one that stands first in the section. -ENOENT: nothing is described. */
int unwind_table_of_sections(struct frame_section *eh_frame, struct frame_section *debug_frame, uint64_t low,
			     uint64_t high, struct unwind_table **ret) __attribute__((warn_unused_result));
/* An empty one with room for so much; the arrays are set, and writable by the caller through `storage`. -ENOMEM. */
int unwind_table_new(size_t nrows, size_t nrules, size_t expressions_size, struct unwind_table **ret)
	__attribute__((warn_unused_result));

/* Works it out. Without section headers .eh_frame is found by PT_GNU_EH_FRAME. -ENOENT: the file has neither section;
 * -EBADMSG, -EFBIG (code over 4 GiB), -ENOMEM. Cost: 0.1 us a row, libc's 30 000 in ~3 ms; many times that while the
 * machine is short of CPU. */
int unwind_table_build(struct elf_image *e, struct unwind_table **ret) __attribute__((warn_unused_result));
void unwind_table_free(struct unwind_table *t);
/* NULL: not described. */
const struct unwind_rule *unwind_table_find(const struct unwind_table *t, uint64_t address);
/* The row that covers the address; UNWIND_NO_ROW: it lies before the first. */
#define UNWIND_NO_ROW SIZE_MAX
size_t unwind_table_row(const struct unwind_table *t, uint64_t address);

/* The table of an image, made when first asked for: from the cache (unwind_cache.h), else built and, when it has a
 * build-id and took long enough to be worth it, kept there. NULL: it has none. */
const struct unwind_table *image_unwind_table(struct image *i);

#endif
