/* Command lines: options may stand anywhere, as --name VALUE, --name=VALUE, -n VALUE or
 * -nVALUE, flags' letters together; behind "--" all are operands; the last of several wins. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "base/closest.h"
#include "cmd/command.h"
#include "cmd/pages.h"

struct parse {
	const struct command *const *commands;
	const struct command *command;
	bool implied; /* no word named the command */
	char path[64]; /* "lab run": how messages call it */
	int argc, at;
	char *const *argv;
	struct arguments *args;
	struct buf *message;
};

#define REFUSE(p, ...) refuse(p, buf_printf((p)->message, __VA_ARGS__))

static int refuse(struct parse *p, int r)
{
	(void)p;
	return r < 0 ? r : -EINVAL;
}

static const char *article(const char *noun)
{
	return strchr("AEIOU", noun[0]) ? "an" : "a";
}

/* Whoever is in a hurry types what his fingers know. */
const char *command_of_tool(const char *tool)
{
	static const struct {
		const char *tool, *command;
	} tools[] = {
		{ "free", "memory" },	  { "vmstat", "memory" },     { "mpstat", "cpu" },	  { "uptime", "cpu" },
		{ "sar", "cpu" },	  { "iostat", "disk" },	      { "df", "disk" },		  { "ss", "sockets" },
		{ "netstat", "sockets" }, { "nstat", "net" },	      { "ip", "net" },		  { "lsof", "pid" },
		{ "dmesg", "log" },	  { "journalctl", "log" },    { "slabtop", "slab" },	  { "pstree", "tree" },
		{ "htop", "top" },	  { "pidstat", "ps" },	      { "pgrep", "ps" },	  { "systemd-cgtop", "cgroups" },
		{ "ulimit", "limits" },	  { "prlimit", "limit" },     { "nice", "priority" },	  { "renice", "priority" },
		{ "ionice", "priority" }, { "chrt", "priority" },     { "taskset", "pin" },	  { "kill", "signal" },
		{ "pkill", "signal" },	  { "killall", "signal" },    { "timeout", "run" },	  { "time", "run" },
		{ "cgexec", "run" },	  { "systemd-run", "run" },   { "sysctl", "tune" },
		{ "perf", "profile" },	  { "strace", "trace" },      { "ltrace", "probe" },	  { "bpftrace", "probe" },
		{ "pstack", "stack" },	  { "gstack", "stack" },      { "eu-stack", "stack" },	  { "gcore", "core" },
		{ "runqlat", "latency" }, { "biolatency", "latency" }, { "offcputime", "offcpu" }, { "memleak", "memory" },
	};

	for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++)
		if (strcmp(tools[i].tool, tool) == 0)
			return tools[i].command;
	return NULL;
}

static int wrong_command(struct parse *p, const char *word, const struct command *const *among)
{
	struct closest c = { 0 };

	for (; *among; among++)
		closest_offer(&c, word, (*among)->name);
	if (p->path[0] == '\0' && command_of_tool(word))
		return REFUSE(p, "unknown command '%s'; here it is osprey %s", word, command_of_tool(word));
	return REFUSE(p, "%s%sunknown command '%s'; closest: %s", p->path, p->path[0] ? ": " : "", word, c.word);
}

/* The options that are commands: "osprey --version". */
static const struct command *const dashed[] = { &command_version, &command_man, &command_completion, NULL };

static const struct command *find(const struct command *const *among, const char *name)
{
	for (; *among; among++)
		if (strcmp((*among)->name, name) == 0)
			return *among;
	return NULL;
}

static int wrong_option(struct parse *p, const char *word)
{
	struct closest c = { 0 };
	char given[64], names[OPTION_MAX][64];

	snprintf(given, sizeof given, "%.*s", (int)strcspn(word, "="), word);
	/* No letter is closer to another letter. */
	for (size_t i = 0; word[1] == '-' && i < p->command->noptions; i++) {
		snprintf(names[i], sizeof names[i], "--%s", p->command->options[i].name);
		closest_offer(&c, given, names[i]);
	}
	for (size_t i = 0; word[1] == '-' && p->implied && dashed[i]; i++)
		closest_offer(&c, given, dashed[i]->name);
	closest_offer(&c, given, "--help");
	return REFUSE(p, "%s: unknown option '%s'; closest: %s", p->path, given, c.word);
}

static int choose(struct parse *p, const struct option *o, const char *text, uint64_t *ret)
{
	struct closest c = { 0 };

	for (size_t i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], text) == 0) {
			*ret = i;
			return 0;
		}
		closest_offer(&c, text, o->choices[i]);
	}
	return REFUSE(p, "%s: --%s cannot be '%s'; closest: %s", p->path, o->name, text, c.word);
}

static int out_of_range(struct parse *p, const struct option *o, const char *text)
{
	if (o->kind == OPTION_DURATION)
		return REFUSE(p, "%s: --%s %s is out of range: %s to %s", p->path, o->name, text,
			      duration_text((double)o->minimum / 1e9).text,
			      duration_text((double)o->maximum / 1e9).text);
	return REFUSE(p, "%s: --%s %s is out of range: %llu to %llu", p->path, o->name, text,
		      (unsigned long long)o->minimum, (unsigned long long)o->maximum);
}

/* A number alone is seconds, as timeout, sleep and vmstat have it. */
static int seconds_or_duration(const char *text, uint64_t *ret_ns)
{
	char with_unit[40];
	int r = duration_parse(span_from(text), ret_ns);

	if (r != -EINVAL || strlen(text) + 2 > sizeof with_unit)
		return r;
	snprintf(with_unit, sizeof with_unit, "%ss", text);
	return duration_parse(span_from(with_unit), ret_ns);
}

static int set_option(struct parse *p, size_t index, const char *text)
{
	const struct option *o = &p->command->options[index];
	struct option_value value = { .given = true, .text = text };
	int r = 0;

	if (o->kind == OPTION_DURATION) {
		r = seconds_or_duration(text, &value.number);
		if (r == -EINVAL)
			return REFUSE(p, "%s: --%s '%s' is no duration; write 500ms, 2s or 1m", p->path,
				      o->name, text);
	} else if (o->kind == OPTION_COUNT) {
		if (!span_u64(span_from(text), &value.number))
			return REFUSE(p, "%s: --%s '%s' is no whole number", p->path, o->name, text);
	} else if (o->kind == OPTION_CHOICE) {
		r = choose(p, o, text, &value.number);
	} else if (text && !*text) {
		return REFUSE(p, "%s: --%s is empty; it needs %s %s", p->path, o->name, article(o->argument), o->argument);
	}
	if (r == -ERANGE || (o->maximum && (value.number < o->minimum || value.number > o->maximum)))
		return out_of_range(p, o, text);
	if (r < 0)
		return r;
	p->args->option[index] = value;
	if (text)
		p->args->given[p->args->ngiven++] = (struct given_option){ index, text };
	return 0;
}

/* `value` behind the option itself, else the next word. */
static int take_value(struct parse *p, size_t index, const char *value)
{
	const struct option *o = &p->command->options[index];

	if (!value && p->at < p->argc)
		value = p->argv[p->at++];
	if (!value)
		return REFUSE(p, "%s: --%s needs %s %s", p->path, o->name, article(o->argument), o->argument);
	return set_option(p, index, value);
}

static int take_long(struct parse *p, const char *word)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] ? name + length + 1 : NULL;

	for (size_t i = 0; i < p->command->noptions; i++) {
		const struct option *o = &p->command->options[i];

		if (strlen(o->name) != length || strncmp(o->name, name, length) != 0)
			continue;
		if (o->kind != OPTION_FLAG)
			return take_value(p, i, value);
		return value ? REFUSE(p, "%s: --%s takes no value, yet got '%s'", p->path, o->name, value) :
			       set_option(p, i, NULL);
	}
	return wrong_option(p, word);
}

/* Letters of flags, the last perhaps of an option with a value: -j, -ja, -w2s, -jw 2s. */
static int take_letters(struct parse *p, const char *word)
{
	int r = 0;

	for (const char *letter = word + 1; r == 0 && *letter; letter++) {
		size_t i = 0;

		while (i < p->command->noptions && p->command->options[i].letter != *letter)
			i++;
		if (i == p->command->noptions)
			return wrong_option(p, (char[]){ '-', *letter, '\0' });
		if (p->command->options[i].kind != OPTION_FLAG)
			return take_value(p, i, letter[1] ? letter + 1 : NULL);
		r = set_option(p, i, NULL);
	}
	return r;
}

static int take_operand(struct parse *p, const char *word)
{
	const struct command *c = p->command;
	struct closest close = { 0 };
	const char *choice = NULL;

	if (p->args->noperands == c->max_operands)
		return c->max_operands ? REFUSE(p, "%s: '%s' is one argument too many; usage: osprey %s %s",
						p->path, word, p->path, c->operands) :
					 REFUSE(p, "%s: unexpected argument '%s'; it takes options alone, see --help",
						p->path, word);
	for (size_t i = 0; c->operand_choice && (choice = c->operand_choice(i)); i++) {
		if (strcmp(choice, word) == 0)
			break;
		closest_offer(&close, word, choice);
	}
	if (c->operand_choice && !choice && close.word)
		return REFUSE(p, "%s: unknown argument '%s'; closest: %s", p->path, word, close.word);
	p->args->operand[p->args->noperands++] = word;
	return 0;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* "osprey x --help" is "osprey help x". */
static void turn_into_help(struct parse *p)
{
	static char words[2][32];
	size_t n = 0;

	for (struct span path = span_from(p->path), word; n < 2 && span_word(&path, &word); n++)
		span_copy(word, words[n], sizeof words[n]);
	if (p->path[0] == '-')
		n = 0; /* osprey --man --help */
	memset(p->args->option, 0, sizeof p->args->option);
	for (size_t i = 0; i < n; i++)
		p->args->operand[i] = words[i];
	p->args->operand[n] = NULL;
	p->args->noperands = n;
	p->command = &command_help;
}

static bool ends_options(const struct command *c, const char *word)
{
	uint64_t number;

	return c->operands_end_options && !(c->numbers_before_options && span_u64(span_from(word), &number));
}

static int parse_words(struct parse *p)
{
	bool options_ended = false;

	while (p->at < p->argc) {
		const char *word = p->argv[p->at++];
		int r = 0;

		if (!options_ended && strcmp(word, "--") == 0) {
			options_ended = true;
		} else if (!options_ended && is_help(word)) {
			turn_into_help(p);
			return 0;
		} else if (!options_ended && word[0] == '-' && word[1]) {
			r = word[1] == '-' ? take_long(p, word) : take_letters(p, word);
		} else {
			r = take_operand(p, word);
			options_ended = options_ended || ends_options(p->command, word);
		}
		if (r < 0)
			return r;
	}
	if (p->args->noperands < p->command->min_operands)
		return REFUSE(p, "%s: something is missing; usage: osprey %s %s", p->path, p->path,
			      p->command->operands);
	return 0;
}

static const struct command *dashed_command(const char *word)
{
	if (is_help(word))
		return &command_help;
	return strcmp(word, "-V") == 0 ? &command_version : find(dashed, word);
}

/* Finds the command; p->at then stands behind its words. */
static int find_command(struct parse *p)
{
	const char *word = p->argc > 0 ? p->argv[0] : "";

	p->command = p->commands[0];
	p->implied = true;
	if (word[0] == '-' && dashed_command(word)) {
		p->command = dashed_command(word);
		p->implied = false;
		p->at = 1;
	} else if (word[0] && word[0] != '-') {
		p->command = find(p->commands, word);
		p->implied = false;
		p->at = 1;
		if (!p->command)
			return wrong_command(p, word, p->commands);
	}
	snprintf(p->path, sizeof p->path, "%s", p->command->name);
	while (p->command->commands) {
		if (p->at == p->argc)
			return REFUSE(p, "%s: something is missing; see osprey help %s", p->path, p->path);
		word = p->argv[p->at++];
		if (is_help(word)) {
			turn_into_help(p);
			p->at = p->argc;
			return 0;
		}
		if (word[0] == '-')
			return wrong_option(p, word);
		const struct command *child = find(p->command->commands, word);
		if (!child)
			return wrong_command(p, word, p->command->commands);
		p->command = child;
		size_t n = strlen(p->path);
		snprintf(p->path + n, sizeof p->path - n, " %s", child->name);
	}
	return 0;
}

int command_parse(const struct command *const *commands, int argc, char *const argv[],
		  const struct command **ret_command, struct arguments *ret, struct buf *ret_message)
{
	/* Room for every word, the two of a turn into help, and the NULL. */
	struct arguments args = {
		.operand = calloc((size_t)argc + 3, sizeof *args.operand),
		.given = calloc((size_t)argc + 1, sizeof *args.given),
	};
	struct parse p = {
		.commands = commands, .argc = argc, .argv = argv, .args = &args, .message = ret_message,
	};
	int r = args.operand && args.given ? find_command(&p) : -ENOMEM;

	if (r == 0)
		r = parse_words(&p);
	if (r < 0) {
		arguments_deinit(&args);
		return r;
	}
	*ret_command = p.command;
	*ret = args;
	return 0;
}

void arguments_deinit(struct arguments *args)
{
	free(args->operand);
	free(args->given);
	*args = (struct arguments){ 0 };
}
