#include "base/units.h"
#include "cmd/output.h"
#include "cmd/view.h"
#include "source/network/socket_table.h"
#include "view/socket_view.h"

enum { INTERVAL = VIEW_OWN, LISTEN, SUMMARY, TCP, UDP, RAW, UNIX, PACKET, NETLINK, ALL_NAMESPACES };

static const struct option options[] = {
	VIEW_OPTIONS,
	[INTERVAL] = { "interval", 'i', OPTION_DURATION, "DURATION", "look over so long, for rates of each connection",
		       10 * NS_PER_MS, 86400 * NS_PER_S },
	[LISTEN] = { "listen", 'l', OPTION_FLAG, NULL, "only sockets that wait for connections, and how full they are" },
	[SUMMARY] = { "summary", 0, OPTION_FLAG, NULL, "how many there are, by protocol and by state of TCP" },
	[TCP] = { "tcp", 0, OPTION_FLAG, NULL, "TCP sockets; by default TCP, UDP and raw ones are shown" },
	[UDP] = { "udp", 'u', OPTION_FLAG, NULL, "UDP sockets" },
	[RAW] = { "raw", 'w', OPTION_FLAG, NULL, "raw sockets" },
	[UNIX] = { "unix", 'x', OPTION_FLAG, NULL, "UNIX sockets, with their peers" },
	[PACKET] = { "packet", 0, OPTION_FLAG, NULL, "packet sockets: captures, DHCP clients" },
	[NETLINK] = { "netlink", 0, OPTION_FLAG, NULL, "sockets that talk with the kernel" },
	[ALL_NAMESPACES] = { "all-namespaces", 'N', OPTION_FLAG, NULL, "of every network namespace that a process is in" },
};

#define MAX_SECTIONS 4

/* What is asked for stands first and is shown; the rest can be had by --table. */
static size_t choose_sections(const struct option_value *given, struct view_section *ret)
{
	bool rates = given[INTERVAL].given || given[VIEW_WATCH].given;
	const struct view_section *const all[MAX_SECTIONS] = {
		given[ALL_NAMESPACES].given ? &view_section_socket_namespaces :
		given[LISTEN].given	    ? &view_section_listeners :
		rates			    ? &view_section_socket_rates :
					      &view_section_sockets,
		&view_section_unix,
		&view_section_packet,
		&view_section_netlink,
	};
	bool others = given[UNIX].given || given[PACKET].given || given[NETLINK].given;
	const bool shown[MAX_SECTIONS] = {
		given[TCP].given || given[UDP].given || given[RAW].given || !others,
		given[UNIX].given,
		given[PACKET].given,
		given[NETLINK].given,
	};
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < MAX_SECTIONS; i++) {
			if (shown[i] != (pass == 0))
				continue;
			ret[n] = *all[i];
			ret[n++].on_request = pass == 1;
		}
	return n;
}

static unsigned protocols_of(const struct option_value *given)
{
	unsigned protocols = (given[TCP].given ? 1u << PROTOCOL_TCP : 0) | (given[UDP].given ? 1u << PROTOCOL_UDP : 0) |
			     (given[RAW].given ? 1u << PROTOCOL_RAW : 0);

	return protocols ? protocols : 1u << PROTOCOL_TCP | 1u << PROTOCOL_UDP | 1u << PROTOCOL_RAW;
}

/* The port of the first word ":N". */
static uint16_t port_of(const struct arguments *args)
{
	uint64_t port;

	for (size_t i = 0; i < args->noperands; i++)
		if (args->operand[i][0] == ':' && span_u64(span_from(args->operand[i] + 1), &port) && port <= UINT16_MAX)
			return (uint16_t)port;
	return 0;
}

static bool keep(const void *row, const void *options_given)
{
	return socket_row_matches(row, options_given);
}

/* What would not be answered is said before anything is read. */
static const char *refused(const struct arguments *args)
{
	static const int not_of_summary[] = { INTERVAL, LISTEN, TCP, UDP, RAW, UNIX, PACKET, NETLINK, ALL_NAMESPACES };

	if (!args->option[SUMMARY].given)
		return NULL;
	for (size_t i = 0; i < sizeof not_of_summary / sizeof not_of_summary[0]; i++)
		if (args->option[not_of_summary[i]].given)
			return options[not_of_summary[i]].name;
	return NULL;
}

static void gap(struct page *p, size_t n, const char *what)
{
	if (n == 0)
		return;
	page_tone(p, TONE_YELLOW);
	page_wrap(p, 2, "%zu %s", n, what);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* What is missing below. */
static void head(void *state, struct page *p)
{
	struct socket_view_gaps gaps;

	socket_view_gaps(state, &gaps);
	gap(p, gaps.skipped, "sockets or more are left out: there are too many, or the kernel took too long to tell");
	gap(p, gaps.namespaces_refused, "network namespaces cannot be entered: needs root");
	gap(p, gaps.processes_hidden, "processes may be in network namespaces of their own: to know needs root");
}

static void summary_head(void *state, struct page *p)
{
	reading total = socket_summary_total(state);

	if (reading_ok(total))
		page_put(p, "%s sockets in this network namespace", number_text((double)total).text);
	else
		page_put(p, "sockets of this network namespace");
	page_newline(p);
}

static int run_summary(const struct arguments *args)
{
	if (args->noperands) {
		say("sockets: --summary counts all of them; leave out '%s', or leave out --summary and filter", args->operand[0]);
		return EXIT_USAGE;
	}
	return view_run(args, &(struct view_job){ .name = "sockets", .view = &view_socket_summary, .head = summary_head });
}

static int run(const struct arguments *args)
{
	struct view_section sections[MAX_SECTIONS];
	struct socket_view_options view_options = {
		.protocols = protocols_of(args->option),
		/* UDP sockets that take from anybody wait for packets as listeners do for connections. */
		.states = args->option[LISTEN].given ? STATES_LISTEN | 1u << STATE_CLOSED : STATES_ALL,
		.listeners = args->option[LISTEN].given,
		.all_namespaces = args->option[ALL_NAMESPACES].given,
		.port = port_of(args),
		.words = args->operand,
		.nwords = args->noperands,
	};
	struct view view = view_socket;
	const char *against = refused(args);

	if (against) {
		say("sockets: --summary cannot go with --%s", against);
		return EXIT_USAGE;
	}
	if (args->option[SUMMARY].given)
		return run_summary(args);
	view.sections = sections;
	view.nsections = choose_sections(args->option, sections);
	return view_run(args, &(struct view_job){
				      .name = "sockets", .view = &view, .options = &view_options,
				      .interval_ns = args->option[INTERVAL].given ? args->option[INTERVAL].number : 0,
				      .keep = args->noperands ? keep : NULL,
				      .head = head,
			      });
}

const struct command command_sockets = {
	.name = "sockets",
	.summary = "list sockets: connections, listeners, how full they are, who holds them",
	.description =
		"FILTER are words that all must fit: a number fits a port, a pid or an inode (:53 a port alone); any other "
		"word fits when the address, path, state, protocol or the holder's command holds it. --filter takes "
		"expressions on any column. Addresses stay numbers: no name is asked for.\n\n"
		"RECV-Q and SEND-Q are bytes; of a listener they are the connections that wait for accept, and its backlog. "
		"With --interval 1s the columns are rates of that second. osprey metrics socket lists all columns.",
	.operands = "[FILTER…]",
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
