#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/countdown.h"
#include "cmd/inherited.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/target.h"
#include "dig/profile/call_compare.h"
#include "dig/profile/call_folded.h"
#include "dig/profile/call_pprof.h"
#include "dig/child/waiting_child.h"
#include "report/flame.h"
#include "report/profile.h"

#define DEFAULT_RATE 99
#define DEFAULT_FOR_NS (10 * NS_PER_S)

enum {
	FOR, RATE, EVENT, CGROUP, BY, KERNEL_ONLY, USER_ONLY, LINES, FRAME_POINTERS, OUTPUT, FORMAT, JSON, AGAINST, INPUT, CUT, TOP,
	NO_COLOR, PAGER,
};

static const char *const events[] = { "cpu-clock", "cycles", "instructions", "cache-misses", "branch-misses", "page-faults", NULL };
static const char *const groups[] = { "nothing", "process", "command", "thread", "cgroup", NULL };
enum format { TEXT, FOLDED, PPROF, SPEEDSCOPE, SVG, HTML, JSON_DOCUMENT };
static const char *const formats[] = { "text", "folded", "pprof", "speedscope", "svg", "html", "json", NULL };

static const struct option options[] = {
	[FOR] = { "for", 'f', OPTION_DURATION, "DURATION", "how long to sample (default: 10 s; a COMMAND: until it ends)",
		  10 * NS_PER_MS, 7 * 24 * 3600 * NS_PER_S },
	[RATE] = { "rate", 'r', OPTION_COUNT, "HZ", "samples a second on each CPU (default: 99)", 1, 20000 },
	[EVENT] = { "event", 'e', OPTION_CHOICE, "EVENT", "what to sample by (default: cpu-clock)", .choices = events },
	[CGROUP] = { "cgroup", 'g', OPTION_FILE, "DIRECTORY", "processes of this control group and those below it" },
	[BY] = { "by", 'b', OPTION_CHOICE, "GROUP", "what calls are sorted under (default: process, where there are several)",
		 .choices = groups },
	[KERNEL_ONLY] = { "kernel-only", 'k', OPTION_FLAG, NULL, "leave frames of user space away" },
	[USER_ONLY] = { "user-only", 'u', OPTION_FLAG, NULL, "leave frames of the kernel away" },
	[LINES] = { "lines", 'l', OPTION_FLAG, NULL, "tell source lines apart, where debug information is" },
	[FRAME_POINTERS] = { "frame-pointers", 0, OPTION_FLAG, NULL, "unwind by frame pointers alone, without .eh_frame" },
	[OUTPUT] = { "output", 'o', OPTION_FILE, "FILE", "write to FILE, in the format its ending says (.svg, .html, .pb.gz…)" },
	[FORMAT] = { "format", 'F', OPTION_CHOICE, "FORMAT", "text, folded, pprof, speedscope, svg, html or json",
		     .choices = formats },
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.profile/1" },
	[AGAINST] = { "against", 0, OPTION_FILE, "FILE", "compare with an earlier profile: folded or pprof" },
	[INPUT] = { "input", 'i', OPTION_FILE, "FILE", "show a saved profile (folded or pprof); samples nothing" },
	[CUT] = { "cut", 0, OPTION_COUNT, "PERCENT", "leave branches below this share out of the text (default: 2, more where it gets long)", 0, 99 },
	[TOP] = { "top", 't', OPTION_COUNT, "N", "functions to list in the text (default: 10)", 0, 1000 },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
	[PAGER] = { "pager", 0, OPTION_FLAG, NULL, "page through $PAGER (default: less)" },
};

struct profiling {
	const struct arguments *args;
	struct profile_options o;
	enum format format;
	VEC(int) pids;
	bool command;
	struct waiting_child child;
	bool child_ended;
	uint64_t end_ns; /* UINT64_MAX: when the command ends */
	VEC(struct pollfd) alive;
	struct call_tree tree, before, both;
	struct profile_result result;
	char title[256];
	struct buf proof;
};

/* ---- arguments ---- */

static bool is_number(const char *word)
{
	uint64_t number;

	return span_u64(span_from(word), &number);
}

static const struct {
	const char *ending;
	enum format format;
} endings[] = {
	{ ".svg", SVG }, { ".html", HTML }, { ".htm", HTML }, { ".folded", FOLDED }, { ".collapsed", FOLDED },
	{ ".pb.gz", PPROF }, { ".pprof", PPROF }, { ".speedscope.json", SPEEDSCOPE }, { ".speedscope", SPEEDSCOPE },
	{ ".json", JSON_DOCUMENT }, { ".txt", TEXT },
};

static bool choose_format(struct profiling *c)
{
	const struct option_value *o = c->args->option;
	size_t n = o[OUTPUT].given ? strlen(o[OUTPUT].text) : 0;

	c->format = o[FORMAT].given ? (enum format)o[FORMAT].number : o[JSON].given ? JSON_DOCUMENT : TEXT;
	if (o[FORMAT].given && o[JSON].given && c->format != JSON_DOCUMENT) {
		say("profile: --json and --format %s are two formats", o[FORMAT].text);
		return false;
	}
	if (!o[OUTPUT].given || o[FORMAT].given || o[JSON].given)
		return true;
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		size_t m = strlen(endings[i].ending);

		if (n > m && strcmp(o[OUTPUT].text + n - m, endings[i].ending) == 0) {
			c->format = endings[i].format;
			return true;
		}
	}
	say("profile: --output %s: its ending names no format (.svg .html .folded .pb.gz .speedscope.json .json .txt); "
	    "choose one with --format", o[OUTPUT].text);
	return false;
}

static bool choose_pids(struct profiling *c)
{
	const struct arguments *args = c->args;

	c->command = args->noperands && !is_number(args->operand[0]);
	if (c->command)
		return true;
	for (size_t i = 0; i < args->noperands; i++) {
		uint64_t pid;

		if (!span_u64(span_from(args->operand[i]), &pid) || pid == 0 || pid > INT32_MAX) {
			say("profile: '%s' is no process id; osprey ps finds processes by name", args->operand[i]);
			return false;
		}
		int *slot = vec_push(&c->pids);
		if (!slot) {
			say("profile: out of memory");
			return false;
		}
		*slot = (int)pid;
	}
	return true;
}

static bool allowed_together(const struct arguments *args)
{
	const struct option_value *o = args->option;
	static const unsigned char sampling[] = { FOR, RATE, EVENT, CGROUP, BY, KERNEL_ONLY, USER_ONLY, LINES, FRAME_POINTERS };

	if (o[KERNEL_ONLY].given && o[USER_ONLY].given) {
		say("profile: --kernel-only and --user-only together leave nothing");
		return false;
	}
	if (o[CGROUP].given && args->noperands) {
		say("profile: --cgroup names the processes; '%s' cannot go with it", args->operand[0]);
		return false;
	}
	for (size_t i = 0; o[INPUT].given && i < sizeof sampling; i++)
		if (o[sampling[i]].given) {
			say("profile: --input shows what was saved; --%s is for sampling", options[sampling[i]].name);
			return false;
		}
	if (o[INPUT].given && args->noperands) {
		say("profile: --input shows what was saved; '%s' cannot go with it", args->operand[0]);
		return false;
	}
	return true;
}

static void set_options(struct profiling *c)
{
	const struct option_value *o = c->args->option;
	bool one = c->pids.n == 1 || c->command;

	c->o = (struct profile_options){
		.pids = c->pids.v, .npids = c->pids.n,
		.cgroup = o[CGROUP].given ? o[CGROUP].text : NULL,
		.event = profile_event_at(o[EVENT].given ? o[EVENT].number : 0),
		.rate_hz = o[RATE].given ? (unsigned)o[RATE].number : DEFAULT_RATE,
		.by = o[BY].given ? (enum profile_by)o[BY].number : one ? PROFILE_BY_NOTHING : PROFILE_BY_PROCESS,
		.no_kernel = o[USER_ONLY].given, .no_user = o[KERNEL_ONLY].given,
		.lines = o[LINES].given, .frame_pointers = o[FRAME_POINTERS].given,
	};
}

static void name_target(struct profiling *c)
{
	char comm[32] = "", path[40];

	if (c->command) {
		snprintf(c->title, sizeof c->title, "profile of %.200s", c->args->operand[0]);
	} else if (c->pids.n == 1) {
		snprintf(path, sizeof path, "/proc/%d/comm", c->pids.v[0]);
		cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, comm, sizeof comm - 1);
		if (n > 0 && comm[n - 1] == '\n')
			comm[n - 1] = '\0';
		snprintf(c->title, sizeof c->title, "profile of %s [%d]", comm, c->pids.v[0]);
	} else if (c->pids.n) {
		snprintf(c->title, sizeof c->title, "profile of %zu processes", c->pids.n);
	} else if (c->o.cgroup) {
		snprintf(c->title, sizeof c->title, "profile of cgroup %.200s", c->o.cgroup);
	} else {
		snprintf(c->title, sizeof c->title, "profile of the whole host");
	}
}

/* ---- sampling ---- */

/* What has no descriptor is watched until the time is over. */
static int watch_targets(struct profiling *c)
{
	vec_each(pid, &c->pids) {
		struct note note = { "" };
		int fd = target_open(*pid, &note);
		struct pollfd *slot = fd < 0 ? NULL : vec_push(&c->alive);

		if (slot)
			*slot = (struct pollfd){ .fd = fd, .events = POLLIN };
		else if (fd >= 0)
			close(fd);
		if (fd == -ESRCH) {
			say("profile: %s", note.text);
			return EXIT_UNABLE;
		}
	}
	return EXIT_FINE;
}

static bool all_gone(struct profiling *c)
{
	int status;

	if (c->command) {
		c->child_ended = c->child_ended || waiting_child_ended(&c->child, &status);
		return c->child_ended;
	}
	if (c->alive.n == 0 || c->alive.n < c->pids.n || poll(c->alive.v, (nfds_t)c->alive.n, 0) <= 0)
		return false;
	vec_each(fd, &c->alive)
		if (!fd->revents)
			return false;
	return true;
}

static int sample(struct profiling *c, struct profile *p)
{
	char what[sizeof c->title + 32];
	struct countdown down = { .what = what, .end_ns = c->end_ns };
	uint64_t shown = 0;
	int r = 0;

	while (r >= 0 && !interrupted && !all_gone(c)) {
		uint64_t now = clock_mono_ns();

		if (now >= c->end_ns)
			break;
		if (now - shown >= NS_PER_S / 2) {
			snprintf(what, sizeof what, "%s samples %s", number_text((double)profile_samples(p)).text,
				 c->title + strlen("profile "));
			countdown_show(&down);
			shown = now;
		}
		uint64_t left_ms = (c->end_ns - now) / NS_PER_MS + 1;
		r = profile_pump(p, left_ms < 50 ? (int)left_ms : 50);
	}
	countdown_clear(&down);
	return r == -EINTR ? 0 : r;
}

static int start_child(struct profiling *c)
{
	struct note note = { "" };
	struct waiting_child_request q = { .argv = c->args->operand, .restore = inherited_restore };
	int r = waiting_child_start(&q, &c->child, &note);
	int *slot = r < 0 ? NULL : vec_push(&c->pids);

	if (!slot) {
		say("profile: %s", note.text[0] ? note.text : "out of memory");
		return EXIT_UNABLE;
	}
	*slot = c->child.pid;
	c->o.pids = c->pids.v;
	c->o.npids = 1;
	return EXIT_FINE;
}

static int let_child_go(struct profiling *c)
{
	struct note note = { "" };

	if (!c->command || waiting_child_go(&c->child, &note) == 0)
		return EXIT_FINE;
	say("profile: %s", note.text);
	c->child_ended = true;
	return EXIT_UNABLE;
}

static int take_profile(struct profiling *c)
{
	struct note note = { "" };
	struct profile *p = NULL;
	struct host *h;
	int code = EXIT_FINE;
	int r = host_open_live("/", &h, &note);

	if (r == 0) {
		r = profile_start(h, &c->o, &p, &note);
		host_free(h);
	}
	if (r == 0) {
		interrupt_catch();
		code = let_child_go(c);
	}
	const struct option_value *length = &c->args->option[FOR];
	c->end_ns = length->given ? clock_mono_ns() + length->number : c->command ? UINT64_MAX : clock_mono_ns() + DEFAULT_FOR_NS;
	if (r == 0 && code == EXIT_FINE)
		r = sample(c, p);
	if (r == 0 && code == EXIT_FINE)
		r = profile_finish(p, &c->tree, &c->result);
	if (r < 0) {
		say("profile: %s", note.text[0] ? note.text : strerror(-r));
		code = EXIT_UNABLE;
	}
	profile_free(p);
	return code;
}

/* ---- saved profiles ---- */

#define FILE_MAX (256u << 20)

static int read_file(const char *path, struct buf *ret)
{
	cleanup(close_fd) int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;
	ssize_t n = 1;

	while (r == 0 && n > 0) {
		r = ret->n > FILE_MAX ? -EFBIG : buf_reserve(ret, 64u << 10);
		if (r == 0 && (n = read(fd, ret->data + ret->n, 64u << 10)) < 0)
			r = -errno;
		if (r == 0)
			ret->n += (size_t)n;
	}
	return r;
}

static int read_profile(const char *path, struct call_tree *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	size_t refused = 0;
	int r = read_file(path, &text);

	if (r < 0) {
		say("profile: %s: %s", path, strerror(-r));
		return EXIT_UNABLE;
	}
	if ((r = call_tree_init(ret, CALL_SAMPLES)) == 0)
		r = call_pprof_is(buf_span(&text)) ? call_pprof_parse(buf_span(&text), ret) :
						     call_folded_parse(buf_span(&text), ret, &refused);
	if (r == 0)
		r = call_tree_sum(ret);
	if (r == -EBADMSG)
		say("profile: %s: neither folded stacks nor a pprof profile", path);
	else if (r < 0)
		say("profile: %s: %s", path, strerror(-r));
	else if (refused)
		say("profile: %s: %zu lines are no folded stacks and were passed over", path, refused);
	return r < 0 ? EXIT_UNABLE : EXIT_FINE;
}

/* ---- output ---- */

static int render(struct profiling *c, const struct flame *f, struct buf *ret)
{
	switch (c->format) {
	case FOLDED:
		return flame_folded(f, ret);
	case PPROF:
		return flame_pprof(f, ret);
	case SPEEDSCOPE:
		return flame_speedscope(f, ret);
	case SVG:
		return flame_svg(f, ret);
	case HTML:
		return flame_html(f, ret);
	case JSON_DOCUMENT:
		return flame_json(f, ret);
	case TEXT:
		break;
	}
	struct page p = { .out = ret, .style = output_style(c->args->option[NO_COLOR].given || c->args->option[OUTPUT].given) };
	if (f->compared)
		flame_compared_text(&p, f);
	else
		flame_text(&p, f);
	return p.error;
}

static int show(struct profiling *c)
{
	const struct option_value *o = c->args->option;
	cleanup(buf_deinit) struct buf text = { 0 };
	/* Only text and pictures show both; other formats hold one profile. */
	struct flame f = {
		.tree = o[AGAINST].given ? &c->both : &c->tree, .title = c->title, .compared = o[AGAINST].given,
		.whole = c->o.event ? c->o.event->whole : "the weight", .event = c->o.event ? c->o.event->name : "saved",
		.period_ns = c->result.period_ns, .duration_ns = c->result.wall_ns, .real_ns = c->result.real_ns,
		.proof = c->proof.n ? c->proof.data : NULL, .cut = o[CUT].given ? (double)o[CUT].number / 100 : 0.02,
		.cut_exactly = o[CUT].given,
		.nfunctions = o[TOP].given ? o[TOP].number : 10,
		.put_more = o[INPUT].given ? NULL : profile_json, .more = &c->result,
	};
	int r = render(c, &f, &text);

	if (r < 0 || !o[OUTPUT].given) {
		if (r == 0 && c->format == TEXT && o[PAGER].given && isatty(STDOUT_FILENO))
			return output_page(buf_span(&text));
		return output_write(buf_span(&text), r);
	}
	int code = output_write_file("profile", o[OUTPUT].text, buf_span(&text));
	/* The file is for later; the answer is wanted now. */
	if (code == EXIT_FINE && c->format != TEXT) {
		c->format = TEXT;
		buf_clear(&text);
		r = render(c, &f, &text);
		code = output_write(buf_span(&text), r);
		say("profile: written to %s", o[OUTPUT].text);
	}
	return code;
}

static int profile_or_read(struct profiling *c)
{
	const struct option_value *o = c->args->option;
	int code;

	if (o[INPUT].given) {
		snprintf(c->title, sizeof c->title, "profile from %.200s", o[INPUT].text);
		return read_profile(o[INPUT].text, &c->tree);
	}
	set_options(c);
	if (c->command && (code = start_child(c)) != EXIT_FINE)
		return code;
	name_target(c);
	if ((code = watch_targets(c)) != EXIT_FINE || (code = take_profile(c)) != EXIT_FINE)
		return code;
	if (profile_proof(&c->result, &c->o, &c->proof) < 0 ||
	    (c->result.period_ns && profile_blind_spot(&c->tree, &c->proof) < 0)) {
		say("profile: out of memory");
		return EXIT_UNABLE;
	}
	if (c->result.samples == 0 && c->result.lost == 0 && c->format == TEXT)
		say("profile: no sample: the target did not run on a CPU while it was looked at; osprey stack shows what it waits for");
	return EXIT_FINE;
}

static int run_profile(struct profiling *c)
{
	const struct option_value *o = c->args->option;
	int code = o[AGAINST].given ? read_profile(o[AGAINST].text, &c->before) : EXIT_FINE;

	if (code == EXIT_FINE)
		code = profile_or_read(c);
	if (code == EXIT_FINE && o[AGAINST].given && call_compare(&c->tree, &c->before, &c->both) < 0) {
		say("profile: out of memory");
		code = EXIT_UNABLE;
	}
	return code == EXIT_FINE ? show(c) : code;
}

static int run(const struct arguments *args)
{
	struct profiling c = { .args = args };
	int code = EXIT_USAGE;

	if (allowed_together(args) && choose_format(&c) && choose_pids(&c))
		code = run_profile(&c);
	if (c.command && c.child.pid && !c.child_ended)
		waiting_child_drop(&c.child);
	vec_each(fd, &c.alive)
		close(fd->fd);
	vec_free(&c.alive);
	vec_free(&c.pids);
	call_tree_deinit(&c.tree);
	call_tree_deinit(&c.before);
	call_tree_deinit(&c.both);
	buf_deinit(&c.proof);
	return code;
}

const struct command command_profile = {
	.name = "profile",
	.summary = "sample what the CPUs do: hot functions, call tree, flame graph",
	.description =
		"Samples the stacks of what runs, of the whole host, of processes with their threads and children, of a control "
		"group, or of a program that it starts, and tells where the CPU time goes. It works without frame pointers: "
		"stacks are unwound in the kernel by the tables that programs carry for their exceptions. Nothing is stopped, "
		"and idle CPUs are left out.\n\n"
		"Besides text it writes flame graphs (one SVG or HTML file that needs no other), folded stacks, pprof and "
		"speedscope files. --against compares with an earlier profile and says what grew.\n\n"
		"Needs Linux 5.17 with BTF, and root or CAP_BPF and CAP_PERFMON. A command that is still running when --for ends "
		"is left running.",
	.operands = "[PID… | [--] COMMAND [ARGUMENT…]]",
	.max_operands = OPERANDS_ANY,
	.operands_end_options = true,
	.numbers_before_options = true,
	OPTIONS(options),
	.run = run,
};
