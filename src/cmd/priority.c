#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/attribute.h"
#include "cmd/output.h"
#include "lab/file.h"

enum { NICE = PROCESS_OWN, POLICY, IO, OOM, AUTOGROUP, TREE, LIST, UNDO };

static const struct option options[] = {
	PROCESS_OPTIONS,
	[NICE] = { "nice", 'N', OPTION_TEXT, "NICE", "nice value: -20 (first) to 19 (last)" },
	[POLICY] = { "policy", 'p', OPTION_TEXT, "POLICY",
		     "scheduling policy: other, batch, idle, fifo:N, rr:N (N 1 to 99)" },
	[IO] = { "io", 'i', OPTION_TEXT, "CLASS",
		 "I/O class: none, idle, best-effort:N, realtime:N (N 0 to 7)" },
	[OOM] = { "oom", 'o', OPTION_TEXT, "ADJUST",
		  "oom_score_adj: -1000 (never killed) to 1000 (killed first)" },
	[AUTOGROUP] = { "autogroup", 'g', OPTION_TEXT, "NICE", "nice value of the session's autogroup" },
	[TREE] = { "tree", 't', OPTION_FLAG, NULL, "also all descendants" },
	[LIST] = { "list", 'l', OPTION_FLAG, NULL, "list the changes that this command made" },
	[UNDO] = { "undo", 'U', OPTION_FLAG, NULL,
		   "undo changes: operands are IDs, last or all (default: last)" },
};

static const struct change_command journal_of_this = {
	.name = "priority",
	.access = attribute_access,
	.before_undo = process_change_adopt,
	.subject = attribute_subject,
};

static const struct process_attribute *const shown[] = {
	&attribute_nice, &attribute_policy, &attribute_io, &attribute_oom_score_adj, &attribute_autogroup,
};

enum { NSHOWN = sizeof shown / sizeof shown[0] };

/* The text that the attribute itself would give for it: so that equal values are equal texts. */
static int canonical(size_t option, const char *text, char *ret, size_t size, struct note *note)
{
	struct schedule s;
	int number, r;

	switch (option) {
	case POLICY:
		r = schedule_parse(span_from(text), &s, note);
		if (r == 0)
			snprintf(ret, size, s.priority ? "%s:%d" : "%s",
				 s.policy == 1	 ? "fifo"
				 : s.policy == 2 ? "rr"
				 : s.policy == 3 ? "batch"
				 : s.policy == 5 ? "idle"
						 : "other",
				 s.priority);
		return r;
	case IO:
		r = io_priority_parse(span_from(text), &number, note);
		if (r == 0 && (number >> 13 == 1 || number >> 13 == 2))
			snprintf(ret, size, "%s:%d", number >> 13 == 1 ? "realtime" : "best-effort", number & 7);
		else if (r == 0)
			snprintf(ret, size, "%s", number >> 13 == 3 ? "idle" : "none");
		return r;
	case OOM: {
		int64_t adjust;

		if (!span_i64(span_from(text), &adjust) || adjust < -1000 || adjust > 1000)
			return note_set(
				note, -EINVAL,
				"'%s' is no oom_score_adj: it is -1000 (never killed) to 1000 (killed first)",
				text);
		snprintf(ret, size, "%lld", (long long)adjust);
		return 0;
	}
	default:
		r = nice_parse(span_from(text), &number, note);
		if (r == 0)
			snprintf(ret, size, "%d", number);
		return r;
	}
}

static int wishes(const struct arguments *args, struct attribute_wish *wish, size_t *ret_n)
{
	static const struct {
		size_t option;
		const struct process_attribute *attribute;
	} table[] = { { NICE, &attribute_nice }, { POLICY, &attribute_policy }, { IO, &attribute_io },
		      { OOM, &attribute_oom_score_adj }, { AUTOGROUP, &attribute_autogroup } };
	struct note note = { "" };
	size_t n = 0;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (!args->option[table[i].option].given)
			continue;
		wish[n].attribute = table[i].attribute;
		if (canonical(table[i].option, args->option[table[i].option].text, wish[n].text,
			      sizeof wish[n].text, &note) < 0) {
			say("priority: %s; nothing was changed", note.text);
			return EXIT_USAGE;
		}
		n++;
	}
	*ret_n = n;
	return EXIT_FINE;
}

static const char *value_of(struct host *h, const struct process *p, const struct process_attribute *a,
			    struct buf *text)
{
	buf_clear(text);
	return process_attribute_text(h, p, a, text, NULL) == 0 && text->n ? text->data : NULL;
}

static int show_json(struct host *h, const process_vec *v)
{
	cleanup(buf_deinit) struct buf text = { 0 }, value = { 0 };
	struct json j = { .out = &text };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.priority.show/1");
	json_array(&j, "processes");
	vec_each(p, v) {
		json_object(&j, NULL);
		json_u64(&j, "pid", (uint64_t)p->pid);
		json_u64(&j, "start_ticks", p->start_ticks);
		json_string(&j, "name", p->comm);
		for (size_t i = 0; i < NSHOWN; i++)
			json_string(&j, shown[i]->name, value_of(h, p, shown[i], &value));
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	return output_write(buf_span(&text), json_finish(&j));
}

static int show(struct host *h, const process_vec *v, const struct arguments *args)
{
	cleanup(cells_deinit) struct cells cells = {
		.ncolumns = 7,
		.header = { "PID", "NICE", "POLICY", "IO", "OOM_ADJ", "AUTOGROUP", "NAME" },
		.right = { true, true, false, false, true, true },
	};
	cleanup(buf_deinit) struct buf text = { 0 }, value = { 0 };
	struct page page = { .out = &text, .style = output_table_style(args->option[PROCESS_NO_COLOR].given) };

	if (args->option[PROCESS_JSON].given)
		return show_json(h, v);
	vec_each(p, v) {
		if (!value_of(h, p, &attribute_nice, &value)) {
			say("priority: %d (%s) has ended", p->pid, p->comm);
			continue;
		}
		cells_put(&cells, "%d", p->pid);
		for (size_t i = 0; i < NSHOWN; i++) {
			const char *now = value_of(h, p, shown[i], &value);

			cells_put(&cells, "%s", now ? now : "-");
		}
		cells_put(&cells, "%s", p->comm);
	}
	cells_page(&cells, &page);
	return output_write(buf_span(&text), page.error);
}

/* Nice values weigh within an autogroup only, which surprises. */
static void hint_autogroup(const struct attribute_wish *wish, size_t n, const struct telling *t)
{
	char enabled[16];

	for (size_t i = 0; i < n; i++) {
		if (wish[i].attribute == &attribute_nice && !t->json && !t->dry_run && t->code == EXIT_FINE &&
		    file_read("/proc/sys/kernel/sched_autogroup_enabled", enabled, sizeof enabled) > 0 &&
		    enabled[0] == '1')
			say("priority: autogroups are on: nice weighs among the processes of one session alone; "
			    "--autogroup sets what the session weighs");
	}
}

static int change(struct host *h, process_vec *v, const struct attribute_wish *wish, size_t n,
		  const struct arguments *args)
{
	struct telling t;
	struct change_journal *j;

	telling_begin(&t, "priority", args);
	j = attribute_journal(&t);
	if (j || t.dry_run)
		attributes_change(&t, h, j, v, wish, n);
	change_journal_close(j);
	hint_autogroup(wish, n, &t);
	return telling_end(&t);
}

static int run(const struct arguments *args)
{
	const struct option_value *o = args->option;
	struct process_selection s = { 0 };
	static struct attribute_wish wish[NSHOWN];
	struct host *h;
	size_t n = 0;
	int code;

	if (changes_command(&journal_of_this, args, options, sizeof options / sizeof options[0], LIST, UNDO, &code))
		return code;
	code = wishes(args, wish, &n);
	h = code == EXIT_FINE ? processes_host("priority") : NULL;
	if (!h)
		return code == EXIT_FINE ? EXIT_UNABLE : code;
	code = processes_choose(h, "priority", args, n == 0, &s);
	if (code == EXIT_FINE && o[TREE].given && processes_add_tree(h, &s.process) < 0)
		say("priority: not all descendants could be found");
	if (code == EXIT_FINE)
		code = n ? change(h, &s.process, wish, n, args) : show(h, &s.process, args);
	if (code == EXIT_FINE && s.missing.n)
		code = EXIT_UNABLE;
	process_selection_deinit(&s);
	host_free(h);
	return code;
}

const struct command command_priority = {
	.name = "priority",
	.summary = "show or change nice, policy, I/O class and OOM score of running processes, with undo",
	.description = "Without a change it shows what is set. A change is made to all threads of a process "
		       "(renice and ionice "
		       "change the first alone), also to those that are born meanwhile, and is written to a "
		       "journal before: "
		       "osprey priority --undo sets each thread's own value back, where it still is the one "
		       "that was set. "
		       "Children that a process started since keep what they inherited.\n\n"
		       "Raising a priority needs CAP_SYS_NICE or a resource limit that allows it; an "
		       "ordinary user who lowers one "
		       "cannot take that back.\n\n"
		"The journal of priority, pin, limit and tune is /var/lib/osprey/changes for root, "
		"~/.local/state/osprey/changes for others; OSPREY_STATE_DIR names another place.",
	.operands = "PROCESS… | --undo [ID|last|all]…",
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
