/* What is made from the command tables: help, the man page, completions. */
#ifndef OSPREY_CMD_PAGES_H
#define OSPREY_CMD_PAGES_H

#include "cmd/command.h"
#include "report/page.h"

extern const struct command command_help;
/* Reached by options: osprey --version, --man, --completion SHELL. */
extern const struct command command_version, command_man, command_completion;

/* The overview, or the help of one command; `path` is what stands behind `osprey`. */
void help_overview(struct page *p);
void help_of_command(struct page *p, const char *path, const struct command *command);

int man_page(const struct command *const *commands, struct buf *ret) __attribute__((warn_unused_result));

enum shell { SHELL_BASH, SHELL_ZSH, SHELL_FISH };
int completion(const struct command *const *commands, enum shell shell, struct buf *ret)
	__attribute__((warn_unused_result));

#endif
