#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void buf_deinit(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t need;

	if (__builtin_add_overflow(b->n, more, &need) || __builtin_add_overflow(need, 1, &need))
		return -ENOMEM;
	if (need <= b->capacity)
		return 0;
	size_t capacity = b->capacity ? b->capacity : 256;
	while (capacity < need)
		if (__builtin_mul_overflow(capacity, 2, &capacity))
			return -ENOMEM;
	char *data = realloc(b->data, capacity);
	if (!data)
		return -ENOMEM;
	data[b->n] = '\0';
	b->data = data;
	b->capacity = capacity;
	return 0;
}

int buf_append(struct buf *b, const void *data, size_t n)
{
	int r = buf_reserve(b, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(b->data + b->n, data, n);
	b->n += n;
	b->data[b->n] = '\0';
	return 0;
}

int buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list again;
	int r = buf_reserve(b, 64);

	if (r < 0)
		return r;
	va_copy(again, args);
	int n = vsnprintf(b->data + b->n, b->capacity - b->n, format, args);
	if (n >= 0 && (size_t)n >= b->capacity - b->n) {
		b->data[b->n] = '\0';
		r = buf_reserve(b, (size_t)n);
		if (r == 0)
			n = vsnprintf(b->data + b->n, b->capacity - b->n, format, again);
	}
	va_end(again);
	if (r < 0)
		return r;
	if (n < 0)
		return -EINVAL;
	b->n += (size_t)n;
	return 0;
}

int buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int r = buf_vprintf(b, format, args);
	va_end(args);
	return r;
}
