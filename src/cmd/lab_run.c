#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/lab.h"
#include "sample/sampler.h"

enum { STRENGTH, SECONDS, YES, NO_COLOR };

static const struct option options[] = {
	[STRENGTH] = { "strength", 's', OPTION_CHOICE, "STRENGTH", "weak, medium or strong (default: medium)",
		       .choices = lab_strengths },
	[SECONDS] = { "seconds", 't', OPTION_COUNT, "N", "how long it is in force (default: 10)", 1, 600 },
	[YES] = { "yes", 'y', OPTION_FLAG, NULL, "start also on a host that carries load" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

/* Beyond the time in force: to set up. */
#define SET_UP_S 30

struct outcome {
	double seconds, undo_s;
	bool judged, moved; /* judged: there was a window to look at */
	bool ended_early;
	struct note seen, early, undo_note;
	int undo;
};

static void tell_start(const struct scenario *s, enum strength strength)
{
	cleanup(buf_deinit) struct buf touches = { 0 };

	say("lab: %s (%s): %s", s->name, lab_strengths[strength], s->summary);
	if (scenario_touches(s, &touches) == 0)
		say("lab: takes %s; all of it is undone at the end", touches.data);
}

static void tell_culprits(struct lab_run *run)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span rest, line;
	size_t n;
	const struct lab_label *labels = lab_run_labels(run, &n);

	if (lab_labels_text(labels, n, &text) < 0)
		return;
	rest = buf_span(&text);
	while (span_line(&rest, &line))
		say("lab: culprit: %.*s", (int)line.n, line.p);
}

/* Until the time is over, the user or a bound ends it. */
static int watch(struct lab_run *run, struct sampler *sampler, unsigned seconds, struct outcome *o)
{
	uint64_t start = clock_mono_ns(), end = start + seconds * NS_PER_S;
	struct ticker ticker;
	bool told = false;
	int r = 1;

	ticker_init(&ticker);
	while (r != 0 && !interrupted) {
		if (!lab_run_alive(run, &o->early)) {
			o->ended_early = true;
			break;
		}
		r = sampler_step(sampler, end);
		if (r < 0 && r != -EINTR)
			break;
		uint64_t now = clock_mono_ns();

		if (!told && now - start > 300 * NS_PER_MS) {
			ticker_clear(&ticker);
			tell_culprits(run);
			told = true;
		}
		ticker_show(&ticker, "in force, %.0f s left; Ctrl-C ends it", now < end ? (double)(end - now) / 1e9 : 0.0);
	}
	ticker_clear(&ticker);
	o->seconds = (double)(clock_mono_ns() - start) / 1e9;
	return r < 0 && r != -EINTR ? r : 0;
}

static void judge(const struct scenario *s, struct sampler *sampler, struct outcome *o)
{
	struct window w;

	if (!s->moved || sampler_window(sampler, &w) < 0 || w.seconds <= 0)
		return;
	o->judged = true;
	o->moved = s->moved(&w, &o->seen);
}

static int watch_and_judge(const struct scenario *s, struct lab_run *run, unsigned seconds, struct outcome *o,
			   struct note *note)
{
	const struct sampler_options how = { 0 };
	struct sampler *sampler;
	struct host *h;
	int r = host_open_live("/", &h, note);

	if (r < 0)
		return r;
	r = sampler_new(h, &how, &sampler, note);
	if (r == 0) {
		r = watch(run, sampler, seconds, o);
		judge(s, sampler, o);
		sampler_free(sampler);
	}
	host_free(h);
	return r;
}

static int row(struct buf *out, const char *name, const char *text)
{
	return buf_printf(out, "%-10s%s\n", name, text);
}

static int report_culprits(struct buf *out, const struct buf *labels)
{
	struct span rest = buf_span(labels), line;
	int r = 0;

	while (r == 0 && span_line(&rest, &line))
		r = buf_printf(out, "%-10s%.*s\n", "culprit", (int)line.n, line.p);
	return r;
}

static int report_residue(struct buf *out, const struct residue *before, const struct residue *after,
			  int differences, const struct buf *lines)
{
	cleanup(buf_deinit) struct buf summary = { 0 };
	struct span rest = buf_span(lines), line;
	int r = residue_summary(after, &summary);

	(void)before;
	if (r == 0 && differences == 0)
		return buf_printf(out, "%-10snone: as before are %s\n", "residue", summary.data);
	while (r == 0 && span_line(&rest, &line))
		r = buf_printf(out, "%-10s%.*s\n", "residue", (int)line.n, line.p);
	return r;
}

static int report(const struct scenario *s, enum strength strength, const struct outcome *o, struct buf *out)
{
	int r = buf_printf(out, "%-10s%s, %s, in force for %s\n", "scenario", s->name, lab_strengths[strength],
			   duration_text(o->seconds).text);

	if (r == 0 && o->ended_early)
		r = row(out, "ended", o->early.text);
	if (r == 0 && s->moved)
		r = buf_printf(out, "%-10s%s%s%s\n", "moved",
			       !o->judged ? "not known: the time was too short" :
			       o->moved	  ? "yes" :
					    "NO",
			       o->judged && o->seen.text[0] ? ": " : "", o->judged ? o->seen.text : "");
	if (r == 0)
		r = o->undo < 0 && !o->ended_early ?
			    row(out, "undone", o->undo_note.text) :
			    buf_printf(out, "%-10sin %s\n", "undone", duration_text(o->undo_s).text);
	return r;
}

static void stop(struct lab_run *run, struct outcome *o)
{
	uint64_t start = clock_mono_ns();

	o->undo = lab_stop(run, &o->undo_note);
	o->undo_s = (double)(clock_mono_ns() - start) / 1e9;
}

struct job {
	const struct scenario *scenario;
	struct lab_options how;
	unsigned seconds;
};

/* Starts, watches, stops. *ret_labels gets the culprits. */
static int play(const struct job *job, struct outcome *o, struct buf *ret_labels, struct note *note)
{
	uint64_t start = clock_mono_ns();
	struct lab_run *run;
	int r = lab_start_with(job->scenario, &job->how, &run, note);

	if (r < 0)
		return r;
	say("lab: in force after %s", duration_text((double)(clock_mono_ns() - start) / 1e9).text);
	r = watch_and_judge(job->scenario, run, job->seconds, o, note);

	size_t n;
	const struct lab_label *labels = lab_run_labels(run, &n);
	if (r == 0)
		r = lab_labels_text(labels, n, ret_labels);
	stop(run, o);
	return r;
}

static int run_between(const struct job *job, const struct residue *before, struct residue **after)
{
	cleanup(buf_deinit) struct buf text = { 0 }, labels = { 0 }, lines = { 0 };
	struct outcome o = { 0 };
	struct note note = { "" };
	int r = play(job, &o, &labels, &note);

	if (r < 0) {
		say("lab run: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	r = residue_take(after);
	if (r < 0)
		return output_write(buf_span(&text), r);
	int differences = residue_compare(before, *after, &lines);

	r = differences < 0 ? differences : report(job->scenario, job->how.strength, &o, &text);
	if (r == 0)
		r = report_culprits(&text, &labels);
	if (r == 0)
		r = report_residue(&text, before, *after, differences, &lines);
	int written = output_write(buf_span(&text), r);

	if (written != EXIT_FINE)
		return written;
	bool failed = differences > 0 || o.ended_early || o.undo < 0 || (o.judged && !o.moved);

	return failed ? EXIT_FINDINGS : EXIT_FINE;
}

static int run(const struct arguments *args)
{
	struct job job = {
		.scenario = lab_scenario_find(args->operand[0]),
		.seconds = args->option[SECONDS].given ? (unsigned)args->option[SECONDS].number : 10,
	};
	struct residue *before, *after = NULL;
	struct note note = { "" };
	int r = lab_possible(job.scenario, &note);

	if (r < 0) {
		say("lab run: %s cannot run here: %s", job.scenario->name, note.text);
		return EXIT_UNABLE;
	}
	job.how = (struct lab_options){
		.strength = args->option[STRENGTH].given ? (enum strength)args->option[STRENGTH].number :
							   STRENGTH_MEDIUM,
		.limit_s = job.seconds + SET_UP_S,
		.say = lab_say_line,
		.interrupted = &interrupted,
	};
	tell_start(job.scenario, job.how.strength);
	if (!lab_agreed("lab run", args->option[YES].given))
		return EXIT_UNABLE;
	interrupt_catch();
	r = residue_take(&before);
	if (r < 0) {
		say("lab run: %s", strerror(-r));
		return EXIT_UNABLE;
	}
	int code = run_between(&job, before, &after);

	residue_free(before);
	residue_free(after);
	return code;
}

const struct command command_lab_run = {
	.name = "run",
	.summary = "make one fault, hold it for a while, undo it",
	.description =
		"Tells what it will touch, starts the scenario, names the culprit, and ends when the time is over or on "
		"Ctrl-C. Then it tells whether the counters that the fault moves have moved, and whether the host is as it "
		"was before. Meanwhile `osprey doctor` in another terminal shall find it.\n\n"
		"Exit status: 0 the fault was there and nothing is left of it, 1 otherwise, 3 it could not be started.",
	.operands = "SCENARIO",
	.min_operands = 1,
	.max_operands = 1,
	.operand_choice = lab_scenario_choice,
	OPTIONS(options),
	.run = run,
};
