#include "diagnose/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "conditions/conditions.h"
#include "report/doctor.h"
#include "report/fact.h"

enum { WINDOW, JSON, NO_BPF, HOST, CAPTURE, ALL, NO_COLOR };

static const struct option options[] = {
	[WINDOW] = { "window", 'w', OPTION_DURATION, "DURATION", "how long to watch (default: 5s)",
		     200 * NS_PER_MS, 3600 * NS_PER_S },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.doctor/1" },
	[NO_BPF] = { "no-bpf", 0, OPTION_FLAG, NULL, "take everything from /proc" },
	[HOST] = { "host", 0, OPTION_FILE, "FILE", "diagnose a capture in place of this machine" },
	[CAPTURE] = { "capture", 0, OPTION_FILE, "FILE", "write down all that is read, for --host" },
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "tell in full why each other condition was cleared" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

struct progress {
	struct page_style style;
	struct buf line;
	double window_s;
	unsigned shown; /* columns to erase */
};

/* One write for each line: back to the start, the text, and blanks over what it was before. */
static void show(struct progress *progress, double left_s, const struct diagnosis *so_far, bool erase)
{
	struct page p = { .out = &progress->line, .style = progress->style };

	p.style.width--; /* the last column makes some terminals wrap */
	buf_clear(&progress->line);
	p.error = buf_append(&progress->line, "\r", 1);
	if (!erase)
		doctor_progress(&p, left_s, so_far);
	unsigned columns = p.column;
	page_indent(&p, progress->shown);
	if (erase && p.error == 0)
		p.error = buf_append(&progress->line, "\r", 1);
	progress->shown = columns;
	if (p.error == 0)
		(void)!write(STDERR_FILENO, progress->line.data, progress->line.n);
}

static void on_progress(void *arg, double elapsed_s, const struct diagnosis *so_far)
{
	struct progress *progress = arg;

	show(progress, progress->window_s - elapsed_s, so_far, false);
}

/* What guides quote is written down too: `explain --host` then has the figures of that machine. */
static int capture_facts(struct host *h)
{
	struct facts *facts = NULL;
	int r = facts_read(h, &facts);

	facts_free(facts);
	return r;
}

static int open_host(const struct arguments *args, struct host **ret, struct note *note)
{
	const char *capture = args->option[CAPTURE].text;
	int r = args->option[HOST].given ? host_open_capture(args->option[HOST].text, ret, note) :
					   host_open_live("/", ret, note);

	if (r < 0 || !capture)
		return r;
	r = host_capture_to(*ret, capture, note);
	if (r == 0)
		r = capture_facts(*ret);
	if (r < 0) {
		host_free(*ret);
		*ret = NULL;
	}
	return r;
}

static int print(const struct arguments *args, const struct doctor_view *view)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };

	if (args->option[JSON].given)
		p.error = doctor_json(&text, view);
	else
		doctor_text(&p, view);
	int written = output_write(buf_span(&text), p.error);
	if (written != EXIT_FINE)
		return written;
	if (doctor_alarming(view->report))
		return EXIT_FINDINGS;
	/* An answer that is only half of one is no all-clear. */
	return view->interrupted || view->report->diagnosis.cleared.n + view->report->diagnosis.findings.n == 0 ?
		       EXIT_UNABLE :
		       EXIT_FINE;
}

static int watch(struct host *h, const struct arguments *args, struct doctor_report *report, struct note *note)
{
	struct progress progress = { 0 };
	struct doctor_options watching = {
		.window_ns = args->option[WINDOW].given ? args->option[WINDOW].number : 5 * NS_PER_S,
		.no_bpf = args->option[NO_BPF].given,
		.interrupted = &interrupted,
	};
	size_t n;
	const struct condition *const *conditions = conditions_all(&n);

	progress.window_s = (double)watching.window_ns / 1e9;
	if (host_is_live(h) && output_watched(&progress.style)) {
		watching.progress = on_progress;
		watching.progress_arg = &progress;
		show(&progress, progress.window_s, NULL, false);
	}
	int r = doctor_run(h, conditions, n, &watching, report, note);
	if (watching.progress)
		show(&progress, 0, NULL, true);
	buf_deinit(&progress.line);
	return r;
}

static int run(const struct arguments *args)
{
	struct doctor_report report = { 0 };
	struct note note = { "" };
	struct host *h = NULL;
	int code = EXIT_UNABLE;

	if (args->option[HOST].given && args->option[CAPTURE].given) {
		say("doctor: --capture writes down this machine; it cannot go with --host");
		return EXIT_USAGE;
	}
	interrupt_catch();
	int r = open_host(args, &h, &note);
	if (r == 0)
		r = watch(h, args, &report, &note);
	if (r < 0 && interrupted)
		say("doctor: interrupted before anything could be measured");
	else if (r < 0)
		say("doctor: %s", note.text[0] ? note.text : strerror(-r));
	else
		code = print(args, &(struct doctor_view){
					   .report = &report,
					   .asked_s = args->option[WINDOW].given ?
							      (double)args->option[WINDOW].number / 1e9 :
							      5,
					   .interrupted = interrupted && host_is_live(h),
					   .replayed = !host_is_live(h),
					   .all = args->option[ALL].given,
				   });
	if (h && (r = host_capture_end(h)) < 0) {
		say("doctor: the capture %s is not whole: %s", args->option[CAPTURE].text, strerror(-r));
		code = EXIT_UNABLE;
	}
	doctor_report_deinit(&report);
	host_free(h);
	return code;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "find out why this machine is slow, and prove it",
	.description =
		"Watches the host for a while, then tells what is wrong, worst first: who suffers, what is short, "
		"who takes it, since when, how sure; then the evidence with its sources, how to confirm it by other "
		"means, and how to mend it. It also tells what was cleared, what could not be measured and why, and "
		"what the diagnosis itself cost.\n\n"
		"Root sees most; without it, what is hidden is told. Nothing on the host is changed. Ctrl-C ends the "
		"window early and prints what is known.\n\n"
		"Exit status: 0 healthy, 1 something worse than a note was found, 3 it could not be measured.",
	OPTIONS(options),
	.run = run,
};
