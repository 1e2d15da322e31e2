/* Where commands print. stdout is the answer, stderr the talk. */
#ifndef OSPREY_CMD_OUTPUT_H
#define OSPREY_CMD_OUTPUT_H

#include "base/buf.h"
#include "report/page.h"

/* Writes all of it to stdout. EXIT_FINE, or EXIT_UNABLE after telling why on stderr; a
 * reader that has gone away (EPIPE) is told nothing. `error` below 0 (out of memory while
 * the text was made) is told in place of writing. */
int output_write(struct span text, int error);

/* "osprey: …" and a newline, on stderr. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How a page for stdout shall look: its width, colour, character set. `no_color` asks for none. */
struct page_style output_style(bool no_color);

/* The same for tables, whose lines are as long as they are where no terminal has an edge ($COLUMNS
 * makes one). */
struct page_style output_table_style(bool no_color);

/* For what is written to stderr in the shape of an answer, since stdout is somebody else's. */
struct page_style output_talk_style(bool no_color);
/* Writes all of it to `fd`. 0 or -errno. */
int output_write_fd(int fd, struct span text) __attribute__((warn_unused_result));

/* Writes all of it to a file, made or emptied. EXIT_FINE, or EXIT_UNABLE after telling why ("osprey: COMMAND: cannot write …"). */
int output_write_file(const char *command, const char *path, struct span text);

/* Whether stdout is a terminal on which a look can be written over the one before. */
bool output_in_place(void);

/* Through $PAGER (default: less); where there is none, as output_write. */
int output_page(struct span text);

/* Same for stderr, for progress lines: false when nobody watches. */
bool output_watched(struct page_style *ret);
/* A progress line in place of the one before, cut to the terminal; "": none any more. Nothing when nobody watches. */
void output_progress(const char *line);

#endif
