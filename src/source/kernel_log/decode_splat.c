/* Reports with a stack: hung tasks, lockups, RCU stalls, bugs, warnings, panics. */
#include <stdio.h>

#include "source/kernel_log/decoder.h"

/* "CPU: 1 PID: 123 Comm: stress Not tainted 6.1.0"; 6.11 and later have "UID: 0" between. */
bool scan_who(struct span line, int32_t *ret_cpu, int32_t *ret_pid, struct span *ret_comm, struct span *ret_taint)
{
	struct scan found;
	static const char *const patterns[] = {
		"CPU: {k} *PID: {p} Comm: {c} Not tainted*",
		"CPU: {k} *PID: {p} Comm: {c} Tainted: {d} *.*",
		"CPU: {k} *PID: {p} Comm: {c} Kdump*",
		"CPU: {k} *PID: {p} Comm: {c} *",
	};

	if (!span_starts(line, "CPU: "))
		return false;
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		if (!scan_match(line, patterns[i], &found))
			continue;
		*ret_cpu = found.cpu;
		*ret_pid = found.pid;
		*ret_comm = found.comm;
		*ret_taint = (struct span){ NULL, 0 };
		if (scan_past(&line, " Tainted: "))
			*ret_taint = line;
		return true;
	}
	return false;
}

/* "G      D W  OE     6.1.0-18": the letters that stand alone before the kernel's version. */
static void take_taint(struct span s, char *ret, size_t size)
{
	size_t n = 0;
	struct span word;

	while (span_word(&s, &word)) {
		bool letters = true;

		for (size_t i = 0; i < word.n; i++)
			letters = letters && word.p[i] >= 'A' && word.p[i] <= 'Z';
		if (!letters)
			break;
		for (size_t i = 0; i < word.n && n + 1 < size; i++)
			ret[n++] = word.p[i];
	}
	ret[n] = '\0';
}

/* ---- first lines ---- */

static const struct first {
	const char *pattern;
	enum log_kind kind;
} firsts[] = {
	{ "INFO: task {c}:{p} blocked{d}more than {n} seconds*", LOG_HUNG_TASK },
	{ "*BUG: soft lockup - CPU#{k} stuck for {n}s! [{c}:{p}]*", LOG_SOFT_LOCKUP },
	{ "*Watchdog detected hard LOCKUP on cpu {k}*", LOG_HARD_LOCKUP },
	{ "*INFO: {O} self-detected stall on CPU*", LOG_RCU_STALL },
	{ "*INFO: {O} detected stalls on CPUs/tasks:*", LOG_RCU_STALL },
	{ "*INFO: {O} detected expedited stalls on CPUs/tasks: {d}", LOG_RCU_STALL },
	{ "*BUG: workqueue lockup - pool {d} stuck for {n}s!", LOG_WORKQUEUE_LOCKUP },
	{ "Kernel panic - not syncing: {d}", LOG_PANIC },
	{ "WARNING: CPU: {k} PID: {p} at {D} {W}+*", LOG_KERNEL_WARNING },
	{ "WARNING: CPU: {k} PID: {p} at {D}*", LOG_KERNEL_WARNING },
	{ "WARNING: {D} at {W}+*, CPU#{k}: {c}/{p}", LOG_KERNEL_WARNING },
	{ "WARNING: {d}", LOG_KERNEL_WARNING },
	{ "UBSAN: {d} in {w}", LOG_KERNEL_WARNING },
	{ "BUG: sleeping function called from invalid context at {w}", LOG_KERNEL_WARNING },
	{ "BUG: scheduling while atomic: {c}/{p}/0x*", LOG_KERNEL_WARNING },
	{ "BUG: scheduling while atomic: {c}/0/0x*", LOG_KERNEL_WARNING },
	{ "INFO: possible {d}", LOG_KERNEL_WARNING },
	{ "BUG: KASAN: {d} in {w}+*", LOG_OOPS },
	{ "BUG: KFENCE: {d} in {w}+*", LOG_OOPS },
	{ "BUG: Bad page state in process {c}  pfn:*", LOG_OOPS },
	{ "BUG: Bad page map in process {c}  pte:*", LOG_OOPS },
	{ "BUG: {d}", LOG_OOPS },
	{ "kernel BUG at {w}!", LOG_OOPS },
	{ "Unable to handle kernel {d}", LOG_OOPS },
	{ "Oops: general protection fault{d}", LOG_OOPS },
	{ "general protection fault{d}", LOG_OOPS },
	{ "Internal error: {d}", LOG_OOPS },
	{ "Oops: {d}", LOG_OOPS },
	{ "invalid opcode: {d}", LOG_OOPS },
	{ "divide error: {d}", LOG_OOPS },
	{ "stack segment: {d}", LOG_OOPS },
	{ "double fault: {d}", LOG_OOPS },
};

/* Those that say again, in other words, what the first line of the report said. */
static bool again(const struct log_decoder *d, size_t i)
{
	return report_has(d, &d->splat) && d->splat.event.kind == LOG_OOPS && firsts[i].kind == LOG_OOPS &&
	       strncmp(firsts[i].pattern, "BUG: ", 5) != 0 && strncmp(firsts[i].pattern, "kernel BUG", 10) != 0 &&
	       strncmp(firsts[i].pattern, "Unable", 6) != 0;
}

/* The words of a warning stand before its line, behind "[ cut here ]". */
static void take_cut_text(struct log_decoder *d, struct log_event *e)
{
	if (d->cut == CUT_TEXT) {
		span_copy(span_from(d->cut_text), e->text, sizeof e->text);
		if (e->kind == LOG_OOPS || e->kind == LOG_KERNEL_WARNING)
			span_copy(span_from(d->cut_text), e->detail, sizeof e->detail);
	}
	d->cut = CUT_NONE;
}

static void begin(struct log_decoder *d, size_t i, const struct scan *found, struct span line)
{
	struct log_event *e = report_begin(d, &d->splat, firsts[i].kind, line);

	event_take_scan(e, found);
	if (e->kind == LOG_HUNG_TASK)
		span_copy(scan_contains(found->detail, "I/O wait") ? SPAN("in I/O wait") : SPAN(""), e->detail,
			  sizeof e->detail);
	if (e->kind == LOG_RCU_STALL && found->detail.n)
		span_copy(found->detail, e->detail, sizeof e->detail);
	take_cut_text(d, e);
	d->frames = FRAMES_BEFORE;
}

static bool first_line(struct log_decoder *d, struct span line)
{
	struct scan found;
	size_t n = sizeof firsts / sizeof firsts[0];
	struct scan_pairs pairs;

	scan_pairs_of(line, &pairs);
	for (size_t i = 0; i < n; i++) {
		if (!scan_may_match(&pairs, &d->first_needs[i]) || !scan_match(line, firsts[i].pattern, &found))
			continue;
		if (again(d, i))
			report_take(d, &d->splat);
		else
			begin(d, i, &found, line);
		return true;
	}
	return false;
}

void splat_needs(struct log_decoder *d)
{
	_Static_assert(sizeof firsts / sizeof firsts[0] <= MAX_FIRSTS, "MAX_FIRSTS");
	for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
		d->first_needs[i] = scan_needs_of(firsts[i].pattern);
}

/* ---- the stack ---- */

/* Where a task that sleeps, or a CPU that writes the report, stands anyway. */
static bool says_nothing(struct span function)
{
	static const char *const names[] = {
		"__schedule", "schedule", "schedule_timeout", "schedule_preempt_disabled", "io_schedule",
		"io_schedule_timeout", "__switch_to", "dump_stack", "dump_stack_lvl", "show_stack",
		"__dump_stack", "dump_backtrace", "schedule_hrtimeout_range", "__bpf_trace_sched_switch",
		"preempt_schedule", "preempt_schedule_common", "preempt_schedule_irq",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (span_is(function, names[i]))
			return true;
	return false;
}

/* " ext4_sync_file+0x1/0x2 [ext4]"; "? " before what may be left over from earlier */
static bool frame(struct span line, struct span *ret, bool *ret_sure)
{
	struct span word, function, rest;

	*ret_sure = true;
	if (!span_starts(line, " ") || !span_word(&line, &word))
		return false;
	if (span_is(word, "?")) {
		*ret_sure = false;
		if (!span_word(&line, &word))
			return false;
	}
	rest = word;
	if (!span_until(&rest, '+', &function) || !span_starts(rest, "0x") || !scan_contains(rest, "/0x"))
		return false;
	*ret = function;
	return true;
}

static void keep_frame(struct log_decoder *d, struct span function)
{
	struct log_event *e = &d->splat.event;

	if (d->frames != FRAMES_WITHIN || says_nothing(function))
		return;
	if (!e->stack && !(e->stack = decoder_alloc(d, sizeof *e->stack)))
		return;
	if (e->stack->n < LOG_FRAMES)
		span_copy(function, e->stack->frame[e->stack->n++], sizeof e->stack->frame[0]);
	/* A warning says itself where it was; the others stand where their stack begins. */
	if (!e->where[0] && (e->kind == LOG_HUNG_TASK))
		span_copy(function, e->where, sizeof e->where);
}

/* "RIP: 0010:native_queued_spin_lock_slowpath+0x1/0x2"; arm64: "pc : f+0x1/0x2" */
static bool instruction(struct log_decoder *d, struct span line)
{
	struct scan found;
	struct log_event *e = &d->splat.event;
	bool kernel = scan_match(line, "RIP: 0010:{W}+0x*", &found) || scan_match(line, "pc : {W}+0x*", &found);

	if (!kernel && !span_starts(line, "RIP: "))
		return false;
	if (kernel && d->frames != FRAMES_DONE && (!e->where[0] || scan_contains(span_from(e->where), ".c:")))
		span_copy(found.where, e->where, sizeof e->where);
	else if (!kernel)
		d->frames = FRAMES_DONE; /* the user's side of it */
	return true;
}

static void take_who(struct log_decoder *d, struct span line)
{
	struct log_event *e = &d->splat.event;
	struct span comm, taint;
	int32_t cpu, pid;

	if (!scan_who(line, &cpu, &pid, &comm, &taint))
		return;
	/* A detector on one CPU may dump the stack of another: the first line knows better. */
	if (!e->comm[0] && (e->cpu < 0 || e->cpu == cpu)) {
		e->pid = pid;
		e->cpu = cpu;
		span_copy(comm, e->comm, sizeof e->comm);
	}
	take_taint(taint, e->taint, sizeof e->taint);
}

/* ---- what only some reports have ---- */

/* "INFO: task a:1 is blocked on a mutex likely owned by task b:2." (6.16 and later) */
static bool owner(struct log_decoder *d, struct span line)
{
	struct scan found;
	struct log_event *e = &d->splat.event;

	if (e->kind != LOG_HUNG_TASK ||
	    (!scan_match(line, "INFO: task *blocked on {d} likely *task {c}:{p}.*", &found) &&
	     !scan_match(line, "INFO: task *blocked on {d} likely *task {c}:{p} <*", &found) &&
	     !scan_match(line, "INFO: task *blocked on {d} likely *task {c}:{p}", &found)))
		return false;
	int n = snprintf(e->detail, sizeof e->detail, "waits for %.*s of %.*s (%d)", (int)found.detail.n,
			 found.detail.p, (int)found.comm.n, found.comm.p, found.pid);
	(void)n;
	d->frames = FRAMES_DONE; /* those of the owner follow */
	return true;
}

/* "rcu: \t1-....: (5249 ticks this GP) idle=…", "\t(detected by 2, t=21002 jiffies, g=…)",
 * "rcu: rcu_preempt kthread starved for 5000 jiffies! …", "\tTasks blocked on …: P123 P124" */
static bool rcu(struct log_decoder *d, struct span line)
{
	struct log_event *e = &d->splat.event;
	struct scan found;
	uint64_t n;

	if (e->kind != LOG_RCU_STALL)
		return false;
	if (scan_match(line, "*kthread starved for {n} jiffies!*", &found)) {
		snprintf(e->detail, sizeof e->detail, "its kernel thread did not run for %llu jiffies",
			 (unsigned long long)found.number);
		return true;
	}
	if (scan_match(line, "*Tasks blocked on level-*: P{p}*", &found) && !e->pid)
		e->pid = found.pid;
	if (scan_match(line, "*\t{k}-{D}: (*", &found) && e->cpu < 0)
		e->cpu = found.cpu;
	if ((scan_number_after(line, "(t=", &n) || scan_number_after(line, ", t=", &n)) && reading_ok(n) &&
	    !reading_ok(e->number))
		e->number = n;
	return span_starts(line, "rcu: ") || span_starts(line, "\t");
}

/* ---- form ---- */

static bool starts_as_trace(struct span line)
{
	static const char *const starts[] = {
		"Call Trace:", "Call trace:", "RSP: ", "RAX: ", "RBX: ", "RCX: ", "RDX: ", "RSI: ", "RBP: ", "R08: ",
		"R10: ", "R13: ", "FS:  ", "CS:  ", "CR2: ", "CR0: ", "DR0: ", "DR3: ", "DR6: ", "PKRU: ",
		"Code: ", "Modules linked in:", "Hardware name:", "Workqueue: ", "task:", "irq event stamp:",
		"hardirqs last", "softirqs last", "PGD ", "#PF: ", "pstate: ", "pc : ", "lr : ", "sp : ",
		"Kernel Offset:", "---[ ", "NMI backtrace", "Sending NMI", "Tainted: ", "\"echo 0 > /proc/sys",
		"note: ", "Modules linked", "Unloaded tainted modules:", "Stack:", "Showing ", "workqueue ",
		"Mem abort info:", "Data abort info:", "user pgtable:", "swapper pgtable:", "[<", "Exception stack",
		"Future hung task reports are suppressed", "last unloaded:", "rcu: ", "unwind stack", "EFLAGS:",
		"Fixing recursive fault", "Future hung", "kvm: ", "x", "blocked_on", "ESR = ", "EC = ", "FSC = ",
		"INFO: lockdep", "watchdog: CPU#", "watchdog: \t#",
		"Preemption disabled at", "in_atomic(): ", "CPU: ", "preempt_count: ",
	};

	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		if (starts[i][0] == 'x' && starts[i][1] == '\0') {
			/* registers of arm64: "x29: ffff…" */
			if (line.n > 3 && line.p[0] == 'x' && line.p[1] >= '0' && line.p[1] <= '9' &&
			    scan_contains((struct span){ line.p, line.n < 5 ? line.n : 5 }, ":"))
				return true;
			continue;
		}
		if (span_starts(line, starts[i]))
			return true;
	}
	return false;
}

static bool traces(struct span line)
{
	struct span function;
	bool sure;

	return frame(line, &function, &sure) || span_starts(line, " <") || span_starts(line, "  ") ||
	       span_starts(line, "\t") || starts_as_trace(line);
}

static bool further_line(struct log_decoder *d, struct span line)
{
	struct log_event *e = &d->splat.event;
	struct span function;
	bool sure;

	if (owner(d, line) || rcu(d, line) || instruction(d, line))
		return true;
	if (frame(line, &function, &sure)) {
		if (sure)
			keep_frame(d, function);
		return true;
	}
	if (span_starts(line, "Call Trace:") || span_starts(line, "Call trace:"))
		d->frames = d->frames == FRAMES_BEFORE ? FRAMES_WITHIN : FRAMES_DONE;
	else if (span_is(line, " </TASK>"))
		d->frames = FRAMES_DONE;
	else if (span_starts(line, "Workqueue: ") && !e->object[0])
		span_copy((struct span){ line.p + 11, line.n - 11 }, e->object, sizeof e->object);
	else
		take_who(d, line);
	return traces(line);
}

/* "------------[ cut here ]------------", then perhaps words, then the first line. */
static bool cut_line(struct log_decoder *d, struct span line)
{
	if (scan_contains(line, "[ cut here ]")) {
		d->cut = CUT_HERE;
		return true;
	}
	if (d->cut == CUT_NONE)
		return false;
	if (d->cut == CUT_HERE && !traces(line)) {
		span_copy(line, d->cut_text, sizeof d->cut_text);
		d->cut = CUT_TEXT;
		return true;
	}
	d->cut = CUT_NONE;
	return false;
}

bool splat_line(struct log_decoder *d, struct span line)
{
	if (first_line(d, line) || cut_line(d, line))
		return true;
	if (report_has(d, &d->splat) && further_line(d, line)) {
		report_take(d, &d->splat);
		if (span_starts(line, "---[ end "))
			report_end(d, &d->splat);
		return true;
	}
	if (!traces(line) && !span_starts(line, "RIP: "))
		return false;
	if (report_has(d, &d->oom))
		report_take(d, &d->oom);
	return true;
}
