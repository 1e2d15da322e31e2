#include "cmd/pid_or_core.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/span.h"
#include "cmd/output.h"

static bool is_pid(const char *operand, int *ret_pid)
{
	uint64_t number;

	if (!span_u64(span_from(operand), &number) || number == 0 || number > INT32_MAX)
		return false;
	*ret_pid = (int)number;
	return true;
}

bool pid_or_core_makes_sense(const char *command, const char *operand)
{
	int pid;

	if (is_pid(operand, &pid) || access(operand, F_OK) == 0 || errno != ENOENT || strchr(operand, '/'))
		return true;
	say("%s: '%s' is no pid and no file; osprey ps lists processes, of a core file its path is wanted", command, operand);
	return false;
}

int pid_or_core_take(struct host *h, struct image_store *store, const char *operand, const char *executable,
		     const struct stack_wish *wish, struct process_stacks **ret, struct note *note)
{
	int pid;

	return is_pid(operand, &pid) ? process_stacks_take(h, store, pid, wish, ret, note)
				     : process_stacks_of_core(store, operand, executable, ret, note);
}
