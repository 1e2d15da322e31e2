#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/attribute.h"
#include "cmd/output.h"
#include "source/process/process_status.h"
#include "source/process/task.h"

enum { CPUS = PROCESS_OWN, TREE, LIST, UNDO };

static const struct option options[] = {
	PROCESS_OPTIONS,
	[CPUS] = { "cpus", 'c', OPTION_TEXT, "LIST",
		   "the CPUs it may run on, as in 0-3,8 or 0-6:2; all: every one that is online" },
	[TREE] = { "tree", 't', OPTION_FLAG, NULL, "also all descendants" },
	[LIST] = { "list", 'l', OPTION_FLAG, NULL, "list the changes that this command made" },
	[UNDO] = { "undo", 'U', OPTION_FLAG, NULL,
		   "undo changes: operands are IDs, last or all (default: last)" },
};

static const struct change_command journal_of_this = {
	.name = "pin",
	.access = attribute_access,
	.before_undo = process_change_adopt,
	.subject = attribute_subject,
};

/* As the kernel would say it: "0,1" is "0-1". */
static int canonical(struct host *h, const char *text, struct attribute_wish *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf online = { 0 }, list = { 0 };
	struct span wanted = span_from(text);
	struct cpu_list cpus;
	int r = 0;

	if (strcmp(text, "all") == 0) {
		r = host_read(h, "/sys/devices/system/cpu/online", &online);
		if (r < 0)
			return note_set(note, r, "/sys/devices/system/cpu/online: %s", strerror(-r));
		wanted = span_trim(buf_span(&online));
		if (wanted.n && wanted.p[wanted.n - 1] == '\n')
			wanted.n--;
	}
	r = cpu_list_parse(wanted, &cpus, note);
	if (r == 0)
		r = cpu_list_text(&cpus, &list);
	if (r == 0 && list.n >= sizeof ret->text)
		return note_set(note, -ERANGE, "the list of CPUs is too long");
	if (r == 0)
		snprintf(ret->text, sizeof ret->text, "%s", list.data);
	return r;
}

struct shown {
	struct buf cpus, memory_nodes;
	size_t threads;
	int last_cpu;
};

static void shown_deinit(struct shown *s)
{
	buf_deinit(&s->cpus);
	buf_deinit(&s->memory_nodes);
}

static int read_nodes(struct host *h, int pid, struct buf *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct process_status status;
	char path[32];
	int r;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	r = host_read(h, path, &text);
	if (r < 0)
		return r;
	process_status_parse(buf_span(&text), &status);
	return buf_append(ret, status.nodes_allowed, strlen(status.nodes_allowed));
}

static int look(struct host *h, const struct process *p, struct shown *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	tid_vec tids = { 0 };
	struct task task;
	char path[32];
	int r = process_attribute_text(h, p, &attribute_cpus, &ret->cpus, NULL);

	snprintf(path, sizeof path, "/proc/%d/stat", p->pid);
	task_missing(READING_ABSENT, &task);
	if (r == 0)
		r = host_read(h, path, &text);
	if (r == 0)
		r = task_stat_parse(buf_span(&text), &task);
	if (r == 0)
		r = process_threads(h, p->pid, &tids);
	if (r == 0)
		r = read_nodes(h, p->pid, &ret->memory_nodes);
	ret->threads = tids.n;
	ret->last_cpu = task.last_cpu;
	vec_free(&tids);
	return r;
}

static void put_json(struct json *j, const struct process *p, const struct shown *s)
{
	json_object(j, NULL);
	json_u64(j, "pid", (uint64_t)p->pid);
	json_u64(j, "start_ticks", p->start_ticks);
	json_string(j, "name", p->comm);
	json_string(j, "cpus", s->cpus.data);
	json_string(j, "memory_nodes", s->memory_nodes.n ? s->memory_nodes.data : NULL);
	json_i64(j, "last_cpu", s->last_cpu);
	json_u64(j, "threads", s->threads);
	json_end(j);
}

static int show(struct host *h, const process_vec *v, const struct arguments *args)
{
	cleanup(cells_deinit) struct cells cells = {
		.ncolumns = 6,
		.header = { "PID", "CPUS", "NODES", "LAST", "THREADS", "NAME" },
		.right = { true, false, false, true, true },
	};
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page page = { .out = &text, .style = output_table_style(args->option[PROCESS_NO_COLOR].given) };
	struct json j = { .out = &text };
	bool json = args->option[PROCESS_JSON].given;

	if (json) {
		json_object(&j, NULL);
		json_string(&j, "schema", "osprey.pin.show/1");
		json_array(&j, "processes");
	}
	vec_each(p, v) {
		cleanup(shown_deinit) struct shown s = { 0 };

		if (look(h, p, &s) < 0) {
			say("pin: %d (%s) has ended", p->pid, p->comm);
			continue;
		}
		if (json) {
			put_json(&j, p, &s);
			continue;
		}
		cells_put(&cells, "%d", p->pid);
		cells_put(&cells, "%s", s.cpus.data);
		cells_put(&cells, "%s", s.memory_nodes.n ? s.memory_nodes.data : "-");
		cells_put(&cells, "%d", s.last_cpu);
		cells_put(&cells, "%zu", s.threads);
		cells_put(&cells, "%s", p->comm);
	}
	if (json) {
		json_end(&j);
		json_end(&j);
		page.error = json_finish(&j);
	} else
		cells_page(&cells, &page);
	return output_write(buf_span(&text), page.error);
}

static int change(struct host *h, process_vec *v, const struct attribute_wish *wish, const struct arguments *args)
{
	struct telling t;
	struct change_journal *j;

	telling_begin(&t, "pin", args);
	j = attribute_journal(&t);
	if (j || t.dry_run)
		attributes_change(&t, h, j, v, wish, 1);
	change_journal_close(j);
	return telling_end(&t);
}

static int act(struct host *h, const struct arguments *args)
{
	static struct attribute_wish wish = { .attribute = &attribute_cpus };
	const struct option_value *o = args->option;
	struct process_selection s = { 0 };
	struct note note = { "" };
	int code;

	if (o[CPUS].given && canonical(h, o[CPUS].text, &wish, &note) < 0) {
		say("pin: %s; nothing was changed", note.text);
		return EXIT_USAGE;
	}
	code = processes_choose(h, "pin", args, !o[CPUS].given, &s);
	if (code == EXIT_FINE && o[TREE].given && processes_add_tree(h, &s.process) < 0)
		say("pin: not all descendants could be found");
	if (code == EXIT_FINE)
		code = o[CPUS].given ? change(h, &s.process, &wish, args) : show(h, &s.process, args);
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
	h = processes_host("pin");
	if (!h)
		return EXIT_UNABLE;
	code = act(h, args);
	host_free(h);
	return code;
}

const struct command command_pin = {
	.name = "pin",
	.summary = "show or change which CPUs running processes may use, with undo",
	.description = "Without --cpus it shows where the processes may run. A change is made to all threads "
		       "of a process (taskset "
		       "needs -a for that), also to those that are born meanwhile, and is written to a "
		       "journal before: osprey pin "
		       "--undo sets each thread's own CPUs back. Children that a process started since keep "
		       "what they inherited.\n\n"
		       "A cpuset cgroup bounds what can be set: what came of it is shown. Processes of other "
		       "users need CAP_SYS_NICE.",
	.operands = "PROCESS… | --undo [ID|last|all]…",
	.max_operands = OPERANDS_ANY,
	OPTIONS(options),
	.run = run,
};
