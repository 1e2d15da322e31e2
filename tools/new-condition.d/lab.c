#include <errno.h>

#include "lab/scenario.h"

static int run(struct lab *lab, struct note *note)
{
	(void)lab;
	return note_set(note, -EOPNOTSUPP, "this scenario is only sketched");
}

const struct scenario @NAME@_scenario = {
	.name = "@NAME@",
	.summary = "what is done to the host, in one line",
	.moves = "the counters that move",
	.memory_bytes = 64 << 20,
	.processes = 8,
	.run = run,
};
