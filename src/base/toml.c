#include "base/toml.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/vec.h"

#define MAX_ITEMS 4096 /* values of a file: what a person writes is far below */

struct text_piece {
	struct text_piece *next;
	char text[];
};

struct array_piece {
	struct array_piece *next;
	struct toml_value items[];
};

/* What callers see, and behind it what it owns. */
struct toml_owned {
	struct toml public;
	VEC(struct toml_entry) entries;
	struct text_piece *texts;
	struct array_piece *arrays;
	size_t values;
};

struct parser {
	struct toml_owned *toml;
	struct span rest;
	unsigned line;
	const char *table;
	struct note *note;
	struct buf text;
};

#define WRONG(p, ...) wrong(p, __VA_ARGS__)

static int wrong(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct parser *p, const char *format, ...)
{
	char what[160];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return note_set(p->note, -EINVAL, "line %u: %s", p->line, what);
}

static char peek(const struct parser *p)
{
	return p->rest.n ? p->rest.p[0] : '\0';
}

static void skip(struct parser *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p->line += p->rest.p[i] == '\n';
	p->rest.p += n;
	p->rest.n -= n;
}

static bool take(struct parser *p, char c)
{
	if (p->rest.n == 0 || p->rest.p[0] != c)
		return false;
	skip(p, 1);
	return true;
}

static void skip_blanks(struct parser *p)
{
	while (p->rest.n && (peek(p) == ' ' || peek(p) == '\t'))
		skip(p, 1);
}

static void skip_comment(struct parser *p)
{
	if (peek(p) == '#')
		while (p->rest.n && peek(p) != '\n')
			skip(p, 1);
}

/* Blanks, comments and ends of lines. */
static void skip_space(struct parser *p)
{
	for (;;) {
		skip_blanks(p);
		skip_comment(p);
		if (p->rest.n && (peek(p) == '\n' || peek(p) == '\r'))
			skip(p, 1);
		else
			return;
	}
}

static const char *keep_text(struct parser *p)
{
	struct text_piece *piece = malloc(sizeof *piece + p->text.n + 1);

	if (!piece)
		return NULL;
	memcpy(piece->text, p->text.n ? p->text.data : "", p->text.n);
	piece->text[p->text.n] = '\0';
	piece->next = p->toml->texts;
	p->toml->texts = piece;
	return piece->text;
}

static int put_utf8(struct parser *p, uint32_t c)
{
	char out[4];
	size_t n;

	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return WRONG(p, "an escape names no character");
	if (c < 0x80) {
		out[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		out[0] = (char)(0xf0 | c >> 18);
		out[1] = (char)(0x80 | (c >> 12 & 0x3f));
		out[2] = (char)(0x80 | (c >> 6 & 0x3f));
		out[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	return buf_append(&p->text, out, n);
}

static int unescape(struct parser *p)
{
	static const char signs[] = "btnfre\"\\", means[] = "\b\t\n\f\r\033\"\\";
	char c = peek(p);
	const char *at = c ? strchr(signs, c) : NULL;
	uint64_t number;

	if (c == 'u' || c == 'U') {
		size_t digits = c == 'u' ? 4 : 8;

		skip(p, 1);
		if (p->rest.n < digits || !span_hex((struct span){ p->rest.p, digits }, &number) || p->rest.p[1] == 'x')
			return WRONG(p, "an escape lacks its digits");
		skip(p, digits);
		return put_utf8(p, (uint32_t)number);
	}
	if (!at)
		return WRONG(p, "unknown escape '\\%c'", c >= ' ' && c < 0x7f ? c : '?');
	skip(p, 1);
	return buf_append(&p->text, &means[at - signs], 1);
}

/* Into p->text. */
static int parse_quoted(struct parser *p)
{
	char quote = peek(p);
	int r = 0;

	skip(p, 1);
	if (p->rest.n > 1 && p->rest.p[0] == quote && p->rest.p[1] == quote)
		return WRONG(p, "strings of several lines are not taken here");
	buf_clear(&p->text);
	while (r == 0) {
		char c = peek(p);

		if (p->rest.n == 0 || c == '\n')
			return WRONG(p, "a string does not end");
		if (c == '\0' || (c > 0 && c < ' ' && c != '\t') || c == 0x7f)
			return WRONG(p, "a string holds a control character");
		if (take(p, quote))
			return 0;
		skip(p, 1);
		r = quote == '"' && c == '\\' ? unescape(p) : buf_append(&p->text, &c, 1);
	}
	return r;
}

static bool bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* One part of a key, appended to `ret`. */
static int parse_key_part(struct parser *p, struct buf *ret)
{
	size_t n = 0;
	int r;

	skip_blanks(p);
	if (peek(p) == '"' || peek(p) == '\'') {
		r = parse_quoted(p);
		return r < 0 ? r : buf_append(ret, p->text.n ? p->text.data : "", p->text.n);
	}
	while (n < p->rest.n && bare(p->rest.p[n]))
		n++;
	if (n == 0)
		return WRONG(p, "a key is missing");
	r = buf_append(ret, p->rest.p, n);
	skip(p, n);
	return r;
}

/* "a.b.c": what stands before the last dot goes to the table. */
static int parse_key(struct parser *p, const char **ret_prefix, const char **ret_key)
{
	struct buf prefix = { 0 }, part = { 0 };
	int r = parse_key_part(p, &part);

	for (skip_blanks(p); r == 0 && take(p, '.'); skip_blanks(p)) {
		if (prefix.n)
			r = buf_append(&prefix, ".", 1);
		if (r == 0)
			r = buf_append(&prefix, part.n ? part.data : "", part.n);
		buf_clear(&part);
		if (r == 0)
			r = parse_key_part(p, &part);
	}
	if (r == 0) {
		buf_clear(&p->text);
		r = buf_append(&p->text, prefix.n ? prefix.data : "", prefix.n);
		*ret_prefix = r == 0 ? keep_text(p) : NULL;
		buf_clear(&p->text);
		if (r == 0)
			r = buf_append(&p->text, part.n ? part.data : "", part.n);
		*ret_key = r == 0 ? keep_text(p) : NULL;
		if (r == 0 && (!*ret_prefix || !*ret_key))
			r = -ENOMEM;
	}
	buf_deinit(&prefix);
	buf_deinit(&part);
	return r;
}

static int parse_number(struct parser *p, struct toml_value *ret)
{
	char digits[64], *end;
	size_t n = 0, kept = 0;

	while (n < p->rest.n && (bare(p->rest.p[n]) || p->rest.p[n] == '+' || p->rest.p[n] == '.' || p->rest.p[n] == ':'))
		n++;
	if (n == 0)
		return WRONG(p, "a value is missing");
	for (size_t i = 0; i < n && kept + 1 < sizeof digits; i++)
		if (p->rest.p[i] != '_')
			digits[kept++] = p->rest.p[i];
	digits[kept] = '\0';
	errno = 0;
	ret->integer = strtoll(digits, &end, 10);
	ret->kind = TOML_INTEGER;
	if (*end || end == digits || errno) {
		/* strtod takes hexadecimals and words too. */
		if (strspn(digits, "+-0123456789.eE") != kept)
			return WRONG(p, "'%.*s' is no value; strings stand in quotes", (int)(n < 40 ? n : 40), p->rest.p);
		ret->real = strtod(digits, &end);
		ret->kind = TOML_FLOAT;
		if (*end || end == digits || !isfinite(ret->real))
			return WRONG(p, "'%.*s' is no number", (int)(n < 40 ? n : 40), p->rest.p);
	}
	skip(p, n);
	return 0;
}

static bool take_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	if (!span_starts(p->rest, word) || (p->rest.n > n && bare(p->rest.p[n])))
		return false;
	skip(p, n);
	return true;
}

static int parse_value(struct parser *p, bool within_array, struct toml_value *ret);

static int keep_array(struct parser *p, const struct toml_value *items, size_t n, struct toml_value *ret)
{
	struct array_piece *piece = malloc(sizeof *piece + n * sizeof *items);

	if (!piece)
		return -ENOMEM;
	if (n)
		memcpy(piece->items, items, n * sizeof *items);
	piece->next = p->toml->arrays;
	p->toml->arrays = piece;
	ret->kind = TOML_ARRAY;
	ret->items = piece->items;
	ret->nitems = n;
	return 0;
}

static int parse_array(struct parser *p, struct toml_value *ret)
{
	VEC(struct toml_value) items = { 0 };
	int r = 0;

	skip(p, 1);
	for (skip_space(p); r == 0 && !take(p, ']'); skip_space(p)) {
		struct toml_value *item = vec_push(&items);

		r = item ? parse_value(p, true, item) : -ENOMEM;
		skip_space(p);
		if (r == 0 && !take(p, ',') && peek(p) != ']')
			r = WRONG(p, "an array goes on with ',' or ends with ']'");
	}
	if (r == 0)
		r = keep_array(p, items.v, items.n, ret);
	vec_free(&items);
	return r;
}

static int parse_value(struct parser *p, bool within_array, struct toml_value *ret)
{
	*ret = (struct toml_value){ .line = p->line };
	if (++p->toml->values > MAX_ITEMS)
		return WRONG(p, "more than %d values", MAX_ITEMS);
	if (peek(p) == '"' || peek(p) == '\'') {
		int r = parse_quoted(p);

		ret->kind = TOML_STRING;
		if (r == 0 && !(ret->string = keep_text(p)))
			r = -ENOMEM;
		return r;
	}
	if (peek(p) == '[' && within_array)
		return WRONG(p, "arrays within arrays are not taken here");
	if (peek(p) == '[')
		return parse_array(p, ret);
	if (peek(p) == '{')
		return WRONG(p, "inline tables are not taken here; write [table]");
	if (take_word(p, "true") || take_word(p, "false")) {
		ret->kind = TOML_BOOLEAN;
		ret->boolean = p->rest.p[-2] == 'u';
		return 0;
	}
	return parse_number(p, ret);
}

static int end_of_line(struct parser *p)
{
	skip_blanks(p);
	skip_comment(p);
	if (p->rest.n == 0 || take(p, '\n'))
		return 0;
	if (take(p, '\r') && (p->rest.n == 0 || take(p, '\n')))
		return 0;
	return WRONG(p, "something stands behind the value");
}

/* `prefix` below the table at hand. */
static const char *full_table(struct parser *p, const char *prefix)
{
	if (!*prefix)
		return p->table;
	buf_clear(&p->text);
	int r = *p->table ? buf_printf(&p->text, "%s.%s", p->table, prefix) : buf_printf(&p->text, "%s", prefix);
	return r < 0 ? NULL : keep_text(p);
}

static int parse_entry(struct parser *p)
{
	const char *prefix, *key;
	unsigned line = p->line;
	struct toml_value value;
	int r = parse_key(p, &prefix, &key);

	if (r < 0)
		return r;
	if (!take(p, '='))
		return WRONG(p, "'=' is missing behind the key");
	skip_blanks(p);
	r = parse_value(p, false, &value);
	if (r == 0)
		r = end_of_line(p);
	const char *table = r == 0 ? full_table(p, prefix) : NULL;
	if (r < 0 || !table)
		return r < 0 ? r : -ENOMEM;
	vec_each(e, &p->toml->entries)
		if (strcmp(e->table, table) == 0 && strcmp(e->key, key) == 0)
			return note_set(p->note, -EINVAL, "line %u: %s is given twice; first on line %u", line, key, e->value.line);
	struct toml_entry *e = vec_push(&p->toml->entries);
	if (!e)
		return -ENOMEM;
	*e = (struct toml_entry){ table, key, value };
	return 0;
}

static int parse_table(struct parser *p)
{
	const char *prefix, *key;

	skip(p, 1);
	if (peek(p) == '[')
		return WRONG(p, "arrays of tables are not taken here");
	int r = parse_key(p, &prefix, &key);
	if (r == 0 && !take(p, ']'))
		r = WRONG(p, "']' is missing");
	if (r == 0)
		r = end_of_line(p);
	if (r < 0)
		return r;
	buf_clear(&p->text);
	r = *prefix ? buf_printf(&p->text, "%s.%s", prefix, key) : buf_printf(&p->text, "%s", key);
	if (r == 0 && !(p->table = keep_text(p)))
		r = -ENOMEM;
	return r;
}

int toml_parse(struct span text, struct toml **ret, struct note *note)
{
	struct toml_owned *toml = calloc(1, sizeof *toml);
	struct parser p = { .toml = toml, .rest = text, .line = 1, .table = "", .note = note };
	int r = toml ? 0 : -ENOMEM;

	for (skip_space(&p); r == 0 && p.rest.n; skip_space(&p))
		r = peek(&p) == '[' ? parse_table(&p) : parse_entry(&p);
	buf_deinit(&p.text);
	if (r < 0) {
		if (toml)
			toml_free(&toml->public);
		return r == -ENOMEM ? note_set(note, r, "out of memory") : r;
	}
	toml->public.entries = toml->entries.v;
	toml->public.nentries = toml->entries.n;
	*ret = &toml->public;
	return 0;
}

void toml_free(struct toml *t)
{
	struct toml_owned *toml = (struct toml_owned *)(void *)t;

	if (!toml)
		return;
	for (struct text_piece *piece = toml->texts, *next; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	for (struct array_piece *piece = toml->arrays, *next; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	vec_free(&toml->entries);
	free(toml);
}

const struct toml_value *toml_find(const struct toml *t, const char *table, const char *key)
{
	for (size_t i = 0; t && i < t->nentries; i++)
		if (strcmp(t->entries[i].table, table) == 0 && strcmp(t->entries[i].key, key) == 0)
			return &t->entries[i].value;
	return NULL;
}
