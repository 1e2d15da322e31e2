#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/countdown.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "report/lock.h"

enum { FOR, NOW, TOP, NO_LINES, JSON, NO_COLOR };

#define DEFAULT_FOR_NS (3 * NS_PER_S)
#define DEFAULT_TOP 5

static const struct option options[] = {
	[FOR] = { "for", 'f', OPTION_DURATION, "DURATION", "how long to watch for contention (3s); Ctrl-C ends it early", 50 * NS_PER_MS,
		  24 * 3600 * NS_PER_S },
	[NOW] = { "now", 'n', OPTION_FLAG, NULL, "only who waits for whom at this moment" },
	[TOP] = { "top", 't', OPTION_COUNT, "N", "locks at most (5)", 1, 1000 },
	[NO_LINES] = { "no-lines", 0, OPTION_FLAG, NULL, "functions alone: no source lines and inlined calls (faster)" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.locks/1" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

struct looking {
	const struct arguments *args;
	struct host *h;
	struct image_store *store;
	struct symbolizer *symbolizer;
	struct process_stacks *stacks;
	struct lock_snapshot now;
	struct lock_watch_result window;
	bool watched, ended;
	struct note why_no_window;
};

/* A deadlock is told when it stands still: a second look, some time later, shows the same. */
#define CONFIRM_AFTER_NS (50 * NS_PER_MS)

static int confirm_cycles(struct looking *l, int pid)
{
	struct process_stacks *later = NULL;
	struct lock_snapshot again = { 0 };
	int r;

	if (l->now.cycles.n == 0)
		return 0;
	(void)!clock_sleep_until(clock_mono_ns() + CONFIRM_AFTER_NS);
	r = process_stacks_take(l->h, l->store, pid, &(struct stack_wish){ 0 }, &later, NULL);
	if (r >= 0)
		r = lock_snapshot_make(l->symbolizer, later, &again);
	if (r >= 0)
		lock_snapshot_confirm(&l->now, l->stacks, &again, later);
	lock_snapshot_deinit(&again);
	process_stacks_free(later);
	return r;
}

/* A thread of the kernel and what has ended have none to hold a lock. */
static int check_has_memory(const struct process_stacks *s, struct note *note)
{
	if (s->threads.n && s->threads.v[0].kernel_thread)
		return note_set(note, -EINVAL, "%s (%d) is a thread of the kernel and takes no locks of user space; "
				"osprey stack %d shows where it stands", s->comm, s->pid, s->pid);
	if (s->threads.n && s->threads.v[0].state == 'Z' && s->threads.n == 1)
		return note_set(note, -ESRCH, "%s (%d) has ended, and waits for its parent to take notice", s->comm, s->pid);
	return 0;
}

static int take_now(struct looking *l, int pid)
{
	struct symbolizer_options names = { .no_lines = l->args->option[NO_LINES].given };
	struct note note = { "" };
	int r = host_open_live("/", &l->h, &note);

	if (r >= 0)
		r = image_store_new(&l->store);
	if (r >= 0)
		r = symbolizer_new(&names, &l->symbolizer);
	if (r >= 0)
		r = process_stacks_take(l->h, l->store, pid, &(struct stack_wish){ 0 }, &l->stacks, &note);
	if (r >= 0)
		r = lock_snapshot_make(l->symbolizer, l->stacks, &l->now);
	if (r >= 0)
		r = confirm_cycles(l, pid);
	if (r >= 0)
		r = check_has_memory(l->stacks, &note);
	if (r < 0 && !note.text[0])
		note_set(&note, r, "process %d has ended", pid);
	if (r < 0)
		say("locks: %s", r == -ENOMEM ? "out of memory" : note.text);
	return r;
}

/* Looks until the time is over, Ctrl-C comes or the process ends. */
static int watch_until_end(struct lock_watch *w, uint64_t for_ns, bool *ret_ended)
{
	uint64_t end = clock_mono_ns() + for_ns, next = 0;
	struct countdown down = { "watching locks", end, false };
	int r = 0;

	while (r >= 0 && !interrupted && clock_mono_ns() < end) {
		r = lock_watch_look(w, &next);
		if (r >= 0 && countdown_sleep(&down, next < end ? next : end) < 0)
			break;
	}
	countdown_clear(&down);
	*ret_ended = r == -ESRCH;
	return r == -ESRCH ? 0 : r;
}

static int watch(struct looking *l, int pid)
{
	uint64_t for_ns = l->args->option[FOR].given ? l->args->option[FOR].number : DEFAULT_FOR_NS;
	struct lock_watch *w = NULL;
	int r = lock_watch_new(l->h, l->symbolizer, l->stacks->space, pid, &w, &l->why_no_window);

	if (r < 0)
		return r == -ENOMEM ? r : 0; /* it is told */
	interrupt_catch();
	r = watch_until_end(w, for_ns, &l->ended);
	if (r >= 0)
		r = lock_watch_result(w, &l->window);
	l->watched = r >= 0;
	lock_watch_free(w);
	return r;
}

static int print(struct looking *l)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_table_style(l->args->option[NO_COLOR].given) };
	struct lock_report report = { l->stacks, &l->now, l->watched ? &l->window : NULL,
				      l->why_no_window.text[0] ? l->why_no_window.text : NULL, l->symbolizer,
				      l->args->option[TOP].given ? (size_t)l->args->option[TOP].number : DEFAULT_TOP,
				      l->ended };
	int r;

	if (l->args->option[JSON].given) {
		r = lock_json(&text, &report);
	} else {
		lock_text(&p, &report);
		r = p.error;
	}
	int code = output_write(buf_span(&text), r);
	return code == EXIT_FINE && l->now.cycles.n ? EXIT_FINDINGS : code;
}

static void looking_deinit(struct looking *l)
{
	lock_watch_result_deinit(&l->window);
	lock_snapshot_deinit(&l->now);
	process_stacks_free(l->stacks);
	symbolizer_free(l->symbolizer);
	image_store_free(l->store);
	host_free(l->h);
}

static int run(const struct arguments *args)
{
	struct looking l = { .args = args };
	uint64_t pid;

	if (!span_u64(span_from(args->operand[0]), &pid) || pid == 0 || pid > INT32_MAX) {
		say("locks: '%s' is no process id", args->operand[0]);
		return EXIT_USAGE;
	}
	if (args->option[NOW].given && args->option[FOR].given) {
		say("locks: --now watches for no time, --for for one: one of the two");
		return EXIT_USAGE;
	}
	int r = take_now(&l, (int)pid);
	if (r >= 0 && !args->option[NOW].given)
		r = watch(&l, (int)pid);
	int code = r < 0 ? EXIT_UNABLE : print(&l);
	looking_deinit(&l);
	return code;
}

const struct command command_locks = {
	.name = "locks",
	.summary = "show who waits for whom, deadlocks, and the most contended locks",
	.description =
		"First this moment: which thread waits for which mutex, rwlock or other futex, who holds it "
		"and where the holder stands; threads that wait for each other in a circle are a deadlock "
		"(exit code 1). Then, over --for, the locks that were waited for: how often, how long, held "
		"by whom, from which places in the code.\n\n"
		"Waits are counted in the kernel by BPF; stacks come from looks that stop nobody. Owners "
		"are known of glibc's mutexes and rwlocks (and of every priority-inheriting futex); others "
		"are told by their address. A lock that is taken without a wait is not seen. Needs the "
		"process's own user; the window needs root and Linux 5.18.",
	.operands = "PID",
	.min_operands = 1,
	.max_operands = 1,
	OPTIONS(options),
	.run = run,
};
