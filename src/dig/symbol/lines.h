/* Source lines and inlined calls, from the DWARF of a file, by libdw.
 *
 * When it is opened the ranges of all units are read; the functions of a unit when an address in it is first
 * asked for, into an index, so that later questions are two binary searches and libdw's own for the line.
 * Units without .debug_aranges (clang) are like others. Split units (.dwo) are followed where their file is a
 * regular one.
 *
 * libdw is told to come back to us when memory runs out, but some of its own allocations (0.188: the table of
 * abbreviations) are not checked.
 *
 * DWARF of a target is hostile: libdw checks its bounds, the walk of a unit is bounded by the size of .debug_info and
 * LINES_DEPTH_MAX, and what libdw cannot make sense of is not known. Cost: ~1 us a question; a unit's first ~1 ms. */
#ifndef OSPREY_DIG_SYMBOL_LINES_H
#define OSPREY_DIG_SYMBOL_LINES_H

#include "dig/image/elf_image.h"

#define LINES_DEPTH_MAX 64 /* of calls that are inlined into one another */

struct line_frame {
	const char *function; /* linkage name, else plain; NULL: not known. Lives as long as `lines` */
	const char *file;     /* NULL: not known */
	unsigned line;	      /* 0: not known */
	bool inlined;
	uint64_t start; /* of the function, the file's own address; 0: not known, or inlined */
};

struct lines;
/* The image must outlive it. `places`: those of variables are wanted too (prototype.h). -ENOENT: it has no DWARF (or is no file); -EBADMSG; -ENOMEM. */
int lines_open(struct elf_image *e, bool places, struct lines **ret) __attribute__((warn_unused_result));
void lines_close(struct lines *l);
/* Innermost first; the number, 0: not covered. -ENOMEM (libdw then is left alone for good). */
int lines_find(struct lines *l, uint64_t address, struct line_frame *ret, size_t max, size_t *ret_n)
	__attribute__((warn_unused_result));

#endif
