#include "act/tune_apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/tune.h"
#include "report/doctor.h"
#include "report/tune.h"

enum { WINDOW, ROLE, ALL, APPLY, DRY_RUN, YES, ROLLBACK, FORCE, CHANGES, JSON, NO_BPF, HOST, CAPTURE, NO_COLOR };

static const char *const role_names[] = { "general", "web", "database", "container", "file", "router", "desktop",
					  "compute", NULL };
static const enum tune_role role_values[] = { ROLE_GENERAL, ROLE_WEB, ROLE_DATABASE, ROLE_CONTAINER, ROLE_FILE,
					      ROLE_ROUTER, ROLE_DESKTOP, ROLE_COMPUTE };

static const struct option options[] = {
	[WINDOW] = { "window", 'w', OPTION_DURATION, "DURATION", "how long to watch (default: 2s)", 200 * NS_PER_MS,
		     3600 * NS_PER_S },
	[ROLE] = { "role", 'r', OPTION_CHOICE, "NAME", "in place of a guess: web, database, container, file, "
		    "router, desktop, compute or general", .choices = role_names },
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "explain every tunable" },
	[APPLY] = { "apply", 0, OPTION_FLAG, NULL, "set what is advised (operands choose), journalled; asks "
		    "first" },
	[DRY_RUN] = { "dry-run", 'n', OPTION_FLAG, NULL, "with --apply or --rollback: say what would be done" },
	[YES] = { "yes", 'y', OPTION_FLAG, NULL, "do not ask" },
	[ROLLBACK] = { "rollback", 0, OPTION_TEXT, "CHANGE", "take a change of tune back, by its number, or "
		    "all of them (all)" },
	[FORCE] = { "force", 0, OPTION_FLAG, NULL, "with --rollback: also where somebody else set the value "
		    "since" },
	[CHANGES] = { "changes", 0, OPTION_FLAG, NULL, "list what tune set and is still in force" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.tune/1" },
	[NO_BPF] = { "no-bpf", 0, OPTION_FLAG, NULL, "take everything from /proc" },
	[HOST] = { "host", 0, OPTION_FILE, "FILE", "advise on a capture in place of this machine" },
	[CAPTURE] = { "capture", 0, OPTION_FILE, "FILE", "write down all that is read, for --host" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

static const char *name_at(size_t i)
{
	return i < TUNABLE_COUNT ? tunables[i].name : NULL;
}

/* ---- asking ---- */

/* Only a person at a terminal can be asked; a script says --yes. */
static int agree(const struct arguments *args, const char *question)
{
	char answer[8] = "";

	if (args->option[YES].given)
		return EXIT_FINE;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		say("tune: nobody can be asked without a terminal: say --yes to do it, or --dry-run to see "
			    "it; nothing was changed");
		return EXIT_USAGE;
	}
	fprintf(stderr, "osprey: %s [y/N] ", question);
	ssize_t n = read(STDIN_FILENO, answer, sizeof answer - 1);
	if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y'))
		return EXIT_FINE;
	say("tune: nothing was changed");
	return EXIT_UNABLE;
}

/* ---- applying ---- */

static bool advised(const struct arguments *args, const struct tune_item *i)
{
	if (args->noperands == 0)
		return i->advice.verdict == TUNE_CHANGE;
	if (i->advice.verdict != TUNE_CHANGE && i->advice.verdict != TUNE_DANGER)
		return false;
	for (size_t n = 0; n < args->noperands; n++)
		if (tunable_find(args->operand[n]) == i->tunable)
			return true;
	return false;
}

static void title(struct page *p, const struct tune_result *r, const struct tune_item *i)
{
	const struct tune_place *place = tune_item_place(r, i);

	page_tone(p, TONE_STRONG);
	page_put(p, "%s", i->tunable->name);
	page_tone(p, TONE_PLAIN);
	page_put(p, "%s%s%s", place->scope == SCOPE_DISK ? " of " : "", place->scope == SCOPE_DISK ? place->disk.name :
		    "",
		 place->scope == SCOPE_NET ? place->net.where : "");
}

static void tell_done(struct page *p, const struct tune_result *r, const struct tune_item *i, const struct tune_done *d)
{
	char file[96], line[320];

	title(p, r, i);
	page_put(p, ":");
	page_wrap(p, 2, " %s %s %s", d->before, p->style.unicode ? "\xe2\x86\x92" : "->", d->after);
	if (!d->as_advised)
		page_wrap(p, 2, " (%s was asked for; the kernel made that of it)", i->advice.value);
	page_newline(p);
	page_indent(p, 2);
	page_wrap(p, 4, "undo: osprey tune --rollback %llu", (unsigned long long)d->id);
	page_newline(p);
	tune_permanent(i, tune_item_place(r, i), file, sizeof file, line, sizeof line);
	page_indent(p, 2);
	page_wrap(p, 4, "lost at the next boot, unless: %s   # in %s", line, file);
	page_newline(p);
}

static int apply_each(const struct arguments *args, const struct tune_result *r, struct change_journal *j, struct page *p)
{
	size_t failed = 0;

	vec_each(i, &r->items) {
		struct note note = { "" };
		struct tune_done done;

		if (!advised(args, i))
			continue;
		int error = tune_apply(j, i, tune_item_place(r, i), &done, &note);
		if (error == 0) {
			tell_done(p, r, i, &done);
		} else if (error == -EALREADY) {
			title(p, r, i);
			page_wrap(p, 2, " is %s already", i->advice.value);
			page_newline(p);
		} else {
			say("tune: %s", note.text[0] ? note.text : strerror(-error));
			failed++;
		}
	}
	return failed ? EXIT_UNABLE : EXIT_FINE;
}

static void plan(const struct arguments *args, const struct tune_result *r, struct page *p)
{
	vec_each(i, &r->items) {
		char value[192], command[320];

		if (!advised(args, i))
			continue;
		tune_value_short(i->tunable, tune_item_value(r, i), value, sizeof value);
		tune_command(i, tune_item_place(r, i), command, sizeof command);
		title(p, r, i);
		page_put(p, ":");
		page_wrap(p, 2, " %s %s %s", value, p->style.unicode ? "\xe2\x86\x92" : "->", i->advice.value);
		page_newline(p);
		page_indent(p, 2);
		page_wrap(p, 4, "%s", i->advice.because);
		page_newline(p);
		page_indent(p, 2);
		page_wrap(p, 4, "as: %s", command);
		page_newline(p);
	}
}

/* A tunable that was asked for and is not advised is told, and why. */
static size_t tell_refused(const struct arguments *args, const struct tune_result *r)
{
	size_t refused = 0;

	for (size_t n = 0; n < args->noperands; n++) {
		const struct tunable *t = tunable_find(args->operand[n]);
		const struct tune_item *first = NULL;
		bool any = false;

		vec_each(i, &r->items) {
			if (i->tunable != t)
				continue;
			first = first ? first : i;
			any = any || advised(args, i);
		}
		if (any)
			continue;
		refused++;
		say("tune: %s: nothing to apply: %s", t->name, first ? first->advice.because : "it is not here");
	}
	return refused;
}

static int apply(const struct arguments *args, const struct tune_result *r)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };
	struct change_journal *j;
	struct note note = { "" };
	char question[64];
	size_t n = 0, dangers = 0;
	int refused = tell_refused(args, r) ? EXIT_UNABLE : EXIT_FINE;

	vec_each(i, &r->items) {
		n += advised(args, i);
		dangers += i->advice.verdict == TUNE_DANGER;
	}
	if (n == 0) {
		if (args->noperands == 0)
			say("tune: no evidence speaks for a change, so nothing was changed%s", dangers ?
			    "; values that are dangerous are set when they are named" : "");
		return refused;
	}
	if (args->option[DRY_RUN].given || !args->option[YES].given) {
		plan(args, r, &p);
		int code = output_write(buf_span(&text), p.error);
		if (args->option[DRY_RUN].given || code != EXIT_FINE)
			return code == EXIT_FINE ? refused : code;
		buf_clear(&text);
		p.column = 0;
	}
	snprintf(question, sizeof question, "set %zu value%s?", n, n == 1 ? "" : "s");
	int code = agree(args, question);
	if (code != EXIT_FINE)
		return code;
	int error = change_journal_open(CHANGE_WRITE, &j, &note);
	if (error < 0) {
		say("tune: nothing was changed, for it could not be written down: %s", note.text[0] ? note.text : strerror(-error));
		return EXIT_UNABLE;
	}
	code = apply_each(args, r, j, &p);
	if (change_journal_slow(j))
		say("tune: the disk of %s did not confirm in time; the journal is in memory", change_journal_path(j));
	change_journal_close(j);
	int written = output_write(buf_span(&text), p.error);
	return written != EXIT_FINE ? written : code != EXIT_FINE ? code : refused;
}

/* ---- the line while it watches ---- */

struct progress {
	struct page_style style;
	double window_s;
	unsigned shown; /* columns to erase */
};

static void show(struct progress *progress, double left_s, const struct diagnosis *so_far, bool erase)
{
	cleanup(buf_deinit) struct buf line = { 0 };
	struct page p = { .out = &line, .style = progress->style };

	p.style.width--; /* the last column makes some terminals wrap */
	p.error = buf_append(&line, "\r", 1);
	if (!erase)
		doctor_progress(&p, left_s, so_far);
	unsigned columns = p.column;
	page_indent(&p, progress->shown);
	if (erase && p.error == 0)
		p.error = buf_append(&line, "\r", 1);
	progress->shown = columns;
	if (p.error == 0)
		(void)!write(STDERR_FILENO, line.data, line.n);
}

static void on_progress(void *arg, double elapsed_s, const struct diagnosis *so_far)
{
	struct progress *progress = arg;

	show(progress, progress->window_s - elapsed_s, so_far, false);
}

/* ---- advice ---- */

static int print(const struct arguments *args, const struct tune_view *view)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };

	if (args->option[JSON].given)
		p.error = tune_json(&text, view);
	else
		tune_text(&p, view);
	int written = output_write(buf_span(&text), p.error);
	if (written != EXIT_FINE)
		return written;
	if (tune_tally(view, TUNE_CHANGE) + tune_tally(view, TUNE_DANGER) > 0)
		return EXIT_FINDINGS;
	return tune_tally(view, TUNE_KEEP) + tune_tally(view, TUNE_ELSEWHERE) == 0 ? EXIT_UNABLE : EXIT_FINE;
}

static size_t choose(const struct arguments *args, const struct tunable *chosen[TUNABLE_COUNT])
{
	size_t n = 0;

	for (size_t i = 0; i < args->noperands && n < TUNABLE_COUNT; i++)
		chosen[n++] = tunable_find(args->operand[i]);
	return n;
}

static int answer(const struct arguments *args, const struct tune_result *result, bool live)
{
	const struct tunable *chosen[TUNABLE_COUNT];
	struct tune_view view = { .result = result, .interrupted = interrupted && live, .replayed = !live,
				  .all = args->option[ALL].given, .chosen = chosen };

	view.nchosen = choose(args, chosen);
	return args->option[APPLY].given ? apply(args, result) : print(args, &view);
}

static int open_host(const struct arguments *args, struct host **ret, struct note *note)
{
	int r = args->option[HOST].given ? host_open_capture(args->option[HOST].text, ret, note) :
					   host_open_live("/", ret, note);

	if (r == 0 && args->option[CAPTURE].given) {
		r = host_capture_to(*ret, args->option[CAPTURE].text, note);
		if (r < 0) {
			host_free(*ret);
			*ret = NULL;
		}
	}
	return r;
}

static int advise(const struct arguments *args)
{
	struct tune_result result = { 0 };
	struct note note = { "" };
	struct host *h = NULL;
	int code = EXIT_UNABLE;
	const enum tune_role *role = args->option[ROLE].given ? &role_values[args->option[ROLE].number] : NULL;
	struct tune_options watching = {
		.window_ns = args->option[WINDOW].given ? args->option[WINDOW].number : 2 * NS_PER_S,
		.no_bpf = args->option[NO_BPF].given, .role = role, .interrupted = &interrupted,
	};

	struct progress progress = { .window_s = (double)watching.window_ns / 1e9 };

	interrupt_catch();
	int r = open_host(args, &h, &note);
	bool live = h && host_is_live(h);
	if (live && output_watched(&progress.style)) {
		watching.progress = on_progress;
		watching.progress_arg = &progress;
		show(&progress, progress.window_s, NULL, false);
	}
	if (r == 0)
		r = tune_watch(h, &watching, &result, &note);
	if (watching.progress)
		show(&progress, 0, NULL, true);
	if (r < 0 && interrupted)
		say("tune: interrupted before anything could be measured");
	else if (r < 0)
		say("tune: %s", note.text[0] ? note.text : strerror(-r));
	int ended = h ? host_capture_end(h) : 0;
	if (ended < 0)
		say("tune: the capture %s is not whole: %s", args->option[CAPTURE].text, strerror(-ended));
	if (r == 0)
		code = answer(args, &result, live);
	tune_result_deinit(&result);
	host_free(h);
	return ended < 0 ? EXIT_UNABLE : code;
}

static const char *contradiction(const struct arguments *args)
{
	const struct option_value *o = args->option;
	bool touches = o[APPLY].given || o[ROLLBACK].given || o[CHANGES].given;

	if (o[HOST].given && o[CAPTURE].given)
		return "--capture writes down this machine; it cannot go with --host";
	if (o[HOST].given && touches)
		return "a capture cannot be changed: --apply, --rollback and --changes are for this machine";
	if (o[APPLY].given + o[ROLLBACK].given + o[CHANGES].given > 1)
		return "--apply, --rollback and --changes are different errands: one at a time";
	if (touches && o[JSON].given)
		return "--json prints advice; it does not go with --apply, --rollback or --changes";
	if ((o[DRY_RUN].given || o[YES].given) && !touches)
		return "nothing is changed without --apply or --rollback: --dry-run and --yes have no meaning "
			    "here";
	if (o[FORCE].given && !o[ROLLBACK].given)
		return "--force is for --rollback";
	if (args->noperands && (o[ROLLBACK].given || o[CHANGES].given))
		return "names of tunables choose what to explain or apply; --rollback takes the number of a "
			    "change";
	return NULL;
}

static int run(const struct arguments *args)
{
	const char *wrong = contradiction(args);

	if (wrong) {
		say("tune: %s", wrong);
		return EXIT_USAGE;
	}
	struct tune_errand errand = { .dry_run = args->option[DRY_RUN].given, .force = args->option[FORCE].given,
				      .no_color = args->option[NO_COLOR].given };
	if (args->option[ROLLBACK].given)
		return tune_take_back(args->option[ROLLBACK].text, &errand);
	if (args->option[CHANGES].given)
		return tune_list_changes(&errand);
	return advise(args);
}

const struct command command_tune = {
	.name = "tune",
	.summary = "advise on kernel settings from evidence; set them and take them back",
	.description =
		"Watches the host for a while as the doctor does, reads the kernel settings that matter, and "
		"advises to change only those against which something that was measured speaks: the reading, "
		"its source, the value to set, what should change, what it may cost, and the exact commands. "
		"Without evidence a value is kept; values that are dangerous whatever was measured are "
		"named.\n\nWith names of tunables it explains those. Nothing is changed without --apply: it "
		"sets what is advised (named ones that are dangerous too), after a question, through a "
		"journal, so that --rollback takes it back, unless somebody else has set the value since. "
		"What is set is lost at the next boot; the line that would make it last is printed and never "
		"written.\n\nExit status: 0 nothing to change, or all was done; 1 something is advised; 3 it "
		"could not be measured, or not all was done.",
	.operands = "[TUNABLE…]",
	.max_operands = OPERANDS_ANY,
	.operand_choice = name_at,
	OPTIONS(options),
	.run = run,
};
