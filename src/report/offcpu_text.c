#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "report/offcpu.h"

#define WAIT_FRAMES 20
#define WAKER_FRAMES 10
#define WAKERS_SHOWN 3
#define TRADE_ROWS 3

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

struct short_text {
	char text[16];
};

static struct short_text share_of(uint64_t part, uint64_t whole)
{
	struct short_text t;
	double share = percent(part, whole);

	snprintf(t.text, sizeof t.text, part && share < 1 ? "under 1 %%" : "%.0f %%", share);
	return t;
}

/* Three digits at most. */
static struct units_text time_of(uint64_t ns)
{
	double s = (double)ns / 1e9, step = s >= 100 ? 1 : s >= 10 ? 0.1 : s >= 1 ? 0.01 : s >= 0.1 ? 1e-3 : s >= 0.01 ? 1e-4 : 1e-5;

	return duration_text((double)(uint64_t)(s / step + 0.5) * step);
}

/* ---- words ---- */

static const char *state_words(char state)
{
	switch (state) {
	case 'D': return "uninterruptible";
	case 'T': return "stopped";
	case 'I': return "idle";
	default: return NULL;
	}
}

/* "in fsync, for data to reach the disk (uninterruptible)" */
static void put_reason(struct page *p, unsigned hang, const struct offcpu_wait *w)
{
	if (w->call)
		page_wrap(p, hang, "%s %s", strcmp(w->call, "page fault") == 0 ? "in a" : "in", w->call);
	if (w->words)
		page_wrap(p, hang, "for %s", w->words);
	else if (!w->call)
		page_wrap(p, hang, "for what has no name here");
	if (state_words(w->state))
		page_wrap(p, hang, "(%s)", state_words(w->state));
}

static void put_waker(struct page *p, unsigned hang, const struct offcpu_waker *k)
{
	switch (k->kind) {
	case OFFCPU_BY_TASK:
		page_wrap(p, hang, "by %s [%u]", k->process, k->pid);
		break;
	case OFFCPU_BY_INTERRUPT:
		page_wrap(p, hang, strcmp(k->device, "an interrupt") == 0 ? "by %s" : "by an interrupt of %s", k->device);
		break;
	case OFFCPU_BY_NOBODY:
		page_wrap(p, hang, "by nobody yet: still blocked");
		break;
	case OFFCPU_BY_UNKNOWN:
		page_wrap(p, hang, "by whom is not known");
		break;
	}
}

/* ---- the answer ---- */


static void put_most(struct page *p, const struct offcpu_report *r, const struct offcpu_wait *w, uint64_t whole_ns)
{
	page_wrap(p, 0, "%s", share_of(w->total_ns, whole_ns).text);
	if (!r->request->pid || r->request->by_thread)
		page_wrap(p, 0, "by %s [%u]", r->request->by_thread ? w->comm : w->process, r->request->by_thread ? w->tid : w->pid);
	put_reason(p, 0, w);
	page_word(p, 0, SPAN(","), true);
	if (w->waker.n && w->waker.v[0].kind != OFFCPU_BY_NOBODY) {
		page_wrap(p, 0, w->waker.n > 1 ? "woken mostly" : "woken");
		put_waker(p, 0, &w->waker.v[0]);
	} else {
		page_wrap(p, 0, "woken by nobody yet: it is still blocked");
	}
	page_word(p, 0, SPAN("."), true);
}

static void put_answer(struct page *p, const struct offcpu_report *r)
{
	const struct offcpu_rows *rows = &r->result->rows;
	struct offcpu_total work = offcpu_rows_total(rows, false), trade = offcpu_rows_total(rows, true);
	struct units_text wall = time_of(r->result->wall_ns);

	page_tone(p, TONE_STRONG);
	if (work.count) {
		page_wrap(p, 0, "%s: blocked for %s in %s.", r->target, time_of(work.total_ns).text, wall.text);
		page_tone(p, TONE_PLAIN);
		put_most(p, r, &rows->wait.v[0], work.total_ns);
	} else if (trade.count) {
		page_wrap(p, 0, "%s: blocked by nothing for %s or longer in %s", r->target, time_of(r->request->min_ns).text, wall.text);
		page_tone(p, TONE_PLAIN);
		page_wrap(p, 0, "but waiting for time, events or work.");
	} else {
		page_wrap(p, 0, "%s: no wait of %s or longer in %s.", r->target, time_of(r->request->min_ns).text, wall.text);
		page_tone(p, TONE_PLAIN);
	}
	if (trade.count)
		page_wrap(p, 0, "%s more went by in waiting for time, events or work: what threads do that have nothing to do.",
			  time_of(trade.total_ns).text);
	if (work.total_ns && percent(work.queued_ns, work.total_ns) >= 10)
		page_wrap(p, 0, "%.0f %% of the blocked time was spent ready to run, but without a CPU.",
			  percent(work.queued_ns, work.total_ns));
	if (r->ended)
		page_wrap(p, 0, "The process has ended meanwhile.");
	page_newline(p);
}

/* ---- stacks ---- */

static void put_frame(struct page *p, unsigned indent, const struct call_frame *f, unsigned times)
{
	cleanup(buf_deinit) struct buf label = { 0 };

	if (call_frame_label(f, &label) < 0) {
		p->error = p->error ? p->error : -12;
		return;
	}
	page_indent(p, indent);
	page_tone(p, TONE_DIM);
	page_put(p, f->kind == CALL_KERNEL ? "k " : "  ");
	page_tone(p, TONE_PLAIN);
	page_wrap(p, indent + 4, "%s", label.data);
	page_tone(p, TONE_DIM);
	if (times > 1)
		page_wrap(p, indent + 4, "(%u times)", times);
	if (f->line)
		page_wrap(p, indent + 4, "%s:%u", f->file, f->line);
	else if (f->function[0] && f->module[0] && f->kind != CALL_KERNEL)
		page_wrap(p, indent + 4, "%s", f->module);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

/* Of the kernel's side a reader wants the inside, of the program's all: what is left out are entries of calls. */
static bool is_entry(const struct call_frame *f)
{
	static const char *const names[] = { "entry_SYSCALL_64_after_hwframe", "do_syscall_64", "x64_sys_call",
					     "asm_exc_page_fault", "invoke_syscall", "el0_svc", "el0_svc_common", "do_el0_svc",
					     "el0t_64_sync_handler", "el0t_64_sync", "ret_from_fork_asm", "ret_from_fork" };

	for (size_t i = 0; f->kind == CALL_KERNEL && i < sizeof names / sizeof names[0]; i++)
		if (strcmp(f->function, names[i]) == 0)
			return true;
	return false;
}

/* Innermost first; a function that calls itself is one line. */
static void put_stack(struct page *p, const struct call_tree *t, uint32_t node, unsigned indent, unsigned most)
{
	call_stack stack = { 0 };
	unsigned shown = 0, left_out = 0;
	int r = call_tree_stack(t, node, &stack);

	if (r < 0)
		p->error = p->error ? p->error : r;
	for (size_t i = r < 0 ? 0 : stack.n; i > 0;) {
		const struct call_frame *f = &t->frame.v[stack.v[i - 1]];
		unsigned times = 1;

		while (i - times > 0 && stack.v[i - 1 - times] == stack.v[i - 1])
			times++;
		i -= times;
		if (f->kind == CALL_GROUP || is_entry(f))
			continue;
		if (shown < most) {
			put_frame(p, indent, f, times);
			shown++;
		} else {
			left_out += times;
		}
	}
	if (left_out) {
		page_indent(p, indent + 2);
		page_tone(p, TONE_DIM);
		page_put(p, "… %u more", left_out);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
	vec_free(&stack);
}

/* ---- rows ---- */

static void put_wakers(struct page *p, const struct offcpu_rows *rows, const struct offcpu_wait *w)
{
	size_t n = w->waker.n < WAKERS_SHOWN ? w->waker.n : WAKERS_SHOWN;

	page_indent(p, 2);
	page_tone(p, TONE_CYAN);
	page_put(p, "woken");
	page_tone(p, TONE_PLAIN);
	for (size_t i = 0; i < n; i++) {
		put_waker(p, 4, &w->waker.v[i]);
		if (w->waker.n > 1)
			page_wrap(p, 4, "(%s)", share_of(w->waker.v[i].total_ns, w->total_ns).text);
		if (i + 1 < n)
			page_word(p, 4, SPAN(","), true);
	}
	if (w->waker.n > n)
		page_wrap(p, 4, "and %zu more", w->waker.n - n);
	page_newline(p);
	if (w->waker.v[0].node != CALL_NONE)
		put_stack(p, &rows->wakers, w->waker.v[0].node, 4, WAKER_FRAMES);
}

static void put_wait(struct page *p, const struct offcpu_report *r, const struct offcpu_wait *w, uint64_t whole_ns)
{
	page_newline(p);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s, %s", time_of(w->total_ns).text, share_of(w->total_ns, whole_ns).text);
	page_tone(p, TONE_PLAIN);
	page_put(p, ": ");
	if (w->count == 1)
		page_wrap(p, 2, "1 wait");
	else
		page_wrap(p, 2, "%s waits, mean %s, longest %s", number_text((double)w->count).text,
			  time_of(w->total_ns / w->count).text, time_of(w->max_ns).text);
	put_reason(p, 2, w);
	if (w->still)
		page_wrap(p, 2, w->still == w->count ? "— not over yet" : "— %llu not over yet", (unsigned long long)w->still);
	if (w->queued_ns && percent(w->queued_ns, w->total_ns) >= 10)
		page_wrap(p, 2, "(%.0f %% of it ready, without a CPU)", percent(w->queued_ns, w->total_ns));
	page_newline(p);
	page_indent(p, 2);
	page_tone(p, TONE_CYAN);
	if (r->request->by_thread)
		page_wrap(p, 4, w->tid == w->pid ? "%s [%u]" : "%s [%u] of %s [%u]", w->comm, w->tid, w->process, w->pid);
	else
		page_wrap(p, 4, "%s [%u]", w->process, w->pid);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	put_stack(p, &r->result->rows.waits, w->node, 4, WAIT_FRAMES);
	put_wakers(p, &r->result->rows, w);
}

static void put_rows(struct page *p, const struct offcpu_report *r, bool by_trade)
{
	const struct offcpu_rows *rows = &r->result->rows;
	struct offcpu_total whole = offcpu_rows_total(rows, by_trade);
	size_t shown = 0, all = 0, most = r->top;

	if (by_trade && offcpu_rows_total(rows, false).count && most > TRADE_ROWS)
		most = TRADE_ROWS;
	vec_each(w, &rows->wait) {
		if (w->by_trade != by_trade)
			continue;
		if (by_trade && all == 0 && most) {
			page_newline(p);
			page_tone(p, TONE_DIM);
			page_wrap(p, 0, "Waiting for time, events or work:");
			page_tone(p, TONE_PLAIN);
			page_newline(p);
		}
		if (all++ < most) {
			put_wait(p, r, w, whole.total_ns);
			shown++;
		}
	}
	if (all > shown) {
		page_newline(p);
		page_tone(p, TONE_DIM);
		page_put(p, "… %zu more stacks (--top)", all - shown);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

/* ---- the proof ---- */

static int put_why(const struct offcpu_counts *c, struct buf *out)
{
	static const struct {
		int end;
		const char *what;
	} why[] = {
		{ PROFILE_END_UNKNOWN, "not known yet" }, { PROFILE_END_NO_RULE, "code without unwind rules" },
		{ PROFILE_END_NO_MEMORY, "stack not in memory" }, { PROFILE_END_FULL, "deeper than 127 frames" },
	};
	bool first = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof why / sizeof why[0]; i++) {
		if (!c->ends[why[i].end])
			continue;
		r = buf_printf(out, "%s%s: %llu", first ? " (" : ", ", why[i].what, (unsigned long long)c->ends[why[i].end]);
		first = false;
	}
	return r < 0 || first ? r : buf_printf(out, ")");
}

int offcpu_proof(const struct offcpu_report *r, struct buf *ret)
{
	const struct offcpu_result *result = r->result;
	const struct offcpu_counts *c = &result->counts;
	int e = buf_printf(ret, "%s waits of %s or longer, %zu stacks. Lost: %llu waits", number_text((double)c->waits).text,
			   time_of(r->request->min_ns).text, result->stacks, (unsigned long long)c->lost);

	if (e == 0 && c->lost)
		e = buf_printf(ret, " (%s)", time_of(c->lost_ns).text);
	if (e == 0)
		e = buf_printf(ret, ", %llu wakers.", (unsigned long long)c->wakers_lost);
	if (e == 0 && result->early)
		e = buf_printf(ret, " User stacks that end early: %llu", (unsigned long long)result->early);
	if (e == 0 && result->early)
		e = put_why(c, ret);
	if (e == 0 && result->early)
		e = buf_printf(ret, ".");
	if (e == 0 && result->unnamed)
		e = buf_printf(ret, " %llu waits are of processes that could not be read: ended, or not ours.", (unsigned long long)result->unnamed);
	if (e == 0 && result->kernel_why)
		e = buf_printf(ret, " Kernel functions have no names: %s.", result->kernel_why);
	if (e == 0)
		e = buf_printf(ret, " Cost: taking stacks %s of CPU, besides 0.1 us for each switch.", time_of(c->spent_ns).text);
	return e;
}

/* ---- what to do ---- */

static void put_next(struct page *p, const struct offcpu_report *r)
{
	const struct offcpu_rows *rows = &r->result->rows;
	const struct offcpu_wait *w = rows->wait.n ? &rows->wait.v[0] : NULL;
	struct offcpu_total work = offcpu_rows_total(rows, false);
	const char *words = w && w->words ? w->words : "";

	page_tone(p, TONE_DIM);
	page_put(p, "next:");
	page_tone(p, TONE_PLAIN);
	if (!w)
		page_wrap(p, 2, "osprey profile%s%.0u (what it does on the CPU), or a smaller --min", r->request->pid ? " " : "",
			  (unsigned)r->request->pid);
	else if (work.count && percent(work.queued_ns, work.total_ns) >= 30)
		page_wrap(p, 2, "osprey latency runq (who waits for CPUs), osprey top (who has them)");
	else if (w->call && strcmp(w->call, "futex") == 0)
		page_wrap(p, 2, "osprey locks %u (who holds what is waited for), osprey latency futex --pid %u", w->pid, w->pid);
	else if (w->state == 'D' || strstr(words, "disk") || strstr(words, "page to be") || strstr(words, "journal"))
		page_wrap(p, 2, "osprey disk (how busy each is), osprey latency disk --by process (who asks)");
	else if (strstr(words, "of the kernel"))
		page_wrap(p, 2, "osprey offcpu --kernel-threads (the whole host: who sleeps while it holds this lock)");
	else if (w->by_trade)
		page_wrap(p, 2, "osprey profile %u (what it does on the CPU), osprey latency runq --pid %u", w->pid, w->pid);
	else
		page_wrap(p, 2, "osprey offcpu %u --threads (which of its threads), osprey stack %u (where they are now)", w->pid, w->pid);
	page_newline(p);
}

void offcpu_text(struct page *p, const struct offcpu_report *r)
{
	cleanup(buf_deinit) struct buf proof = { 0 };
	int e = offcpu_proof(r, &proof);

	put_answer(p, r);
	put_rows(p, r, false);
	put_rows(p, r, true);
	page_newline(p);
	page_tone(p, TONE_DIM);
	page_wrap_span(p, 0, buf_span(&proof));
	page_tone(p, TONE_PLAIN);
	page_newline(p);
	put_next(p, r);
	if (e < 0)
		p->error = p->error ? p->error : e;
}
