/* Nice values, signals, CPUs: chosen on the screen, shown before they are done, undone by name. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "act/process_change.h"
#include "act/signal.h"
#include "act/words.h"
#include "base/clock.h"
#include "cmd/top.h"

#define NAMED 6 /* processes that a question lists by name */

/* ---- whom ---- */

static bool is_the_row(const struct process *p, const struct process_row *row)
{
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK), start_ns = p->start_ticks * tick_ns;

	return start_ns <= row->start_ns + tick_ns && row->start_ns <= start_ns + tick_ns;
}

/* The process of a row, as it is named to the kernel from now on. */
static int take(struct top *t, const struct process_row *row, process_vec *ret)
{
	struct process p;
	int r = process_read(t->host, row->pid, 0, &p);

	if (r < 0)
		return r;
	if (row->tid == row->pid && !is_the_row(&p, row))
		return -ESRCH;
	return process_vec_add(ret, &p);
}

static const char *refusal(const struct process *p)
{
	if (p->is_kernel_thread)
		return "is a kernel thread";
	if (p->pid == 1)
		return "is the first process: the host hangs on it";
	if (p->pid == getpid())
		return "is this osprey";
	return NULL;
}

/* Those that are tagged; without any, the one under the cursor. False: nobody, which has been told. */
static bool choose(struct top *t, process_vec *ret)
{
	struct process_row *selected = top_selected(t);
	size_t gone = 0;

	if (t->tagged.n)
		vec_each(row, process_table_rows(t->table))
			gone += process_marked(&t->tagged, process_identity(row)) && take(t, row, ret) < 0;
	if (!t->tagged.n && selected)
		gone += take(t, selected, ret) < 0;
	vec_each(p, ret) {
		if (!refusal(p))
			continue;
		top_tell(t, true, "%d (%s) %s; nothing was done", p->pid, p->comm, refusal(p));
		return false;
	}
	if (ret->n == 0)
		top_tell(t, true, gone ? "the process has ended" : "put the cursor on a process, or tag some with Space");
	return ret->n > 0;
}

static void put(struct buf *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct buf *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)!buf_vprintf(text, format, args);
	va_end(args);
}

static void put_line_end(struct buf *text)
{
	put(text, "\n");
}

/* Each on a line of its own: names of processes cannot break it, they are made safe when drawn. */
static void put_names(struct top *t, struct buf *text, const process_vec *v)
{
	size_t shown = 0;

	vec_each(p, v) {
		struct process_row *row = NULL;
		if (shown++ == NAMED) {
			put(text, "  and %zu others\n", v->n - NAMED);
			return;
		}
		vec_each(r, process_table_rows(t->table))
			if (r->pid == p->pid && (!row || r->tid == r->pid))
				row = r;
		char command[80];
		struct span line = row ? process_row_command(row) : (struct span){ "", 0 };
		span_copy(line, command, sizeof command);
		for (char *c = command; *c; c++)
			*c = *c == '\n' ? ' ' : *c;
		char comm[sizeof p->comm];
		snprintf(comm, sizeof comm, "%s", p->comm);
		for (char *c = comm; *c; c++)
			*c = *c == '\n' ? ' ' : *c;
		put(text, "  %d (%s) of %s  %s\n", p->pid, comm, row ? process_row_user(row) : "?", command);
	}
}

/* ---- signals ---- */

static const struct {
	int number;
	const char *effect;
} signals[] = {
	{ SIGTERM, "asks it to end; it may put things in order first" },
	{ SIGKILL, "ends it at once; it cannot put anything in order" },
	{ SIGINT, "as Ctrl-C" },
	{ SIGHUP, "daemons usually read their configuration again, others end" },
	{ SIGQUIT, "ends it with a core dump; a JVM prints its threads" },
	{ SIGSTOP, "stops it where it is; CONT lets it go on" },
	{ SIGCONT, "lets it go on when it was stopped" },
	{ SIGUSR1, "what the program makes of it; most end" },
	{ SIGUSR2, "what the program makes of it; most end" },
	{ SIGABRT, "ends it with a core dump" },
	{ SIGALRM, "ends it, unless the program expects it" },
	{ SIGWINCH, "the terminal has changed its size; ignored by most" },
	{ SIGCHLD, "a child has ended; ignored by most" },
	{ SIGPIPE, "ends it, unless the program ignores it" },
	{ SIGTSTP, "stops it, as Ctrl-Z" },
	{ SIGTRAP, "ends it with a core dump, unless it is traced" },
	{ SIGSEGV, "ends it with a core dump" },
	{ SIGBUS, "ends it with a core dump" },
	{ SIGFPE, "ends it with a core dump" },
	{ SIGILL, "ends it with a core dump" },
	{ SIGXCPU, "ends it with a core dump" },
	{ SIGURG, "ignored by most; Go programs use it themselves" },
};
#define NSIGNALS (sizeof signals / sizeof signals[0])

static int choose_signal(struct top *t)
{
	struct top_choice choices[NSIGNALS];
	struct signal_text names[NSIGNALS];
	char numbers[NSIGNALS][24];

	for (size_t i = 0; i < NSIGNALS; i++) {
		names[i] = signal_text(signals[i].number);
		snprintf(numbers[i], sizeof numbers[i], "%-5.12s %2d", names[i].text, signals[i].number);
		choices[i] = (struct top_choice){ numbers[i], signals[i].effect };
	}
	return top_choose(t, "Send a signal", choices, NSIGNALS, 0);
}

static const char *undo_of(int number)
{
	switch (number) {
	case SIGSTOP: case SIGTSTP: return "Undo: send CONT.";
	case SIGCONT: return "Undo: send STOP.";
	case SIGWINCH: case SIGCHLD: case SIGURG: return "Nothing is to be undone.";
	default: return "It cannot be undone: what has ended does not come back.";
	}
}

static void tell_signalled(struct top *t, int number, const struct signal_report *report)
{
	size_t sent = 0;
	int error = 0;

	vec_each(r, &report->result) {
		sent += r->sent;
		error = r->error ? r->error : error;
	}
	if (error)
		top_tell(t, true, "%s: sent to %zu of %zu: %s", signal_text(number).text, sent, report->result.n,
			 error == -EPERM ? "they belong to others; that needs root" : strerror(-error));
	else if (sent == 0)
		top_tell(t, true, "%s was not sent: %s ended", signal_text(number).text,
			 report->result.n > 1 ? "they have all" : "it has");
	else
		top_tell(t, false, "%s sent to %zu process%s%s", signal_text(number).text, sent, sent == 1 ? "" : "es",
			 sent < report->result.n ? "; the others have ended" : "");
}

static void send_signal(struct top *t, int number, process_vec *v)
{
	struct signal_plan plan = { .number = number };
	struct signal_report report = { 0 };
	struct note note = { "" };
	int r = signal_run(t->host, v, &plan, &report, &note);

	if (r < 0)
		top_tell(t, true, "%s", note.text[0] ? note.text : strerror(-r));
	else
		tell_signalled(t, number, &report);
	signal_report_deinit(&report);
}

/* What has been changed is to be seen at once. */
static void show_effect(struct top *t)
{
	process_marks_clear(&t->tagged);
	process_table_reread(t->table);
	t->due_ns = clock_mono_ns() + 200 * NS_PER_MS;
}

void top_signal(struct top *t)
{
	process_vec v = { 0 };
	struct buf text = { 0 };

	if (choose(t, &v)) {
		int chosen = choose_signal(t);
		if (chosen >= 0) {
			put(&text, "Send SIG%s to:\n", signal_text(signals[chosen].number).text);
			put_names(t, &text, &v);
			put_line_end(&text);
			put(&text, "It %s.\n%s\n", signals[chosen].effect, undo_of(signals[chosen].number));
			if (top_confirm(t, "Signal", &text)) {
				send_signal(t, signals[chosen].number, &v);
				show_effect(t);
			}
		}
	}
	buf_deinit(&text);
	vec_free(&v);
}

/* ---- nice values and CPUs, which the journal of changes remembers ---- */

static bool ask_value(struct top *t, const char *question, const char *hint, const process_vec *v,
		      const struct process_attribute *a, char *text, size_t size)
{
	struct buf now = { 0 };
	struct note note;

	/* The value of the first is where the typing starts. */
	if (process_attribute_text(t->host, &v->v[0], a, &now, &note) == 0)
		span_copy(buf_span(&now), text, size);
	buf_deinit(&now);
	return top_ask(t, question, hint, text, size, NULL) && text[0];
}

static void put_present(struct top *t, struct buf *text, const process_vec *v, const struct process_attribute *a,
			const char *after)
{
	size_t shown = 0;

	vec_each(p, v) {
		struct buf now = { 0 };
		struct note note = { "" };

		if (shown++ == NAMED)
			break;
		if (process_attribute_text(t->host, p, a, &now, &note) < 0)
			put(text, "  %d: %s\n", p->pid, note.text);
		else
			put(text, "  %d: %s is %.*s, becomes %s, for all its threads\n", p->pid, a->what, (int)now.n, now.data, after);
		const char *needs = now.n ? attribute_one_way(a, now.data, after) : NULL;
		if (needs)
			put(text, "  taking that back needs %s, which you lack\n", needs);
		buf_deinit(&now);
	}
}

struct tally {
	size_t changed, already, failed;
	uint64_t first, last; /* ids in the journal */
	struct note why;
};

static void change_one(struct top *t, struct change_journal *j, const char *command, const struct process *p,
		       const struct process_attribute *a, const char *text, struct tally *tally)
{
	struct process_changed changed = { 0 };
	struct note note = { "" };
	int r = process_change(t->host, j, command, p, a, text, &changed, &note);

	if (r == -EALREADY)
		tally->already++;
	else if (r < 0)
		tally->failed++;
	else
		tally->changed++;
	if (r < 0 && r != -EALREADY)
		snprintf(tally->why.text, sizeof tally->why.text, "%s", note.text[0] ? note.text : strerror(-r));
	if (changed.id && !tally->first)
		tally->first = changed.id;
	if (changed.id)
		tally->last = changed.id;
	process_changed_deinit(&changed);
}

static void tell_changed(struct top *t, const char *command, const struct tally *c)
{
	if (c->failed)
		top_tell(t, true, "%zu changed, %zu not: %s", c->changed, c->failed, c->why.text);
	else if (c->changed == 0)
		top_tell(t, false, "it had this value already, nothing was done");
	else if (c->first == c->last)
		top_tell(t, false, "done; undo: osprey %s --undo %llu", command, (unsigned long long)c->last);
	else
		top_tell(t, false, "%zu changed; undo: osprey %s --undo %llu … %llu", c->changed, command,
			 (unsigned long long)c->first, (unsigned long long)c->last);
}

static void change_all(struct top *t, const char *command, const process_vec *v, const struct process_attribute *a,
		       const char *text)
{
	struct change_journal *j = NULL;
	struct tally tally = { 0 };
	struct note note = { "" };
	int r = change_journal_open(CHANGE_WRITE, &j, &note);

	if (r < 0) {
		top_tell(t, true, "nothing was changed, because it could not be written down: %s", note.text[0] ? note.text : strerror(-r));
		return;
	}
	vec_each(p, v)
		change_one(t, j, command, p, a, text, &tally);
	change_journal_close(j);
	tell_changed(t, command, &tally);
}

/* `text` is what was typed, in the attribute's own words. */
static void confirm_change(struct top *t, const char *title, const char *command, const process_vec *v,
			   const struct process_attribute *a, const char *value)
{
	struct buf text = { 0 };

	put(&text, "%s of:\n", title);
	put_names(t, &text, v);
	put_line_end(&text);
	put_present(t, &text, v, a, value);
	put(&text, "\nUndo: osprey %s --undo last, also after osprey has ended.\n", command);
	if (top_confirm(t, title, &text)) {
		change_all(t, command, v, a, value);
		show_effect(t);
	}
	buf_deinit(&text);
}

void top_renice(struct top *t)
{
	process_vec v = { 0 };
	struct note note = { "" };
	char text[16] = "", value[16];
	int nice;

	if (choose(t, &v) && ask_value(t, "Nice value:", "-20 (first) to 19 (last)", &v, &attribute_nice, text, sizeof text)) {
		if (nice_parse(span_from(text), &nice, &note) < 0) {
			top_tell(t, true, "%s", note.text);
		} else {
			snprintf(value, sizeof value, "%d", nice);
			confirm_change(t, "Nice value", "priority", &v, &attribute_nice, value);
		}
	}
	vec_free(&v);
}

void top_pin(struct top *t)
{
	static struct cpu_list cpus;
	process_vec v = { 0 };
	struct note note = { "" };
	struct buf value = { 0 };
	char text[128] = "";

	if (choose(t, &v) && ask_value(t, "CPUs:", "0-3,8; those it may run on", &v, &attribute_cpus, text, sizeof text)) {
		if (cpu_list_parse(span_from(text), &cpus, &note) < 0 || cpu_list_text(&cpus, &value) < 0)
			top_tell(t, true, "%s", note.text[0] ? note.text : "out of memory");
		else
			confirm_change(t, "CPUs", "pin", &v, &attribute_cpus, value.data);
	}
	buf_deinit(&value);
	vec_free(&v);
}
