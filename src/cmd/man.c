/* osprey(1), from the command tables. `osprey --man` writes it; man-pages(7) is its form. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/output.h"
#include "cmd/pages.h"

struct roff {
	struct buf *out;
	int error;
};

static void put(struct roff *r, const char *text)
{
	if (r->error == 0)
		r->error = buf_append(r->out, text, strlen(text));
}

/* Text that roff takes for text: no requests, no escapes, hyphens that can be copied. */
static void text(struct roff *r, const char *s)
{
	bool line_start = true;

	for (; *s && r->error == 0; s++) {
		if (line_start && (*s == '.' || *s == '\''))
			put(r, "\\&");
		line_start = *s == '\n';
		if (*s == '\\')
			put(r, "\\e");
		else if (*s == '-')
			put(r, "\\-");
		else if (s[0] == '\n' && s[1] == '\n') {
			put(r, "\n.PP\n");
			s++;
		} else
			r->error = buf_append(r->out, s, 1);
	}
}

static void option(struct roff *r, const struct option *o)
{
	char letter[4] = { '-', o->letter, '\0' };

	put(r, ".TP\n");
	if (o->letter) {
		put(r, "\\fB");
		text(r, letter);
		put(r, "\\fR, ");
	}
	put(r, "\\fB\\-\\-");
	text(r, o->name);
	put(r, "\\fR");
	if (o->argument) {
		put(r, " \\fI");
		text(r, o->argument);
		put(r, "\\fR");
	}
	put(r, "\n");
	text(r, o->help);
	put(r, "\n");
}

static void one(struct roff *r, const char *path, const struct command *c)
{
	put(r, ".SS osprey ");
	text(r, path);
	if (c->noptions)
		put(r, " [OPTIONS]");
	if (c->operands) {
		put(r, " ");
		text(r, c->operands);
	}
	put(r, "\n");
	text(r, c->summary);
	put(r, ".\n");
	if (c->description) {
		put(r, ".PP\n");
		text(r, c->description);
		put(r, "\n");
	}
	for (size_t i = 0; i < c->noptions; i++)
		option(r, &c->options[i]);
	for (size_t i = 0; c->commands && c->commands[i]; i++) {
		char child[80];
		snprintf(child, sizeof child, "%s %s", path, c->commands[i]->name);
		one(r, child, c->commands[i]);
	}
}

int man_page(const struct command *const *commands, struct buf *ret)
{
	struct roff r = { .out = ret };

	put(&r, ".TH OSPREY 1 \"\" \"osprey " OSPREY_VERSION "\"\n"
		".SH NAME\nosprey \\- find out why a Linux machine is slow, and prove it\n"
		".SH SYNOPSIS\n.B osprey\n[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]\n"
		".SH DESCRIPTION\nWithout a command, \\fBosprey\\fR is \\fBosprey ");
	text(&r, commands[0]->name);
	put(&r, "\\fR.\n.SH COMMANDS\n");
	for (; *commands; commands++)
		one(&r, (*commands)->name, *commands);
	put(&r, ".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\n"
		"print the commands, or behind a command its help\n"
		".TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\n");
	text(&r, command_version.summary);
	put(&r, "\n.TP\n\\fB\\-\\-man\\fR\n");
	text(&r, command_man.summary);
	put(&r, "\n.TP\n\\fB\\-\\-completion\\fR ");
	text(&r, command_completion.operands);
	put(&r, "\n");
	text(&r, command_completion.summary);
	put(&r, ".\n");
	text(&r, command_completion.description);
	put(&r, "\n.SH EXIT STATUS\n.TP\n0\nfine\n.TP\n1\nsomething was found that is worse than a note\n"
		".TP\n2\nthe arguments are wrong; nothing was done\n"
		".TP\n3\ncould not measure, or could not write the answer\n"
		".SH ENVIRONMENT\n.TP\nNO_COLOR\nwhen set and not empty, nothing is coloured\n"
		".TP\nTERM\nwhen dumb or not set, nothing is coloured\n"
		".TP\nCOLUMNS\nthe width of what is no terminal, 80 without it\n"
		".TP\nLC_ALL, LC_CTYPE, LANG\nthe first that is set tells whether the terminal takes UTF\\-8\n");
	return r.error;
}

static int run_man(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf page = { 0 };

	(void)args;
	int r = man_page(commands_all(), &page);
	return output_write(buf_span(&page), r);
}

const struct command command_man = {
	.name = "--man",
	.summary = "print the manual page",
	.run = run_man,
};
