#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "report/process_detail.h"
#include "report/table.h"
#include "source/process/wait_words.h"

static const char *error_word(int error)
{
	switch (-error) {
	case 0:
		return NULL;
	case EACCES:
	case EPERM:
		return "denied";
	case ENOENT:
	case ESRCH:
		return "none";
	case ETIMEDOUT:
		return "timeout";
	default:
		return strerror(-error);
	}
}

/* Null, and why in a member of its own. */
static void text_member(struct json *j, const char *key, const struct process_text *t)
{
	char why[40];

	if (t->error == 0) {
		json_span(j, key, buf_span(&t->text));
		return;
	}
	json_null(j, key);
	snprintf(why, sizeof why, "%s_missing", key);
	json_string(j, why, error_word(t->error));
}

/* Texts that each end with a NUL. */
static void list_member(struct json *j, const char *key, const struct process_text *t)
{
	struct span rest = buf_span(&t->text), entry;

	if (t->error) {
		text_member(j, key, t);
		return;
	}
	json_array(j, key);
	while (span_until(&rest, '\0', &entry))
		json_span(j, NULL, entry);
	if (rest.n)
		json_span(j, NULL, rest);
	json_end(j);
}

static void fields_member(struct json *j, const char *key, const struct field *fields, size_t n, const void *base)
{
	json_object(j, key);
	for (size_t i = 0; i < n; i++)
		json_reading(j, fields[i].name, *(const reading *)(const void *)((const char *)base + fields[i].offset));
	json_end(j);
}

static void ids(struct json *j, const char *key, const reading *id)
{
	static const char *const roles[] = { "real", "effective", "saved", "filesystem" };

	json_object(j, key);
	for (size_t i = 0; i < 4; i++)
		json_reading(j, roles[i], id[i]);
	json_end(j);
}

static void relatives(struct json *j, const char *key, const process_relative_vec *all)
{
	char state[2] = "";

	json_array(j, key);
	vec_each(r, all) {
		json_object(j, NULL);
		json_u64(j, "pid", (uint64_t)r->pid);
		state[0] = r->state;
		json_string(j, "state", state);
		json_string(j, "name", r->comm);
		json_end(j);
	}
	json_end(j);
}

static void identity(struct json *j, const struct process_report *report)
{
	const struct process_detail *d = report->detail;
	const struct process_status *s = &d->status;
	uint64_t age_ns = d->at.boot_ns > d->task.start_ns ? d->at.boot_ns - d->task.start_ns : 0;
	char text[40];

	list_member(j, "command", &d->command);
	text_member(j, "program", &d->exe);
	text_member(j, "directory", &d->cwd);
	text_member(j, "root", &d->root);
	relatives(j, "parents", &d->ancestors);
	json_string(j, "user", reading_ok(s->uid[0]) ? user_names_find(report->users, (uint32_t)s->uid[0]) : NULL);
	ids(j, "uid", s->uid);
	ids(j, "gid", s->gid);
	json_array(j, "groups");
	for (size_t i = 0; i < s->ngroups && i < PROCESS_GROUPS; i++)
		json_u64(j, NULL, s->groups[i]);
	json_end(j);
	json_reading(j, "login_uid", d->login_uid);
	json_i64(j, "session", d->stat.session);
	json_i64(j, "process_group", d->stat.process_group);
	json_string(j, "terminal", d->terminal[0] ? d->terminal : NULL);
	table_moment(d->at.real_ns - age_ns, text, sizeof text);
	json_string(j, "started", text);
	json_u64(j, "age_ns", age_ns);
	json_reading(j, "inner_pid", s->inner_pid);
	json_u64(j, "pid_namespaces", s->pid_namespaces);
	json_bool(j, "kernel_thread", d->task.flags & TASK_IS_KERNEL_THREAD);
	json_reading(j, "umask", s->umask);
}

static void stack(struct json *j, const struct process_detail *d)
{
	struct span rest = buf_span(&d->kernel_stack), function;

	json_array(j, "kernel_stack");
	while (span_line(&rest, &function))
		json_span(j, NULL, function);
	json_end(j);
}

static void state(struct json *j, const struct process_report *report)
{
	const struct process_detail *d = report->detail;
	const struct syscall_words *call = d->task.flags & TASK_HAS_SYSCALL ? syscall_words(d->task.syscall) : NULL;
	cleanup(buf_deinit) struct buf text = { 0 };
	char letter[2] = { d->task.state, '\0' };

	if (process_state_sentence(d, &text) < 0 && j->error == 0)
		j->error = -ENOMEM;
	json_object(j, "state");
	json_string(j, "letter", letter);
	json_span(j, "meaning", buf_span(&text));
	json_string(j, "wchan", d->wchan[0] ? d->wchan : NULL);
	json_string(j, "syscall", call ? call->name : NULL);
	json_reading(j, "syscall_number", d->task.flags & TASK_HAS_SYSCALL ? (reading)d->task.syscall : READING_ABSENT);
	json_reading(j, "syscall_fd", d->syscall_fd);
	json_reading(j, "mutex_owner_tid", d->mutex.owner_tid ? (reading)d->mutex.owner_tid : READING_ABSENT);
	json_reading(j, "tracer", reading_or(d->status.tracer, 0) ? d->status.tracer : READING_ABSENT);
	json_reading(j, "exit_code", d->task.state == 'Z' ? d->stat.exit_code : READING_ABSENT);
	stack(j, d);
	json_end(j);
}

static void counters(struct json *j, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	json_object(j, "counters");
#define TOTAL(name) json_reading(j, #name, d->totals.name);
	PROCESS_DETAIL_COUNTERS(TOTAL)
#undef TOTAL
	json_end(j);
	if (!(d->interval_s > 0))
		return;
	json_double(j, "interval_s", d->interval_s);
	json_object(j, "per_second");
#define RATE_OF(name) json_double(j, #name, reading_value(d->growth.name) / d->interval_s);
	PROCESS_DETAIL_COUNTERS(RATE_OF)
#undef RATE_OF
	json_end(j);
}

#define JSON_ROWS(j, key, entity_, vec)                                                     \
	do {                                                                                \
		struct table t_ = { .entity = (entity_), .units = UNITS_RAW };              \
		struct note note_;                                                          \
		int r_ = entity_columns((entity_), SPAN("all"), &t_.columns, &note_);       \
		vec_each(row_, vec)                                                         \
			if (r_ == 0)                                                        \
				r_ = row_push(&t_.rows, row_);                              \
		if (r_ == 0)                                                                \
			table_json(j, key, &t_);                                            \
		else if ((j)->error == 0)                                                   \
			(j)->error = r_;                                                    \
		vec_free(&t_.columns);                                                      \
		vec_free(&t_.rows);                                                         \
	} while (0)

static void memory(struct json *j, const struct process_report *report)
{
	static const char *const sources[] = { "smaps", "smaps_rollup", "maps" };
	const struct process_detail *d = report->detail;

	json_object(j, "memory");
	fields_member(j, "statm", process_statm_fields, process_statm_nfields, &d->statm);
	fields_member(j, "status", process_status_fields, process_status_nfields, &d->status);
	json_string(j, "source", d->memory.error ? NULL : sources[d->memory.source]);
	json_string(j, "missing", error_word(d->memory.error));
	JSON_ROWS(j, "kinds", &process_memory_entity, &report->tables->kinds);
	JSON_ROWS(j, "files", &process_file_entity, &report->tables->files);
	json_end(j);
}

static void fds(struct json *j, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	if (d->fds.error) {
		json_null(j, "fds");
		json_string(j, "fds_missing", error_word(d->fds.error));
		return;
	}
	JSON_ROWS(j, "fds", &process_fd_entity, &report->tables->fds);
	json_u64(j, "fds_left_out", d->fds.skipped);
	json_bool(j, "other_ends_complete", d->holders_complete);
}

static void threads(struct json *j, const struct process_report *report)
{
	JSON_ROWS(j, "threads", &process_thread_entity, &report->tables->threads);
	json_u64(j, "threads_left_out", report->detail->threads_left_out);
}

static void children(struct json *j, const struct process_report *report)
{
	if (report->detail->children_known)
		relatives(j, "children", &report->detail->children);
	else
		json_null(j, "children");
}

static void limits(struct json *j, const struct process_report *report)
{
	JSON_ROWS(j, "limits", &process_limit_entity, &report->tables->limits);
	json_bool(j, "nproc_exempt", report->detail->nproc_exempt);
}

static void cgroups(struct json *j, const struct process_report *report)
{
	struct span rest = buf_span(&report->detail->cgroup.text), membership;

	json_array(j, "cgroup_memberships");
	while (span_line(&rest, &membership))
		json_span(j, NULL, membership);
	json_end(j);
	JSON_ROWS(j, "cgroups", &process_cgroup_entity, &report->tables->cgroups);
}

static void inode(struct json *j, const char *key, uint64_t v)
{
	json_reading(j, key, v ? v : READING_ABSENT);
}

static void namespaces(struct json *j, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	json_object(j, "namespaces");
	for (size_t i = 0; i < d->nnamespaces; i++) {
		json_object(j, d->namespaces[i].name);
		inode(j, "inode", d->namespaces[i].inode);
		inode(j, "ours", d->namespaces[i].ours);
		inode(j, "of_process_1", d->namespaces[i].of_init);
		json_end(j);
	}
	json_end(j);
}

static void capabilities(struct json *j, const char *key, uint64_t mask)
{
	json_array(j, key);
	for (unsigned i = 0; i < CAPABILITIES_KNOWN; i++)
		if (mask >> i & 1)
			json_string(j, NULL, capability_name(i));
	json_end(j);
}

static void security(struct json *j, const struct process_report *report)
{
	const struct process_status *s = &report->detail->status;

	json_object(j, "security");
	if (s->has_masks) {
		capabilities(j, "effective", s->masks.effective);
		capabilities(j, "permitted", s->masks.permitted);
		capabilities(j, "inheritable", s->masks.inheritable);
		capabilities(j, "ambient", s->masks.ambient);
		capabilities(j, "bounding", s->masks.bounding);
	}
	json_reading(j, "no_new_privs", s->no_new_privs);
	json_reading(j, "seccomp", s->seccomp);
	json_reading(j, "seccomp_filters", s->seccomp_filters);
	json_end(j);
}

static void scheduling(struct json *j, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	json_object(j, "scheduling");
	json_string(j, "policy", policy_name(d->task.policy));
	json_i64(j, "nice", d->task.nice);
	json_u64(j, "rt_priority", d->task.rt_priority);
	json_string(j, "cpus_allowed", d->status.cpus_allowed);
	json_string(j, "nodes_allowed", d->status.nodes_allowed);
	json_i64(j, "last_cpu", d->task.last_cpu);
	json_string(j, "autogroup", d->autogroup[0] ? d->autogroup : NULL);
	json_reading(j, "io_priority", d->io_priority);
	json_reading(j, "timer_slack_ns", d->timer_slack_ns);
	json_reading(j, "oom_score", d->oom_score);
	if (reading_ok(d->oom_score_adj))
		json_i64(j, "oom_score_adj", (int64_t)d->oom_score_adj - 1000);
	else
		json_null(j, "oom_score_adj");
	json_end(j);
}

static void signal_list(struct json *j, const char *key, uint64_t mask)
{
	char name[16];

	json_array(j, key);
	for (unsigned i = 1; i <= 64; i++)
		if (mask >> (i - 1) & 1) {
			signal_name(i, name, sizeof name);
			json_string(j, NULL, name);
		}
	json_end(j);
}

static void signals(struct json *j, const struct process_report *report)
{
	const struct process_status *s = &report->detail->status;

	json_object(j, "signals");
	if (s->has_masks) {
		signal_list(j, "caught", s->masks.caught);
		signal_list(j, "ignored", s->masks.ignored);
		signal_list(j, "blocked", s->masks.blocked);
		signal_list(j, "pending", s->masks.pending);
		signal_list(j, "shared_pending", s->masks.shared_pending);
	}
	json_reading(j, "queued", s->signals_queued);
	json_reading(j, "queue_limit", s->signals_limit);
	json_end(j);
}

static void environment(struct json *j, const struct process_report *report)
{
	list_member(j, "environment", &report->detail->environment);
}

int process_detail_json(struct buf *ret, const struct process_report *report)
{
	static const struct {
		unsigned section;
		void (*write)(struct json *j, const struct process_report *report);
	} parts[] = {
		{ PROCESS_IDENTITY, identity },	    { PROCESS_STATE, state },
		{ PROCESS_COUNTERS, counters },	    { PROCESS_MEMORY, memory },
		{ PROCESS_FDS, fds },		    { PROCESS_THREADS, threads },
		{ PROCESS_CHILDREN, children },	    { PROCESS_LIMITS, limits },
		{ PROCESS_CGROUPS, cgroups },	    { PROCESS_NAMESPACES, namespaces },
		{ PROCESS_SECURITY, security },	    { PROCESS_SCHEDULING, scheduling },
		{ PROCESS_SIGNALS, signals },	    { PROCESS_ENVIRONMENT, environment },
	};
	const struct process_detail *d = report->detail;
	struct json j = { .out = ret };
	char at[40];

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.pid/1");
	table_moment(d->at.real_ns, at, sizeof at);
	json_string(&j, "at", at);
	json_i64(&j, "pid", d->pid);
	json_i64(&j, "asked", d->asked);
	json_string(&j, "name", d->comm);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (report->sections & parts[i].section)
			parts[i].write(&j, report);
	json_end(&j);
	return json_finish(&j);
}
