#include "cmd/memory_leaks.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/countdown.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "report/leak.h"

#define FOR_NS (30 * NS_PER_S)

struct watching {
	const struct arguments *args;
	struct host *h;
	struct image_store *store;
	struct symbolizer *symbolizer;
	struct leak_watch *watch;
	uint64_t for_ns;
};

static int open_all(struct watching *w, int pid)
{
	struct leak_options options = { .for_ns = w->for_ns };
	struct symbolizer_options names = { 0 };
	struct note note = { "" };
	int r = host_open_live("/", &w->h, &note);

	if (r == 0)
		r = image_store_new(&w->store);
	if (r == 0)
		r = symbolizer_new(&names, &w->symbolizer);
	if (r == 0)
		r = leak_watch_new(w->h, w->store, pid, &options, &w->watch, &note);
	if (r < 0)
		say("memory: %s", note.text[0] ? note.text : "out of memory");
	return r;
}

static void close_all(struct watching *w)
{
	leak_watch_free(w->watch);
	symbolizer_free(w->symbolizer);
	image_store_free(w->store);
	host_free(w->h);
}

static int watch(struct watching *w)
{
	char what[64];
	uint64_t end_ns = w->watch->start_ns + w->for_ns;
	struct countdown down = { .what = what, .end_ns = end_ns };
	uint64_t next_ns = clock_mono_ns(), shown_ns = 0;
	int r = 0;

	snprintf(what, sizeof what, "watching allocations of %s (%d)", w->watch->comm, w->watch->pid);
	while (r == 0 && !interrupted && w->watch->end == LEAK_GOES_ON && next_ns < end_ns) {
		if (next_ns >= shown_ns + NS_PER_S) {
			countdown_show(&down);
			shown_ns = next_ns;
		}
		next_ns = clock_mono_ns() + LEAK_STEP_NS;
		/* A signal ends it early by `interrupted`. */
		(void)!clock_sleep_until(next_ns < end_ns ? next_ns : end_ns);
		r = leak_watch_step(w->watch);
	}
	int e = leak_watch_end(w->watch);
	countdown_clear(&down);
	return r < 0 ? r : e;
}

static int put(const struct watching *w, const struct leak_report *report, struct buf *text)
{
	const struct option_value *o = w->args->option;

	if (o[VIEW_JSON].given) {
		struct json j = { .out = text };
		int r = leak_json(&j, report);
		return r < 0 ? r : json_finish(&j);
	}
	struct page p = { .out = text, .style = output_table_style(o[VIEW_NO_COLOR].given) };
	leak_text(&p, report);
	return p.error;
}

static int tell(struct watching *w)
{
	const struct option_value *older = &w->args->option[MEMORY_LEAKS_OLDER];
	cleanup(buf_deinit) struct buf text = { 0 };
	struct leak_window window = { w->watch->start_ns, w->watch->end_ns, older->number };
	leak_row_vec rows = { 0 };
	struct leak_row total;

	/* It may have ended early. */
	if (!older->given || window.older_ns >= window.end_ns - window.start_ns)
		window.older_ns = (window.end_ns - window.start_ns) / 2;
	int r = leak_rows_make(&w->watch->samples, w->watch->sites.site.n, &window, &rows, &total);
	if (r == 0) {
		struct leak_report report = { w->watch, &window, &rows, &total, w->symbolizer };
		r = put(w, &report, &text);
	}
	vec_free(&rows);
	return output_write(buf_span(&text), r);
}

int memory_leaks_run(const struct arguments *args, int pid)
{
	const struct option_value *o = args->option;
	struct watching w = { .args = args, .for_ns = o[MEMORY_LEAKS_FOR].given ? o[MEMORY_LEAKS_FOR].number : FOR_NS };

	for (size_t i = 0; i < VIEW_OWN; i++) {
		if (o[i].given && i != VIEW_JSON && i != VIEW_NO_COLOR) {
			say("memory: with --leaks there are --for, --older, --json and --no-color");
			return EXIT_USAGE;
		}
	}
	if (args->noperands) {
		say("memory: --leaks takes no INTERVAL; --for says how long it watches");
		return EXIT_USAGE;
	}
	if (o[MEMORY_LEAKS_OLDER].given && o[MEMORY_LEAKS_OLDER].number >= w.for_ns) {
		say("memory: --older must be less than what is watched (--for)");
		return EXIT_USAGE;
	}
	interrupt_catch();
	int code = EXIT_UNABLE;
	if (open_all(&w, pid) == 0) {
		int r = watch(&w);
		code = r < 0 ? output_write(SPAN(""), r) : tell(&w);
	}
	close_all(&w);
	return code;
}
