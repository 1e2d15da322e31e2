/* Constant expressions in tags, as macros leave them: (1 << 20), 10UL, (-9223372036854775807L - 1),
 * ORDER_NEW. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tags.h"
#include "tool.h"

struct expression {
	const char *p;
	const struct c_type *enumeration;
	bool bad;
};

static __int128 binary(struct expression *e, int least);

static void skip(struct expression *e)
{
	while (isspace((unsigned char)*e->p))
		e->p++;
}

/* With how tightly they bind. */
static const struct {
	const char *text;
	int level;
} operators[] = { { "<<", 4 }, { ">>", 4 }, { "+", 5 }, { "-", 5 }, { "*", 6 }, { "/", 6 }, { "%", 6 }, { "&", 3 }, { "^", 2 }, { "|", 1 } };

static __int128 apply(struct expression *e, char operator, __int128 a, __int128 b)
{
	switch (operator) {
	case '<':
	case '>':
		if (b < 0 || b > 63)
			e->bad = true;
		return e->bad ? 0 : operator == '<' ? a * ((__int128)1 << b) : a >> b;
	case '+':
		return a + b;
	case '-':
		return a - b;
	case '*':
		return a * b;
	case '&':
		return a & b;
	case '^':
		return a ^ b;
	case '|':
		return a | b;
	}
	if (b == 0)
		e->bad = true;
	return e->bad ? 0 : operator == '/' ? a / b : a % b;
}

static __int128 name_value(struct expression *e)
{
	size_t n = strspn(e->p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	const char *name = e->p;

	e->p += n;
	if ((n == 4 && strncmp(name, "true", n) == 0) || (n == 5 && strncmp(name, "false", n) == 0))
		return n == 4;
	for (size_t i = 0; e->enumeration && i < e->enumeration->nenumerators; i++)
		if (strncmp(e->enumeration->enumerators[i].name, name, n) == 0 && !e->enumeration->enumerators[i].name[n])
			return e->enumeration->enumerators[i].value;
	e->bad = true;
	return 0;
}

static __int128 number_value(struct expression *e)
{
	char *end;
	__int128 value = strtoull(e->p, &end, 0);

	e->p = end + strspn(end, "uUlL");
	e->bad |= isalnum((unsigned char)*e->p) || *e->p == '.';
	return value;
}

static __int128 primary(struct expression *e)
{
	skip(e);
	if (*e->p == '-' || *e->p == '+' || *e->p == '~') {
		char sign = *e->p++;
		__int128 value = primary(e);
		return sign == '-' ? -value : sign == '~' ? ~value : value;
	}
	if (*e->p == '(') {
		e->p++;
		__int128 value = binary(e, 1);
		skip(e);
		e->bad |= *e->p != ')';
		e->p += *e->p == ')';
		return value;
	}
	if (e->p[0] == '\'' && e->p[1] && e->p[1] != '\\' && e->p[2] == '\'') {
		e->p += 3;
		return (unsigned char)e->p[-2];
	}
	if (isdigit((unsigned char)*e->p))
		return number_value(e);
	if (isalpha((unsigned char)*e->p) || *e->p == '_')
		return name_value(e);
	e->bad = true;
	return 0;
}

static __int128 binary(struct expression *e, int least)
{
	__int128 value = primary(e);

	for (;;) {
		size_t i = 0, n = sizeof operators / sizeof *operators;
		skip(e);
		while (i < n && strncmp(e->p, operators[i].text, strlen(operators[i].text)) != 0)
			i++;
		if (e->bad || i == n || operators[i].level < least)
			return value;
		e->p += strlen(operators[i].text);
		value = apply(e, *operators[i].text, value, binary(e, operators[i].level + 1));
	}
}

bool value_integer(const char *text, const struct c_type *enumeration, __int128 *ret)
{
	struct expression e = { .p = text, .enumeration = enumeration };
	__int128 value = binary(&e, 1);

	skip(&e);
	if (e.bad || *e.p || value > UINT64_MAX || value < INT64_MIN)
		return false;
	*ret = value;
	return true;
}

/* DBL_MAX is ((double)1.79769313486231570814527423731704357e+308L). */
bool value_float(const char *text, double *ret)
{
	size_t n = strlen(text);
	char *end;

	while (n > 1 && text[0] == '(' && text[n - 1] == ')' && text[1] != 'd') {
		text = text_of("%.*s", (int)n - 2, text + 1);
		n -= 2;
	}
	if (strncmp(text, "(double)", 8) == 0)
		text += 8;
	*ret = strtod(text, &end);
	end += strspn(end, "fFlL");
	__int128 integer;
	if (end > text && !*end)
		return true;
	if (!value_integer(text, NULL, &integer))
		return false;
	*ret = (double)integer;
	return true;
}

static char escaped(const char **p)
{
	static const char from[] = "abfnrtv0", to[] = "\a\b\f\n\r\t\v";
	char c = *(*p)++;
	const char *at = memchr(from, c, sizeof from - 1);

	return at ? to[at - from] : c;
}

bool value_string(const char *text, char **ret)
{
	char *out = get(strlen(text) + 1), *o = out;

	do {
		if (*text++ != '"')
			return false;
		while (*text && *text != '"') {
			char c = *text++;
			*o++ = c == '\\' && *text ? escaped(&text) : c;
		}
		if (*text++ != '"')
			return false;
		while (isspace((unsigned char)*text))
			text++;
	} while (*text);
	*ret = out;
	return true;
}
