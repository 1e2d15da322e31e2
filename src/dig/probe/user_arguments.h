/* Arguments and results of the functions of a file, by its debug information where there is some, else by register.
 *
 * Debug information: of the file itself, or the separate one of its build-id or debug link (dig/symbol/debug_file.h). Cost: some
 * milliseconds when a file is first asked of, more for large ones. */
#ifndef OSPREY_DIG_PROBE_USER_ARGUMENTS_H
#define OSPREY_DIG_PROBE_USER_ARGUMENTS_H

#include "dig/image/elf_image.h"
#include "dig/probe/scope.h"

struct user_debug {
	struct elf_image *separate;
	struct lines *lines; /* NULL: there is none */
	bool tried;
};
void user_debug_deinit(struct user_debug *d);

struct user_function {
	struct elf_image *elf;
	const char *path; /* of the file, as the process calls it */
	int pid;	  /* through which it was opened; 0: none */
	const char *name;
	uint64_t offset; /* in the file, of its first instruction */
};
/* What it takes; with `result` what it returns. -ENOENT: no debug information of it; -ENOMEM. */
int user_arguments_described(struct user_debug *d, const struct user_function *f, bool result, probe_argument_vec *ret)
	__attribute__((warn_unused_result));

#endif
