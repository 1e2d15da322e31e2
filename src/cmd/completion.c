/* Shell completions, from the command tables. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/output.h"
#include "cmd/pages.h"

struct script {
	struct buf *out;
	int error;
};

static void put(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct script *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (s->error == 0)
		s->error = buf_vprintf(s->out, format, args);
	va_end(args);
}

/* Within single quotes of bash and zsh; fish takes the same form. */
static void quoted(struct script *s, const char *text)
{
	put(s, "'");
	for (; *text; text++)
		if (*text == '\'')
			put(s, "'\\''");
		else
			put(s, "%c", *text);
	put(s, "'");
}

/* Calls `each` for every command with its words behind `osprey`. */
static void walk(struct script *s, const char *path, const struct command *const *commands,
		 void (*each)(struct script *s, const char *path, const struct command *c))
{
	for (; *commands; commands++) {
		char own[80];

		snprintf(own, sizeof own, "%s%s%s", path, *path ? " " : "", (*commands)->name);
		each(s, own, *commands);
		if ((*commands)->commands)
			walk(s, own, (*commands)->commands, each);
	}
}

static void names(struct script *s, const struct command *const *commands)
{
	for (; *commands; commands++)
		put(s, "%s ", (*commands)->name);
}

static void choices(struct script *s, const struct command *c)
{
	const char *word;

	for (size_t i = 0; c->operand_choice && (word = c->operand_choice(i)); i++)
		put(s, "%s ", word);
	for (const struct command *const *named = commands_all(); c == &command_help && *named; named++)
		if (*named != c)
			put(s, "%s ", (*named)->name);
}

/* ---- bash (and zsh through its bashcompinit) ---- */

/* "'lab run --strength'|'lab run -s'", of which `path` is the first part. */
static void bash_pattern(struct script *s, const char *path, const struct option *o)
{
	put(s, "\t\t'%s --%s'", path, o->name);
	if (o->letter)
		put(s, "|'%s -%c'", path, o->letter);
	put(s, ") ");
}

static void bash_words(struct script *s, const char *path, const struct command *c)
{
	put(s, "\t\t'%s') offers='", path);
	if (c->commands)
		names(s, c->commands);
	choices(s, c);
	for (size_t i = 0; i < c->noptions; i++)
		put(s, "--%s ", c->options[i].name);
	put(s, "--help' ;;\n");
}

static void bash_values(struct script *s, const char *path, const struct command *c)
{
	for (size_t i = 0; i < c->noptions; i++) {
		const struct option *o = &c->options[i];

		if (o->kind == OPTION_FLAG)
			continue;
		bash_pattern(s, path, o);
		if (o->kind == OPTION_FILE)
			put(s, "COMPREPLY=($(compgen -f -- \"$current\"))");
		else if (o->kind != OPTION_CHOICE)
			put(s, "COMPREPLY=()");
		for (size_t k = 0; o->kind == OPTION_CHOICE && o->choices[k]; k++)
			put(s, "%s%s%s", k ? " " : "COMPREPLY=($(compgen -W '", o->choices[k],
			    o->choices[k + 1] ? "" : "' -- \"$current\"))");
		put(s, "; return ;;\n");
	}
}

/* zsh runs it too: a length must not begin with a letter there, and `path` and `words` are
 * variables of its own. */
static void bash_function(struct script *s, const struct command *const *commands)
{
	put(s, "_osprey() {\n"
	       "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal command='' word offers=''\n"
	       "\tCOMPREPLY=()\n"
	       "\tfor word in \"${COMP_WORDS[@]:1:$((COMP_CWORD-1))}\"; do\n"
	       "\t\tcase \"$command $word\" in\n");
	put(s, "\t\t\t*' -'*) ;;\n");
	put(s, "\t\t\t");
	for (const struct command *const *c = commands; *c; c++)
		put(s, "%s' %s'", c == commands ? "" : "|", (*c)->name);
	for (const struct command *const *c = commands; *c; c++)
		for (size_t i = 0; (*c)->commands && (*c)->commands[i]; i++)
			put(s, "|'%s %s'", (*c)->name, (*c)->commands[i]->name);
	put(s, ") command=\"${command:+$command }$word\" ;;\n\t\tesac\n\tdone\n"
	       "\tcase \"${command:-%s} $previous\" in\n", commands[0]->name);
	walk(s, "", commands, bash_values);
	put(s, "\t\t'%s --completion') COMPREPLY=($(compgen -W '%s' -- \"$current\")); return ;;\n",
	    commands[0]->name, "bash zsh fish");
	put(s, "\tesac\n\tcase \"$command\" in\n\t\t'') offers='");
	names(s, commands);
	for (size_t i = 0; i < commands[0]->noptions; i++)
		put(s, "--%s ", commands[0]->options[i].name);
	put(s, "--help --version --man --completion' ;;\n");
	walk(s, "", commands, bash_words);
	put(s, "\tesac\n\tCOMPREPLY=($(compgen -W \"$offers\" -- \"$current\"))\n}\n");
}

static void bash(struct script *s, const struct command *const *commands)
{
	put(s, "# bash completion of osprey, made by `osprey --completion bash`\n");
	bash_function(s, commands);
	put(s, "complete -F _osprey osprey\n");
}

/* To be sourced, or to be a file _osprey of $fpath: that is read at the first Tab, as the body of
 * _osprey, and has to answer it. */
static void zsh(struct script *s, const struct command *const *commands)
{
	put(s, "#compdef osprey\n"
	       "# zsh completion of osprey, made by `osprey --completion zsh`\n"
	       "autoload -Uz compinit bashcompinit\n"
	       "(( $+functions[compdef] )) || compinit\n"
	       "bashcompinit\n");
	bash_function(s, commands);
	put(s, "complete -F _osprey osprey\n"
	       "[[ ${funcstack[1]:-} != _osprey ]] || _bash_complete -F _osprey\n");
}

/* ---- fish ---- */

/* Leaves the condition open: words stand there that lead to `path`, or none. */
static void fish_begin(struct script *s, const char *path)
{
	struct span rest = span_from(path), word;
	bool first = true;

	put(s, "complete -c osprey -n '");
	for (; span_word(&rest, &word); first = false)
		put(s, "%s__fish_seen_subcommand_from %.*s", first ? "" : "; and ", (int)word.n, word.p);
	if (first)
		put(s, "__fish_use_subcommand");
}

static void fish_options(struct script *s, const char *path, const struct command *c)
{
	for (size_t i = 0; i < c->noptions; i++) {
		const struct option *o = &c->options[i];

		fish_begin(s, path);
		put(s, "' -l %s", o->name);
		if (o->letter)
			put(s, " -s %c", o->letter);
		if (o->kind != OPTION_FLAG)
			put(s, o->kind == OPTION_FILE ? " -r -F" : " -x");
		for (size_t k = 0; o->kind == OPTION_CHOICE && o->choices[k]; k++)
			put(s, "%s%s%s", k ? " " : " -a '", o->choices[k], o->choices[k + 1] ? "" : "'");
		put(s, " -d ");
		quoted(s, o->help);
		put(s, "\n");
	}
}

static void fish_command(struct script *s, const char *path, const struct command *c)
{
	for (size_t i = 0; c->commands && c->commands[i]; i++) {
		fish_begin(s, path);
		put(s, "; and not __fish_seen_subcommand_from ");
		names(s, c->commands);
		put(s, "' -f -a %s -d ", c->commands[i]->name);
		quoted(s, c->commands[i]->summary);
		put(s, "\n");
	}
	if (c->operand_choice || c == &command_help) {
		fish_begin(s, path);
		put(s, "; and not __fish_seen_subcommand_from %s", c == &command_help ? "" : "help ");
		choices(s, c);
		put(s, "' -f -a '");
		choices(s, c);
		put(s, "'\n");
	}
	fish_options(s, path, c);
}

static void fish(struct script *s, const struct command *const *commands)
{
	put(s, "# fish completion of osprey, made by `osprey --completion fish`\n"
	       "complete -c osprey -f\n");
	for (const struct command *const *c = commands; *c; c++) {
		fish_begin(s, "");
		put(s, "' -a %s -d ", (*c)->name);
		quoted(s, (*c)->summary);
		put(s, "\n");
	}
	fish_options(s, "", commands[0]);
	fish_begin(s, "");
	put(s, "' -s V -l version -d 'print the version'\n");
	fish_begin(s, "");
	put(s, "' -l man -d 'print the manual page'\n");
	fish_begin(s, "");
	put(s, "' -l completion -x -a 'bash zsh fish' -d 'print a completion script'\n"
	       "complete -c osprey -s h -l help -d 'print help'\n");
	walk(s, "", commands, fish_command);
}

int completion(const struct command *const *commands, enum shell shell, struct buf *ret)
{
	struct script s = { .out = ret };

	switch (shell) {
	case SHELL_BASH:
		bash(&s, commands);
		break;
	case SHELL_ZSH:
		zsh(&s, commands);
		break;
	case SHELL_FISH:
		fish(&s, commands);
		break;
	}
	return s.error;
}

static const char *const shells[] = { [SHELL_BASH] = "bash", [SHELL_ZSH] = "zsh", [SHELL_FISH] = "fish", NULL };

static const char *shell_choice(size_t i)
{
	return shells[i];
}

static int run_completion(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf script = { 0 };
	enum shell shell = SHELL_BASH;

	while (strcmp(shells[shell], args->operand[0]) != 0)
		shell++;
	int r = completion(commands_all(), shell, &script);
	return output_write(buf_span(&script), r);
}

const struct command command_completion = {
	.name = "--completion",
	.summary = "print a completion script for bash, zsh or fish",
	.description = "bash: source <(osprey --completion bash). zsh: the same with zsh, or as a file _osprey in a folder of "
		       "$fpath. fish: osprey --completion fish | source.",
	.operands = "bash|zsh|fish",
	.min_operands = 1,
	.max_operands = 1,
	.operand_choice = shell_choice,
	.run = run_completion,
};
