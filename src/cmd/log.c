#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/config.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/view.h"
#include "report/log_text.h"
#include "view/log_view.h"

enum { SINCE = VIEW_OWN, UNTIL, LEVEL, FACILITY, EVENT, ALL, EACH, FOLLOW, BINARIES };

static const struct option options[] = {
	VIEW_OPTIONS,
	[SINCE] = { "since", 'S', OPTION_TEXT, "TIME",
		     "from then on: 10m, 2h, 3d (ago), 21:00, '2026-11-20 21:00', boot, clear" },
	[UNTIL] = { "until", 'U', OPTION_TEXT, "TIME", "up to then" },
	[LEVEL] = { "level", 'l', OPTION_TEXT, "LEVEL,…",
		     "only these levels; err+ (or err..): it and worse, +err: it and less" },
	[FACILITY] = { "facility", 0, OPTION_TEXT, "NAME,…",
		     "only records of these facilities: kern, user, daemon…" },
	[EVENT] = { "event", 'e', OPTION_TEXT, "KIND,…",
		     "only these kinds of events: oom, segfault, io, hung_task…" },
	[ALL] = { "all", 'a', OPTION_FLAG, NULL,
		     "each record with the time of day, as dmesg -T, in place of events" },
	[EACH] = { "each", 'x', OPTION_FLAG, NULL,
		     "each event by itself with all that is known of it, oldest first" },
	[FOLLOW] = { "follow", 'w', OPTION_FLAG, NULL,
		     "go on: tell events (with --all, records) as they come, until Ctrl-C" },
	[BINARIES] = { "binaries", 0, OPTION_FILE, "DIR",
		     "look for the files of segfaults here first; may be given often" },
};

/* Records are read in pieces while following. */
struct follow {
	const struct arguments *args;
	struct log_book *book;
	struct log_wanted wanted;
	struct log_page of;
	struct buf text;
	bool found;
};

/* ---- what is wanted ---- */

static int time_of(const struct option_value *o, uint64_t now_ns, uint64_t *ret, struct note *note)
{
	return o->given ? log_time_parse(span_from(o->text), now_ns, ret, note) : 0;
}

static int wanted_of(const struct arguments *args, uint64_t now_ns, struct log_wanted *ret, struct note *note)
{
	const struct option_value *o = args->option;
	struct log_wanted w = { .until_ns = UINT64_MAX };
	int r = 0;

	if (o[SINCE].given && strcmp(o[SINCE].text, "clear") == 0)
		w.since_cleared = true;
	else
		r = time_of(&o[SINCE], now_ns, &w.since_ns, note);
	if (r == 0)
		r = time_of(&o[UNTIL], now_ns, &w.until_ns, note);
	if (r == 0 && w.until_ns < w.since_ns)
		return note_set(note, -EINVAL, "--until is before --since");
	if (r == 0 && o[LEVEL].given)
		r = log_levels_parse(span_from(o[LEVEL].text), &w.levels, note);
	if (r == 0 && o[FACILITY].given)
		r = log_facilities_parse(span_from(o[FACILITY].text), &w.facilities, note);
	if (r == 0 && o[EVENT].given)
		r = log_kinds_parse(span_from(o[EVENT].text), &w.kinds, note);
	w.binaries = ret->binaries;
	w.nbinaries = ret->nbinaries;
	if (r == 0)
		*ret = w;
	return r;
}

/* For the view: options whose times count from the host's. */
struct request {
	const struct arguments *args;
	const char **binaries;
	size_t nbinaries;
};

static int resolve(struct host *h, const void *arg, struct log_wanted *ret, struct note *note)
{
	const struct request *request = arg;

	ret->binaries = request->binaries;
	ret->nbinaries = request->nbinaries;
	return wanted_of(request->args, host_time(h).real_ns, ret, note);
}

static int binaries_of(const struct arguments *args, struct request *ret)
{
	*ret = (struct request){ .args = args, .binaries = calloc(args->ngiven + 1, sizeof *ret->binaries) };
	if (!ret->binaries)
		return -ENOMEM;
	for (size_t i = 0; i < args->ngiven; i++)
		if (args->given[i].option == BINARIES)
			ret->binaries[ret->nbinaries++] = args->given[i].text;
	return 0;
}

/* ---- output ---- */

static bool worse_than_note(const struct log_book *b)
{
	vec_each(g, &b->groups)
		if (g->severity > LOG_NOTE)
			return true;
	return false;
}

static struct page page_for(const struct arguments *args, struct buf *text)
{
	bool plain = args->option[VIEW_NO_COLOR].given || config_get()->no_color;
	struct page p = { .out = text };

	p.style = args->option[ALL].given ? output_table_style(plain) : output_style(plain);
	p.style.palette = config_get()->palette;
	return p;
}

static int put_text(const struct arguments *args, const struct log_page *of, struct buf *text)
{
	struct page p = page_for(args, text);

	if (!args->option[ALL].given)
		log_page_events(&p, of);
	else
		vec_each(e, &of->book->entries)
			log_page_record(&p, of, e);
	return p.error;
}

static int print(const struct arguments *args, const struct log_page *of)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	int error;

	if (args->option[VIEW_JSON].given) {
		struct json j = { .out = &text };

		log_json(&j, of, args->option[ALL].given);
		error = json_finish(&j);
	} else {
		error = put_text(args, of, &text);
	}
	bool paged = error == 0 && args->option[VIEW_PAGER].given && isatty(STDOUT_FILENO);
	int code = paged ? output_page(buf_span(&text)) : output_write(buf_span(&text), error);
	if (code != EXIT_FINE)
		return code;
	return worse_than_note(of->book) ? EXIT_FINDINGS : EXIT_FINE;
}

/* ---- following ---- */

static int put_new(struct follow *f)
{
	bool json = f->args->option[VIEW_JSON].given;
	struct page p = page_for(f->args, &f->text);
	int error = 0;

	buf_clear(&f->text);
	if (f->args->option[ALL].given) {
		vec_each(e, &f->book->entries) {
			struct json j = { .out = &f->text, .compact = true };

			if (json) {
				log_json_record(&j, NULL, e);
				error = json_finish(&j);
			} else {
				log_page_record(&p, &f->of, e);
			}
		}
	}
	vec_each(h, &f->book->happenings) {
		struct json j = { .out = &f->text, .compact = true };

		f->found = f->found || (h->event.severity > LOG_NOTE && !h->event.good);
		if (f->args->option[ALL].given)
			continue;
		if (json) {
			log_json_happening(&j, NULL, h);
			error = json_finish(&j);
		} else {
			log_page_happening(&p, &f->of, h);
		}
	}
	return f->text.n || error || p.error ? output_write(buf_span(&f->text), error ? error : p.error) : EXIT_FINE;
}

#define SILENCE_MS 1000 /* so long after its last line a report is taken as ended */

/* 1: go on, *ret_silence says whether nothing came; 0: that was all; below: an error. */
static int wait_for_more(struct host *h, struct follow *f, bool *ret_silence)
{
	int r;

	*ret_silence = false;
	if (!host_is_live(h)) {
		r = host_tick(h, 0);
		return r == 0 ? 1 : r == -ENODATA ? 0 : r;
	}
	r = log_ring_wait(f->book->ring, log_decoder_open(f->book->decoder) ? SILENCE_MS : 60000);
	if (interrupted)
		return 0;
	if (r < 0 && r != -EINTR)
		return r;
	*ret_silence = r == 0;
	(void)!host_tick(h, 0);
	return interrupted ? 0 : 1;
}

static int follow_on(struct host *h, struct follow *f)
{
	bool silence = false;
	int r = 1, code = EXIT_FINE;

	while (r > 0) {
		r = log_book_read(f->book, &f->wanted, false, silence);
		if (r < 0)
			break;
		code = put_new(f);
		if (code != EXIT_FINE)
			return code;
		r = wait_for_more(h, f, &silence);
	}
	if (r == 0 && log_decoder_open(f->book->decoder)) {
		r = log_book_read(f->book, &f->wanted, false, true);
		if (r == 0)
			code = put_new(f);
	}
	if (r == -EOPNOTSUPP)
		say("log: cannot follow: /dev/kmsg cannot be read here, and syslog(2) tells only what was");
	else if (r < 0)
		say("log: cannot read the kernel log: %s", strerror(-r));
	return r < 0 ? EXIT_UNABLE : code != EXIT_FINE ? code : f->found ? EXIT_FINDINGS : EXIT_FINE;
}

static int follow(struct host *h, struct log_book *b, const struct arguments *args, const struct log_page *of)
{
	struct follow f = { .args = args, .book = b, .wanted = *of->wanted, .of = *of };

	interrupt_catch();
	int code = follow_on(h, &f);
	buf_deinit(&f.text);
	return code;
}

/* ---- all of it ---- */

static int tell(struct host *h, const struct request *request)
{
	const struct arguments *args = request->args;
	struct log_wanted wanted = { .binaries = request->binaries, .nbinaries = request->nbinaries };
	struct log_page of = {
		.wanted = &wanted,
		.each = args->option[EACH].given,
		.replayed = !host_is_live(h),
	};
	struct note note = { "" };
	struct log_book *b = NULL;
	int code = EXIT_UNABLE, r = wanted_of(args, host_time(h).real_ns, &wanted, &note);

	wanted.from_now = args->option[FOLLOW].given && !args->option[SINCE].given;
	if (r == 0)
		r = log_book_new(h, &wanted, &b, &note);
	of.book = b;
	if (r == 0 && args->option[FOLLOW].given) {
		code = follow(h, b, args, &of);
	} else if (r == 0) {
		r = log_book_read(b, &wanted, true, true);
		if (r == 0)
			code = print(args, &of);
	}
	if (r < 0)
		say("log: %s", note.text[0] ? note.text : strerror(-r));
	log_book_free(b);
	return code;
}

static int run_text(const struct request *request)
{
	const struct option_value *o = request->args->option;
	struct note note = { "" };
	struct host *h = NULL;
	int code = EXIT_UNABLE;
	int r = o[VIEW_HOST].given ? host_open_capture(o[VIEW_HOST].text, &h, &note) : host_open_live("/", &h, &note);

	if (r == 0 && o[VIEW_CAPTURE].given)
		r = host_capture_to(h, o[VIEW_CAPTURE].text, &note);
	if (r < 0)
		say("log: %s", note.text[0] ? note.text : strerror(-r));
	else
		code = tell(h, request);
	if (h && (r = host_capture_end(h)) < 0) {
		say("log: the capture %s is not whole: %s", o[VIEW_CAPTURE].text, strerror(-r));
		code = EXIT_UNABLE;
	}
	host_free(h);
	return code;
}

static bool as_tables(const struct option_value *o)
{
	return o[VIEW_TABLE].given || o[VIEW_COLUMNS].given || o[VIEW_SORT].given || o[VIEW_FILTER].given ||
	       o[VIEW_CSV].given;
}

static int run_tables(const struct request *request)
{
	bool found = false;
	struct log_view_options view_options = { .resolve = resolve, .arg = request, .found = &found };
	int code = view_run(request->args, &(struct view_job){
						   .name = "log", .view = &view_log, .options = &view_options });

	return code == EXIT_FINE && found ? EXIT_FINDINGS : code;
}

static const char *conflict(const struct option_value *o)
{
	if (o[FOLLOW].given && (as_tables(o) || o[VIEW_WATCH].given))
		return "--follow tells lines as they come; it cannot go with tables (--table, --columns, "
			"--sort, --filter, "
		       "--csv, --watch)";
	if (o[FOLLOW].given && o[UNTIL].given)
		return "--follow goes on until Ctrl-C; it cannot go with --until";
	if (o[ALL].given && o[EACH].given)
		return "--all tells records, --each events: choose one";
	if (as_tables(o) && (o[ALL].given || o[EACH].given))
		return "--all and --each are not tables: write --table records or --table events";
	if (o[VIEW_WATCH].given && !as_tables(o))
		return "--watch is for tables (--table); --follow tells what comes";
	if (o[VIEW_HOST].given && o[VIEW_CAPTURE].given)
		return "--capture writes down this machine; it cannot go with --host";
	return NULL;
}

static int run(const struct arguments *args)
{
	struct note note = { "" };
	struct log_wanted unused = { 0 };
	struct request request;
	const char *wrong = conflict(args->option);
	int code;

	if (!wrong && wanted_of(args, clock_real_ns(), &unused, &note) < 0)
		wrong = note.text;
	if (wrong) {
		say("log: %s", wrong);
		return EXIT_USAGE;
	}
	if (binaries_of(args, &request) < 0) {
		say("log: out of memory");
		return EXIT_UNABLE;
	}
	code = as_tables(args->option) ? run_tables(&request) : run_text(&request);
	free(request.binaries);
	config_free();
	return code;
}

const struct command command_log = {
	.name = "log",
	.summary = "show the kernel log, decoded: what went wrong, when, to whom",
	.description =
		"Reads all that the kernel still has of its log and makes events of it: OOM kills with the "
		"victim and who "
		"held memory, hung tasks, lockups, stalls, bugs, segfaults with the function, I/O errors, "
		"filesystems, "
		"links, full tables, hardware. Events that are alike stand together, the worst first, of "
		"these the most "
		"recent; each with what it means and what to do next.\n\n"
		"Times are the time of day, counted back from now: steps of the clock since then do no "
		"harm. How far the "
		"log reaches back is told; what the kernel has overwritten is gone.\n\n"
		"The tables groups (default), events and records come with --table, --columns, --sort, "
		"--filter or --csv. "
		"--json alone prints one document with all details (docs/log-json.md); with --follow a "
		"line for each event.\n\n"
		"Kinds of events: panic, oops, hard_lockup, soft_lockup, rcu_stall, hung_task, oom, "
		"oom_stuck, readonly, "
		"filesystem, io, swap, raid, hardware, files, io_timeout, disk, allocation, overcommit, "
		"segfault, trap, "
		"seccomp, warning, workqueue, workqueue_hog, pids, link, tx_timeout, table_full, "
		"syn_flood, tcp_memory, nfs, "
		"thermal, clock, rt_throttled, sched_ext, gpu, firmware, audit, corrected, filesystem_note, usb, "
		"slow_interrupt, suspend, error.\n\n"
		"Needs root (CAP_SYSLOG) where kernel.dmesg_restrict is 1. Exit status: 0 nothing worse "
		"than a note, 1 "
		"something worse was found, 3 the log could not be read.",
	OPTIONS(options),
	.run = run,
};
