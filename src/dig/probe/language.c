#include "dig/probe/language.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/closest.h"

const char *const probe_kind_names[PROBE_KINDS] = { "tracepoint", "rawtracepoint", "kprobe", "kretprobe",
						    "uprobe",	  "uretprobe", "usdt" };
const char *const probe_action_names[] = { "print", "count", "sum", "min", "max", "avg", "histogram" };
#define ACTIONS (sizeof probe_action_names / sizeof probe_action_names[0])

static const struct {
	const char *name;
	enum probe_kind kind;
} short_names[] = { { "t", PROBE_TRACEPOINT }, { "rt", PROBE_RAW_TRACEPOINT }, { "tp_btf", PROBE_RAW_TRACEPOINT },
		    { "raw_tp", PROBE_RAW_TRACEPOINT }, { "k", PROBE_KPROBE }, { "kr", PROBE_KRETPROBE },
		    { "u", PROBE_UPROBE }, { "ur", PROBE_URETPROBE } };

int probe_error_set(struct probe_error *e, size_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	e->column = column;
	return -EINVAL;
}

bool probe_has_pattern(struct span s)
{
	return s.n && (memchr(s.p, '*', s.n) || memchr(s.p, '?', s.n));
}

bool probe_matches(struct span pattern, struct span text)
{
	size_t i = 0, j = 0, star = SIZE_MAX, from = 0;

	while (j < text.n) {
		if (i < pattern.n && pattern.p[i] == '*') {
			star = i++;
			from = j;
		} else if (i < pattern.n && (pattern.p[i] == '?' || pattern.p[i] == text.p[j])) {
			i++;
			j++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			j = ++from;
		} else {
			return false;
		}
	}
	while (i < pattern.n && pattern.p[i] == '*')
		i++;
	return i == pattern.n;
}

/* ---- the parser ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NUMBER, TOKEN_TEXT, TOKEN_SIGN, TOKEN_BAD };

struct token {
	enum token_kind kind;
	struct span text;
	size_t column;
	uint64_t number;
};

struct parser {
	struct span line;
	size_t at;
	struct token token;
	size_t end; /* of the token before */
	struct probe_program *program;
	struct probe_error *error;
	unsigned depth;
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->line.n && is_blank(p->line.p[p->at]))
		p->at++;
}

static size_t text_length(struct span rest)
{
	for (size_t i = 1; i < rest.n; i++) {
		if (rest.p[i] == '\\')
			i++;
		else if (rest.p[i] == rest.p[0])
			return i + 1;
	}
	return 0;
}

static size_t sign_length(struct span rest)
{
	static const char *const two[] = { "||", "&&", "==", "!=", "<=", ">=", "<<", ">>", "->" };

	for (size_t i = 0; i < sizeof two / sizeof two[0]; i++)
		if (span_starts(rest, two[i]))
			return 2;
	return 1;
}

static bool number_of(struct span text, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		uint64_t times;
	} unit[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
		     { "k", 1 << 10 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 } };
	uint64_t n;

	if (text.n > 2 && text.p[0] == '0' && (text.p[1] == 'x' || text.p[1] == 'X'))
		return span_hex((struct span){ text.p + 2, text.n - 2 }, ret);
	if (span_u64(text, ret))
		return true;
	for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++) {
		size_t l = strlen(unit[i].suffix);
		if (text.n > l && memcmp(text.p + text.n - l, unit[i].suffix, l) == 0 &&
		    span_u64((struct span){ text.p, text.n - l }, &n) &&
		    !__builtin_mul_overflow(n, unit[i].times, ret))
			return true;
	}
	return false;
}

static void next(struct parser *p)
{
	p->end = p->at;
	skip_blanks(p);
	struct span rest = { p->line.p + p->at, p->line.n - p->at };
	struct token *t = &p->token;
	size_t n = 0;

	*t = (struct token){ TOKEN_END, { rest.p, 0 }, p->at, 0 };
	if (rest.n == 0)
		return;
	if (rest.p[0] == '"' || rest.p[0] == '\'') {
		n = text_length(rest);
		t->kind = n ? TOKEN_TEXT : TOKEN_BAD;
		t->text = n ? (struct span){ rest.p + 1, n - 2 } : rest;
		p->at += n ? n : rest.n;
		return;
	}
	while (n < rest.n && is_word(rest.p[n]))
		n++;
	if (n == 0) {
		t->kind = TOKEN_SIGN;
		n = sign_length(rest);
	} else if (rest.p[0] >= '0' && rest.p[0] <= '9') {
		t->kind = number_of((struct span){ rest.p, n }, &t->number) ? TOKEN_NUMBER : TOKEN_BAD;
	} else {
		t->kind = TOKEN_WORD;
	}
	t->text = (struct span){ rest.p, n };
	p->at += n;
}

static bool is_sign(const struct parser *p, const char *sign)
{
	return p->token.kind == TOKEN_SIGN && span_is(p->token.text, sign);
}

static bool take_sign(struct parser *p, const char *sign)
{
	if (!is_sign(p, sign))
		return false;
	next(p);
	return true;
}

static bool take_word(struct parser *p, const char *word)
{
	if (p->token.kind != TOKEN_WORD || !span_is(p->token.text, word))
		return false;
	next(p);
	return true;
}

static int unexpected(struct parser *p, const char *wanted)
{
	const struct token *t = &p->token;

	if (t->kind == TOKEN_END)
		return probe_error_set(p->error, t->column, "it ends here, and %s is missing", wanted);
	if (t->kind == TOKEN_BAD && t->text.n && (t->text.p[0] == '"' || t->text.p[0] == '\''))
		return probe_error_set(p->error, t->column, "this text has no closing quote");
	if (t->kind == TOKEN_BAD)
		return probe_error_set(p->error, t->column,
				       "'%.*s' is no number: 12, 0x1f, 10ms, 4k are (and fit 64 bits)",
				       (int)(t->text.n < 40 ? t->text.n : 40), t->text.p);
	return probe_error_set(p->error, t->column, "here %s should stand, not '%.*s'", wanted,
			       (int)(t->text.n < 40 ? t->text.n : 40), t->text.p);
}

static int new_node(struct parser *p, enum expression_kind kind, struct expression *left, struct expression *right,
		    struct expression **ret)
{
	struct expression **slot;
	unsigned depth = 1;

	if (left)
		depth = left->depth + 1;
	if (right && right->depth >= depth)
		depth = right->depth + 1;
	if (p->program->nodes.n >= PROBE_NODES_MAX || depth > PROBE_DEPTH_MAX)
		return probe_error_set(p->error, p->token.column, "this is too long or nested too deeply");
	struct expression *e = calloc(1, sizeof *e);
	slot = e ? vec_push(&p->program->nodes) : NULL;
	if (!slot) {
		free(e);
		return -ENOMEM;
	}
	*slot = e;
	e->kind = kind;
	e->left = left;
	e->right = right;
	e->depth = depth;
	e->column = left ? left->column : p->token.column;
	e->text = p->token.text;
	*ret = e;
	return 0;
}

static void ends_here(struct parser *p, struct expression *e)
{
	size_t from = (size_t)(e->left && e->kind != EXPRESSION_CALL && e->kind != EXPRESSION_UNARY ?
				       e->left->source.p - p->line.p :
				       (ssize_t)e->column);

	e->source = (struct span){ p->line.p + from, p->end - from };
}

static int parse_level(struct parser *p, unsigned level, struct expression **ret);

static int parse_nested(struct parser *p, struct expression **ret)
{
	if (++p->depth > PROBE_DEPTH_MAX)
		return probe_error_set(p->error, p->token.column, "this is nested too deeply");
	int r = parse_level(p, 0, ret);
	p->depth--;
	return r;
}

static int close_with(struct parser *p, const char *sign)
{
	char wanted[8];

	if (take_sign(p, sign))
		return 0;
	snprintf(wanted, sizeof wanted, "'%s'", sign);
	return unexpected(p, wanted);
}

static int parse_primary(struct parser *p, struct expression **ret)
{
	struct token t = p->token;
	struct expression *e;
	int r;

	if (take_sign(p, "(")) {
		r = parse_nested(p, ret);
		r = r < 0 ? r : close_with(p, ")");
		if (r == 0)
			(*ret)->source = (struct span){ t.text.p, (size_t)(p->line.p + p->end - t.text.p) };
		return r;
	}
	if (t.kind != TOKEN_NUMBER && t.kind != TOKEN_TEXT && t.kind != TOKEN_WORD)
		return unexpected(p, "a name, a number or a text in quotes");
	r = new_node(p,
		     t.kind == TOKEN_NUMBER ? EXPRESSION_NUMBER :
		     t.kind == TOKEN_TEXT   ? EXPRESSION_TEXT :
					      EXPRESSION_NAME,
		     NULL, NULL, &e);
	if (r < 0)
		return r;
	e->number = t.number;
	next(p);
	if (t.kind == TOKEN_WORD && take_sign(p, "(")) {
		e->kind = EXPRESSION_CALL;
		r = parse_nested(p, &e->left);
		r = r < 0 ? r : close_with(p, ")");
		e->depth = r < 0 ? 1 : e->left->depth + 1;
	}
	ends_here(p, e);
	*ret = e;
	return r;
}

static int parse_postfix(struct parser *p, struct expression **ret)
{
	struct expression *e;
	int r = parse_primary(p, &e);

	while (r == 0) {
		struct expression *outer, *index;

		if (is_sign(p, "->") || is_sign(p, ".")) {
			next(p);
			if (p->token.kind != TOKEN_WORD)
				return unexpected(p, "the name of a member");
			size_t column = p->token.column;
			r = new_node(p, EXPRESSION_MEMBER, e, NULL, &outer);
			if (r < 0)
				return r;
			outer->column = column;
			next(p);
		} else if (take_sign(p, "[")) {
			r = parse_nested(p, &index);
			r = r < 0 ? r : new_node(p, EXPRESSION_INDEX, e, index, &outer);
			r = r < 0 ? r : close_with(p, "]");
			if (r < 0)
				return r;
		} else {
			break;
		}
		e = outer;
		ends_here(p, e);
	}
	if (r == 0)
		*ret = e;
	return r;
}

static int parse_unary(struct parser *p, struct expression **ret)
{
	enum operator op = is_sign(p, "!") ? OP_NOT :
			   is_sign(p, "-") ? OP_NEGATE :
			   is_sign(p, "~") ? OP_COMPLEMENT :
			   is_sign(p, "*") ? OP_DEREFERENCE :
					     OP_NONE;
	struct token t = p->token;
	struct expression *inner, *e;

	if (op == OP_NONE)
		return parse_postfix(p, ret);
	if (++p->depth > PROBE_DEPTH_MAX)
		return probe_error_set(p->error, t.column, "this is nested too deeply");
	next(p);
	int r = parse_unary(p, &inner);
	p->depth--;
	r = r < 0 ? r : new_node(p, EXPRESSION_UNARY, inner, NULL, &e);
	if (r < 0)
		return r;
	e->op = op;
	e->column = t.column;
	e->text = t.text;
	ends_here(p, e);
	*ret = e;
	return 0;
}

#define LEVELS 9
static const struct {
	const char *sign;
	enum operator op;
	unsigned level;
} binary[] = {
	{ "||", OP_OR, 0 },	   { "&&", OP_AND, 1 },	       { "==", OP_EQUAL, 2 },	   { "!=", OP_UNEQUAL, 2 },
	{ "<", OP_LESS, 2 },	   { "<=", OP_LESS_EQUAL, 2 }, { ">", OP_GREATER, 2 },	   { ">=", OP_GREATER_EQUAL, 2 },
	{ "starts", OP_STARTS, 2 }, { "|", OP_BIT_OR, 3 },      { "^", OP_BIT_XOR, 4 },	   { "&", OP_BIT_AND, 5 },
	{ "<<", OP_SHIFT_LEFT, 6 }, { ">>", OP_SHIFT_RIGHT, 6 }, { "+", OP_ADD, 7 },	   { "-", OP_SUBTRACT, 7 },
	{ "*", OP_MULTIPLY, 8 },   { "/", OP_DIVIDE, 8 },      { "%", OP_MODULO, 8 },
};

static enum operator binary_at(const struct parser *p, unsigned level)
{
	if (p->token.kind != TOKEN_SIGN && p->token.kind != TOKEN_WORD)
		return OP_NONE;
	for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++)
		if (binary[i].level == level && span_is(p->token.text, binary[i].sign))
			return binary[i].op;
	return OP_NONE;
}

static int parse_level(struct parser *p, unsigned level, struct expression **ret)
{
	struct expression *left, *right, *e;
	enum operator op;

	if (level == LEVELS)
		return parse_unary(p, ret);
	int r = parse_level(p, level + 1, &left);
	while (r == 0 && (op = binary_at(p, level)) != OP_NONE) {
		struct token t = p->token;

		next(p);
		r = parse_level(p, level + 1, &right);
		r = r < 0 ? r : new_node(p, EXPRESSION_BINARY, left, right, &e);
		if (r < 0)
			return r;
		e->op = op;
		e->column = t.column;
		e->text = t.text;
		ends_here(p, e);
		left = e;
	}
	if (r == 0 && level == 0 && is_sign(p, "="))
		return probe_error_set(p->error, p->token.column, "'=' compares nothing here: write '=='");
	if (r == 0)
		*ret = left;
	return r;
}

static int parse_list(struct parser *p, struct expression **list, size_t max, size_t *ret_n)
{
	do {
		if (*ret_n == max)
			return probe_error_set(p->error, p->token.column, "no more than %zu values go here", max);
		int r = parse_level(p, 0, &list[*ret_n]);
		if (r < 0)
			return r;
		(*ret_n)++;
	} while (take_sign(p, ","));
	return 0;
}

static int action_kind_at(struct parser *p, enum action_kind *ret)
{
	struct closest near = { 0 };
	char word[32];

	for (size_t i = 0; p->token.kind == TOKEN_WORD && i < ACTIONS; i++) {
		if (span_is(p->token.text, probe_action_names[i])) {
			*ret = (enum action_kind)i;
			return 0;
		}
	}
	if (p->token.kind != TOKEN_WORD)
		return unexpected(p, "an action (print, count, sum, min, max, avg, histogram)");
	span_copy(p->token.text, word, sizeof word);
	for (size_t i = 0; i < ACTIONS; i++)
		closest_offer(&near, word, probe_action_names[i]);
	if (near.distance <= 2)
		return probe_error_set(p->error, p->token.column, "'%s' is no action; did you mean '%s'?", word, near.word);
	return probe_error_set(p->error, p->token.column,
			       "'%s' is no action: print, count, sum, min, max, avg, histogram are; a filter begins with 'if'",
			       word);
}

static bool at_action_end(const struct parser *p)
{
	return p->token.kind == TOKEN_END || is_sign(p, ";") ||
	       (p->token.kind == TOKEN_WORD && span_is(p->token.text, "by"));
}

static int parse_action(struct parser *p, struct probe_clause *c)
{
	struct probe_action *a = &c->action[c->nactions];
	const char *from = p->token.text.p;
	int r;

	if (c->nactions == PROBE_ACTIONS_MAX)
		return probe_error_set(p->error, p->token.column, "no more than %d actions go with one probe",
				       PROBE_ACTIONS_MAX);
	*a = (struct probe_action){ .column = p->token.column };
	r = action_kind_at(p, &a->kind);
	if (r < 0)
		return r;
	next(p);
	/* "count()" and "print()" are what fingers that know other tools type. */
	if ((a->kind == ACTION_COUNT || a->kind == ACTION_PRINT) && is_sign(p, "(") && p->at < p->line.n &&
	    p->line.p[p->at] == ')') {
		next(p);
		next(p);
	}
	if (a->kind == ACTION_PRINT)
		r = at_action_end(p) ? 0 : parse_list(p, a->value, PROBE_VALUES_MAX, &a->nvalues);
	else if (a->kind != ACTION_COUNT)
		r = parse_list(p, a->value, 1, &a->nvalues);
	if (r < 0)
		return r;
	if (p->token.kind == TOKEN_WORD && span_is(p->token.text, "by") && a->kind == ACTION_PRINT)
		return probe_error_set(p->error, p->token.column, "'by' goes with count, sum, min, max, avg, histogram");
	if (take_word(p, "by"))
		r = parse_list(p, a->key, PROBE_KEYS_MAX, &a->nkeys);
	a->source = (struct span){ from, (size_t)(p->line.p + p->end - from) };
	c->nactions += r == 0;
	return r;
}

/* ---- where to look ---- */

/* Up to the next colon, blank or semicolon; quotes hold them. */
static int take_part(struct span line, size_t *at, struct probe_error *error, struct span *ret, size_t *ret_column)
{
	size_t from = *at;

	if (from < line.n && (line.p[from] == '"' || line.p[from] == '\'')) {
		size_t n = text_length((struct span){ line.p + from, line.n - from });
		if (n == 0)
			return probe_error_set(error, from, "this text has no closing quote");
		*ret = (struct span){ line.p + from + 1, n - 2 };
		*ret_column = from + 1;
		*at += n;
		return 0;
	}
	while (*at < line.n && !is_blank(line.p[*at]) && line.p[*at] != ':' && line.p[*at] != ';')
		(*at)++;
	*ret = (struct span){ line.p + from, *at - from };
	*ret_column = from;
	return 0;
}

static int kind_of(struct span word, size_t column, enum probe_kind *ret, struct probe_error *error)
{
	struct closest near = { 0 };
	char text[40];

	for (size_t i = 0; i < PROBE_KINDS; i++) {
		if (span_is(word, probe_kind_names[i])) {
			*ret = (enum probe_kind)i;
			return 0;
		}
	}
	for (size_t i = 0; i < sizeof short_names / sizeof short_names[0]; i++) {
		if (span_is(word, short_names[i].name)) {
			*ret = short_names[i].kind;
			return 0;
		}
	}
	span_copy(word, text, sizeof text);
	for (size_t i = 0; i < PROBE_KINDS; i++)
		closest_offer(&near, text, probe_kind_names[i]);
	if (text[0] && near.distance <= 2)
		return probe_error_set(error, column, "'%s' is no kind of probe; did you mean '%s:'?", text, near.word);
	return probe_error_set(error, column,
			       "here a probe should stand: tracepoint:GROUP:EVENT, rawtracepoint:EVENT, kprobe:FUNCTION, "
			       "uprobe:FILE:FUNCTION, usdt:FILE:NAME");
}

static int take_offset(struct probe_spec *s, struct probe_error *error)
{
	const char *plus = s->name.n ? memchr(s->name.p, '+', s->name.n) : NULL;

	if (!plus)
		return 0;
	size_t n = (size_t)(plus - s->name.p);
	struct span text = { plus + 1, s->name.n - n - 1 };

	if (!number_of(text, &s->offset))
		return probe_error_set(error, s->name_column + n + 1, "an offset in bytes should stand behind '+': FUNCTION+0x1c");
	if (s->kind == PROBE_URETPROBE || s->kind == PROBE_KRETPROBE)
		return probe_error_set(error, s->name_column + n, "a function returns as a whole: no offset goes with it");
	s->name.n = n;
	return 0;
}

static bool colon(struct span line, size_t *at)
{
	if (*at >= line.n || line.p[*at] != ':')
		return false;
	(*at)++;
	return true;
}

static int take_rest(struct span line, size_t *at, struct probe_spec *s, bool partial, struct probe_error *error)
{
	struct span part[3] = { 0 };
	size_t column[3] = { *at, *at, *at }, n = 0;
	size_t max = s->kind == PROBE_USDT ? 3 : s->kind == PROBE_KPROBE || s->kind == PROBE_KRETPROBE ||
						 s->kind == PROBE_RAW_TRACEPOINT ? 1 : 2;
	bool user = s->kind >= PROBE_UPROBE;
	int r;

	do {
		if (n == max) {
			/* The rest is the function's name: C++ has colons in it. */
			if (s->kind == PROBE_UPROBE || s->kind == PROBE_URETPROBE) {
				struct span more;
				size_t where;
				r = take_part(line, at, error, &more, &where);
				if (r < 0)
					return r;
				part[n - 1].n = (size_t)(line.p + *at - part[n - 1].p);
				continue;
			}
			return probe_error_set(error, *at, "%s: takes no further part behind a colon",
					       probe_kind_names[s->kind]);
		}
		r = take_part(line, at, error, &part[n], &column[n]);
		if (r < 0)
			return r;
		n++;
	} while (colon(line, at));
	if (*at < line.n && !is_blank(line.p[*at]) && line.p[*at] != ';')
		return probe_error_set(error, *at, "behind the closing quote a colon or a blank should stand");
	s->file = user ? part[0] : (struct span){ 0 };
	s->file_column = column[0];
	s->group = s->kind == PROBE_TRACEPOINT ? part[0] : s->kind == PROBE_USDT && n == 3 ? part[1] : (struct span){ 0 };
	s->name = n > 1 || max == 1 ? part[n - 1] : (struct span){ 0 };
	s->name_column = n > 1 || max == 1 ? column[n - 1] : *at;
	if (partial)
		return 0;
	if (user && s->file.n == 0)
		return probe_error_set(error, s->file_column, "the file is missing: %s:/usr/bin/x:NAME, %s:libc:NAME",
				       probe_kind_names[s->kind], probe_kind_names[s->kind]);
	if (s->name.n == 0)
		return probe_error_set(error, s->name_column, "the name is missing; osprey probe list '%.*s:*' shows which there are",
				       (int)(line.p + *at - s->text.p > 90 ? 90 : line.p + *at - s->text.p), s->text.p);
	return take_offset(s, error);
}

static int parse_spec(struct span line, size_t *at, bool partial, struct probe_spec *ret, struct probe_error *error)
{
	struct probe_spec s = { .column = *at };
	struct span word;
	size_t column;
	int r = take_part(line, at, error, &word, &column);

	s.text.p = line.p + s.column;
	r = r < 0 ? r : kind_of(word, s.column, &s.kind, error);
	if (r < 0)
		return r;
	if (!colon(line, at) && !partial)
		return probe_error_set(error, *at, "a colon and what to probe should stand behind '%s'",
				       probe_kind_names[s.kind]);
	r = take_rest(line, at, &s, partial, error);
	if (r < 0)
		return r;
	s.text.n = (size_t)(line.p + *at - s.text.p);
	*ret = s;
	return 0;
}

int probe_spec_parse(struct span line, bool partial, struct probe_spec *ret, struct probe_error *ret_error)
{
	size_t at = 0;
	int r = parse_spec(line, &at, partial, ret, ret_error);

	if (r == 0 && at < line.n)
		return probe_error_set(ret_error, at, "one probe alone goes here");
	return r;
}

/* ---- clauses ---- */

/* An action is a word alone; a probe has its colon directly behind the first word. */
static bool at_spec(struct parser *p)
{
	skip_blanks(p);
	size_t i = p->at;

	while (i < p->line.n && is_word(p->line.p[i]))
		i++;
	return i < p->line.n && p->line.p[i] == ':';
}

static int parse_clause(struct parser *p)
{
	struct probe_program *program = p->program;
	struct probe_clause *c = &program->clause[program->nclauses];
	int r;

	if (program->nclauses && !at_spec(p)) {
		next(p);
		return parse_action(p, c - 1);
	}
	if (program->nclauses == PROBE_CLAUSES_MAX)
		return probe_error_set(p->error, p->at, "no more than %d probes go into one line", PROBE_CLAUSES_MAX);
	skip_blanks(p);
	r = parse_spec(p->line, &p->at, false, &c->spec, p->error);
	if (r < 0)
		return r;
	program->nclauses++;
	next(p);
	if (take_word(p, "if"))
		r = parse_level(p, 0, &c->filter);
	if (r < 0)
		return r;
	if (take_word(p, "do") || !(p->token.kind == TOKEN_END || is_sign(p, ";")))
		return parse_action(p, c);
	c->nactions = 1;
	c->action[0] = (struct probe_action){ .kind = ACTION_PRINT, .source = { p->line.p + p->end, 0 },
					      .column = c->spec.column };
	return 0;
}

static int parse_clauses(struct parser *p)
{
	int r;

	do {
		r = parse_clause(p);
		if (r < 0)
			return r;
		if (p->token.kind != TOKEN_END && !is_sign(p, ";"))
			return unexpected(p, "';' or the end");
		if (p->token.kind == TOKEN_END)
			return 0;
		skip_blanks(p);
	} while (p->at < p->line.n);
	return 0;
}

int probe_parse(struct span line, struct probe_program **ret, struct probe_error *ret_error)
{
	struct probe_program *program = calloc(1, sizeof *program);
	struct parser p = { .line = line, .program = program, .error = ret_error };

	if (!program)
		return -ENOMEM;
	int r = memchr(line.p, '\0', line.n) ? probe_error_set(ret_error, 0, "a NUL byte is in it") : parse_clauses(&p);
	if (r < 0) {
		probe_program_free(program);
		return r;
	}
	*ret = program;
	return 0;
}

void probe_program_free(struct probe_program *p)
{
	if (!p)
		return;
	vec_each(e, &p->nodes)
		free(*e);
	vec_free(&p->nodes);
	free(p);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int probe_text_bytes(struct span quoted, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < quoted.n; i++) {
		char c = quoted.p[i];

		if (n == size)
			return -EINVAL;
		if (c == '\\' && i + 1 < quoted.n) {
			c = quoted.p[++i];
			if (c == 'x' && i + 2 < quoted.n && hex_digit(quoted.p[i + 1]) >= 0 && hex_digit(quoted.p[i + 2]) >= 0) {
				c = (char)(hex_digit(quoted.p[i + 1]) << 4 | hex_digit(quoted.p[i + 2]));
				i += 2;
			} else {
				c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
			}
		}
		ret[n++] = c;
	}
	return (int)n;
}
