#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "report/process_detail.h"
#include "report/table.h"
#include "source/process/wait_words.h"

#define HANG 14
#define SHORT_LIST 12 /* rows of a list, unless all is asked for */

static unsigned hang(const struct page *p)
{
	return p->style.width < 60 ? 4 : HANG;
}

static void label(struct page *p, const char *name)
{
	page_indent(p, 2);
	page_tone(p, TONE_CYAN);
	page_put(p, "%s", name);
	page_tone(p, TONE_PLAIN);
	page_indent(p, p->column >= hang(p) ? p->column + 1 : hang(p));
}

static void __attribute__((format(printf, 3, 4))) line(struct page *p, const char *name, const char *format, ...)
{
	va_list args;

	label(p, name);
	va_start(args, format);
	page_wrap_args(p, hang(p), format, args);
	va_end(args);
	page_newline(p);
}

static const char *why(const struct process_detail *d, int error)
{
	bool ended = d->task.state == 'Z';

	switch (-error) {
	case EACCES:
	case EPERM:
		return "not measurable: needs root, or to be its user";
	case ENOENT:
	case ESRCH:
		return ended ? "none: it has ended" :
		       d->task.flags & TASK_IS_KERNEL_THREAD ? "none: a thread of the kernel" : "none";
	case ETIMEDOUT:
		return "not measurable: no answer in time (its memory is locked, or a server is dead)";
	case EAGAIN:
	case EBUSY:
		return "not measurable: no thread could be had to wait in";
	default:
		return strerror(-error);
	}
}

static const char *missing(reading r)
{
	return r == READING_DENIED ? "not measurable: needs root, or to be its user" : reading_reason(r);
}

static void dim_line(struct page *p, const char *text)
{
	page_indent(p, 2);
	page_tone(p, TONE_DIM);
	page_wrap(p, 2, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* ---- identity ---- */

/* Arguments are parted by NUL. A long text is cut, and says so. */
static void arguments(struct page *p, const struct process_report *report, struct span raw)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	unsigned width = p->style.width > 200 ? 200 : p->style.width; /* a pipe has no edge */
	size_t most = report->all ? raw.n : (size_t)width * 6;

	while (raw.n && raw.p[raw.n - 1] == '\0')
		raw.n--;
	size_t shown = raw.n > most ? most : raw.n;
	int r = buf_append(&text, raw.p, shown);
	for (size_t i = 0; r == 0 && i < text.n; i++)
		if (text.data[i] == '\0')
			text.data[i] = ' ';
	if (r < 0 && p->error == 0)
		p->error = r;
	page_wrap_span(p, hang(p), buf_span(&text));
	if (shown < raw.n) {
		page_tone(p, TONE_DIM);
		page_wrap(p, hang(p), "(cut: %s more; --all or --json shows them)",
			  bytes_text((double)(raw.n - shown)).text);
		page_tone(p, TONE_PLAIN);
	}
}

static void command(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	label(p, "command");
	if (d->command.error)
		page_wrap(p, hang(p), "%s", why(d, d->command.error));
	else if (d->command.text.n)
		arguments(p, report, buf_span(&d->command.text));
	else
		page_wrap(p, hang(p), "[%s] (%s)", d->comm,
			  d->task.flags & TASK_IS_KERNEL_THREAD ? "a thread of the kernel" :
			  d->task.state == 'Z' ? "it has ended: its arguments are gone" : "it has no arguments");
	page_newline(p);
}

static bool ends(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p + s.n - n, with, n) == 0;
}

static void path(struct page *p, const struct process_detail *d, const char *name, const struct process_text *t)
{
	label(p, name);
	if (t->error) {
		page_wrap(p, hang(p), "%s", why(d, t->error));
	} else {
		page_wrap_span(p, hang(p), buf_span(&t->text));
		if (t == &d->exe && ends(buf_span(&t->text), " (deleted)"))
			page_wrap(p, hang(p), "- its file was replaced or deleted: it still runs the old one");
	}
	page_newline(p);
}

static void parents(struct page *p, const struct process_detail *d)
{
	label(p, "parents");
	if (d->ancestors.n == 0)
		page_wrap(p, hang(p), d->task.ppid ? "%d, which is not seen" : "none", d->task.ppid);
	vec_each(a, &d->ancestors)
		page_wrap(p, hang(p), "%d %s%s", a->pid, a->comm, a + 1 < d->ancestors.v + d->ancestors.n ? "," : "");
	page_newline(p);
}

static void user(struct page *p, const struct process_report *report)
{
	static const char *const roles[] = { "", "effective ", "saved ", "filesystem " };
	const struct process_status *s = &report->detail->status;

	label(p, "user");
	for (size_t i = 0; i < 4; i++) {
		if (!reading_ok(s->uid[i]) || (i && s->uid[i] == s->uid[0]))
			continue;
		page_wrap(p, hang(p), "%s%s (%u)", roles[i], user_names_find(report->users, (uint32_t)s->uid[i]),
			  (unsigned)s->uid[i]);
	}
	for (size_t i = 0; i < 4; i++)
		if (reading_ok(s->gid[i]) && (i == 0 || s->gid[i] != s->gid[0]))
			page_wrap(p, hang(p), "%sgroup %u", roles[i], (unsigned)s->gid[i]);
	if (s->ngroups)
		page_wrap(p, hang(p), "of groups");
	for (size_t i = 0; i < s->ngroups && i < PROCESS_GROUPS; i++)
		page_wrap(p, hang(p), "%u", s->groups[i]);
	page_newline(p);
}

static void started(struct page *p, const struct process_detail *d)
{
	uint64_t age_ns = d->at.boot_ns > d->task.start_ns ? d->at.boot_ns - d->task.start_ns : 0;
	time_t at = (time_t)((d->at.real_ns - age_ns) / NS_PER_S);
	char text[40];
	struct tm tm;

	localtime_r(&at, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &tm);
	line(p, "started", "%s, %s ago", text, duration_text((double)age_ns / 1e9).text);
}

static void identity(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	command(p, report);
	path(p, d, "program", &d->exe);
	path(p, d, "directory", &d->cwd);
	if (d->root.error || !span_is(buf_span(&d->root.text), "/"))
		path(p, d, "root", &d->root);
	parents(p, d);
	user(p, report);
	if (reading_ok(d->login_uid))
		line(p, "logged in as", "%s (%u)", user_names_find(report->users, (uint32_t)d->login_uid),
		     (unsigned)d->login_uid);
	line(p, "session", "%d%s, process group %d%s, %s%s", d->stat.session, d->stat.session == d->pid ? " (it leads it)" : "",
	     d->stat.process_group, d->stat.process_group == d->pid ? " (it leads it)" : "",
	     d->terminal[0] ? "terminal " : "no terminal", d->terminal);
	started(p, d);
	if (d->status.pid_namespaces > 1 && reading_ok(d->status.inner_pid))
		line(p, "pid inside", "%u in its own pid namespace", (unsigned)d->status.inner_pid);
}

/* ---- state ---- */

static enum page_tone state_tone(char state)
{
	return state == 'D' || state == 'Z' ? TONE_RED : state == 'T' || state == 't' ? TONE_YELLOW : TONE_PLAIN;
}

static void state(struct page *p, const struct process_detail *d)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span rest = buf_span(&d->kernel_stack), function;
	int r = process_state_sentence(d, &text);

	if (r < 0 && p->error == 0)
		p->error = r;
	label(p, "state");
	page_tone(p, state_tone(d->task.state));
	page_wrap(p, hang(p), "%c", d->task.state);
	page_tone(p, TONE_PLAIN);
	page_wrap_span(p, hang(p), buf_span(&text));
	page_newline(p);
	if (d->wait_error == -EACCES || d->wait_error == -EPERM)
		line(p, "waits in", "%s", why(d, d->wait_error));
	if (d->wchan[0] && (d->task.state == 'S' || d->task.state == 'D'))
		line(p, "in kernel", "%s", d->wchan);
	if (d->task.state != 'D' || rest.n == 0)
		return;
	label(p, "kernel stack");
	for (int i = 0; i < 12 && span_line(&rest, &function); i++)
		page_wrap(p, hang(p), "%.*s%s", (int)function.n, function.p, rest.n ? " <" : "");
	page_newline(p);
}

/* ---- counters ---- */

enum how { HOW_NS, HOW_COUNT, HOW_BYTES };

static void amount_text(double v, enum how how, struct units_text *ret)
{
	*ret = how == HOW_NS ? duration_text(v / 1e9) : how == HOW_BYTES ? bytes_text(v) : number_text(v);
}

/* Of time: the share of one CPU (of many threads it may pass 100 %). */
static void rate_text(double per_s, enum how how, struct units_text *ret)
{
	if (how == HOW_NS)
		snprintf(ret->text, sizeof ret->text, "%.1f %%", per_s / 1e7);
	else
		snprintf(ret->text, sizeof ret->text, "%.28s/s", how == HOW_BYTES ? bytes_text(per_s).text : number_text(per_s).text);
}

static void put_right(struct page *p, unsigned to, const char *text)
{
	unsigned n = (unsigned)strlen(text);

	page_indent(p, to > n && to - n > p->column ? to - n : p->column + 1);
	page_put(p, "%s", text);
}

struct counter {
	const char *name;
	size_t offset;
	enum how how;
	const char *meaning;
};

static reading total_at(const struct process_totals *t, const struct counter *c)
{
	return *(const reading *)(const void *)((const char *)t + c->offset);
}

static void counter(struct page *p, const struct process_detail *d, const struct counter *c)
{
	reading total = total_at(&d->totals, c);
	bool rates = d->interval_s > 0;
	unsigned column = rates ? 44 : 30;
	struct units_text text;

	page_indent(p, 2);
	page_tone(p, TONE_CYAN);
	page_put(p, "%s", c->name);
	page_tone(p, TONE_PLAIN);
	if (!reading_ok(total)) {
		page_indent(p, p->column >= 20 ? p->column + 1 : 20);
		page_wrap(p, p->style.width < 60 ? 4 : 20, "%s", c->offset == offsetof(struct process_totals, block_delay_ns) && !d->delays_counted ?
			  "not counted: sysctl kernel.task_delayacct=1 counts it for processes started then" : missing(total));
		page_newline(p);
		return;
	}
	amount_text((double)total, c->how, &text);
	put_right(p, 29, text.text);
	if (rates && reading_ok(total_at(&d->growth, c))) {
		rate_text((double)total_at(&d->growth, c) / d->interval_s, c->how, &text);
		put_right(p, 43, text.text);
	}
	if (p->style.width >= 80 && c->meaning[0]) {
		page_indent(p, column + 1);
		page_tone(p, TONE_DIM);
		page_wrap(p, column + 1, "%s", c->meaning);
		page_tone(p, TONE_PLAIN);
	}
	page_newline(p);
}

static void counters(struct page *p, const struct process_detail *d)
{
#define AT(name) offsetof(struct process_totals, name)
	static const struct counter all[] = {
		{ "user time", AT(user_ns), HOW_NS, "on a CPU, in the program" },
		{ "system time", AT(system_ns), HOW_NS, "on a CPU, in the kernel for it" },
		{ "run-queue delay", AT(run_delay_ns), HOW_NS, "ready to run, waiting for a CPU" },
		{ "block delay", AT(block_delay_ns), HOW_NS, "waiting for disks" },
		{ "runs", AT(run_count), HOW_COUNT, "times it was put on a CPU" },
		{ "voluntary", AT(voluntary_switches), HOW_COUNT, "switches: it had to wait for something" },
		{ "involuntary", AT(involuntary_switches), HOW_COUNT, "switches: its CPU was given to another" },
		{ "minor faults", AT(minor_faults), HOW_COUNT, "pages mapped without a disk" },
		{ "major faults", AT(major_faults), HOW_COUNT, "pages fetched from a disk or swap" },
		{ "read", AT(read_chars_bytes), HOW_BYTES, "by read calls, cached or not" },
		{ "read calls", AT(read_calls), HOW_COUNT, "" },
		{ "read from disk", AT(read_bytes), HOW_BYTES, "" },
		{ "written", AT(write_chars_bytes), HOW_BYTES, "by write calls" },
		{ "write calls", AT(write_calls), HOW_COUNT, "" },
		{ "written to disk", AT(write_bytes), HOW_BYTES, "" },
		{ "cancelled", AT(cancelled_bytes), HOW_BYTES, "written, but deleted before it reached a disk" },
	};
#undef AT

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		counter(p, d, &all[i]);
	if (d->threads.n > 1)
		dim_line(p, "Switches, runs and delays are those of the threads that live.");
	if (d->interval_s > 0) {
		char text[96];

		snprintf(text, sizeof text, "Rates are over %s; time in percent of one CPU.",
			 duration_text(d->interval_s).text);
		dim_line(p, text);
	}
}

/* ---- tables ---- */

static void put_table(struct page *p, const struct entity *e, row_vec *rows, const char *columns,
		      enum page_tone (*tone)(const void *row))
{
	struct table t = { .entity = e, .rows = *rows, .tone = tone };
	struct note note;
	int r = entity_columns(e, span_from(columns ? columns : e->shown), &t.columns, &note);

	if (r == 0 && rows->n)
		table_text(p, &t);
	if (r < 0 && p->error == 0)
		p->error = r;
	vec_free(&t.columns);
}

static void more(struct page *p, size_t left_out, const char *what)
{
	char text[80];

	if (left_out == 0)
		return;
	snprintf(text, sizeof text, "and %zu more %s (--all or --json shows them)", left_out, what);
	dim_line(p, text);
}

/* Rows of any of the vectors of process_tables. */
#define PUT_ROWS(p, report, entity, vec, columns, tone, what)                              \
	do {                                                                               \
		row_vec rows_ = { 0 };                                                     \
		size_t most_ = (report)->all ? SIZE_MAX : SHORT_LIST;                      \
		vec_each(row_, vec)                                                        \
			if (rows_.n < most_ && row_push(&rows_, row_) < 0)                 \
				(p)->error = -ENOMEM;                                      \
		put_table(p, entity, &rows_, columns, tone);                               \
		more(p, (vec)->n - rows_.n, what);                                         \
		vec_free(&rows_);                                                          \
	} while (0)

static void memory(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;
	const struct process_statm *s = &d->statm;
	struct process_report whole = *report;

	if (d->status.presence == PRESENT && !reading_ok(d->status.virtual_bytes)) {
		dim_line(p, d->task.state == 'Z' ? "none: it has ended" : "none: a thread of the kernel");
		return;
	}
	line(p, "size", "%s: address space, all that is mapped, used or not", bytes_text(reading_value(s->size_bytes)).text);
	line(p, "resident", "%s of it in memory (at most %s so far)", bytes_text(reading_value(s->resident_bytes)).text,
	     bytes_text(reading_value(d->status.resident_peak_bytes)).text);
	line(p, "shared", "%s of that are pages of files and of shared memory, which others may use too",
	     bytes_text(reading_value(s->shared_bytes)).text);
	line(p, "text", "%s: code of the program itself", bytes_text(reading_value(s->text_bytes)).text);
	line(p, "data", "%s: private writable address space (heap, stacks, anonymous)",
	     bytes_text(reading_value(s->data_bytes)).text);
	line(p, "stack", "%s: of the first thread", bytes_text(reading_value(d->status.stack_bytes)).text);
	if (reading_or(d->status.swap_bytes, 0))
		line(p, "swapped out", "%s", bytes_text(reading_value(d->status.swap_bytes)).text);
	line(p, "page tables", "%s", bytes_text(reading_value(d->status.page_table_bytes)).text);
	if (reading_or(d->status.hugetlb_bytes, 0))
		line(p, "huge pages", "%s of the reserved ones", bytes_text(reading_value(d->status.hugetlb_bytes)).text);
	if (d->memory.error) {
		line(p, "mappings", "%s", why(d, d->memory.error));
		return;
	}
	page_newline(p);
	whole.all = true;
	PUT_ROWS(p, &whole, &process_memory_entity, &report->tables->kinds, NULL, NULL, "kinds");
	if (d->memory.source != MEMORY_FROM_SMAPS)
		dim_line(p, "smaps did not answer in time: the kinds are known by size alone.");
	if (report->tables->files.n) {
		page_newline(p);
		PUT_ROWS(p, report, &process_file_entity, &report->tables->files, NULL, NULL, "mapped files");
	}
}

static enum page_tone fd_tone(const void *row)
{
	return ((const struct detail_fd *)row)->fd->deleted ? TONE_YELLOW : TONE_PLAIN;
}

static void fd_counts(struct page *p, const struct process_detail *d)
{
	size_t counts[FD_KIND_COUNT] = { 0 }, deleted = 0;

	vec_each(f, &d->fds.fds) {
		counts[f->kind]++;
		deleted += f->deleted;
	}
	label(p, "open");
	if (d->fds.fds.n + d->fds.skipped == 0)
		page_wrap(p, hang(p), "none");
	else
		page_wrap(p, hang(p), "%zu:", d->fds.fds.n + d->fds.skipped);
	size_t left = d->fds.fds.n;
	for (size_t i = 0; i < FD_KIND_COUNT; i++) {
		left -= counts[i];
		/* The comma is part of its word: where that is wrapped it has its room. */
		if (counts[i])
			page_wrap(p, hang(p), "%zu %s%s", counts[i],
				  counts[i] == 1 ? fd_kind_name((enum fd_kind)i) : fd_kind_plural((enum fd_kind)i),
				  left ? "," : "");
	}
	if (deleted) {
		page_newline(p);
		label(p, "deleted");
		page_wrap(p, hang(p), "%zu of files that have no name any more: their space is freed when they are closed",
			  deleted);
	}
	if (d->fds.skipped)
		page_wrap(p, hang(p), "(%zu were not looked at)", d->fds.skipped);
	page_newline(p);
}

static void fds(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	if (d->fds.error) {
		line(p, "open", "%s", why(d, d->fds.error));
		return;
	}
	fd_counts(p, d);
	PUT_ROWS(p, report, &process_fd_entity, &report->tables->fds, NULL, fd_tone, "descriptors");
	if (!d->holders_complete && report->sections & PROCESS_PEERS)
		dim_line(p, "Not every process could be searched for the other ends (privilege, or time).");
}

static enum page_tone thread_tone(const void *row)
{
	return state_tone(((const struct detail_thread *)row)->thread->task.state);
}

static void threads(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;

	if (d->threads_error) {
		line(p, "threads", "%s", why(d, d->threads_error));
		return;
	}
	PUT_ROWS(p, report, &process_thread_entity, &report->tables->threads, NULL, thread_tone, "threads");
	bool sleeper_known = false, sleeps = false;
	vec_each(t, &d->threads) {
		sleeps |= t->task.state == 'S' || t->task.state == 'D';
		sleeper_known |= t->wchan[0] || t->task.flags & TASK_HAS_SYSCALL;
	}
	if (sleeps && !sleeper_known)
		dim_line(p, "what they wait for is not measurable: needs root, or to be its user");
	if (d->threads_left_out) {
		char text[64];

		snprintf(text, sizeof text, "%zu threads were not looked at", d->threads_left_out);
		dim_line(p, text);
	}
}

static void children(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;
	size_t zombies = 0;

	vec_each(c, &d->children)
		zombies += c->state == 'Z';
	if (!d->children_known)
		dim_line(p, "not measurable: this kernel does not list them");
	else if (d->children.n == 0)
		dim_line(p, "none");
	PUT_ROWS(p, report, &process_relative_entity, &d->children, NULL, NULL, "children");
	if (zombies) {
		char text[96];

		snprintf(text, sizeof text, "%zu of them %s ended and %s not reaped: it does not call wait", zombies,
			 zombies == 1 ? "has" : "have", zombies == 1 ? "is" : "are");
		page_tone(p, TONE_YELLOW);
		dim_line(p, text);
	}
}

/* ---- limits ---- */

static enum page_tone limit_tone(const void *row)
{
	const struct detail_limit *l = row;
	double pct = process_limit_used_pct(l->detail, l->kind);

	return pct >= 90 ? TONE_RED : pct >= 75 ? TONE_YELLOW : TONE_PLAIN;
}

static void limits(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;
	struct process_report whole = *report;

	if (d->limits.presence != PRESENT) {
		dim_line(p, d->limits.presence == DENIED ? "not measurable: needs root, or to be its user" : "not measurable");
		return;
	}
	whole.all = true;
	PUT_ROWS(p, &whole, &process_limit_entity, &report->tables->limits, NULL, limit_tone, "limits");
	if (d->nproc_exempt)
		dim_line(p, "nproc does not hold for it: it is root, or has CAP_SYS_RESOURCE or CAP_SYS_ADMIN.");
	if (d->limit_used[PROCESS_LIMIT_nofile] == READING_DENIED)
		dim_line(p, "How many files are open is not measurable: needs root, or to be its user.");
	if (d->limits.soft[PROCESS_LIMIT_msgqueue] != PROCESS_UNLIMITED)
		dim_line(p, "The kernel does not tell how much of msgqueue its user has in use.");
}

static void cgroups(struct page *p, const struct process_report *report)
{
	const struct process_detail *d = report->detail;
	struct process_report whole = *report;

	if (d->cgroup.error) {
		dim_line(p, why(d, d->cgroup.error));
		return;
	}
	whole.all = true;
	PUT_ROWS(p, &whole, &process_cgroup_entity, &report->tables->cgroups, NULL, NULL, "cgroups");
	if (report->tables->cgroups.n)
		return;
	struct span rest = buf_span(&d->cgroup.text), membership;
	while (span_line(&rest, &membership)) {
		page_indent(p, 2);
		page_wrap_span(p, 4, membership);
		page_newline(p);
	}
	dim_line(p, "No group of cpu, memory or pids could be read here.");
}

/* ---- namespaces, security, scheduling, signals ---- */

static void namespaces(struct page *p, const struct process_detail *d)
{
	bool any = false, known = false, init_known = false;

	for (size_t i = 0; i < d->nnamespaces; i++) {
		const struct process_namespace *n = &d->namespaces[i];
		bool ours = n->inode == n->ours, init = n->inode == n->of_init;

		known |= n->inode != 0;
		init_known |= n->of_init != 0;
		if (n->inode == 0 || (ours && (init || n->of_init == 0)))
			continue;
		any = true;
		line(p, n->name, "%llu: %s%s%s", (unsigned long long)n->inode, ours ? "ours" : "not ours",
		     n->of_init ? (init ? ", that of process 1" : ", not that of process 1") : "", "");
	}
	if (!known)
		dim_line(p, d->namespaces_error ? why(d, d->namespaces_error) : why(d, -ENOENT));
	else if (!any)
		dim_line(p, init_known ? "all are those of this shell and of process 1" : "all are those of this shell");
}

static void put_capabilities(struct page *p, const char *name, uint64_t mask)
{
	uint64_t all = (UINT64_C(1) << CAPABILITIES_KNOWN) - 1;
	unsigned n = (unsigned)__builtin_popcountll(mask & all);

	label(p, name);
	if (n == 0) {
		page_wrap(p, hang(p), "none");
	} else if (n == CAPABILITIES_KNOWN) {
		page_wrap(p, hang(p), "all");
	} else {
		bool but = n > CAPABILITIES_KNOWN - 8;

		if (but)
			page_wrap(p, hang(p), "all but");
		for (unsigned i = 0; i < CAPABILITIES_KNOWN; i++)
			if ((mask >> i & 1) != but)
				page_wrap(p, hang(p), "%s", capability_name(i));
	}
	page_newline(p);
}

static void security(struct page *p, const struct process_detail *d)
{
	static const char *const modes[] = { "none", "strict: read, write, exit and sigreturn alone", "filters" };
	const struct process_status *s = &d->status;

	if (s->has_masks) {
		put_capabilities(p, "capabilities", s->masks.effective);
		if (s->masks.permitted != s->masks.effective)
			put_capabilities(p, "may take", s->masks.permitted);
		if (s->masks.ambient)
			put_capabilities(p, "ambient", s->masks.ambient);
		put_capabilities(p, "may ever get", s->masks.bounding);
	}
	if (reading_ok(s->no_new_privs))
		line(p, "no_new_privs", "%s", s->no_new_privs ? "set: no program it starts gains privilege (setuid, file capabilities)" :
								  "not set");
	if (reading_ok(s->seccomp))
		line(p, "seccomp", s->seccomp == 2 && reading_ok(s->seccomp_filters) ? "%s (%u) on its system calls" : "%s",
		     s->seccomp < 3 ? modes[s->seccomp] : "?", (unsigned)reading_or(s->seccomp_filters, 0));
	if (reading_ok(s->umask))
		line(p, "umask", "%04o", (unsigned)s->umask);
}

static void io_priority(struct page *p, reading r)
{
	static const char *const classes[] = { "by its nice value", "real time", "best effort", "idle" };

	if (reading_ok(r) && r >> 13 < 4)
		line(p, "I/O priority", r >> 13 == 0 || r >> 13 == 3 ? "%s" : "%s, level %u", classes[r >> 13],
		     (unsigned)(r & 7));
}

static void scheduling(struct page *p, const struct process_detail *d)
{
	if (d->task.policy == 1 || d->task.policy == 2)
		line(p, "policy", "%s, priority %u", policy_name(d->task.policy), d->task.rt_priority);
	else
		line(p, "policy", "%s, nice %d", policy_name(d->task.policy), d->task.nice);
	io_priority(p, d->io_priority);
	if (d->status.cpus_allowed[0])
		line(p, "CPUs", "%s (it ran last on %d)", d->status.cpus_allowed, d->task.last_cpu);
	if (d->status.nodes_allowed[0])
		line(p, "memory nodes", "%s", d->status.nodes_allowed);
	if (d->autogroup[0])
		line(p, "autogroup", "%s", d->autogroup);
	if (reading_ok(d->timer_slack_ns))
		line(p, "timer slack", "%s", duration_text((double)d->timer_slack_ns / 1e9).text);
	if (reading_ok(d->oom_score))
		line(p, "OOM score", "%u%s", (unsigned)d->oom_score, d->oom_score ? " (the highest is killed first)" : "");
	if (reading_ok(d->oom_score_adj))
		line(p, "OOM adjust", "%d%s", (int)d->oom_score_adj - 1000,
		     d->oom_score_adj == 0 ? ": never killed for memory" : d->oom_score_adj == 2000 ? ": killed first" : "");
}

static void put_signals(struct page *p, const char *name, uint64_t mask)
{
	unsigned shown = 0;

	label(p, name);
	for (unsigned i = 1; i <= 64; i++) {
		unsigned to = i;
		char from_name[16], to_name[16];

		if (!(mask >> (i - 1) & 1))
			continue;
		signal_name(i, from_name, sizeof from_name);
		while (i >= 34 && to < 64 && mask >> to & 1) /* real-time signals come in runs */
			to++;
		signal_name(to, to_name, sizeof to_name);
		page_wrap(p, hang(p), to > i + 1 ? "%s..%s" : "%s", from_name, to_name);
		shown++;
		if (to > i + 1)
			i = to;
	}
	if (!shown)
		page_wrap(p, hang(p), "none");
	page_newline(p);
}

static void signals(struct page *p, const struct process_detail *d)
{
	const struct process_masks *m = &d->status.masks;

	if (!d->status.has_masks) {
		dim_line(p, "not measurable");
		return;
	}
	put_signals(p, "caught", m->caught);
	put_signals(p, "ignored", m->ignored);
	put_signals(p, "blocked", m->blocked);
	put_signals(p, "pending", m->pending | m->shared_pending);
	if (reading_ok(d->status.signals_queued))
		line(p, "queued", "%u of at most %u, of all processes of its user", (unsigned)d->status.signals_queued,
		     (unsigned)reading_or(d->status.signals_limit, 0));
}

static void environment(struct page *p, const struct process_detail *d)
{
	struct span rest = buf_span(&d->environment.text), entry;

	if (d->environment.error) {
		dim_line(p, why(d, d->environment.error));
		return;
	}
	if (rest.n == 0)
		dim_line(p, "empty");
	while (span_until(&rest, '\0', &entry) || (entry = rest, rest.n)) {
		bool last = entry.p == rest.p;

		page_indent(p, 2);
		page_put_span(p, entry);
		page_newline(p);
		if (last)
			break;
	}
}

static void header(struct page *p, const struct process_detail *d)
{
	page_tone(p, TONE_STRONG);
	page_put(p, "process %d ", d->pid);
	page_put_span(p, span_from(d->comm));
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	if (d->asked == d->pid)
		return;
	page_wrap(p, 2, "%d is a thread of it: %s. What follows is of the whole process.", d->asked, d->asked_comm);
	page_newline(p);
}

void process_detail_text(struct page *p, const struct process_report *report)
{
	static const struct {
		unsigned section;
		const char *title;
		void (*of_report)(struct page *p, const struct process_report *report);
		void (*of_detail)(struct page *p, const struct process_detail *d);
	} parts[] = {
		{ PROCESS_IDENTITY, "Identity", identity, NULL },
		{ PROCESS_STATE, "State", NULL, state },
		{ PROCESS_COUNTERS, "Counters since it started", NULL, counters },
		{ PROCESS_MEMORY, "Memory", memory, NULL },
		{ PROCESS_FDS, "Descriptors", fds, NULL },
		{ PROCESS_THREADS, "Threads", threads, NULL },
		{ PROCESS_CHILDREN, "Children", children, NULL },
		{ PROCESS_LIMITS, "Limits", limits, NULL },
		{ PROCESS_CGROUPS, "Cgroups", cgroups, NULL },
		{ PROCESS_NAMESPACES, "Namespaces", NULL, namespaces },
		{ PROCESS_SECURITY, "Security", NULL, security },
		{ PROCESS_SCHEDULING, "Scheduling", NULL, scheduling },
		{ PROCESS_SIGNALS, "Signals", NULL, signals },
		{ PROCESS_ENVIRONMENT, "Environment", NULL, environment },
	};

	header(p, report->detail);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (!(report->sections & parts[i].section))
			continue;
		page_heading(p, parts[i].title);
		if (parts[i].of_report)
			parts[i].of_report(p, report);
		else
			parts[i].of_detail(p, report->detail);
	}
}
