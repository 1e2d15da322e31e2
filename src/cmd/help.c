#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/closest.h"
#include "cmd/output.h"
#include "cmd/pages.h"

static void heading(struct page *p, const char *text)
{
	page_tone(p, TONE_STRONG);
	page_put(p, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* Paragraphs, which an empty line separates. */
static void paragraphs(struct page *p, unsigned indent, const char *text)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		struct span one = { text, end ? (size_t)(end - text) : strlen(text) };

		page_indent(p, indent);
		page_wrap_span(p, indent, one);
		page_newline(p);
		text += one.n + (end ? 2 : 0);
		if (*text)
			page_newline(p);
	}
}

/* A term and what it means: beside it where there is room, else below. */
static void entry(struct page *p, const char *term, unsigned column, const char *meaning)
{
	unsigned hang = p->style.width >= column + 30 ? column : 6;

	page_indent(p, 2);
	page_put(p, "%s", term);
	if (p->column + 2 > hang)
		page_newline(p);
	page_indent(p, hang);
	page_wrap(p, hang, "%s", meaning);
	page_newline(p);
}

static void usage(struct page *p, const char *path, const struct command *c)
{
	page_indent(p, 2);
	page_put(p, "osprey %s%s%s%s", path, c->commands ? " COMMAND" : "", c->noptions ? " [OPTIONS]" : "",
		 c->operands ? " " : "");
	page_put(p, "%s", c->operands ? c->operands : "");
	page_newline(p);
}

static void option_entry(struct page *p, const struct option *o)
{
	char term[64], letter[8] = "    ";

	if (o->letter)
		snprintf(letter, sizeof letter, "-%c, ", o->letter);
	snprintf(term, sizeof term, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
		 o->argument ? o->argument : "");
	entry(p, term, 28, o->help);
}

void help_of_command(struct page *p, const char *path, const struct command *c)
{
	char child[80];

	page_wrap(p, 0, "osprey %s: %s", path, c->summary);
	page_newline(p);
	page_newline(p);
	usage(p, path, c);
	if (c->description) {
		page_newline(p);
		paragraphs(p, 0, c->description);
	}
	page_newline(p);
	for (size_t i = 0; c->commands && c->commands[i]; i++) {
		snprintf(child, sizeof child, "%s%s%s", c->commands[i]->name, c->commands[i]->operands ? " " : "",
			 c->commands[i]->operands ? c->commands[i]->operands : "");
		entry(p, child, 28, c->commands[i]->summary);
	}
	if (!c->commands) {
		heading(p, "Options");
		for (size_t i = 0; i < c->noptions; i++)
			option_entry(p, &c->options[i]);
		entry(p, "-h, --help", 28, "print this");
	}
}

void help_overview(struct page *p)
{
	size_t n;
	const struct command_listing *listing = commands_listing(&n);

	page_wrap(p, 0, "osprey finds out why this machine is slow, and proves it.");
	page_newline(p);
	page_newline(p);
	page_put(p, "  osprey [COMMAND] [OPTIONS]");
	page_newline(p);
	page_newline(p);
	for (size_t i = 0; i < n; i++) {
		if (listing[i].heading && i > 0)
			page_newline(p);
		if (listing[i].heading)
			heading(p, listing[i].heading);
		else
			entry(p, listing[i].command->name, 12, listing[i].command->summary);
	}
	page_newline(p);
	page_wrap(p, 0, "Without a command it is osprey %s. The options of a command: osprey help COMMAND.",
		  commands_all()[0]->name);
	page_newline(p);
	page_newline(p);
	heading(p, "Options");
	entry(p, "-h, --help", 28, "print this, or the help of the command before it");
	entry(p, "-V, --version", 28, command_version.summary);
	entry(p, "    --man", 28, command_man.summary);
	entry(p, "    --completion SHELL", 28, command_completion.summary);
	page_newline(p);
	heading(p, "Exit status");
	entry(p, "0", 6, "fine");
	entry(p, "1", 6, "something was found that is worse than a note");
	entry(p, "2", 6, "the arguments are wrong; nothing was done");
	entry(p, "3", 6, "could not measure, or could not write the answer");
}

/* The command that the operands name; says what is wrong when there is none. */
static const struct command *named(const struct arguments *args)
{
	const struct command *const *among = commands_all(), *found = NULL;

	for (size_t i = 0; i < args->noperands; i++) {
		struct closest c = { 0 };

		found = NULL;
		for (size_t j = 0; among && among[j]; j++) {
			if (strcmp(among[j]->name, args->operand[i]) == 0)
				found = among[j];
			closest_offer(&c, args->operand[i], among[j]->name);
		}
		if (!found && i == 0 && command_of_tool(args->operand[0])) {
			say("help: unknown command '%s'; here it is osprey %s", args->operand[0],
			    command_of_tool(args->operand[0]));
			return NULL;
		}
		if (!found) {
			say("help: unknown command '%s'; closest: %s", args->operand[i],
			    c.word ? c.word : args->operand[0]);
			return NULL;
		}
		among = found->commands;
	}
	return found;
}

static int run_help(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(false) };
	char path[80];

	if (args->noperands == 0) {
		help_overview(&p);
	} else {
		const struct command *c = named(args);
		if (!c)
			return EXIT_USAGE;
		snprintf(path, sizeof path, "%s%s%s", args->operand[0], args->noperands > 1 ? " " : "",
			 args->noperands > 1 ? args->operand[1] : "");
		help_of_command(&p, path, c);
	}
	return output_write(buf_span(&text), p.error);
}

const struct command command_help = {
	.name = "help",
	.summary = "tell what a command does and which options it has",
	.operands = "[COMMAND [COMMAND]]",
	.max_operands = 2,
	.run = run_help,
};

static int run_version(const struct arguments *args)
{
	(void)args;
	return output_write(SPAN("osprey " OSPREY_VERSION "\n"), 0);
}

const struct command command_version = {
	.name = "--version",
	.summary = "print the version",
	.run = run_version,
};
