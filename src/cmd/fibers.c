#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "cmd/pid_or_core.h"
#include "report/fiber.h"

enum { ALL, STATE, WAIT, OLDER, FUNCTION, RUNTIME, EXECUTABLE, ADDRESSES, NO_LINES, JSON, NO_COLOR };

static const struct option options[] = {
	[ALL] = { "all", 'a', OPTION_FLAG, NULL, "each fiber by itself: those with equal stacks are shown once else" },
	[STATE] = { "state", 's', OPTION_TEXT, "STATE", "only those that are running, ready, waiting or ended" },
	[WAIT] = { "wait", 'w', OPTION_TEXT, "KIND", "only those that wait so: receive, send, select, mutex, sleep, join…" },
	[OLDER] = { "older", 'o', OPTION_DURATION, "DURATION", "only those that have been in their state for so long", 1,
		    UINT64_MAX },
	[FUNCTION] = { "function", 'f', OPTION_TEXT, "TEXT",
		       "only those with TEXT in the name of a function: on the stack, the first one, or the one that made them" },
	[RUNTIME] = { "runtime-frames", 'r', OPTION_FLAG, NULL, "the frames of the runtime itself too" },
	[EXECUTABLE] = { "executable", 'e', OPTION_FILE, "FILE",
			 "the program of a core file, where it lies elsewhere by now" },
	[ADDRESSES] = { "addresses", 0, OPTION_FLAG, NULL, "the address of each frame too" },
	[NO_LINES] = { "no-lines", 0, OPTION_FLAG, NULL,
		       "functions alone: no source lines and inlined calls (faster)" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL,
		   "print one JSON document, schema osprey.fibers/1 (docs/fibers-json.md)" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

#define PROGRESS_AFTER_NS (NS_PER_S / 2)
#define PROGRESS_EVERY_NS (NS_PER_S / 10)
#define DRAIN_BYTES (1u << 20)

struct telling {
	const struct arguments *args;
	struct host *h;
	struct image_store *store;
	struct symbolizer *symbolizer;
	struct buf text;
	uint64_t progress_ns; /* when it is to be shown the next time */
	bool shown;
	int code;
};

/* Nothing is stopped, come what may. */
static int take(struct telling *t, const char *operand, struct process_stacks **ret, struct note *note)
{
	const struct option_value *o = t->args->option;
	struct stack_wish wish = { .no_stop = true };

	return pid_or_core_take(t->h, t->store, operand, o[EXECUTABLE].given ? o[EXECUTABLE].text : NULL, &wish, ret, note);
}

/* Only what takes long is worth a line. */
static void on_progress(void *arg, size_t done, size_t all)
{
	struct telling *t = arg;
	char line[100];

	if (clock_mono_ns() < t->progress_ns)
		return;
	t->progress_ns = clock_mono_ns() + PROGRESS_EVERY_NS;
	snprintf(line, sizeof line, "fibers: %s of %s read", number_text((double)done).text, number_text((double)all).text);
	output_progress(line);
	t->shown = true;
}

static void end_progress(struct telling *t)
{
	if (t->shown)
		output_progress("");
	t->shown = false;
}

/* What is there is written, so that the text of a million fibers need not be held. */
static int drain(void *arg)
{
	struct telling *t = arg;
	int r = 0;

	if (t->text.n >= DRAIN_BYTES) {
		r = output_write_fd(STDOUT_FILENO, buf_span(&t->text));
		buf_clear(&t->text);
	}
	return r;
}

static int put(struct telling *t, const struct process_stacks *s, const struct fiber_stacks *f)
{
	const struct option_value *o = t->args->option;
	struct fiber_report report = {
		.stack = { .stacks = s, .symbolizer = t->symbolizer, .addresses = o[ADDRESSES].given, .no_kernel = true },
		.fibers = f, .runtime_frames = o[RUNTIME].given,
		.filtered = o[STATE].given || o[WAIT].given || o[OLDER].given || o[FUNCTION].given,
		.drain = drain, .arg = t,
	};

	if (f->deadlocks.ring.n || f->deadlocks.all)
		t->code = EXIT_FINDINGS;
	if (o[JSON].given) {
		struct json j = { .out = &t->text };
		fiber_json(&j, NULL, &report);
		return json_finish(&j);
	}
	struct page page = { .out = &t->text, .style = output_table_style(o[NO_COLOR].given) };
	fiber_text(&page, &report);
	return page.error;
}

static int tell(struct telling *t, const char *operand)
{
	const struct option_value *o = t->args->option;
	struct fiber_wish wish = { .state = o[STATE].given ? o[STATE].text : NULL, .wait = o[WAIT].given ? o[WAIT].text : NULL,
				   .state_least_ns = o[OLDER].given ? o[OLDER].number : 0,
				   .function = o[FUNCTION].given ? o[FUNCTION].text : NULL, .apart = o[ALL].given,
				   .progress = on_progress, .arg = t };
	struct process_stacks *s = NULL;
	struct fiber_stacks *f = NULL;
	struct note note = { "" };
	int r = take(t, operand, &s, &note);

	t->progress_ns = clock_mono_ns() + PROGRESS_AFTER_NS;
	if (r >= 0)
		r = fiber_stacks_take(t->h, s, t->symbolizer, &wish, &f, &note);
	end_progress(t);
	if (r < 0 && r != -ENOMEM) {
		const char *why = note.text[0] ? note.text : strerror(-r);
		bool named = strncmp(why, operand, strlen(operand)) == 0;
		say("fibers: %s%s%s", named ? "" : operand, named ? "" : ": ", why);
		t->code = r == -EINVAL ? EXIT_USAGE : EXIT_UNABLE;
		r = 0;
	} else if (r >= 0) {
		r = put(t, s, f);
	}
	fiber_stacks_free(f);
	process_stacks_free(s);
	return r;
}

static int open_all(struct telling *t)
{
	struct symbolizer_options wish = { .no_lines = t->args->option[NO_LINES].given };
	struct note note = { "" };
	int r = host_open_live("/", &t->h, &note);

	if (r < 0) {
		say("fibers: %s", note.text);
		return r;
	}
	r = image_store_new(&t->store);
	return r < 0 ? r : symbolizer_new(&wish, &t->symbolizer);
}

static int run(const struct arguments *args)
{
	struct telling t = { .args = args };
	const char *word = args->operand[0];

	if (!pid_or_core_makes_sense("fibers", word))
		return EXIT_USAGE;
	int r = open_all(&t);
	if (r >= 0)
		r = tell(&t, word);
	int written = t.text.n || r < 0 ? output_write(buf_span(&t.text), r) : EXIT_FINE;
	symbolizer_free(t.symbolizer);
	image_store_free(t.store);
	host_free(t.h);
	buf_deinit(&t.text);
	return written != EXIT_FINE ? written : t.code;
}

const struct command command_fibers = {
	.name = "fibers",
	.summary = "show the fibers of a program that uses libospreyrt, stopping nobody",
	.description =
		"Every fiber of a process (PID) or of a core file: how many run, are ready or wait, and for what; the channel with "
		"its length, the mutex with its owner; how long; where they stand, cold ones (whose stacks have no memory while they "
		"wait) as others, and who made them where. Fibers with equal stacks are shown once. Rings of fibers that wait for each other, and programs in which nothing is left that could wake one, "
		"are told as deadlocks (exit code 1).\n\n"
		"The process runs on: all is read from its memory, and a fiber that moved while it was read is marked. Static, "
		"stripped and deleted programs do as well, and those in containers. Needs the process's own user; the stacks of "
		"those that run need root.",
	.operands = "PID|CORE",
	.min_operands = 1,
	.max_operands = 1,
	OPTIONS(options),
	.run = run,
};
