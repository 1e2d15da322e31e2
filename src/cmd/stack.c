#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "cmd/pid_or_core.h"
#include "report/fiber.h"
#include "report/goroutine.h"

enum { THREADS, TID, CONSISTENT, OS_THREADS, SYSTEM, EXECUTABLE, ADDRESSES, NO_KERNEL, NO_LINES, NO_STOP,
       JSON, NO_COLOR };

static const struct option options[] = {
	[THREADS] = { "threads", 't', OPTION_FLAG, NULL,
		      "each thread (or goroutine, or fiber) by itself: equal stacks are shown once else" },
	[TID] = { "tid", 0, OPTION_COUNT, "TID", "only this thread", 1, INT32_MAX },
	[CONSISTENT] = { "consistent", 0, OPTION_FLAG, NULL,
			 "stop all threads for one moment, so that all show the same one" },
	[OS_THREADS] = { "os-threads", 0, OPTION_FLAG, NULL,
			 "of a program with goroutines or fibers the threads of the system" },
	[SYSTEM] = { "system", 0, OPTION_FLAG, NULL, "the goroutines of Go's runtime itself too; of fibers the runtime's frames" },
	[EXECUTABLE] = { "executable", 'e', OPTION_FILE, "FILE",
			 "the program of a core file, where it lies elsewhere by now" },
	[ADDRESSES] = { "addresses", 'a', OPTION_FLAG, NULL, "the address of each frame too" },
	[NO_KERNEL] = { "no-kernel", 0, OPTION_FLAG, NULL, "leave the kernel's frames out" },
	[NO_LINES] = { "no-lines", 0, OPTION_FLAG, NULL,
		       "functions alone: no source lines and inlined calls (faster)" },
	[NO_STOP] = { "no-stop", 0, OPTION_FLAG, NULL, "stop no thread, not even one that cannot be read otherwise" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL,
		   "print one JSON document, schema osprey.stack/1 (docs/stack-json.md)" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

struct telling {
	const struct arguments *args;
	struct host *h;
	struct image_store *store;
	struct symbolizer *symbolizer;
	struct buf text;
	struct page page;
	struct json json;
	int code;
};

static int take(struct telling *t, const char *operand, struct process_stacks **ret, struct note *note)
{
	const struct option_value *o = t->args->option;
	struct stack_wish wish = { .consistent = o[CONSISTENT].given, .no_stop = o[NO_STOP].given,
				   .only_tid = o[TID].given ? (int)o[TID].number : 0 };

	return pid_or_core_take(t->h, t->store, operand, o[EXECUTABLE].given ? o[EXECUTABLE].text : NULL, &wish, ret, note);
}

/* Goroutines in place of threads, where there are some. 0; -ENOENT: it is no Go program, or they were not asked for. */
static int put_goroutines(struct telling *t, const struct stack_report *report)
{
	const struct option_value *o = t->args->option;
	struct goroutine_stacks *g = NULL;
	struct note note = { "" };
	int r = o[OS_THREADS].given || o[TID].given ? -ENOENT :
		goroutine_stacks_take(report->stacks, o[THREADS].given, o[SYSTEM].given, &g, &note);

	if (r < 0) {
		if (r != -ENOENT && r != -ENOMEM)
			say("stack: goroutines cannot be shown: %s", note.text[0] ? note.text : strerror(-r));
		return r == -ENOMEM ? r : -ENOENT;
	}
	if (o[JSON].given)
		stack_json(&t->json, NULL, report, g, NULL);
	else
		goroutine_text(&t->page, report, g);
	goroutine_stacks_free(g);
	return 0;
}

/* Fibers in place of threads, where there are some; as above. */
static int put_fibers(struct telling *t, const struct stack_report *report)
{
	const struct option_value *o = t->args->option;
	struct fiber_wish wish = { .apart = o[THREADS].given };
	struct fiber_stacks *f = NULL;
	struct note note = { "" };
	int r = o[OS_THREADS].given || o[TID].given ? -ENOENT :
		fiber_stacks_take(t->h, report->stacks, t->symbolizer, &wish, &f, &note);

	if (r < 0) {
		if (r != -ENOENT && r != -ENOMEM)
			say("stack: fibers cannot be shown: %s", note.text[0] ? note.text : strerror(-r));
		return r == -ENOMEM ? r : -ENOENT;
	}
	struct fiber_report fibers = { .stack = *report, .fibers = f, .runtime_frames = o[SYSTEM].given };
	fibers.stack.no_kernel = true;
	/* Of a run that has ended nothing is left but the threads. */
	if (f->all.fiber.n == 0)
		r = -ENOENT;
	else if (o[JSON].given)
		stack_json(&t->json, NULL, report, NULL, &fibers);
	else
		fiber_text(&t->page, &fibers);
	fiber_stacks_free(f);
	return r;
}

static int put(struct telling *t, const struct process_stacks *s)
{
	struct equal_groups groups = { 0 };
	struct thread_wait *waits = NULL;
	int r = stack_groups_make(s, t->args->option[THREADS].given, &groups);

	if (r >= 0)
		r = thread_waits_read(s->core ? NULL : t->h, s, &waits);
	if (r >= 0) {
		struct stack_report report = { s, &groups, waits, t->symbolizer, t->args->option[ADDRESSES].given,
					       t->args->option[NO_KERNEL].given };
		r = put_goroutines(t, &report);
		if (r == -ENOENT)
			r = put_fibers(t, &report);
		if (r == -ENOENT) {
			r = 0;
			if (t->args->option[JSON].given)
				stack_json(&t->json, NULL, &report, NULL, NULL);
			else
				stack_text(&t->page, &report);
		}
		if (r >= 0)
			r = t->page.error < 0 ? t->page.error : t->json.error;
	}
	free(waits);
	equal_groups_deinit(&groups);
	return r;
}

static int tell(struct telling *t, const char *operand)
{
	struct process_stacks *s = NULL;
	struct note note = { "" };
	int r = take(t, operand, &s, &note);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		say("stack: %s", note.text);
		t->code = EXIT_UNABLE;
		return 0;
	}
	r = put(t, s);
	process_stacks_free(s);
	return r;
}

static bool operands_make_sense(const struct arguments *args)
{
	for (size_t i = 0; i < args->noperands; i++)
		if (!pid_or_core_makes_sense("stack", args->operand[i]))
			return false;
	return true;
}

static int open_all(struct telling *t)
{
	struct symbolizer_options options_ = { .no_lines = t->args->option[NO_LINES].given };
	struct note note = { "" };
	int r = host_open_live("/", &t->h, &note);

	if (r < 0) {
		say("stack: %s", note.text);
		return r;
	}
	r = image_store_new(&t->store);
	return r < 0 ? r : symbolizer_new(&options_, &t->symbolizer);
}

static int tell_all(struct telling *t)
{
	bool json = t->args->option[JSON].given;
	int r = 0;

	if (json && t->args->noperands > 1)
		json_array(&t->json, NULL);
	for (size_t i = 0; r >= 0 && i < t->args->noperands; i++)
		r = tell(t, t->args->operand[i]);
	if (json && t->args->noperands > 1)
		json_end(&t->json);
	if (r >= 0 && json && t->text.n)
		r = json_finish(&t->json);
	return r;
}

static int run(const struct arguments *args)
{
	struct telling t = { .args = args };

	t.page = (struct page){ .out = &t.text, .style = output_table_style(args->option[NO_COLOR].given) };
	t.json = (struct json){ .out = &t.text };
	if (args->option[CONSISTENT].given && args->option[NO_STOP].given) {
		say("stack: --consistent stops all threads, --no-stop none: one of the two");
		return EXIT_USAGE;
	}
	if (!operands_make_sense(args))
		return EXIT_USAGE;
	int r = open_all(&t);
	if (r >= 0)
		r = tell_all(&t);
	int written = t.text.n || r < 0 ? output_write(buf_span(&t.text), r) : EXIT_FINE;
	symbolizer_free(t.symbolizer);
	image_store_free(t.store);
	host_free(t.h);
	buf_deinit(&t.text);
	return written != EXIT_FINE ? written : t.code;
}

const struct command command_stack = {
	.name = "stack",
	.summary = "show where threads stand and what they wait for, stopping nobody",
	.description =
		"User and kernel stacks of all threads of processes (PID) or of core files (FILE): equal "
		"ones are shown once, with what their threads wait for - the system call, the file or socket "
		"behind it, the lock and who holds it.\n\n"
		"Nothing is stopped: BPF copies registers and stacks of sleeping threads, and a one-shot "
		"perf event samples those that run. Without BPF (kernels before 5.18, no root) /proc tells "
		"where sleeping threads stand; a running one is then stopped for less than a millisecond, "
		"unless --no-stop is given. --consistent stops all at once, which ends blocked calls like "
		"epoll_wait with EINTR, and says for how long.\n\n"
		"Of Go programs (1.17 and newer, stripped ones too) the goroutines are shown, with what "
		"they wait for and who made them; of programs with libospreyrt the fibers (see osprey fibers).\n\nA frame marked ? was found by its frame pointer, since "
		"no unwind table describes its code. Needs the process's own user; kernel stacks and BPF "
		"need root.",
	.operands = "PID|CORE…",
	.min_operands = 1,
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
