/* The probe language: one line that says where to look, which hits matter and what to keep of them.
 *
 *	program  clause {";" clause}
 *	clause   PROBE ["if" expression] [["do"] action]   or, for the probe before it: action
 *	PROBE    tracepoint:GROUP:EVENT  rawtracepoint:EVENT  kprobe:FUNCTION[+OFFSET]  kretprobe:FUNCTION
 *	         uprobe:FILE:FUNCTION[+OFFSET]  uretprobe:FILE:FUNCTION  usdt:FILE:[PROVIDER:]NAME
 *	         (short: t rt k kr u ur). * and ? stand for any text and any character; "quotes" hold blanks and colons
 *	action   print [value {"," value}]
 *	         count | (sum | min | max | avg | histogram) value     each with ["by" value {"," value}]
 *
 * Operators, from the loosest: || && | (comparisons: == != < <= > >= starts) | ^ & << >> + - * / % ! - ~ * -> . []
 * Comparisons bind loosest but for && and ||, so that `flags & 4 == 4` is what it looks like.
 *
 * Pure; any bytes are taken; bounded depth and size. What a name means is found later (scope.h). */
#ifndef OSPREY_DIG_PROBE_LANGUAGE_H
#define OSPREY_DIG_PROBE_LANGUAGE_H

#include <stdbool.h>

#include "base/span.h"
#include "base/vec.h"

#define PROBE_DEPTH_MAX 24
#define PROBE_NODES_MAX 400
#define PROBE_CLAUSES_MAX 16
#define PROBE_ACTIONS_MAX 8
#define PROBE_VALUES_MAX 24 /* of one print */
#define PROBE_KEYS_MAX 6

/* What is wrong, and where: the caret goes under `column`. */
struct probe_error {
	char text[256];
	size_t column; /* bytes from the start of the line */
};

enum expression_kind {
	EXPRESSION_NUMBER,
	EXPRESSION_TEXT,
	EXPRESSION_NAME,
	EXPRESSION_MEMBER, /* left.text, left->text */
	EXPRESSION_INDEX,  /* left[right] */
	EXPRESSION_CALL,   /* text(left) */
	EXPRESSION_UNARY,  /* op left */
	EXPRESSION_BINARY, /* left op right */
};

enum operator {
	OP_NONE, OP_OR, OP_AND, OP_EQUAL, OP_UNEQUAL, OP_LESS, OP_LESS_EQUAL, OP_GREATER, OP_GREATER_EQUAL, OP_STARTS,
	OP_BIT_OR, OP_BIT_XOR, OP_BIT_AND, OP_SHIFT_LEFT, OP_SHIFT_RIGHT, OP_ADD, OP_SUBTRACT, OP_MULTIPLY, OP_DIVIDE,
	OP_MODULO, OP_NOT, OP_NEGATE, OP_COMPLEMENT, OP_DEREFERENCE,
};

struct expression {
	enum expression_kind kind;
	enum operator op;
	struct span text;   /* as written, in the line; of EXPRESSION_TEXT: between its quotes, escapes not undone */
	struct span source; /* the whole of it, as written */
	uint64_t number;
	size_t column;
	unsigned depth; /* of the tree below, 1: a leaf */
	struct expression *left, *right;
};

enum probe_kind { PROBE_TRACEPOINT, PROBE_RAW_TRACEPOINT, PROBE_KPROBE, PROBE_KRETPROBE, PROBE_UPROBE, PROBE_URETPROBE,
		  PROBE_USDT, PROBE_KINDS };
extern const char *const probe_kind_names[PROBE_KINDS];

/* Parts may be patterns; each points into the line. */
struct probe_spec {
	enum probe_kind kind;
	struct span text; /* the whole */
	size_t column;
	struct span file;     /* of user probes */
	size_t file_column;
	struct span group;    /* of tracepoints, the provider of USDT (n 0: any) */
	struct span name;     /* event, function; n 0: not given (in a list alone) */
	size_t name_column;
	uint64_t offset;      /* "+OFFSET" behind a function */
};

enum action_kind { ACTION_PRINT, ACTION_COUNT, ACTION_SUM, ACTION_MIN, ACTION_MAX, ACTION_AVG, ACTION_HISTOGRAM };
extern const char *const probe_action_names[];

struct probe_action {
	enum action_kind kind;
	struct span source; /* as written; "" of a print that was not */
	size_t column;
	struct expression *value[PROBE_VALUES_MAX];
	size_t nvalues; /* print without any: all arguments */
	struct expression *key[PROBE_KEYS_MAX];
	size_t nkeys;
};

struct probe_clause {
	struct probe_spec spec;
	struct expression *filter; /* NULL: all hits */
	struct probe_action action[PROBE_ACTIONS_MAX];
	size_t nactions;
};

struct probe_program {
	struct probe_clause clause[PROBE_CLAUSES_MAX];
	size_t nclauses;
	VEC(struct expression *) nodes; /* all of them */
};

/* The line must stay. 0, -EINVAL with *ret_error, -ENOMEM. */
int probe_parse(struct span line, struct probe_program **ret, struct probe_error *ret_error)
	__attribute__((warn_unused_result));
void probe_program_free(struct probe_program *p);
/* One PROBE; `partial`: what stands behind may be left out, as in a list. */
int probe_spec_parse(struct span line, bool partial, struct probe_spec *ret, struct probe_error *ret_error)
	__attribute__((warn_unused_result));

/* -EINVAL, with the words. */
int probe_error_set(struct probe_error *e, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

bool probe_has_pattern(struct span s);
/* * and ? as in a shell, * crosses everything. */
bool probe_matches(struct span pattern, struct span text);
/* The text of an EXPRESSION_TEXT, escapes (\n \t \\ \" \xNN) undone. Bytes, or -EINVAL; no NUL is put. */
int probe_text_bytes(struct span quoted, char *ret, size_t size);

#endif
