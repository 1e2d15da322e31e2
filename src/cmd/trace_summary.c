/* osprey trace --summary: a table at the end. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/trace.h"
#include "report/trace_summary.h"

/* Until the targets have ended, a signal came, or the time is over. Nothing is to be done meanwhile. */
static const char *wait_for_end(struct trace_summary *s, const struct arguments *args)
{
	const struct option_value *duration = &args->option[TRACE_FOR];
	uint64_t until_ns = duration->given ? clock_mono_ns() + duration->number : UINT64_MAX;

	while (trace_summary_living(s)) {
		uint64_t now = clock_mono_ns(), next = now + 20 * NS_PER_MS;

		if (now >= until_ns)
			return "--for is over";
		if (clock_sleep_until(next < until_ns ? next : until_ns) == -EINTR && interrupted)
			return "interrupted";
	}
	return "all targets ended";
}

static int tell(struct trace_summary *s, const struct arguments *args, struct trace_summary_report *report, int fd)
{
	trace_summary_rows rows = { 0 };
	struct buf text = { 0 };
	int r = trace_summary_read(s, &rows);

	report->row = rows.v;
	report->nrows = rows.n;
	report->lost = trace_summary_lost(s);
	if (r == 0 && args->option[TRACE_JSON].given) {
		r = trace_summary_json(report, &text);
	} else if (r == 0) {
		bool plain = args->option[TRACE_NO_COLOR].given || args->option[TRACE_OUTPUT].given;
		struct page p = { .out = &text, .style = fd == 1 ? output_style(plain) : output_talk_style(plain) };
		trace_summary_text(report, &p);
		r = p.error;
	}
	if (r == 0)
		r = output_write_fd(fd, buf_span(&text));
	if (r < 0 && r != -EPIPE)
		say("trace: %s", strerror(-r));
	buf_deinit(&text);
	vec_free(&rows);
	return r < 0 ? EXIT_UNABLE : EXIT_FINE;
}

int trace_summarize(const struct arguments *args, struct trace_request *q, int fd)
{
	struct trace_summary *s;
	struct note note = { "" };
	struct host *h;
	enum trace_by by = (enum trace_by)args->option[TRACE_BY].number;

	if (args->option[TRACE_PTRACE].given || args->option[TRACE_PATH].given || args->option[TRACE_FD].given ||
	    args->option[TRACE_LIMIT].given || args->option[TRACE_STACK].given) {
		say("trace: --summary counts in the kernel: it takes --calls, --errno, --slower, --for and --by, not --path, --fd, "
		    "--limit, --stack or --ptrace");
		return EXIT_USAGE;
	}
	int r = host_open_live("/", &h, &note);
	if (r == 0) {
		r = trace_summary_new(h, q, by, &s, &note);
		host_free(h);
	}
	if (r < 0) {
		say("trace: %s%s", r == -EOPNOTSUPP ? "no summary without BPF: " : "",
		    note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	uint64_t began_ns = clock_mono_ns();
	struct trace_summary_report report = { .by = by, .histogram = args->option[TRACE_HISTOGRAM].given };
	report.ended_by = wait_for_end(s, args);
	report.seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
	if (trace_summary_living(s))
		trace_summary_stop(s);
	int code = tell(s, args, &report, fd), status = trace_summary_status(s);
	trace_summary_free(s);
	return code == EXIT_FINE && q->argv ? trace_exit_code(status) : code;
}
