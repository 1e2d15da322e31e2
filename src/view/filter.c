/* A recursive descent into a tree of at most FILTER_MAX nodes: an expression that a person
 * types is short, and a bound on depth keeps a hostile one from the stack's end. */
#include "view/filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/moment.h"
#include "base/units.h"

#define FILTER_MAX 64

enum op { OP_AND, OP_OR, OP_NOT, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_HAS, OP_HAS_NOT };

struct node {
	enum op op;
	unsigned left, right; /* of AND, OR; NOT has a left one */
	const struct column *column;
	double number;
	struct span text; /* within filter->source */
};

struct filter {
	char *source;
	struct node node[FILTER_MAX];
	unsigned n, root;
};

struct parser {
	const struct entity *entity;
	struct filter *filter;
	struct span rest;
	struct note *note;
	uint64_t now_ns;
	unsigned depth;
};

static int at(const struct parser *p)
{
	return (int)(p->rest.p - p->filter->source) + 1;
}

static void skip_blanks(struct parser *p)
{
	p->rest = (struct span){ p->rest.p, p->rest.n };
	while (p->rest.n && (p->rest.p[0] == ' ' || p->rest.p[0] == '\t')) {
		p->rest.p++;
		p->rest.n--;
	}
}

static void advance(struct parser *p, size_t n)
{
	p->rest.p += n;
	p->rest.n -= n;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       (c & 0x80);
}

/* A sign, or a word that stands alone. */
static bool take(struct parser *p, const char *token)
{
	size_t n = strlen(token);

	skip_blanks(p);
	if (!span_starts(p->rest, token) || (is_word(token[0]) && p->rest.n > n && is_word(p->rest.p[n])))
		return false;
	advance(p, n);
	return true;
}

static int new_node(struct parser *p, struct node node, unsigned *ret)
{
	if (p->filter->n == FILTER_MAX)
		return note_set(p->note, -EINVAL, "the filter is too long: at most %d comparisons and signs", FILTER_MAX);
	p->filter->node[p->filter->n] = node;
	*ret = p->filter->n++;
	return 0;
}

static int parse_or(struct parser *p, unsigned *ret);

static struct span take_name(struct parser *p)
{
	size_t n = 0;

	skip_blanks(p);
	while (n < p->rest.n && is_word(p->rest.p[n]))
		n++;
	struct span name = { p->rest.p, n };
	advance(p, n);
	return name;
}

/* Longer signs stand before their beginnings. */
static const struct {
	const char *sign;
	enum op op;
} comparisons[] = {
	{ "==", OP_EQ }, { "!=", OP_NE }, { "!~", OP_HAS_NOT }, { "=~", OP_HAS }, { "<=", OP_LE }, { ">=", OP_GE },
	{ "<", OP_LT },	 { ">", OP_GT },  { "=", OP_EQ },	{ "~", OP_HAS },
};

static bool take_comparison(struct parser *p, enum op *ret)
{
	for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
		if (take(p, comparisons[i].sign)) {
			*ret = comparisons[i].op;
			return true;
		}
	return false;
}

/* A quoted text, or all up to the next blank, parenthesis, && or ||. */
static int take_value(struct parser *p, struct span *ret)
{
	skip_blanks(p);
	if (p->rest.n && (p->rest.p[0] == '"' || p->rest.p[0] == '\'')) {
		char quote = p->rest.p[0];
		int from = at(p);

		advance(p, 1);
		if (!span_until(&p->rest, quote, ret))
			return note_set(p->note, -EINVAL, "the quote that opens at column %d of the filter never ends", from);
		return 0;
	}
	size_t n = 0;
	while (n < p->rest.n && !memchr(" \t()", p->rest.p[n], 4) &&
	       !(n + 1 < p->rest.n && (p->rest.p[n] == '&' || p->rest.p[n] == '|') && p->rest.p[n + 1] == p->rest.p[n]))
		n++;
	*ret = (struct span){ p->rest.p, n };
	advance(p, n);
	return n ? 0 : note_set(p->note, -EINVAL, "a value is missing at column %d of the filter", at(p));
}

static const struct {
	const char *name;
	double factor;
	bool time;
} units[] = {
	{ "", 1, false }, { "%", 1, false }, { "K", 1024.0, false }, { "M", 1048576.0, false },
	{ "G", 1073741824.0, false }, { "T", 1099511627776.0, false }, { "KiB", 1024.0, false },
	{ "MiB", 1048576.0, false }, { "GiB", 1073741824.0, false }, { "TiB", 1099511627776.0, false },
	{ "k", 1024.0, false }, { "B", 1, false }, { "ns", 1, true }, { "us", 1e3, true }, { "ms", 1e6, true },
	{ "s", 1e9, true }, { "m", 60e9, true }, { "min", 60e9, true }, { "h", 3600e9, true }, { "d", 86400e9, true },
};

/* "1h30m", as tables write long times. */
static bool long_time(struct span text, enum field_unit unit, double *ret)
{
	uint64_t ns;

	if ((unit != UNIT_NS && unit != UNIT_MS) || duration_sum_parse(text, &ns) < 0)
		return false;
	*ret = (double)ns * (unit == UNIT_MS ? 1e-6 : 1);
	return true;
}

/* "1.5G"; a time takes the column's own unit: ns, or ms. */
static bool number_of(struct span text, enum field_unit unit, double *ret)
{
	char digits[32], *end;

	span_copy(text, digits, sizeof digits);
	const char *first = digits + (digits[0] == '-');
	/* strtod also takes "inf", "nan" and hexadecimals. */
	if (text.n >= sizeof digits || !((*first >= '0' && *first <= '9') || *first == '.') || first[1] == 'x' || first[1] == 'X')
		return false;
	double v = strtod(digits, &end);
	if (end == digits || !isfinite(v))
		return false;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (units[i].time && unit != UNIT_NS && unit != UNIT_MS)
			return false;
		*ret = v * units[i].factor * (units[i].time && unit == UNIT_MS ? 1e-6 : 1);
		return true;
	}
	return long_time(text, unit, ret);
}

/* What a value is compared as; NaN: it is no such number. */
static double value_of(const struct node *n, uint64_t now_ns)
{
	uint64_t moment;
	double number;

	if (n->column->unit == UNIT_TIME)
		return moment_parse(n->text, now_ns, &moment) == 0 ? (double)moment : NAN;
	return number_of(n->text, n->column->unit, &number) ? number : NAN;
}

/* What a value of the column may look like. */
static const char *example(enum field_unit unit)
{
	switch (unit) {
	case UNIT_BYTES: return " (write 512M, 1.5G)";
	case UNIT_NS: return " (write 10ms, 2s, 1h30m)";
	case UNIT_TIME: return " (write 21:00, '2026-11-20 21:00', yesterday; 10m, 2h or 3d: so long ago)";
	default: return "";
	}
}

static int check_types(struct parser *p, const struct node *n)
{
	bool textual = n->column->unit == UNIT_TEXT;
	bool texts_alone = n->op == OP_HAS || n->op == OP_HAS_NOT;

	if (textual || texts_alone || !isnan(n->number))
		return 0;
	return note_set(p->note, -EINVAL, "%s is a %s, and '%.*s' is none%s", n->column->name,
			n->column->unit == UNIT_TIME ? "time" : "number", (int)(n->text.n < 40 ? n->text.n : 40), n->text.p,
			example(n->column->unit));
}

static int parse_comparison(struct parser *p, unsigned *ret)
{
	int from = (skip_blanks(p), at(p));
	struct span name = take_name(p);
	struct node n = { .number = NAN, .column = entity_column(p->entity, name) };

	if (name.n == 0)
		return note_set(p->note, -EINVAL, "column %d of the filter: a name is missing, as in \"%s > 5\"", from,
				p->entity->columns[0].name);
	if (!n.column)
		return note_set(p->note, -EINVAL, "%s has no column '%.*s'; closest: %s (osprey metrics %s lists them)",
				p->entity->name, (int)(name.n < 64 ? name.n : 64), name.p,
				entity_closest(p->entity, name), p->entity->name);
	if (!take_comparison(p, &n.op))
		return note_set(p->note, -EINVAL, "column %d of the filter: a comparison is missing behind %s: == != < <= > >= ~ !~",
				at(p), n.column->name);
	int r = take_value(p, &n.text);
	if (r == 0) {
		n.number = value_of(&n, p->now_ns);
		r = check_types(p, &n);
	}
	return r < 0 ? r : new_node(p, n, ret);
}

static int parse_unary(struct parser *p, unsigned *ret)
{
	unsigned inner;
	int r;

	if (++p->depth > FILTER_MAX)
		return note_set(p->note, -EINVAL, "the filter nests too deeply");
	if (take(p, "!") || take(p, "not")) {
		r = parse_unary(p, &inner);
		if (r == 0)
			r = new_node(p, (struct node){ .op = OP_NOT, .left = inner }, ret);
	} else if (take(p, "(")) {
		r = parse_or(p, ret);
		if (r == 0 && !take(p, ")"))
			r = note_set(p->note, -EINVAL, "column %d of the filter: ')' is missing", at(p));
	} else {
		r = parse_comparison(p, ret);
	}
	p->depth--;
	return r;
}

static int parse_and(struct parser *p, unsigned *ret)
{
	unsigned right;
	int r = parse_unary(p, ret);

	while (r == 0 && (take(p, "&&") || take(p, "and"))) {
		r = parse_unary(p, &right);
		if (r == 0)
			r = new_node(p, (struct node){ .op = OP_AND, .left = *ret, .right = right }, ret);
	}
	return r;
}

static int parse_or(struct parser *p, unsigned *ret)
{
	unsigned right;
	int r = parse_and(p, ret);

	while (r == 0 && (take(p, "||") || take(p, "or"))) {
		r = parse_and(p, &right);
		if (r == 0)
			r = new_node(p, (struct node){ .op = OP_OR, .left = *ret, .right = right }, ret);
	}
	return r;
}

static int parse_all(struct parser *p)
{
	int r = parse_or(p, &p->filter->root);

	skip_blanks(p);
	if (r == 0 && p->rest.n)
		r = note_set(p->note, -EINVAL, "column %d of the filter: '%.*s' is too much; join comparisons by && or ||",
			     at(p), (int)(p->rest.n < 40 ? p->rest.n : 40), p->rest.p);
	return r;
}

int filter_parse(const struct entity *e, struct span text, struct filter **ret, struct note *note)
{
	struct filter *f = calloc(1, sizeof *f);
	int r = -ENOMEM;

	if (f && (f->source = malloc(text.n + 1))) {
		memcpy(f->source, text.p, text.n);
		f->source[text.n] = '\0';
		struct parser p = { .entity = e, .filter = f, .rest = { f->source, text.n }, .note = note,
				    .now_ns = clock_real_ns() };
		r = parse_all(&p);
	}
	if (r < 0) {
		filter_free(f);
		return r == -ENOMEM ? note_set(note, r, "out of memory") : r;
	}
	*ret = f;
	return 0;
}

void filter_at(struct filter *f, uint64_t now_ns)
{
	for (unsigned i = 0; f && i < f->n; i++)
		if (f->node[i].column && f->node[i].column->unit == UNIT_TIME)
			f->node[i].number = value_of(&f->node[i], now_ns);
}

void filter_free(struct filter *f)
{
	if (f)
		free(f->source);
	free(f);
}

static bool holds(struct span s, struct span part)
{
	for (size_t i = 0; i + part.n <= s.n; i++)
		if (strncasecmp(s.p + i, part.p, part.n) == 0)
			return true;
	return false;
}

static bool ordered(enum op op, int c)
{
	switch (op) {
	case OP_EQ: return c == 0;
	case OP_NE: return c != 0;
	case OP_LT: return c < 0;
	case OP_LE: return c <= 0;
	case OP_GT: return c > 0;
	default: return c >= 0;
	}
}

static int text_order(struct span a, struct span b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* What is missing makes a comparison neither true nor false, and so its negation. */
enum truth { NO, YES, UNKNOWN };

static enum truth truth_of(bool is)
{
	return is ? YES : NO;
}

static enum truth compare(const struct node *n, const void *row)
{
	struct cell c = n->column->get(row);
	char digits[32];

	if (c.kind == CELL_MISSING)
		return UNKNOWN;
	if (n->op == OP_HAS || n->op == OP_HAS_NOT) {
		if (c.kind != CELL_TEXT) {
			snprintf(digits, sizeof digits, "%.15g", cell_number(&c));
			c.text = span_from(digits);
		}
		return truth_of(holds(c.text, n->text) == (n->op == OP_HAS));
	}
	if (c.kind == CELL_TEXT)
		return truth_of(ordered(n->op, text_order(c.text, n->text)));
	double v = cell_number(&c);
	if (isnan(n->number)) /* a moment that a look of a capture cannot have: a time of day before 1970 */
		return UNKNOWN;
	return truth_of(ordered(n->op, (v > n->number) - (v < n->number)));
}

static enum truth judge(const struct filter *f, unsigned i, const void *row)
{
	const struct node *n = &f->node[i];

	if (n->op == OP_NOT) {
		enum truth inner = judge(f, n->left, row);
		return inner == UNKNOWN ? UNKNOWN : truth_of(inner == NO);
	}
	if (n->op != OP_AND && n->op != OP_OR)
		return compare(n, row);
	enum truth decides = n->op == OP_AND ? NO : YES, left = judge(f, n->left, row);
	if (left == decides)
		return left;
	enum truth right = judge(f, n->right, row);
	return right == decides || left != UNKNOWN ? right : UNKNOWN;
}

bool filter_matches(const struct filter *f, const void *row)
{
	return !f || judge(f, f->root, row) == YES;
}

void filter_rows(const struct filter *f, row_vec *rows)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (filter_matches(f, rows->v[i]))
			rows->v[kept++] = rows->v[i];
	rows->n = kept;
}

bool filter_uses(const struct filter *f, const struct column *c)
{
	for (unsigned i = 0; f && i < f->n; i++)
		if (f->node[i].column == c)
			return true;
	return false;
}
