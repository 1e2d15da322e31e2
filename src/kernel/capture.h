/* The capture file: a machine written down. docs/capture-format.md is its
 * specification. Used by host.c alone. */
#ifndef OSPREY_KERNEL_CAPTURE_H
#define OSPREY_KERNEL_CAPTURE_H

#include "kernel/host.h"

struct capture_writer;
struct capture_reader;

int capture_writer_new(const char *path, struct capture_writer **ret, struct note *note)
	__attribute__((warn_unused_result));
/* Errors while writing are kept and told by capture_writer_end. */
void capture_write_tick(struct capture_writer *w, struct host_time at);
void capture_write(struct capture_writer *w, const char *key, int result, struct span bytes);
/* Flushes, closes, frees. The first error of all writes. */
int capture_writer_end(struct capture_writer *w) __attribute__((warn_unused_result));

int capture_reader_new(const char *path, struct capture_reader **ret, struct note *note)
	__attribute__((warn_unused_result));
/* The same from decompressed text; for tests and fuzzing. Takes `text` over. */
int capture_reader_from_text(struct buf *text, struct capture_reader **ret, struct note *note)
	__attribute__((warn_unused_result));
void capture_reader_free(struct capture_reader *r);
struct host_time capture_time(const struct capture_reader *r);
/* -ENODATA at the end. */
int capture_next(struct capture_reader *r) __attribute__((warn_unused_result));
bool capture_at_end(const struct capture_reader *r);
/* What was said under `key` in the current tick, in the order of asking; the last answer stays.
 * -ENOENT when it was not asked. */
int capture_get(struct capture_reader *r, const char *key, struct span *ret)
	__attribute__((warn_unused_result));

#endif
