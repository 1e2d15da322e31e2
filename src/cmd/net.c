#include "view/net_view.h"

#include "cmd/view.h"

static const struct option options[] = { VIEW_OPTIONS };

static int run(const struct arguments *args)
{
	return view_run(args, &(struct view_job){ .name = "net", .view = &view_net, .interval_operands = true });
}

const struct command command_net = {
	.name = "net",
	.summary = "show interfaces, TCP, UDP and IP as rates: traffic, losses, queues",
	.description = "The tables: interfaces (use, drops, errors, the queue before each), tcp, udp, ip (with softnet and "
		       "connection tracking); with --table also softnet (by CPU), qdiscs (every queue discipline) and counters "
		       "(every protocol counter by the kernel's name, as nstat shows them). All of it is of the network "
		       "namespace that osprey runs in.\n\n" VIEW_INTERVAL_HELP,
	.operands = VIEW_INTERVAL_OPERANDS,
	.max_operands = 2,
	OPTIONS(options),
	.run = run,
};
