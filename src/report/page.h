/* A page of text for people: wrapped to a width, perhaps in colour, safe to print.
 *
 * All that reaches a terminal passes through here, so here is the one place where text from
 * the host is made harmless: control characters (C0, DEL, C1), bidirectional overrides and bytes
 * that are no UTF-8 are shown as escapes (\n, \x1b, \u{202e}); without a UTF-8 locale all
 * else beyond ASCII too, but for a few signs that have an ASCII form. */
#ifndef OSPREY_REPORT_PAGE_H
#define OSPREY_REPORT_PAGE_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/buf.h"

enum page_tone { TONE_PLAIN, TONE_STRONG, TONE_DIM, TONE_RED, TONE_YELLOW, TONE_GREEN, TONE_CYAN, TONE_COUNT };

/* Escape sequences of the user's own colours; "": the usual one. */
struct page_palette {
	char code[TONE_COUNT][40];
};

struct page_style {
	unsigned width; /* columns; lines are wrapped to it where they can be */
	bool color, unicode;
	unsigned rows; /* of the terminal; 0: it is none, or not known */
	const struct page_palette *palette; /* nullable */
};

struct page {
	struct buf *out;
	struct page_style style;
	int error; /* the first; -ENOMEM */
	unsigned column;
	enum page_tone tone;
	bool parted; /* what was put last ends in a blank */
};

#define PAGE_MAX_PROSE 100 /* columns a paragraph takes at most */

/* Appends `s` made safe. Never a newline or an escape sequence comes out of it. */
int text_safe(struct span s, bool unicode, struct buf *ret) __attribute__((warn_unused_result));

/* Columns it takes once it is safe. */
unsigned text_columns(struct span s, bool unicode);

void page_tone(struct page *p, enum page_tone tone);
/* Text as it is (made safe), without wrapping. */
void page_put(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_put_span(struct page *p, struct span s);
/* Text that text_safe has made, of so many columns. */
void page_put_safe(struct page *p, struct span safe, unsigned columns);
void page_newline(struct page *p);
/* Blanks up to column `to`. */
void page_indent(struct page *p, unsigned to);
/* A line of its own in strong letters, an empty one above. */
void page_heading(struct page *p, const char *text);
/* The dim name at the front of a row: what follows stands at column `hang`. */
void page_row_name(struct page *p, unsigned hang, const char *name);
/* A row whole. */
#define PAGE_ROW(p, hang, name, ...)               \
	do {                                       \
		page_row_name(p, hang, name);      \
		page_wrap(p, hang, __VA_ARGS__);   \
		page_newline(p);                   \
	} while (0)
/* Text wrapped between words; lines after the first start at column `hang`. It goes on where the
 * page stands; a word longer than a line is left whole. */
void page_wrap(struct page *p, unsigned hang, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void page_wrap_args(struct page *p, unsigned hang, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));
void page_wrap_span(struct page *p, unsigned hang, struct span s);
/* Makes ready for a word of so many columns: a blank, or a new line that starts at `hang`. */
void page_room(struct page *p, unsigned hang, unsigned columns, bool glue);
/* One word of a wrapped text: goes to the next line when it does not fit. `glue`: stands
 * directly behind what was put before. */
void page_word(struct page *p, unsigned hang, struct span word, bool glue);

#endif
