/* Commands: the words that stand behind `osprey`.
 *
 * To add the command x:
 *  1. src/cmd/x.c defines `const struct command command_x`: name, one-line summary,
 *     description, option table, operands, and `run`. Look at cmd/explain.c: it is short.
 *  2. A line in src/cmd/commands.def, where `osprey help` shall list it.
 *  3. tests/cli/x/: a folder for each case, with a file `cmd` and what it must print
 *     (`tests/cli/run --bless` writes that down; read it before you commit it).
 *
 * The tables are the one place that knows the options: the parser, --help, the man page
 * (`osprey --man`), the shell completions (`osprey --completion bash`) and the hint after a
 * mistyped word are made from them.
 *
 * What `run` keeps to:
 *  - it gets arguments that the tables allow, and checks what tables cannot say;
 *  - the answer goes to stdout by output_write (cmd/output.h), in one piece where it can;
 *    talk goes to stderr by say();
 *  - it returns an enum exit_code, and closes and frees what it opened. */
#ifndef OSPREY_CMD_COMMAND_H
#define OSPREY_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum exit_code {
	EXIT_FINE = 0,
	EXIT_FINDINGS = 1, /* something above a note was found */
	EXIT_USAGE = 2,	   /* the arguments are wrong; nothing was done */
	EXIT_UNABLE = 3,   /* could not measure, or could not write the answer */
};

enum option_kind {
	OPTION_FLAG,	 /* takes no argument */
	OPTION_TEXT,
	OPTION_FILE,	 /* completed as a file name */
	OPTION_DURATION, /* "500ms", "2s", "1m", "2" (seconds); value in ns */
	OPTION_COUNT,	 /* a whole number */
	OPTION_CHOICE,	 /* one of `choices`; value is its position */
};

#define OPTION_MAX 48		/* options of one command */
#define OPERANDS_ANY SIZE_MAX	/* max_operands: as many as the kernel lets through */

struct option {
	const char *name;     /* long form, without dashes */
	char letter;	      /* short form; 0: none */
	enum option_kind kind;
	const char *argument; /* how help calls it: "DURATION"; NULL for flags */
	const char *help;     /* one line */
	uint64_t minimum, maximum;	    /* of durations and counts; both 0: any */
	const char *const *choices; /* NULL-terminated; of OPTION_CHOICE */
};

/* One option as given; the position is that in the command's table. */
struct option_value {
	bool given;
	const char *text;
	uint64_t number; /* duration in ns, count, position of the choice */
};

struct arguments {
	struct option_value option[OPTION_MAX];
	const char **operand; /* noperands words, and a NULL behind them */
	size_t noperands;
	/* Every option with a value, in the order given: for those that may be given often. */
	struct given_option {
		size_t option;
		const char *text;
	} *given;
	size_t ngiven;
};

void arguments_deinit(struct arguments *args);

struct command {
	const char *name;
	const char *summary;	 /* one line, no full stop */
	const char *description; /* paragraphs, separated by an empty line; nullable */
	const char *operands;	 /* as usage shows them: "[CONDITION]"; NULL: none */
	size_t min_operands, max_operands;
	/* The first operand and all behind it are somebody else's: a command line, say. */
	bool operands_end_options;
	/* With it: a number does not, since PIDs are ours ("1234 --json"). */
	bool numbers_before_options;
	/* The i-th word that operands may be, NULL behind the last; NULL: any word may stand
	 * there. Others are refused with the closest. */
	const char *(*operand_choice)(size_t i);
	const struct option *options;
	size_t noptions;
	/* Commands of its own (`osprey lab run`), NULL-terminated; then it has neither
	 * operands nor options, and `run` is NULL. */
	const struct command *const *commands;
	int (*run)(const struct arguments *args);
};

#define OPTIONS(table) .options = (table), .noptions = sizeof(table) / sizeof(table)[0]

/* All of commands.def, NULL-terminated, in its order. */
const struct command *const *commands_all(void);

/* The command that shows or does what another tool does ("free": "memory"); NULL: none is known. */
const char *command_of_tool(const char *tool);

/* The same with its headings: either member is set. */
struct command_listing {
	const char *heading;
	const struct command *command;
};
const struct command_listing *commands_listing(size_t *ret_n);

/* Runs `osprey ARGS`; argv[0] is the program. What main returns. */
int command_main(int argc, char *argv[]);

/* ---- for the tests and the pages made from the tables ---- */

/* What the words after `osprey` mean. 0: *ret_command shall run with *ret; -EINVAL: they
 * are wrong and *ret_message says in one line which and what would be right; -ENOMEM. *ret
 * is to be given to arguments_deinit after 0. */
int command_parse(const struct command *const *commands, int argc, char *const argv[],
		  const struct command **ret_command, struct arguments *ret, struct buf *ret_message)
	__attribute__((warn_unused_result));

#endif
