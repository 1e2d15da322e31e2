/* Kernel modules that scenarios need: loaded when the kernel has them, unloaded with the lab. */
#include <errno.h>
#include <unistd.h>

#include "lab/tree.h"

bool module_available(const char *name, const char *made_by_it)
{
	const char *const argv[] = { "modprobe", "-n", "-q", name, NULL };

	return access(made_by_it, F_OK) == 0 || (command_exists("modprobe") && lab_program_run(argv, NULL) == 0);
}

int module_load(struct lab *lab, const char *name, const char *option, const char *made_by_it, struct note *note)
{
	const char *const argv[] = { "modprobe", name, option, NULL };
	int r;

	if (access(made_by_it, F_OK) == 0)
		return 0;
	r = journal_add(lab->journal, JOURNAL_MODULE, name, NULL, note);
	if (r == 0)
		r = lab_program_run(argv, note);
	if (r < 0)
		return r;
	if (access(made_by_it, F_OK) < 0)
		return note_set(note, -errno, "the module %s is there, and %s is not", name, made_by_it);
	return 0;
}
