#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "dig/image/core_dump.h"
#include "report/stack.h"
#include "source/process/wait_words.h"

#define THREADS_SHOWN 24
#define WAITS_SHOWN 4

/* ---- frames ---- */

/* Rust's own sources are named by the commit of the compiler, which is half a line of nothing. */
static void put_line(struct page *p, unsigned hang, const struct symbol *s)
{
	static const char rust[] = "/rustc/";
	const size_t commit = sizeof rust - 1 + 40;

	if (strncmp(s->file, rust, sizeof rust - 1) == 0 && strlen(s->file) > commit && s->file[commit] == '/')
		page_wrap(p, hang, "/rustc/\xe2\x80\xa6%s:%u", s->file + commit, s->line);
	else
		page_wrap(p, hang, "%s:%u", s->file, s->line);
}

static void put_symbol(struct page *p, unsigned hang, const struct symbol *s, bool addresses, uint64_t pc)
{
	if (addresses) {
		page_tone(p, TONE_DIM);
		page_put(p, "%016llx ", (unsigned long long)pc);
		page_tone(p, TONE_PLAIN);
	}
	if (s->function[0] && s->inlined)
		page_wrap(p, hang, "%s (inlined)", s->function);
	else if (s->function[0])
		page_wrap(p, hang, "%s+0x%llx", s->function, (unsigned long long)s->offset);
	else
		page_wrap(p, hang, "0x%llx", (unsigned long long)(s->module[0] ? s->offset : pc));
	page_tone(p, TONE_DIM);
	if (s->file)
		put_line(p, hang, s);
	else if (s->module[0])
		page_wrap(p, hang, "%s", s->module);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void kernel_frames(struct page *p, const struct stack_report *report, const struct thread_stack *t,
			  unsigned indent)
{
	struct span text = span_from(t->kernel_text ? t->kernel_text : ""), line;
	const struct symbol *s;

	for (size_t i = 0; i < t->nkernel; i++) {
		if (symbolize_kernel(report->symbolizer, t->kernel[i], &s) < 0) {
			p->error = -ENOMEM;
			return;
		}
		page_indent(p, indent);
		page_tone(p, TONE_DIM);
		page_put(p, " k  ");
		page_tone(p, TONE_PLAIN);
		put_symbol(p, indent + 6, s, report->addresses, t->kernel[i]);
	}
	while (span_line(&text, &line)) {
		page_indent(p, indent);
		page_tone(p, TONE_DIM);
		page_put(p, " k  ");
		page_tone(p, TONE_PLAIN);
		page_wrap_span(p, indent + 6, line);
		page_newline(p);
	}
}

/* False: no memory. */
static bool user_frame(struct page *p, const struct stack_report *report, const struct unwind_frame *f,
		       unsigned *number, bool alone, unsigned indent)
{
	const struct symbol *symbols;
	size_t n;

	if (symbolize(report->symbolizer, report->stacks->space, f->pc, f->exact, &symbols, &n) < 0)
		return false;
	for (size_t i = alone ? n - 1 : 0; i < n; i++) {
		page_indent(p, indent);
		page_tone(p, TONE_DIM);
		page_put(p, "%2u%s ", (*number)++, f->guessed ? "?" : " ");
		page_tone(p, TONE_PLAIN);
		put_symbol(p, indent + 6, &symbols[i], report->addresses, f->pc);
	}
	return true;
}

/* Recursion: equal frames one above the other are told by their number. */
static void put_alike(struct page *p, size_t n, unsigned *number, unsigned indent)
{
	page_indent(p, indent);
	page_tone(p, TONE_DIM);
	page_put(p, "%2u  … %zu more of the same", *number, n);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	*number += (unsigned)n;
}

void stack_frames_text(struct page *p, const struct stack_report *report, const struct thread_stack *t, unsigned indent)
{
	unsigned number = 0;

	if (!report->no_kernel)
		kernel_frames(p, report, t, indent);
	for (size_t i = 0; i < t->nframes && p->error == 0;) {
		size_t alike = 1;
		while (i + alike < t->nframes && t->frames[i + alike].pc == t->frames[i].pc)
			alike++;
		if (!user_frame(p, report, &t->frames[i], &number, report->first_alone && i == 0, indent))
			p->error = -ENOMEM;
		if (alike > 2)
			put_alike(p, alike - 1, &number, indent);
		i += alike > 2 ? alike : 1;
	}
	const char *why = t->nframes ? unwind_end_words(t->end) : NULL;
	if (!t->nframes && t->error)
		why = t->error == -EBUSY ? "it runs, and neither perf nor a stop reached it" : strerror(-t->error);
	else if (!t->nframes && !t->kernel_thread && t->state == 'Z')
		why = "it has ended, and waits for its parent to take notice";
	if (!why)
		return;
	page_indent(p, indent);
	page_tone(p, TONE_YELLOW);
	page_wrap(p, indent + 6, "… %s", why);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* ---- groups ---- */

static bool runs(const struct thread_stack *t)
{
	return t->on_cpu || t->way == STACK_PERF;
}

static const char *state_word(const struct thread_stack *t, bool many)
{
	if (runs(t))
		return many ? "run" : "runs";
	switch (t->state) {
	case 'R': return many ? "want to run, and wait for a CPU" : "wants to run, and waits for a CPU";
	case 'S':
	case 'I': return many ? "sleep" : "sleeps";
	case 'D': return many ? "sleep, and no signal wakes them" : "sleeps, and no signal wakes it";
	case 'T': return many ? "are stopped" : "is stopped";
	case 't': return many ? "are stopped by a tracer" : "is stopped by a tracer";
	case 'Z':
	case 'X': return many ? "have ended" : "has ended";
	default: return "";
	}
}

static void put_waits(struct page *p, const struct stack_report *report, const struct equal_group *g)
{
	const char *shown[WAITS_SHOWN] = { NULL };
	size_t n = 0, others = 0;

	for (size_t i = 0; i < g->n; i++) {
		const char *what = report->waits[g->member[i]].what;
		size_t at = 0;
		while (at < n && strcmp(shown[at], what) != 0)
			at++;
		if (what[0] && at == n && n < WAITS_SHOWN)
			shown[n++] = what;
		else if (what[0] && at == n)
			others++;
	}
	for (size_t i = 0; i < n; i++) {
		page_indent(p, 2);
		page_tone(p, TONE_CYAN);
		page_wrap(p, 4, "%s", shown[i]);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
	if (others) {
		page_indent(p, 2);
		page_put(p, "and %zu others", others);
		page_newline(p);
	}
}

static const struct thread_stack *member(const struct stack_report *report, const struct equal_group *g, size_t i)
{
	return i < g->n ? &report->stacks->threads.v[g->member[i]] : NULL;
}

/* "4711-4720, 4725 (worker), 4722 (writer)": numbers that follow each other are one, a name stands behind all
 * its own. */
static void put_threads(struct page *p, const struct stack_report *report, const struct equal_group *g)
{
	size_t i = 0, shown = 0;

	page_indent(p, 2);
	page_put(p, "%s", g->n == 1 ? "thread" : "threads");
	while (i < g->n && shown < THREADS_SHOWN) {
		const struct thread_stack *first = member(report, g, i), *last = first, *next;
		while ((next = member(report, g, ++i)) && next->tid == last->tid + 1 &&
		       strcmp(next->comm, last->comm) == 0)
			last = next;
		shown++;
		bool same = next && shown < THREADS_SHOWN && strcmp(next->comm, last->comm) == 0;
		char range[32];
		if (last == first)
			snprintf(range, sizeof range, "%d", first->tid);
		else
			snprintf(range, sizeof range, "%d-%d", first->tid, last->tid);
		if (same)
			page_wrap(p, 4, "%s,", range);
		else
			page_wrap(p, 4, "%s (%s)%s", range, first->comm, next ? "," : "");
	}
	if (i < g->n)
		page_wrap(p, 4, "and %zu more", g->n - i);
	page_newline(p);
}

static void put_notes(struct page *p, const struct stack_report *report, const struct equal_group *g)
{
	size_t torn = 0, stopped = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct thread_stack *t = member(report, g, i);
		torn += t->torn;
		stopped += t->torn && t->way == STACK_PTRACE;
	}
	if (!torn)
		return;
	page_indent(p, 2);
	page_tone(p, TONE_YELLOW);
	if (stopped == torn)
		page_wrap(p, 4, "the stack is larger than what is copied in the stop: its outer frames were read after "
			  "it");
	else
		page_wrap(p, 4, "%s while the stack was read: what stands here may mix two moments; osprey stack "
			  "--consistent stops all threads for one that does not",
			  g->n == 1 ? "it ran" : torn == g->n ? "they ran" : "some of them ran");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static const char *signal_words(int number)
{
	const char *name = sigabbrev_np(number);

	return name ? name : "?";
}

static void put_group(struct page *p, const struct stack_report *report, const struct equal_group *g)
{
	const struct thread_stack *t = &report->stacks->threads.v[g->member[0]];

	page_tone(p, TONE_STRONG);
	if (report->stacks->core)
		page_put(p, g->n == 1 ? "1 thread" : "%zu threads", g->n);
	else if (g->n == 1)
		page_put(p, "1 thread %s%s", t->kernel_thread ? "of the kernel " : "", state_word(t, false));
	else
		page_put(p, "%zu threads %s", g->n, state_word(t, true));
	if (t->signal)
		page_put(p, ", ended by SIG%s", signal_words(t->signal));
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	put_waits(p, report, g);
	put_threads(p, report, g);
	put_notes(p, report, g);
	stack_frames_text(p, report, t, 2);
	page_newline(p);
}

/* ---- the whole ---- */

static void put_head(struct page *p, const struct stack_report *report)
{
	const struct process_stacks *s = report->stacks;
	size_t running = 0;

	vec_each(t, &s->threads)
		running += runs(t);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s (%d)", s->comm, s->core ? s->core->pid : s->pid);
	page_tone(p, TONE_PLAIN);
	page_put(p, ":");
	if (s->threads.n == 1)
		page_wrap(p, 2, "1 thread");
	else
		page_wrap(p, 2, "%zu threads with %zu different stack%s", s->threads.n, report->groups->groups.n,
			  report->groups->groups.n == 1 ? "" : "s");
	if (running)
		page_wrap(p, 2, "(%zu %s)", running, running == 1 ? "runs" : "run");
	page_put(p, s->core ? "." : ";");
	if (!s->core && s->stopped == 0)
		page_wrap(p, 2, "nothing was stopped.");
	else if (!s->core)
		page_wrap(p, 2, "%u %s stopped for %s at most.", s->stopped, s->stopped == 1 ? "was" : "were",
			  duration_text((double)s->pause_ns / 1e9).text);
	page_newline(p);
	page_newline(p);
}

static void put_core_tail(struct page *p, const struct core_dump *c)
{
	page_tone(p, TONE_YELLOW);
	if (c->missing_bytes) {
		page_wrap(p, 2, "The core file was cut: %s of memory are missing at its end, where most stacks are.",
			  bytes_text((double)c->missing_bytes).text);
		page_newline(p);
	}
	if (c->other_file) {
		page_wrap(p, 2, "%s is not the file that ran (its build-id differs): it gives no names. The program is "
			  "given by --executable.", c->other_file);
		page_newline(p);
	}
	page_tone(p, TONE_PLAIN);
}

static void put_tail(struct page *p, const struct stack_report *report)
{
	const struct process_stacks *s = report->stacks;
	const char *why = symbolizer_kernel_why(report->symbolizer);
	size_t kernel_missing = 0;

	vec_each(t, &s->threads)
		kernel_missing += t->kernel_error < 0 && t->state != 'Z' && t->state != 'X';
	page_tone(p, TONE_DIM);
	if (s->why_no_bpf[0]) {
		page_wrap(p, 2, "Read from /proc: %s.", s->why_no_bpf);
		page_newline(p);
	}
	if (kernel_missing && !report->no_kernel) {
		page_wrap(p, 2, "Not measurable: kernel stacks%s; they need root (CAP_SYS_ADMIN, or CAP_PERFMON and "
			  "CAP_BPF).",
			  kernel_missing == s->threads.n ? "" : " of some threads");
		page_newline(p);
	}
	if (why && !report->no_kernel) {
		page_wrap(p, 2, "Names of kernel functions are missing: %s.", why);
		page_newline(p);
	}
	page_tone(p, TONE_PLAIN);
}

void stack_text(struct page *p, const struct stack_report *report)
{
	put_head(p, report);
	vec_each(g, &report->groups->groups)
		put_group(p, report, g);
	if (report->stacks->core)
		put_core_tail(p, report->stacks->core);
	put_tail(p, report);
}
