#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "report/core.h"

enum { OUTPUT, FORCE, METHOD, ZSTD, FILTER, JSON, NO_COLOR };

static const char *const methods[] = { "auto", "precopy", "fork", "plain", NULL };

static const struct option options[] = {
	[OUTPUT] = { "output", 'o', OPTION_FILE, "FILE",
		     "the core (default core.PID, with --zstd core.PID.zst); - is standard output" },
	[FORCE] = { "force", 'f', OPTION_FLAG, NULL, "replace the file when it is there" },
	[METHOD] = { "method", 'm', OPTION_CHOICE, "METHOD", "auto, precopy, fork or plain", 0, 0, methods },
	[ZSTD] = { "zstd", 'z', OPTION_FLAG, NULL, "compress it; zstd -d --sparse gives it back" },
	[FILTER] = { "filter", 0, OPTION_TEXT, "MASK",
		     "what to dump, in place of its /proc/PID/coredump_filter: 0x33, say" },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "what was done as one JSON document, schema osprey.core/1" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "no colours" },
};

/* ---- progress ---- */

#define EVERY_NS (100 * NS_PER_MS)

struct progress {
	struct buf line;
	uint64_t shown_ns, step_ns;
	const char *step;
	unsigned pass;
	bool on_screen;
};

static void progress_end(struct progress *p)
{
	if (p->on_screen)
		output_progress("");
	buf_deinit(&p->line);
}

#define BAR "===================="
#define BAR_CELLS (sizeof BAR - 1)

/* What matters most first: a narrow terminal cuts the end. */
static int put_progress(struct buf *line, const struct core_progress *now, double seconds)
{
	const bool full = now->all_bytes && now->done_bytes >= now->all_bytes;
	const size_t cells = full ? BAR_CELLS :
			     now->all_bytes ? (size_t)(now->done_bytes * BAR_CELLS / now->all_bytes) : 0;
	int r = buf_printf(line, "[%-*.*s] %s: %s of %s", (int)BAR_CELLS, (int)cells, BAR, now->step,
			   bytes_text((double)now->done_bytes).text, bytes_text((double)now->all_bytes).text);

	if (r == 0 && seconds > 0.2)
		r = buf_printf(line, ", %s/s", bytes_text((double)now->done_bytes / seconds).text);
	if (r == 0 && now->pass)
		r = buf_printf(line, ", pass %u", now->pass);
	if (r == 0 && now->pass > 1)
		r = buf_printf(line, " (%s pages)", number_text((double)now->dirty_pages).text);
	return r < 0 ? r : buf_append(line, "", 1);
}

static void on_progress(void *arg, const struct core_progress *now)
{
	struct progress *p = arg;
	uint64_t t = clock_mono_ns();
	bool new_step = p->step != now->step || p->pass != now->pass;

	if (new_step) {
		p->step = now->step;
		p->pass = now->pass;
		p->step_ns = t;
	}
	if (!new_step && t - p->shown_ns < EVERY_NS)
		return;
	p->shown_ns = t;
	buf_clear(&p->line);
	if (put_progress(&p->line, now, (double)(t - p->step_ns) / 1e9) < 0)
		return;
	output_progress(p->line.data);
	p->on_screen = true;
}

/* ---- the command ---- */

static int answer(const struct arguments *args, const struct core_view *view)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	bool to_stderr = strcmp(view->path, "-") == 0, no_color = args->option[NO_COLOR].given;
	struct page p = { .out = &text,
			  .style = to_stderr ? output_talk_style(no_color) : output_style(no_color) };

	if (args->option[JSON].given)
		p.error = core_json(&text, view);
	else
		core_text(&p, view);
	if (!to_stderr)
		return output_write(buf_span(&text), p.error);
	return p.error == 0 && output_write_fd(STDERR_FILENO, buf_span(&text)) == 0 ? EXIT_FINE : EXIT_UNABLE;
}

static int dump(const struct arguments *args, struct core_wish *wish)
{
	const bool given = args->option[OUTPUT].given;
	struct progress progress = { 0 };
	struct core_result result;
	struct page_style style;
	struct note note = { "" };

	interrupt_catch();
	/* Ctrl-Z would leave the target stopped as long as we are; a limit or a closed pipe is to be an error. */
	signal(SIGTSTP, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	wish->interrupted = &interrupted;
	if (output_watched(&style)) {
		wish->progress = on_progress;
		wish->progress_arg = &progress;
	}
	int r = core_dump(wish, &result, &note);

	progress_end(&progress);
	if (r < 0) {
		say("core: %s%s", note.text[0] ? note.text : strerror(-r),
		    r == -EACCES && !given ? "; --output writes it elsewhere" : "");
		return EXIT_UNABLE;
	}
	struct core_view view = { .result = &result, .path = wish->path, .compressed = wish->compress };

	return answer(args, &view);
}

static int run(const struct arguments *args)
{
	struct core_wish wish = {
		.replace = args->option[FORCE].given,
		.compress = args->option[ZSTD].given,
		.method = args->option[METHOD].given ? (enum core_method)args->option[METHOD].number : CORE_METHOD_AUTO,
		.filter_given = args->option[FILTER].given,
	};
	char path[64];
	uint64_t pid, filter = 0;

	if (!span_u64(span_from(args->operand[0]), &pid) || pid == 0 || pid > INT32_MAX) {
		say("core: '%s' is no pid; osprey ps lists them", args->operand[0]);
		return EXIT_USAGE;
	}
	if (wish.filter_given && (!span_hex(span_from(args->option[FILTER].text), &filter) || filter > 0x1ff)) {
		say("core: --filter '%s': a mask from 0 to 0x1ff, as in core(5)", args->option[FILTER].text);
		return EXIT_USAGE;
	}
	wish.pid = (int)pid;
	wish.filter = (unsigned)filter;
	snprintf(path, sizeof path, "core.%d%s", wish.pid, wish.compress ? ".zst" : "");
	wish.path = args->option[OUTPUT].given ? args->option[OUTPUT].text : path;
	if (strcmp(wish.path, "-") == 0 && isatty(STDOUT_FILENO)) {
		say("core: standard output is a terminal; a core is nothing to look at");
		return EXIT_USAGE;
	}
	return dump(args, &wish);
}

const struct command command_core = {
	.name = "core",
	.summary = "write a core of a process that goes on running, for gdb",
	.description =
		"Writes what gdb and eu-stack read as they read gcore's: all threads with registers, memory, mapped "
		"files. Memory is copied while the process runs; it then stops for the pages that it wrote "
		"meanwhile.\n\n"
		"Three ways, the first that can be had is taken. precopy (Linux 6.7): one thread of the process makes "
		"userfaultfd() for osprey; stops it for about 1 ms, and 1 us for each page written lately. fork: the "
		"process makes a copy of itself, which is read in its place; stops it for 15 to 60 ms a GiB. "
		"plain: stops it for as long as the copy takes.\n\n"
		"Honours /proc/PID/coredump_filter and MADV_DONTDUMP, as the kernel does. Shared memory is "
		"copied during the stop. Zeros from 64 KiB on are holes in the file; copy it with cp "
		"--sparse=always. It holds all secrets of the process: it is readable by you alone.\n\n"
		"Killed at any moment, osprey leaves the process running and no file behind: a guardian of "
		"its own does what must not be left half done. Privilege: the same user, or CAP_SYS_PTRACE.",
	.operands = "PID",
	.min_operands = 1,
	.max_operands = 1,
	OPTIONS(options),
	.run = run,
};
