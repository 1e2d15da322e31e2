/* The entries of .eh_frame and .debug_frame: common (CIE) and for a range of code (FDE). Pure.
 *
 * Sources: DWARF 5 section 6.4.1; Linux Standard Base, "Exception Frames" (augmentation zPLRSB, the zero terminator,
 * ids of 4 bytes also behind an extended length). An entry that is damaged, or whose augmentation is not known and
 * has no length, is passed over; a length that leaves the section ends it. What comes out is never more than the
 * section's size allows: an entry takes 8 bytes at least. */
#ifndef OSPREY_DIG_UNWIND_FRAME_SECTION_H
#define OSPREY_DIG_UNWIND_FRAME_SECTION_H

#include "base/map.h"
#include "base/span.h"
#include "base/vec.h"
#include "dig/unwind/dwarf_bytes.h"

struct frame_section {
	struct span bytes;
	struct dwarf_pointer_base base; /* `section` is set by frame_section_parse */
	bool debug_frame;		/* else .eh_frame */
	/* Where the section ends is known from its header, and the linker's sorted table finds entries: a zero
	 * length in between does not end it. */
	bool searched;
};

struct frame_cie {
	uint64_t code_factor;
	int64_t data_factor;
	uint64_t return_column;
	struct dwarf_bytes program;
	uint8_t pointer_encoding;
	bool augmented; /* FDEs have augmentation data, with a length */
	bool signal_frame;
	bool usable;
};

struct frame_fde {
	uint64_t start, end; /* file's addresses; not empty */
	const uint8_t *program;
	uint32_t program_size;
	uint32_t cie; /* in `cie` */
};

struct frame_entries {
	VEC(struct frame_cie) cie;
	VEC(struct frame_fde) fde; /* in the section's order */
	struct map cie_at;	   /* by offset in the section, plus 1 */
};

void frame_entries_deinit(struct frame_entries *e);
/* Entries that lie outside of [low, high) are left out. -ENOMEM. The section's bytes must outlive *ret. */
int frame_section_parse(struct frame_section *s, uint64_t low, uint64_t high, struct frame_entries *ret)
	__attribute__((warn_unused_result));

#endif
