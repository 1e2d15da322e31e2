#include "reflect/problem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Printable, and without the blanks and points that would make it look like something else. */
static bool is_word(const struct place *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!isalnum((unsigned char)p->key[i]) && p->key[i] != '_' && p->key[i] != '-')
			return false;
	return p->n > 0;
}

static int part(const struct place *p, char *to, size_t size)
{
	if (!p->key)
		return snprintf(to, size, "[%zu]", p->n);
	if (is_word(p))
		return snprintf(to, size, ".%.*s", p->n > 60 ? 60 : (int)p->n, p->key);
	char key[64];
	size_t n = 0;
	for (; n < p->n && n < sizeof key - 1; n++)
		key[n] = p->key[n] >= 0x20 && p->key[n] != 0x7f ? p->key[n] : '?';
	return snprintf(to, size, "[\"%.*s\"]", (int)n, key);
}

static size_t depth_of(const struct place *at)
{
	size_t n = 0;

	for (; at && at->outer; at = at->outer)
		n++;
	return n;
}

/* The first levels, and as many of the last as there is room for. */
static void path_write(const struct place *at, char *to, size_t size)
{
	size_t depth = depth_of(at), used = size - 1;
	char one[80];

	to[used] = '\0';
	for (; at && at->outer; at = at->outer, depth--) {
		size_t n = (size_t)part(at, one, sizeof one);
		n = n < sizeof one ? n : sizeof one - 1;
		if (n + 5 > used) {
			used -= 3;
			memcpy(to + used, "...", 3);
			break;
		}
		used -= n;
		memcpy(to + used, one, n);
	}
	to[--used] = '$';
	memmove(to, to + used, size - used);
}

void problem_set(struct rt_problem *ret, const struct place *at, const char *format, ...)
{
	va_list ap;

	if (!ret)
		return;
	*ret = (struct rt_problem){ 0 };
	path_write(at, ret->path, sizeof ret->path);
	va_start(ap, format);
	vsnprintf(ret->reason, sizeof ret->reason, format, ap);
	va_end(ap);
}

void problem_locate(struct rt_problem *ret, const char *text, size_t n, size_t offset)
{
	if (!ret)
		return;
	offset = offset < n ? offset : n;
	ret->offset = offset;
	ret->line = ret->column = 1;
	for (size_t i = 0; i < offset; i++) {
		ret->column++;
		if (text[i] == '\n') {
			ret->line++;
			ret->column = 1;
		}
	}
}
