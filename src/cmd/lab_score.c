#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/closest.h"
#include "cmd/lab.h"
#include "conditions/conditions.h"
#include "lab/healthy.h"
#include "report/score.h"

enum { STRENGTH, BACKGROUND, ONLY, PAIRS, QUICK, WINDOW, SEED, NO_BPF, JSON, YES, NO_COLOR };

enum { PAIRS_COUNTED = 10, MAX_ONLY = 64 };

static const char *const strengths[] = { "weak", "medium", "strong", "all", NULL };
static const char *const backgrounds[] = { "idle", "cpu30", "disk_stream", "net_stream", "build", "all", NULL };

enum { ALL_STRENGTHS = 3, ALL_BACKGROUNDS = 5 };

static const struct option options[] = {
	[STRENGTH] = { "strength", 's', OPTION_CHOICE, "STRENGTH", "weak, medium, strong or all (default: medium)",
		       .choices = strengths },
	[BACKGROUND] = { "background", 'b', OPTION_CHOICE, "LOAD",
			 "under the faults: idle, cpu30, disk_stream, net_stream, build or all (default: idle)",
			 .choices = backgrounds },
	[ONLY] = { "only", 'o', OPTION_TEXT, "NAME,...", "these conditions alone" },
	[PAIRS] = { "pairs", 'p', OPTION_FLAG, NULL, "two faults at once, ten pairs, in place of single ones" },
	[QUICK] = { "quick", 'q', OPTION_FLAG, NULL, "no windows before and after each fault" },
	[WINDOW] = { "window", 'w', OPTION_DURATION, "DURATION", "the doctor's window (default: 5s)", NS_PER_S,
		     60 * NS_PER_S },
	[SEED] = { "seed", 0, OPTION_COUNT, "N", "the order of the cases (default: by the clock)" },
	[NO_BPF] = { "no-bpf", 0, OPTION_FLAG, NULL, "the doctor takes everything from /proc" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.lab_score/1" },
	[YES] = { "yes", 'y', OPTION_FLAG, NULL, "start also on a host that carries load" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

/* ---- what is asked for ---- */

static void tell_unknown(const char *name)
{
	struct closest c = { 0 };
	size_t n;
	const struct condition *const *all = conditions_all(&n);

	for (size_t i = 0; i < n; i++)
		closest_offer(&c, name, all[i]->id);
	say("lab score: --only: unknown condition '%s'; closest: %s", name, c.word);
}

/* Splits in place. False: told which name is unknown. */
static bool split_only(char *text, const char **names, size_t *ret_n)
{
	size_t n = 0;

	for (char *name = strtok(text, ","); name; name = strtok(NULL, ",")) {
		if (!condition_find(name)) {
			tell_unknown(name);
			return false;
		}
		if (n < MAX_ONLY)
			names[n++] = name;
	}
	if (n == 0)
		say("lab score: --only names no condition");
	*ret_n = n;
	return n > 0;
}

static unsigned mask_of(const struct option_value *v, unsigned otherwise, unsigned all)
{
	if (!v->given)
		return 1u << otherwise;
	return v->number == all ? (1u << all) - 1 : 1u << v->number;
}

/* ---- progress ---- */

struct watching {
	struct ticker ticker;
};

static void case_name(const struct score_case *c, char *ret, size_t size)
{
	if (c->kind == SCORE_HEALTHY)
		snprintf(ret, size, "%s", c->background ? c->background->name : "healthy_idle");
	else
		snprintf(ret, size, "%s%s%s, %s%s%s", c->fault[0].condition->id, c->nfaults > 1 ? " + " : "",
			 c->nfaults > 1 ? c->fault[1].condition->id : "", lab_strengths[c->strength],
			 c->background ? ", " : "", c->background ? c->background->name : "");
}

static void on_progress(void *arg, const struct score_case *c, size_t i, size_t n, const char *doing)
{
	struct watching *w = arg;
	char name[128], result[256];

	case_name(c, name, sizeof name);
	if (doing) {
		ticker_show(&w->ticker, "%zu/%zu %s: %s", i + 1, n, name, doing);
		return;
	}
	if (!w->ticker.watched)
		return;
	ticker_clear(&w->ticker);
	score_case_result(c, result, sizeof result);
	fprintf(stderr, "%zu/%zu %s: %s\n", i + 1, n, name, result);
}

/* ---- the whole ---- */

static int print(const struct arguments *args, const struct score_view *view)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };

	if (args->option[JSON].given)
		p.error = score_json(&text, view);
	else
		score_text(&p, view);
	return output_write(buf_span(&text), p.error);
}

static int play(const struct arguments *args, struct score_options *o, score_case_vec *cases)
{
	cleanup(buf_deinit) struct buf lines = { 0 };
	struct residue *before = NULL, *after = NULL;
	struct watching watching;
	struct note note = { "" };
	int code = EXIT_UNABLE;

	ticker_init(&watching.ticker);
	o->progress = on_progress;
	o->progress_arg = &watching;
	int r = residue_take(&before);

	if (r == 0)
		r = score_run(o, cases, &note);
	ticker_clear(&watching.ticker);
	if (r == 0)
		r = residue_take(&after);
	int differences = r == 0 ? residue_compare(before, after, &lines) : r;

	if (differences < 0)
		say("lab score: %s", note.text[0] ? note.text : strerror(-differences));
	else
		code = print(args, &(struct score_view){ .options = o, .cases = cases, .residue = buf_span(&lines),
							 .interrupted = interrupted });
	residue_free(before);
	residue_free(after);
	return code;
}

static bool any_counted(const score_case_vec *cases)
{
	vec_each(c, cases)
		if (c->state == SCORE_COUNTED)
			return true;
	return false;
}

static int plan_and_play(const struct arguments *args, struct score_options *o)
{
	score_case_vec cases = { 0 };
	int r = score_plan(o, &cases), code = EXIT_UNABLE;

	if (r < 0) {
		say("lab score: %s", strerror(-r));
	} else {
		/* Of the pairs the first few that work are played. */
		size_t n = o->pairs && o->pairs < cases.n ? o->pairs : cases.n;

		if (!args->option[JSON].given)
			say("lab: %zu cases, seed %llu; about %zu min", n, (unsigned long long)o->seed,
			    (n * (o->quick || o->pairs ? 9 : 14) + 59) / 60);
		code = play(args, o, &cases);
		if (code == EXIT_FINE && !any_counted(&cases))
			code = EXIT_UNABLE;
	}
	vec_free(&cases);
	return code;
}

static int run(const struct arguments *args)
{
	const char *only[MAX_ONLY];
	struct score_options o = {
		.strengths = mask_of(&args->option[STRENGTH], STRENGTH_MEDIUM, ALL_STRENGTHS),
		.backgrounds = mask_of(&args->option[BACKGROUND], 0, ALL_BACKGROUNDS),
		.pairs = args->option[PAIRS].given ? PAIRS_COUNTED : 0,
		.quick = args->option[QUICK].given,
		.no_bpf = args->option[NO_BPF].given,
		.seed = args->option[SEED].given ? args->option[SEED].number : clock_real_ns() / NS_PER_MS % 1000000,
		.window_ns = args->option[WINDOW].given ? args->option[WINDOW].number : 5 * NS_PER_S,
		.interrupted = &interrupted,
	};
	char *names = strdup(args->option[ONLY].given ? args->option[ONLY].text : "");
	int code = EXIT_UNABLE;

	o.conditions = conditions_all(&o.nconditions);
	if (!names)
		return EXIT_UNABLE;
	if (args->option[ONLY].given) {
		o.only = only;
		if (!split_only(names, only, &o.nonly)) {
			free(names);
			return EXIT_USAGE;
		}
	}
	if (geteuid() != 0)
		say("lab score: needs root");
	else if (lab_agreed("lab score", args->option[YES].given)) {
		interrupt_catch();
		code = plan_and_play(args, &o);
	}
	free(names);
	return code;
}

const struct command command_lab_score = {
	.name = "score",
	.summary = "score the doctor on faults whose cause is known",
	.description =
		"Plays the scenarios in random order, lets the doctor diagnose each of them in a window of its own, and "
		"holds its findings against what is known: is the right cause first, is the culprit right, how soon was "
		"it named. A case counts only when the fault's own counters moved. Healthy loads, and the host after each "
		"undo, are the negatives: nothing worse than a note may be found on them. Two simple methods are scored "
		"on the same windows.\n\n"
		"With --pairs two faults run at once and both shall be named.\n\n"
		"Exit status: 0 scored, 3 nothing could be scored.",
	OPTIONS(options),
	.run = run,
};
