/* A full screen on a terminal: lines of coloured text, keys, the mouse; by ncurses.
 *
 * Lines are composed whole and drawn whole; one that is as it was is not handed to ncurses
 * again, and ncurses sends what differs. All text from the host is made safe on its way in.
 *
 * The terminal is put back by screen_close, at exit, and when a deadly signal comes. One
 * screen a process. */
#ifndef OSPREY_CMD_SCREEN_H
#define OSPREY_CMD_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/note.h"
#include "base/vec.h"
#include "report/page.h"

/* A page_tone, and perhaps one of these. */
enum { TONE_SELECTED = 16, TONE_BAR = 32 /* headers and footers */, TONE_KEY = 64 };

struct screen {
	int rows, columns;
	bool color, unicode, mouse;
	VEC(uint64_t) shown; /* hash of each line as drawn; 0: unknown */
};

/* Why there can be none: -ENOTTY (no terminal), -EINVAL (TERM is dumb, unset), -ENOENT (TERM is
 * unknown, and no description that is near); the note says it for people. */
int screen_open(bool no_color, struct screen *ret, struct note *note) __attribute__((warn_unused_result));
void screen_close(struct screen *s);
/* All lines are to be drawn again: something that lay over them is gone. */
void screen_forget(struct screen *s);
/* The same, and the terminal is cleared: after a change of size, or when something else has written to the terminal. */
void screen_renew(struct screen *s);
/* Sends what was drawn. The cursor is shown at (row, column), or nowhere when row < 0. */
void screen_show(struct screen *s, int row, int column);

/* ---- lines ---- */

struct screen_line {
	const struct screen *screen;
	struct buf text;
	int column, width; /* it is cut at its width */
	struct screen_run {
		size_t at;
		unsigned tone;
	} runs[96];
	size_t nruns;
	bool failed; /* without memory */
};

void line_deinit(struct screen_line *l);
void line_start(struct screen_line *l, const struct screen *s, unsigned tone);
void line_tone(struct screen_line *l, unsigned tone);
void line_put(struct screen_line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text of the host, made safe; at most `columns`, beginning `skip` columns into it. */
void line_put_span(struct screen_line *l, struct span text, int columns, int skip);
void line_repeat(struct screen_line *l, const char *sign, int times);
/* Blanks up to `column`; what stands behind it already stays. */
void line_to(struct screen_line *l, int column);
/* Draws it as the row, or a part of it from `column` on. */
void line_draw(struct screen_line *l, struct screen *s, int row, int column);

/* A bar of `width` columns, filled by parts: shares of 0 to 1, each in its tone. */
struct bar_part {
	double share;
	unsigned tone;
};
void line_bar(struct screen_line *l, int width, const struct bar_part *parts, size_t n);

/* ---- keys ---- */

enum screen_key {
	KEY_NONE_YET = -1, /* nothing came in time */
	KEY_CLOSED = -2,   /* the terminal is gone */
	/* Above all characters. */
	KEY_BASE = 0x200000,
	KEY_GO_UP, KEY_GO_DOWN, KEY_GO_LEFT, KEY_GO_RIGHT, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_TO_START, KEY_TO_END,
	KEY_ERASE, KEY_DELETE_NEXT, KEY_BACK_TAB, KEY_RESIZED, KEY_CLICK, KEY_DOUBLE_CLICK, KEY_WHEEL_UP, KEY_WHEEL_DOWN,
	KEY_FUNCTION, /* + its number */
	KEY_FUNCTION_LAST = KEY_FUNCTION + 24,
	KEY_UNKNOWN,
};
#define KEY_ESCAPE_CHARACTER 27
#define KEY_RETURN '\r'

struct screen_event {
	int key; /* a byte, or an enum screen_key */
	int row, column; /* of the mouse */
};

/* Waits until a key comes, a signal, or `mono_ns`. */
struct screen_event screen_wait(struct screen *s, uint64_t mono_ns);

#endif
