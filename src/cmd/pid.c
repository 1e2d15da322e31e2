#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "report/process_detail.h"

enum { SECTION, ENVIRONMENT, INTERVAL, ALL, JSON, HOST, CAPTURE, NO_COLOR, PAGER };

static const struct option options[] = {
	[SECTION] = { "section", 's', OPTION_TEXT, "NAME,…", "only these sections; a wrong name lists them" },
	[ENVIRONMENT] = { "environment", 'e', OPTION_FLAG, NULL, "the environment too, which may hold secrets" },
	[INTERVAL] = { "interval", 'i', OPTION_DURATION, "DURATION", "look twice, this far apart, and show rates", 10 * NS_PER_MS,
		       24 * 3600 * NS_PER_S },
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "lists and arguments whole: text cuts them else" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.pid/1" },
	[HOST] = { "host", 0, OPTION_FILE, "FILE", "show the process of a capture" },
	[CAPTURE] = { "capture", 0, OPTION_FILE, "FILE", "write down all that is read, for --host" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
	[PAGER] = { "pager", 0, OPTION_FLAG, NULL, "page through $PAGER (default: less)" },
};

static bool parse_sections(const char *text, unsigned *ret)
{
	struct span rest = span_from(text), name;
	unsigned sections = 0;
	bool last;

	do {
		last = !span_until(&rest, ',', &name);
		size_t i = 0;
		name = span_trim(last ? rest : name);
		while (process_section_names[i] && !span_is(name, process_section_names[i]))
			i++;
		if (!process_section_names[i]) {
			cleanup(buf_deinit) struct buf known = { 0 };
			int r = 0;

			for (i = 0; r == 0 && process_section_names[i]; i++)
				r = buf_printf(&known, "%s%s", i ? ", " : "", process_section_names[i]);
			say("pid: --section %.*s: no such section; there are %s", (int)name.n, name.p,
			    r == 0 ? known.data : "others");
			return false;
		}
		sections |= 1u << i;
	} while (!last);
	*ret = sections | (sections & PROCESS_FDS ? (unsigned)PROCESS_PEERS : 0u);
	return true;
}

static int print(struct host *h, const struct arguments *args, const struct process_detail *d)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct process_tables tables = { 0 };
	struct user_names *users = NULL;
	int r = user_names_new(h, &users);

	if (r == 0)
		r = process_tables_make(d, &tables);
	struct process_report report = { d, &tables, users, d->sections, args->option[ALL].given };
	struct page p = { .out = &text, .style = output_table_style(args->option[NO_COLOR].given) };
	if (r == 0 && args->option[JSON].given) {
		r = process_detail_json(&text, &report);
	} else if (r == 0) {
		process_detail_text(&p, &report);
		r = p.error;
	}
	process_tables_deinit(&tables);
	user_names_free(users);
	if (r == 0 && args->option[PAGER].given && isatty(STDOUT_FILENO))
		return output_page(buf_span(&text));
	return output_write(buf_span(&text), r);
}

static int show(struct host *h, const struct arguments *args, int pid, unsigned sections)
{
	struct process_detail_options asked = { .sections = sections };
	struct process_detail d = { 0 };
	struct note note = { "" };
	int code = EXIT_UNABLE;

	if (args->option[INTERVAL].given) {
		asked.interval_ns = args->option[INTERVAL].number;
		interrupt_catch();
	}
	/* A capture made with --interval ends with the whole of it. */
	while (!host_is_live(h) && !args->option[INTERVAL].given && !host_at_end(h))
		if (host_tick(h, 0) < 0)
			break;
	int r = process_detail_read(h, pid, &asked, &d, &note);
	if (r < 0 && !(r == -EINTR && interrupted))
		say("pid: %s", note.text[0] ? note.text : strerror(-r));
	else if (r == 0)
		code = print(h, args, &d);
	process_detail_deinit(&d);
	return code;
}

static int open_host(const struct arguments *args, struct host **ret, struct note *note)
{
	int r = args->option[HOST].given ? host_open_capture(args->option[HOST].text, ret, note) :
					   host_open_live("/", ret, note);

	if (r < 0 || !args->option[CAPTURE].given)
		return r;
	r = host_capture_to(*ret, args->option[CAPTURE].text, note);
	if (r < 0)
		host_free(*ret);
	return r;
}

static int run(const struct arguments *args)
{
	unsigned sections = PROCESS_DEFAULT;
	struct note note = { "" };
	struct host *h = NULL;
	uint64_t pid;

	if (!span_u64(span_from(args->operand[0]), &pid) || pid == 0 || pid > INT32_MAX) {
		say("pid: '%s' is no process id; osprey ps finds processes by name", args->operand[0]);
		return EXIT_USAGE;
	}
	if (args->option[SECTION].given && !parse_sections(args->option[SECTION].text, &sections))
		return EXIT_USAGE;
	if (args->option[ENVIRONMENT].given)
		sections |= PROCESS_ENVIRONMENT;
	int r = open_host(args, &h, &note);
	if (r < 0) {
		say("pid: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	int code = show(h, args, (int)pid, sections);
	if (args->option[CAPTURE].given && (r = host_capture_end(h)) < 0) {
		say("pid: the capture %s is not whole: %s", args->option[CAPTURE].text, strerror(-r));
		code = EXIT_UNABLE;
	}
	host_free(h);
	return code;
}

const struct command command_pid = {
	.name = "pid",
	.summary = "show everything about one process",
	.description =
		"Who it is, what it does or waits for, what it has used, its memory by kind, descriptors with what is at their "
		"other end, threads, children, limits and how full they are, cgroups, namespaces, privileges, scheduling and "
		"signals. The id of a thread shows the process it belongs to.\n\n"
		"It is read without stopping the process. What may not be read is told with its reason.",
	.operands = "PID",
	.min_operands = 1,
	.max_operands = 1,
	OPTIONS(options),
	.run = run,
};
