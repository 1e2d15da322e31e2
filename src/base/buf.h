/* A growable byte buffer that is kept and refilled: after the first rounds it no
 * longer allocates. `data` always has a NUL behind its `n` bytes once non-NULL. */
#ifndef OSPREY_BASE_BUF_H
#define OSPREY_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/span.h"

struct buf {
	char *data;
	size_t n;
	size_t capacity;
};

void buf_deinit(struct buf *b);
static inline void buf_clear(struct buf *b)
{
	b->n = 0;
	if (b->data)
		b->data[0] = '\0';
}

/* Room for `more` further bytes and a NUL. 0 or -ENOMEM (contents kept). */
int buf_reserve(struct buf *b, size_t more) __attribute__((warn_unused_result));
int buf_append(struct buf *b, const void *data, size_t n) __attribute__((warn_unused_result));
int buf_printf(struct buf *b, const char *format, ...)
	__attribute__((warn_unused_result, format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *format, va_list args)
	__attribute__((warn_unused_result, format(printf, 2, 0)));

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->data ? b->data : "", b->n };
}

#endif
