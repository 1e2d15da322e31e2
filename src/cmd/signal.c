#include "act/signal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "act/cgroup_members.h"
#include "act/words.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/processes.h"

enum { SIGNAL = PROCESS_OWN, GRACE, NO_KILL, WAIT, TREE, CGROUP, NO_FREEZE };

static const struct option options[] = {
	PROCESS_OPTIONS,
	[SIGNAL] = { "signal", 's', OPTION_TEXT, "SIGNAL",
		     "send this one alone: a name or a number (0: only look whether it could)" },
	[GRACE] = { "grace", 'g', OPTION_DURATION, "DURATION",
		    "time to end after TERM, before KILL (default 5s)" },
	[NO_KILL] = { "no-kill", 0, OPTION_FLAG, NULL, "after the grace say who is left, but do not KILL" },
	[WAIT] = { "wait", 'w', OPTION_DURATION, "DURATION",
		   "with --signal: wait so long for the processes to end" },
	[TREE] = { "tree", 't', OPTION_FLAG, NULL,
		   "also all descendants, stopped first so that none escapes" },
	[CGROUP] = { "cgroup", 'c', OPTION_TEXT, "PATH", "all processes of this cgroup and those below it" },
	[NO_FREEZE] = { "no-freeze", 0, OPTION_FLAG, NULL,
			"with --tree, --cgroup: do not stop members before they are signalled" },
};

struct wish {
	const struct arguments *args;
	struct signal_plan plan;
	char cgroup[CGROUP_DIR_MAX];
};

static int grow_tree(void *arg, struct host *h, process_vec *v)
{
	(void)arg;
	return process_add_descendants(h, v);
}

static int grow_cgroup(void *arg, struct host *h, process_vec *v)
{
	return cgroup_add_members(h, arg, v);
}

static int kill_cgroup(void *arg)
{
	return cgroup_kill(arg);
}

static int refuse(const char *why)
{
	say("signal: %s; nothing was done", why);
	return EXIT_USAGE;
}

static int understand(const struct arguments *args, struct wish *ret)
{
	const struct option_value *o = args->option;
	struct note note = { "" };
	struct signal_plan plan = {
		.number = SIGTERM, .wait = true, .then_kill = !o[NO_KILL].given, .grace_ns = 5 * NS_PER_S
	};

	if (o[SIGNAL].given) {
		plan.then_kill = plan.wait = false;
		if (strcmp(o[SIGNAL].text, "0") == 0)
			plan.number = 0;
		else if (signal_parse(span_from(o[SIGNAL].text), &plan.number, &note) < 0)
			return refuse(note.text);
		if (o[GRACE].given || o[NO_KILL].given)
			return refuse("--grace and --no-kill belong to ending processes; with --signal it is "
				      "--wait");
		plan.wait = o[WAIT].given || plan.number == SIGKILL;
		plan.grace_ns = o[WAIT].given ? o[WAIT].number : 2 * NS_PER_S;
	} else if (o[WAIT].given)
		return refuse("--wait belongs to --signal; without it the time is --grace");
	else if (o[GRACE].given)
		plan.grace_ns = o[GRACE].number;
	if (o[TREE].given && o[CGROUP].given)
		return refuse("--tree and --cgroup exclude each other: a cgroup has all descendants in it");
	if (o[CGROUP].given && (args->noperands || o[PROCESS_USER].given))
		return refuse("--cgroup takes all processes of the cgroup; PROCESS and --user have no "
			      "meaning with it");
	plan.freeze = (o[TREE].given || o[CGROUP].given) && !o[NO_FREEZE].given;
	plan.interrupted = &interrupted;
	ret->args = args;
	ret->plan = plan;
	return EXIT_FINE;
}

static int choose(struct host *h, struct wish *w, struct process_selection *ret)
{
	const struct arguments *args = w->args;
	struct note note = { "" };

	if (!args->option[CGROUP].given) {
		if (args->option[TREE].given)
			w->plan.grow = grow_tree;
		return processes_choose(h, "signal", args, false, ret);
	}
	*ret = (struct process_selection){ 0 };
	if (cgroup_find(h, args->option[CGROUP].text, w->cgroup, &note) < 0) {
		say("signal: %s; nothing was done", note.text);
		return EXIT_UNABLE;
	}
	w->plan.grow = grow_cgroup;
	w->plan.grow_arg = w->cgroup;
	/* cgroup.kill would take this osprey along, and leave nobody to tell. */
	bool self = cgroup_has_self(h, w->cgroup);

	if (self && !args->option[PROCESS_FORCE].given) {
		say("signal: this osprey runs in %s itself, and so does its shell; --force means all others "
		    "in it; "
		    "nothing was done",
		    w->cgroup);
		return EXIT_USAGE;
	}
	w->plan.kill_all = self ? NULL : kill_cgroup;
	int r = cgroup_add_members(h, w->cgroup, &ret->process);

	if (r < 0)
		say("signal: %s: %s; nothing was done", w->cgroup, strerror(-r));
	else if (r == 0)
		say("signal: %s has no process", w->cgroup);
	return r < 0 ? EXIT_UNABLE : EXIT_FINE;
}

/* ---- the answer ---- */

static const char *reason(int error)
{
	switch (-error) {
	case EPERM:
		return "not permitted: it belongs to another user; needs CAP_KILL (root)";
	case EAGAIN:
		return "the queue of real-time signals of its user is full (RLIMIT_SIGPENDING)";
	default:
		return strerror(-error);
	}
}

static void put_rest(struct page *p, const struct signal_result *r, const struct wish *w,
		     const struct signal_report *report)
{
	if (!w->plan.wait)
		return;
	if (report->interrupted) {
		page_put(p, "; not ended when you interrupted, nobody was killed");
		return;
	}
	page_put(p, "; not ended after %s", duration_text((double)w->plan.grace_ns / (double)NS_PER_S).text);
	if (r->killed)
		page_put(p, "; KILL sent, not ended yet");
	if (r->state == 'D')
		page_put(p, ": it sleeps uninterruptibly%s%s; a KILL takes effect when that sleep ends",
			 r->waits_in[0] ? " in " : "", r->waits_in);
	else if (r->state == 'T' || r->state == 't')
		page_put(p, ": it is stopped (state %c)", r->state);
	else if (!r->killed)
		page_put(p, "; osprey signal --signal KILL %d ends it", r->process.pid);
}

static void put_result(struct page *p, const struct signal_result *r, const struct wish *w,
		       const struct signal_report *report)
{
	struct signal_text name = signal_text(w->plan.number);

	page_put(p, "%d (%s): ", r->process.pid, r->process.comm);
	if (!r->sent && r->error) {
		page_put(p, "%s", reason(r->error));
	} else if (!r->sent && !r->killed) {
		page_put(p, "had ended already");
		if (r->process.state == 'Z')
			page_put(p, ": no signal removes it, but its parent %d, by waiting for it or by ending",
				 r->process.ppid);
	} else {
		if (w->plan.number == 0)
			page_put(p, "lives, and may be signalled");
		else if (r->sent)
			page_put(p, "%s sent%s", name.text, r->resumed ? ", and CONT since it was stopped" : "");
		else
			page_put(p, "found later");
		if (r->ended && r->killed && !r->sent)
			page_put(p, "; KILL sent; ended");
		else if (r->ended && r->killed)
			page_put(p, "; not ended after %s; KILL sent; ended",
				 duration_text((double)w->plan.grace_ns / (double)NS_PER_S).text);
		else if (r->ended && w->plan.wait)
			page_put(p, "; ended after %s",
				 duration_text((double)r->ended_after_ns / (double)NS_PER_S).text);
		else
			put_rest(p, r, w, report);
		if (w->plan.number == SIGSTOP)
			page_put(p, "; undo: osprey signal --signal CONT %d", r->process.pid);
	}
	page_newline(p);
}

static bool went_wrong(const struct signal_result *r, const struct wish *w)
{
	return r->error || (w->plan.wait && !r->ended && (r->sent || r->killed));
}

static int tell_text(const struct wish *w, const struct signal_report *report)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(w->args->option[PROCESS_NO_COLOR].given) };

	vec_each(r, &report->result) {
		bool wrong = went_wrong(r, w);

		page_tone(&p, wrong ? TONE_RED : TONE_PLAIN);
		put_result(&p, r, w, report);
	}
	page_tone(&p, TONE_PLAIN);
	return output_write(buf_span(&text), p.error);
}

static void json_process(struct json *j, const struct process *p)
{
	json_u64(j, "pid", (uint64_t)p->pid);
	json_u64(j, "start_ticks", p->start_ticks);
	json_string(j, "name", p->comm);
}

static void json_result(struct json *j, const struct signal_result *r, const struct wish *w)
{
	json_object(j, NULL);
	json_process(j, &r->process);
	json_bool(j, "sent", r->sent);
	json_bool(j, "resumed", r->resumed);
	json_bool(j, "killed", r->killed);
	if (w->plan.wait || r->ended)
		json_bool(j, "ended", r->ended);
	else
		json_null(j, "ended");
	if (r->ended && (r->sent || r->killed) && w->plan.wait)
		json_u64(j, "ended_after_ns", r->ended_after_ns);
	else
		json_null(j, "ended_after_ns");
	json_string(j, "waits_in", r->waits_in[0] ? r->waits_in : NULL);
	json_string(j, "error", r->error ? strerror(-r->error) : NULL);
	json_end(j);
}

static int tell_json(const struct wish *w, const struct signal_report *report, bool dry_run)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.signal/1");
	json_string(&j, "signal", w->plan.number ? signal_text(w->plan.number).text : "0");
	json_bool(&j, "then_kill", w->plan.then_kill);
	json_bool(&j, "dry_run", dry_run);
	json_bool(&j, "interrupted", report->interrupted);
	json_array(&j, "processes");
	vec_each(r, &report->result)
		json_result(&j, r, w);
	json_end(&j);
	json_end(&j);
	return output_write(buf_span(&text), json_finish(&j));
}

/* The members are looked for as they are, without stopping anybody. */
static int dry_run(struct host *h, struct wish *w, struct process_selection *s)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(w->args->option[PROCESS_NO_COLOR].given) };
	struct signal_report report = { 0 };
	int r;

	if (w->plan.grow && w->plan.grow(w->plan.grow_arg, h, &s->process) < 0)
		say("signal: not all members could be found");
	vec_each(process, &s->process) {
		struct signal_result *result = vec_push(&report.result);

		if (!result)
			continue;
		result->process = *process;
		page_put(&p, "%d (%s): would get %s%s", process->pid, process->comm,
			 signal_text(w->plan.number).text,
			 w->plan.then_kill ? ", and KILL if it has not ended after " : "");
		if (w->plan.then_kill)
			page_put(&p, "%s", duration_text((double)w->plan.grace_ns / (double)NS_PER_S).text);
		page_newline(&p);
	}
	r = w->args->option[PROCESS_JSON].given ? tell_json(w, &report, true)
						: output_write(buf_span(&text), p.error);
	signal_report_deinit(&report);
	return r;
}

static int act(struct host *h, struct wish *w, struct process_selection *s)
{
	struct signal_report report = { 0 };
	struct note note = { "" };
	int r, code;

	interrupt_catch();
	r = signal_run(h, &s->process, &w->plan, &report, &note);
	if (r < 0)
		say("signal: %s", note.text[0] ? note.text : strerror(-r));
	if (report.by_pid)
		say("signal: no pidfds for all of them (too few descriptors, or a kernel before 5.3): their start "
		    "times were compared right before");
	code = w->args->option[PROCESS_JSON].given ? tell_json(w, &report, false) : tell_text(w, &report);
	vec_each(result, &report.result) {
		if (went_wrong(result, w))
			code = EXIT_UNABLE;
	}
	signal_report_deinit(&report);
	return r < 0 || s->missing.n ? EXIT_UNABLE : code;
}

static int run(const struct arguments *args)
{
	struct process_selection s = { 0 };
	struct wish w = { 0 };
	int code = understand(args, &w);
	struct host *h = code == EXIT_FINE ? processes_host("signal") : NULL;

	if (!h)
		return code == EXIT_FINE ? EXIT_UNABLE : code;
	code = choose(h, &w, &s);
	if (code == EXIT_FINE && s.process.n)
		code = args->option[PROCESS_DRY_RUN].given ? dry_run(h, &w, &s) : act(h, &w, &s);
	process_selection_deinit(&s);
	host_free(h);
	return code;
}

const struct command command_signal = {
	.name = "signal",
	.summary = "end processes, trees and cgroups, or send them any signal; never a pid's next owner",
	.description = "Without --signal: sends TERM, waits for the processes to end, and sends KILL to "
		       "those that have not "
		       "ended after the grace. With --signal: sends that one alone, as in --signal HUP, "
		       "STOP, CONT, RTMIN+3.\n\n"
		       "PROCESS is a pid or the exact name of a program; with --match a regular expression "
		       "for command lines. "
		       "A name that means several processes is answered with a list, and needs --all. osprey "
		       "itself is never "
		       "hit; pid 1 and threads of the kernel only with --force.\n\n"
		       "A process is held by a pidfd before its start time is compared, so that a pid which "
		       "was given to "
		       "another process meanwhile is not hit. With --tree and --cgroup, members are stopped "
		       "as they are "
		       "found, until no new one turns up; then all get the signal and go on. A parent or "
		       "shell may notice the "
		       "stop; --no-freeze does without, and a fork in the wrong moment then escapes.",
	.operands = "PROCESS…",
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
