#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "act/cgroup_limit.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "cmd/attribute.h"
#include "cmd/output.h"
#include "cmd/limit_show.h"
#include "cmd/run.h"

enum { LIMIT = PROCESS_OWN, CPU, MEMORY, MEMORY_HIGH, SWAP, PIDS, IO, TREE, LIST, UNDO };

static const struct option options[] = {
	PROCESS_OPTIONS,
	[LIMIT] = { "limit", 'l', OPTION_TEXT, "NAME=SOFT[:HARD]",
		    "resource limit, as nofile=4096, nofile=4096:8192, as=2G, cpu=1m; often" },
	[CPU] = { "cpu-limit", 0, OPTION_TEXT, "CPUS",
		  "its cgroup: so many CPUs at most, 0.5 say; max: no limit" },
	[MEMORY] = { "memory-limit", 'm', OPTION_TEXT, "SIZE",
		     "its cgroup: memory at most, 512M say; max: no limit" },
	[MEMORY_HIGH] = { "memory-high", 0, OPTION_TEXT, "SIZE",
			  "its cgroup: slow down and reclaim above (v2)" },
	[SWAP] = { "swap-limit", 0, OPTION_TEXT, "SIZE", "its cgroup: swap at most, 0 for none" },
	[PIDS] = { "pids-limit", 0, OPTION_TEXT, "N",
		   "its cgroup: processes and threads at most; max: no limit" },
	[IO] = { "io-limit", 0, OPTION_TEXT, "DEVICE:KEY=VALUE,…",
		 "its cgroup: of a disk, as 8:0:rbps=1M,wiops=100 or /dev/sda:wbps=max; often" },
	[TREE] = { "tree", 't', OPTION_FLAG, NULL, "also all descendants" },
	[LIST] = { "list", 'L', OPTION_FLAG, NULL, "list the changes that this command made" },
	[UNDO] = { "undo", 'U', OPTION_FLAG, NULL,
		   "undo changes: operands are IDs, last or all (default: last)" },
};

static const struct change_access *access_of(const struct change *c)
{
	return c->kind == CHANGE_FILE ? cgroup_limit_access(c) : attribute_access(c);
}

static void subject_of(const struct change *c, char *ret, size_t size)
{
	const char *slash = strrchr(c->path, '/');

	if (c->kind == CHANGE_PROCESS)
		attribute_subject(c, ret, size);
	else if (strncmp(c->attribute, "io ", 3) == 0)
		snprintf(ret, size, "%s of cgroup %.*s", c->attribute, slash ? (int)(slash - c->path) : 0,
			 c->path);
	else
		snprintf(ret, size, "%s of cgroup %.*s", slash ? slash + 1 : c->path,
			 slash ? (int)(slash - c->path) : 0, c->path);
}

static const struct change_command journal_of_this = { .name = "limit",
						       .access = access_of,
						       .subject = subject_of };

struct request {
	struct rlimit_wish rlimit[RLIMIT_KINDS];
	size_t nrlimit;
	struct run_group_wish group;
	bool group_wanted;
};

/* ---- what is wanted ---- */

static int take_rlimit(const char *text, struct request *q, struct note *note)
{
	struct rlimit_wish w;
	size_t at = 0;
	int r = rlimit_parse(span_from(text), &w, note);

	if (r < 0)
		return r;
	/* Given again, the later one wins. */
	while (at < q->nrlimit && q->rlimit[at].kind != w.kind)
		at++;
	q->rlimit[at] = w;
	q->nrlimit += at == q->nrlimit;
	return 0;
}

static int take_cpu(const char *text, struct request *q, struct note *note)
{
	if (strcmp(text, "max") == 0) {
		q->group.cpu_quota_us = SIZE_UNLIMITED;
		return 0;
	}
	return run_cpu_limit_parse(text, &q->group.cpu_quota_us, note);
}

static int take_pids(const char *text, struct request *q, struct note *note)
{
	if (strcmp(text, "max") == 0) {
		q->group.pids = SIZE_UNLIMITED;
		return 0;
	}
	if (!span_u64(span_from(text), &q->group.pids) || q->group.pids == 0 || q->group.pids > 4194304)
		return note_set(note, -EINVAL,
				"--pids-limit: '%s' is no number from 1 to 4194304, and not max", text);
	return 0;
}

static int take_size(const char *name, const char *text, bool zero, uint64_t *ret, struct note *note)
{
	struct note why = { "" };

	if (size_parse(span_from(text), ret, &why) < 0)
		return note_set(note, -EINVAL, "--%s: %.200s", name, why.text);
	if (*ret == 0 && !zero)
		return note_set(note, -EINVAL, "--%s: nothing runs in no memory at all", name);
	return 0;
}

static int take(size_t option, const char *text, struct request *q, struct note *note)
{
	q->group_wanted |= option >= CPU && option <= IO;
	switch (option) {
	case LIMIT:
		return take_rlimit(text, q, note);
	case CPU:
		return take_cpu(text, q, note);
	case MEMORY:
		return take_size("memory-limit", text, false, &q->group.memory_bytes, note);
	case MEMORY_HIGH:
		return take_size("memory-high", text, false, &q->group.memory_high_bytes, note);
	case SWAP:
		q->group.has_swap = true;
		return take_size("swap-limit", text, true, &q->group.swap_bytes, note);
	case PIDS:
		return take_pids(text, q, note);
	case IO:
		if (q->group.nio == RUN_MAX_IO_LIMITS)
			return note_set(note, -EINVAL, "--io-limit: no more than %d disks", RUN_MAX_IO_LIMITS);
		return run_io_limit_parse(text, &q->group.io[q->group.nio++], note);
	default:
		return 0;
	}
}

static int understand(const struct arguments *args, struct request *ret)
{
	struct note note = { "" };

	for (size_t i = 0; i < args->ngiven; i++) {
		if (take(args->given[i].option, args->given[i].text, ret, &note) < 0) {
			say("limit: %s; nothing was changed", note.text);
			return EXIT_USAGE;
		}
	}
	return EXIT_FINE;
}

/* ---- resource limits ---- */

/* What was left out stays as it is, so the text is one for each process. */
static int rlimit_text(const struct process *p, const struct rlimit_wish *w, char *ret, size_t size,
		       struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct rlimit now;
	int r;

	if (prlimit(p->pid, (enum __rlimit_resource)w->kind->resource, NULL, &now) < 0)
		return errno == EPERM
			       ? note_set(note, -EPERM,
					  "not permitted: needs CAP_SYS_RESOURCE (root), for it belongs to "
					  "another user")
			       : note_set(note, -errno, "%s",
					  errno == ESRCH ? "it has ended" : strerror(errno));
	r = rlimit_value_text(w->has_soft ? w->soft : now.rlim_cur, w->has_hard ? w->hard : now.rlim_max, &text);
	if (r == 0)
		snprintf(ret, size, "%s", text.data);
	return r;
}

static void change_rlimits(struct telling *t, struct host *h, struct change_journal *j, const struct process *p,
			   const struct request *q)
{
	static struct attribute_wish wish;
	struct process copy = *p;
	process_vec one = { .v = &copy, .n = 1 };

	for (size_t i = 0; i < q->nrlimit; i++) {
		struct note note = { "" };
		char subject[96];
		int r = rlimit_text(p, &q->rlimit[i], wish.text, sizeof wish.text, &note);

		wish.attribute = attribute_of_rlimit(q->rlimit[i].kind);
		if (r == 0) {
			attributes_change(t, h, j, &one, &wish, 1);
			continue;
		}
		snprintf(subject, sizeof subject, "%s of %d (%s)", wish.attribute->what, p->pid, p->comm);
		telling_add(t, &(struct told){ .subject = subject,
					       .process = p,
					       .attribute = wish.attribute->name,
					       .error = r,
					       .why = note.text });
	}
}

/* ---- limits of cgroups ---- */

static void refuse_below(const struct cgroup_write *w, struct note *note)
{
	if (strcmp(w->attribute, "memory") == 0)
		note_set(note, 0,
			 "the cgroup uses %s now: a lower limit swaps out or kills what is in it; --force "
			 "sets it all "
			 "the same",
			 bytes_text((double)w->in_use).text);
	else
		note_set(note, 0,
			 "the cgroup has %" PRIu64
			 " tasks now: below that none of them can fork; --force sets it all the "
			 "same",
			 w->in_use);
}

static void change_write(struct telling *t, struct change_journal *j, const struct cgroup_write *w, bool force,
			 bool has_self, size_t members)
{
	cleanup(buf_deinit) struct buf before = { 0 }, after = { 0 };
	struct change c = { .kind = CHANGE_FILE, .path = (char *)w->path, .attribute = (char *)w->attribute };
	struct note note = { "" };
	char subject[CGROUP_DIR_MAX + 96], more[64];
	struct told told = { .subject = subject, .path = w->path, .attribute = w->attribute, .more = more };

	subject_of(&c, subject, sizeof subject);
	snprintf(more, sizeof more, " (%zu process%s in it)", members, members == 1 ? "" : "es");
	told.error = cgroup_limit_read(w, &before, &note);
	if (told.error == 0 && has_self && !force)
		told.error = note_set(
			&note, -EBUSY,
			"this osprey and its shell run in that cgroup too; --force limits it all the "
			"same");
	else if (told.error == 0 && w->in_use && !force) {
		told.error = -EBUSY;
		refuse_below(w, &note);
	} else if (told.error == 0 && j)
		told.error = cgroup_limit_set(j, "limit", w, &told.id, &after, &note);
	else if (told.error == 0 && strcmp(before.data, w->text) == 0)
		told.error = -EALREADY;
	told.before = before.data;
	told.after = after.n ? after.data : w->text;
	told.why = note.text[0] ? note.text : strerror(-told.error);
	telling_add(t, &told);
}

static bool is_known(const struct cgroup_write *done, size_t n, const struct cgroup_write *w)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(done[i].path, w->path) == 0 && strcmp(done[i].attribute, w->attribute) == 0)
			return true;
	}
	return false;
}

static size_t members_of(struct host *h, const char *dir)
{
	process_vec v = { 0 };
	size_t n;

	(void)!cgroup_add_members(h, dir, &v);
	n = v.n;
	vec_free(&v);
	return n;
}

/* Several of the processes may be in one cgroup: once is enough. */
static void change_groups(struct telling *t, struct host *h, struct change_journal *j, const process_vec *v,
			  const struct request *q, bool force)
{
	VEC(struct cgroup_write) done = { 0 };
	static struct cgroup_write plan[CGROUP_WRITES_MAX];

	vec_each(p, v) {
		struct note note = { "" };
		size_t n = 0;
		int r = cgroup_limit_plan(h, p->pid, &q->group, plan, &n, &note);

		if (r < 0) {
			char subject[96];

			snprintf(subject, sizeof subject, "cgroup of %d (%s)", p->pid, p->comm);
			telling_add(t, &(struct told){ .subject = subject,
						       .process = p,
						       .attribute = "cgroup",
						       .error = r,
						       .why = note.text });
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			struct cgroup_write *place;

			if (is_known(done.v, done.n, &plan[i]))
				continue;
			place = vec_push(&done);
			if (place)
				*place = plan[i];
			change_write(t, j, &plan[i], force, cgroup_has_self(h, plan[i].dir),
				     members_of(h, plan[i].dir));
		}
	}
	vec_free(&done);
}

/* ---- the command ---- */

static int change(struct host *h, const process_vec *v, const struct request *q, const struct arguments *args)
{
	struct telling t;
	struct change_journal *j;

	telling_begin(&t, "limit", args);
	j = attribute_journal(&t);
	if (j || t.dry_run) {
		vec_each(p, v)
			change_rlimits(&t, h, j, p, q);
		if (q->group_wanted)
			change_groups(&t, h, j, v, q, args->option[PROCESS_FORCE].given);
	}
	change_journal_close(j);
	return telling_end(&t);
}

static int act(struct host *h, const struct arguments *args)
{
	static struct request q;
	struct process_selection s = { 0 };
	int code = understand(args, &q);

	if (code != EXIT_FINE)
		return code;
	code = processes_choose(h, "limit", args, !q.nrlimit && !q.group_wanted, &s);
	if (code == EXIT_FINE && args->option[TREE].given && processes_add_tree(h, &s.process) < 0)
		say("limit: not all descendants could be found");
	if (code == EXIT_FINE)
		code = q.nrlimit || q.group_wanted
			       ? change(h, &s.process, &q, args)
			       : limit_show(h, &s.process, args->option[PROCESS_JSON].given,
					    args->option[PROCESS_NO_COLOR].given);
	if (code == EXIT_FINE && s.missing.n)
		code = EXIT_UNABLE;
	process_selection_deinit(&s);
	return code;
}

static int run(const struct arguments *args)
{
	struct host *h;
	int code;

	if (changes_command(&journal_of_this, args, options, sizeof options / sizeof options[0], LIST, UNDO, &code))
		return code;
	h = processes_host("limit");
	if (!h)
		return EXIT_UNABLE;
	code = act(h, args);
	host_free(h);
	return code;
}

const struct command command_limit = {
	.name = "limit",
	.summary = "show or change resource limits and cgroup limits of running processes, with undo",
	.description =
		"Without a change it shows every resource limit of the process beside what is used of it, "
		"and the limits of "
		"its cgroups. --limit sets resource limits, as prlimit does, of the process alone; a part "
		"that is left out "
		"stays, as in nofile=4096: (soft alone). The other options set limits of the cgroup that the "
		"process runs "
		"in, v1 or v2: they hold for all processes in it, and the answer says how many there are.\n\n"
		"A limit of memory or tasks below what is in use needs --force. Changes are written to a "
		"journal before; "
		"osprey limit --undo sets the value of before back, where it still is the one that was set.",
	.operands = "PROCESS… | --undo [ID|last|all]…",
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
