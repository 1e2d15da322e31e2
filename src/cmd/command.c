#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/config.h"
#include "cmd/inherited.h"
#include "cmd/output.h"

#define HEADING(text)
#define COMMAND(name) extern const struct command command_##name;
#include "cmd/commands.def"
#undef COMMAND

const struct command *const *commands_all(void)
{
	static const struct command *const table[] = {
#define COMMAND(name) &command_##name,
#include "cmd/commands.def"
#undef COMMAND
		NULL,
	};
	return table;
}
#undef HEADING

const struct command_listing *commands_listing(size_t *ret_n)
{
	static const struct command_listing listing[] = {
#define HEADING(text) { .heading = text },
#define COMMAND(name) { .command = &command_##name },
#include "cmd/commands.def"
#undef COMMAND
#undef HEADING
	};
	*ret_n = sizeof listing / sizeof listing[0];
	return listing;
}

struct inherited inherited;

/* Without this a file opened as descriptor 1 would receive the answer. Read-only, so that an
 * answer that nobody receives is an error. */
static void keep_standard_descriptors(void)
{
	int fd = open("/dev/null", O_RDONLY);

	while (fd >= 0 && fd <= STDERR_FILENO) {
		inherited.closed[fd] = true;
		fd = dup(fd);
	}
	if (fd > STDERR_FILENO)
		close(fd);
}

/* A shell on the burning host may allow few: what may be had, is taken. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max && limit.rlim_cur < 256) {
		inherited.nofile = limit;
		inherited.has_nofile = true;
		limit.rlim_cur = limit.rlim_max < 256 ? limit.rlim_max : 256;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Takes the next word off the front, in place: blanks part words but within '…' or "…". */
static char *next_word(char **rest)
{
	char *from = *rest + strspn(*rest, " "), *to = from, *word = from, quote = '\0';

	if (!*from)
		return NULL;
	for (; *from && (quote || *from != ' '); from++) {
		if (quote ? *from == quote : *from == '\'' || *from == '"')
			quote = quote ? '\0' : *from;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

/* An alias stands for its words, with what follows it behind them. *ret_text holds the words. The first of
 * them is a command: an alias of an alias is none, so that none leads in a circle. */
static char **expand_alias(int argc, char **argv, int *ret_argc, struct buf *ret_text)
{
	const char *line = argc > 1 && argv[1][0] != '-' ? NULL : "";

	for (const struct command *const *c = commands_all(); !line && *c; c++)
		if (strcmp((*c)->name, argv[1]) == 0)
			line = "";
	if (!line)
		line = config_alias(argv[1]);
	if (!line || !*line || buf_printf(ret_text, "%s", line) < 0)
		return NULL;
	char **words = calloc(ret_text->n / 2 + (size_t)argc + 2, sizeof *words), *rest = ret_text->data;
	int n = 0;
	if (!words)
		return NULL;
	words[n++] = argv[0];
	for (char *word = next_word(&rest); word; word = next_word(&rest))
		words[n++] = word;
	for (int i = 2; i < argc; i++)
		words[n++] = argv[i];
	*ret_argc = n;
	return words;
}

int command_main(int argc, char *argv[])
{
	cleanup(buf_deinit) struct buf message = { 0 }, alias = { 0 };
	const struct command *command;
	struct arguments args;

	keep_standard_descriptors();
	raise_descriptor_limit();
	inherited.ignored_pipe = signal(SIGPIPE, SIG_IGN) == SIG_IGN; /* a reader that left is told by EPIPE */
	char **expanded = expand_alias(argc, argv, &argc, &alias);
	if (expanded)
		argv = expanded;
	int r = command_parse(commands_all(), argc > 0 ? argc - 1 : 0, argv + 1, &command, &args, &message);
	if (r == 0) {
		int code = command->run(&args);

		arguments_deinit(&args);
		free(expanded);
		return code;
	}
	free(expanded);
	say("%s", r == -EINVAL ? message.data : strerror(-r));
	return r == -EINVAL ? EXIT_USAGE : EXIT_UNABLE;
}
