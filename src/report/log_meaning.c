#include "report/log_meaning.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"

/* Sentences that are put together; the first error stays. */
struct prose {
	struct buf *out;
	int error;
};

static void say(struct prose *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct prose *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (p->error == 0)
		p->error = buf_vprintf(p->out, format, args);
	va_end(args);
}

/* Words of the kernel's, as a sentence: many of them end in a full stop. */
static void quote(struct prose *p, const char *before, const char *words)
{
	size_t n = strlen(words);

	while (n && (words[n - 1] == '.' || words[n - 1] == ' ' || words[n - 1] == ':'))
		n--;
	if (n)
		say(p, "%s%.*s.", before, (int)n, words);
}

static const char *name_of(const struct log_event *e)
{
	return e->comm[0] ? e->comm : "a task";
}

/* ---- titles ---- */

static const char *object_word(enum log_kind kind)
{
	switch (kind) {
	case LOG_SYN_FLOOD: return "on port";
	case LOG_NFS:
	case LOG_SCHED_EXT: return ":";
	case LOG_PIDS_LIMIT: return "in cgroup";
	case LOG_SECCOMP: return ":";
	default: return "on";
	}
}

static void oom_title(const struct log_oom *o, struct prose *p)
{
	switch (o->constraint) {
	case LOG_CONSTRAINT_HOST: say(p, "OOM kill: the host ran out of memory"); break;
	case LOG_CONSTRAINT_CGROUP:
		say(p, "OOM kill at the memory limit of %s%s", o->limit_cgroup[0] ? "cgroup " : "a "
			"cgroup", o->limit_cgroup);
		break;
	case LOG_CONSTRAINT_CPUSET: say(p, "OOM kill: the memory nodes of cpuset %s ran out", o->cpuset); break;
	case LOG_CONSTRAINT_MEMORY_POLICY: say(p, "OOM kill: the memory nodes of a memory policy ran out"); break;
	case LOG_CONSTRAINT_UNKNOWN: say(p, "OOM kill"); break;
	}
}

static void fault_title(const struct log_happening *h, struct prose *p)
{
	const struct log_event *e = &h->event;

	say(p, "%s: %s", log_kinds[e->kind].title, name_of(e));
	if (h->symbol && h->symbol->state == LOG_SYMBOL_FOUND)
		say(p, " in %s", h->symbol->symbol.name);
	else if (e->fault && e->fault->module[0] && strcmp(e->fault->module, e->comm) != 0)
		say(p, " in %s", e->fault->module);
}

static void title(const struct log_happening *h, struct prose *p)
{
	const struct log_event *e = &h->event;

	switch (e->kind) {
	case LOG_OOM_KILL: oom_title(e->oom, p); return;
	case LOG_SEGFAULT:
	case LOG_TRAP: fault_title(h, p); return;
	case LOG_OTHER: say(p, "%s", e->text); return;
	case LOG_OOPS:
	case LOG_KERNEL_WARNING:
		say(p, "%s", log_kinds[e->kind].title);
		if (e->where[0])
			say(p, " in %s", e->where);
		return;
	case LOG_TABLE_FULL: say(p, "%s table full", e->object); return;
	case LOG_LINK: say(p, "network link %s %s", e->object, e->good ? "is up" : "went down"); return;
	case LOG_HUNG_TASK:
	case LOG_SOFT_LOCKUP:
	case LOG_HARD_LOCKUP:
	case LOG_ALLOCATION:
	case LOG_OVERCOMMIT:
		say(p, "%s", log_kinds[e->kind].title);
		if (e->comm[0])
			say(p, ": %s", e->comm);
		return;
	default: break;
	}
	say(p, "%s", log_kinds[e->kind].title);
	if (e->object[0])
		say(p, "%s%s %s", object_word(e->kind)[0] == ':' ? "" : " ", object_word(e->kind), e->object);
}

int log_title(const struct log_happening *h, struct buf *ret)
{
	struct prose p = { .out = ret };

	title(h, &p);
	return p.error;
}

/* ---- memory ---- */

static void say_bytes(struct prose *p, const char *before, reading bytes, const char *behind)
{
	if (reading_ok(bytes))
		say(p, "%s%s%s", before, bytes_text((double)bytes).text, behind);
}

static void victim(const struct log_event *e, struct prose *p)
{
	const struct log_oom *o = e->oom;
	const char *separator = " It held ";

	if (!e->pid) {
		say(p, "Whom it killed is not in the log.");
		return;
	}
	say(p, "%s (%d) was killed%s.", name_of(e), e->pid,
	    o->group ? " with the rest of its cgroup (memory.oom.group)" : "");
	const struct {
		reading bytes;
		const char *what;
	} parts[] = {
		{ o->victim_anon_bytes, "of its own" }, { o->victim_file_bytes, "of files" },
		{ o->victim_shmem_bytes, "shared" }, { o->victim_swap_bytes, "in swap" },
	};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (reading_or(parts[i].bytes, 0)) {
			say(p, "%s%s %s", separator, bytes_text((double)parts[i].bytes).text, parts[i].what);
			separator = ", ";
		}
	if (separator[0] == ',')
		say(p, ".");
	if (o->victim_score_adj)
		say(p, " Its oom_score_adj was %d.", o->victim_score_adj);
}

static void cgroup_memory(const struct log_oom *o, struct prose *p)
{
	if (!reading_ok(o->limit_bytes) || !reading_ok(o->usage_bytes))
		return;
	say(p, " The cgroup used %s of %s", bytes_text((double)o->usage_bytes).text,
	    bytes_text((double)o->limit_bytes).text);
	say_bytes(p, ", swap ", o->swap_usage_bytes, "");
	if (reading_or(o->failures, 0))
		say(p, ", and had met its limit %" PRIu64 " times", o->failures);
	say(p, ".");
	if (strcmp(o->task_cgroup, o->limit_cgroup) != 0 && o->task_cgroup[0])
		say(p, " The victim lived in %s.", o->task_cgroup);
}

static void host_memory(const struct log_oom *o, struct prose *p)
{
	if (!reading_ok(o->free_bytes))
		return;
	say(p, " Of the host's ");
	say_bytes(p, "", o->ram_bytes, " ");
	say(p, "%s were free", bytes_text((double)o->free_bytes).text);
	say_bytes(p, ", ", o->anon_bytes, " belonged to processes");
	say_bytes(p, ", ", o->file_bytes, " were file cache");
	say_bytes(p, ", ", o->unreclaimable_slab_bytes, " were the kernel's (slab that cannot be reclaimed)");
	if (reading_ok(o->swap_total_bytes) && reading_ok(o->swap_free_bytes)) {
		if (o->swap_total_bytes == 0)
			say(p, "; there was no swap");
		else
			say(p, "; swap had %s of %s left", bytes_text((double)o->swap_free_bytes).text,
			    bytes_text((double)o->swap_total_bytes).text);
	}
	say(p, ".");
}

static void oom(const struct log_event *e, struct prose *p)
{
	const struct log_oom *o = e->oom;

	victim(e, p);
	cgroup_memory(o, p);
	host_memory(o, p);
	if (o->trigger[0] && (o->trigger_pid != e->pid || strcmp(o->trigger, e->comm) != 0)) {
		say(p, " %s", o->trigger);
		if (o->trigger_pid)
			say(p, " (%d)", o->trigger_pid);
		say(p, " had asked for memory");
		if (reading_or(o->order, 0))
			say(p, ", %s in one piece (order %" PRIu64 ")",
			    bytes_text(4096.0 * (double)(UINT64_C(1) << (o->order & 31))).text, o->order);
		say(p, ".");
	}
}

/* ---- processes that broke ---- */

/* Bits of the page fault's error code: arch/x86/include/asm/trap_pf.h */
#define PF_PROT (1 << 0)
#define PF_WRITE (1 << 1)
#define PF_USER (1 << 2)
#define PF_RSVD (1 << 3)
#define PF_INSTR (1 << 4)
#define PF_PK (1 << 5)

#define LOW_ADDRESS 65536 /* nothing is mapped below (vm.mmap_min_addr): an offset from a NULL pointer */

static void access_words(const struct log_fault *f, struct prose *p)
{
	uint64_t error = f->error, address = reading_or(f->address, 0);

	if (!reading_ok(f->error) || !reading_ok(f->address))
		return;
	say(p, " It tried to %s address %#" PRIx64, error & PF_INSTR ? "run code "
		"at" : error & PF_WRITE ? "write to" : "read from",
	    address);
	if (!(error & PF_PROT))
		say(p, ", where nothing is mapped");
	else if (error & PF_PK)
		say(p, ", which a protection key forbids");
	else
		say(p, ", which is mapped but not for that");
	if (address < LOW_ADDRESS)
		say(p, address ? " (a field of a NULL pointer)" : " (a NULL pointer)");
	else if (address > UINT64_C(0x7fffffffffff))
		say(p, " (no address of a process: a pointer that was overwritten)");
	else if (f->sp && address <= f->sp + 65536 && address + 65536 > f->sp && error & PF_WRITE)
		say(p, " (next to its stack: perhaps it is exhausted)");
	if (!(error & PF_USER))
		say(p, ", from within the kernel");
	say(p, ".");
}

static void place_words(const struct log_happening *h, struct prose *p)
{
	const struct log_fault *f = h->event.fault;
	const struct log_symbol *s = h->symbol;

	if (!f->module[0] && f->address == f->ip) {
		say(p, " It had jumped there: a function pointer that was not set, or overwritten.");
		return;
	}
	if (!f->module[0]) {
		say(p, " Its code was at %#" PRIx64 ", in no file: it jumped astray, or ran code made at "
			"run time.", f->ip);
		return;
	}
	if (s && s->state == LOG_SYMBOL_FOUND) {
		say(p, " It was in %s+%#" PRIx64 " of %s (address "
			"%#" PRIx64 ")%s.", s->symbol.name, s->symbol.offset,
		    s->path, s->symbol.address, s->symbol.debug_file ? ", as its debug file says" : "");
		if (!s->sure)
			say(p, " That the file is the one that ran could not be checked by its code.");
		return;
	}
	if (s && s->state == LOG_SYMBOL_STRIPPED) {
		say(p, " It was at address %#" PRIx64 " of %s, which is stripped: no symbol covers "
			"it.", s->symbol.address,
		    s->path);
		return;
	}
	if (reading_ok(f->file_offset))
		say(p, " It was at offset %#" PRIx64 " of %s", f->file_offset, f->module);
	else
		say(p, " It was %#" PRIx64 " into a mapping of %s", f->ip - f->base, f->module);
	if (s && s->state == LOG_SYMBOL_OTHER)
		say(p, "; %s is not the file that ran (its code differs).", s->path);
	else
		say(p, ", which is not where programs and libraries usually are (--binaries DIR names a place).");
}

static void fault(const struct log_happening *h, struct prose *p)
{
	const struct log_event *e = &h->event;

	say(p, "%s (%d) ", name_of(e), e->pid);
	if (e->kind == LOG_TRAP && e->detail[0])
		say(p, "was stopped: %s.", e->detail);
	else
		say(p, "broke.");
	if (!e->fault) {
		if (e->object[0])
			say(p, " Its program is %s.", e->object);
		return;
	}
	access_words(e->fault, p);
	place_words(h, p);
}

/* ---- the kernel ---- */

static void stack_words(const struct log_event *e, struct prose *p)
{
	if (!e->stack || !e->stack->n)
		return;
	say(p, " Its stack, innermost first: ");
	for (size_t i = 0; i < e->stack->n; i++)
		say(p, "%s%s", i ? ", " : "", e->stack->frame[i]);
	say(p, ".");
}

static void taint_words(const struct log_event *e, struct prose *p)
{
	static const struct {
		char letter;
		const char *words;
	} taints[] = {
		{ 'P', "a proprietary module is loaded" }, { 'O', "a module from outside the kernel is loaded" },
		{ 'E', "an unsigned module is loaded" },   { 'F', "a module was loaded by force" },
		{ 'K', "the kernel is live-patched" },	   { 'M', "the machine reported an error" },
		{ 'D', "it had broken before" },	   { 'W', "it had warned before" },
		{ 'L', "a CPU had been locked up before" },
	};
	const char *separator = " The kernel was tainted: ";

	for (size_t i = 0; i < sizeof taints / sizeof taints[0]; i++)
		if (strchr(e->taint, taints[i].letter)) {
			say(p, "%s%s", separator, taints[i].words);
			separator = ", ";
		}
	if (separator[0] == ',')
		say(p, ".");
}

static void hung(const struct log_event *e, struct prose *p)
{
	say(p, "%s (%d) was stuck in an uninterruptible sleep (state D) for more than "
		"%" PRIu64 " s", name_of(e), e->pid,
	    reading_or(e->number, 0));
	if (e->where[0])
		say(p, ", in %s", e->where);
	say(p, ".");
	if (e->detail[0])
		say(p, " It %s.", strncmp(e->detail, "waits", 5) == 0 ? e->detail : "waits for I/O");
	if (e->object[0])
		say(p, " Its work: %s.", e->object);
	stack_words(e, p);
}

static void lockup(const struct log_event *e, struct prose *p)
{
	say(p, "CPU %d", e->cpu);
	if (e->kind == LOG_HARD_LOCKUP)
		say(p, " took no interrupts any more");
	else
		say(p, " ran in the kernel for %" PRIu64 " s without letting another task "
			"run", reading_or(e->number, 0));
	if (e->comm[0])
		say(p, ", for %s (%d)", e->comm, e->pid);
	if (e->where[0])
		say(p, ", in %s", e->where);
	say(p, ".");
	stack_words(e, p);
	taint_words(e, p);
}

static void rcu(const struct log_event *e, struct prose *p)
{
	if (e->cpu >= 0)
		say(p, "CPU %d", e->cpu);
	else
		say(p, "A CPU");
	say(p, " did not come to a rest point of %s", e->object);
	if (reading_ok(e->number))
		say(p, " for %" PRIu64 " jiffies", e->number);
	say(p, ": it runs without scheduling, or its virtual machine was not given time.");
	if (e->comm[0])
		say(p, " It ran %s (%d)%s%s.", e->comm, e->pid, e->where[0] ? " in " : "", e->where);
	else if (e->pid)
		say(p, " Task %d blocks it.", e->pid);
	quote(p, " Told: ", e->detail);
	stack_words(e, p);
}

static void bug(const struct log_event *e, struct prose *p)
{
	quote(p, strstr(e->detail, ".c:") && !strchr(e->detail, ' ') ? "It was raised at " : "The kernel "
		"says: ", e->detail);
	if (e->comm[0] && e->pid)
		say(p, " It ran for %s (%d)%s.", e->comm, e->pid,
		    e->kind == LOG_OOPS ? ", which was ended; locks that it held may stay taken" : "");
	if (e->object[0])
		say(p, " Its work: %s.", e->object);
	stack_words(e, p);
	taint_words(e, p);
}

/* ---- one line each ---- */

static void io(const struct log_event *e, struct prose *p)
{
	bool written = strcmp(e->detail, "WRITE") == 0 || strstr(e->detail, "write");

	say(p, "The device did not %s", written ? "take data" : "give data");
	if (reading_ok(e->number))
		say(p, " at %s %" PRIu64, strncmp(e->text, "Buffer", 6) == 0 ? "block" : "sector", e->number);
	if (e->detail[0] && e->detail[0] != '0')
		say(p, " (%s)", e->detail);
	say(p, ".%s", strstr(e->text, "critical medium") ? " The medium itself is damaged there." : "");
	say(p, written ? " What was written there is lost; programs that wait for it (fsync) get EIO." :
			 " Programs that wanted it got EIO.");
}

/* What has a fixed meaning. %s: the object. */
static const char *const meanings[LOG_KINDS] = {
	[LOG_OOM_STUCK] = "Memory ran out and no task may be killed for it: all are exempt (oom_score_adj "
		"-1000), or already dying.",
	[LOG_FS_SHUTDOWN] = "The filesystem on %s protects itself: writing fails from here on (EROFS or "
		"EIO) until it is checked.",
	[LOG_SWAP_ERROR] = "A page could not be read from or written to swap; the process that owned it is "
		"killed with SIGBUS.",
	[LOG_IO_TIMEOUT] = "%s did not answer in time; the command is sent again or the device reset. "
		"Processes wait meanwhile.",
	[LOG_RAID] = "The array goes on without redundancy: the next failure loses data.",
	[LOG_FILES_EXHAUSTED] = "The host's table of open files is full: open, accept and socket fail with "
		"ENFILE for all users.",
	[LOG_TX_TIMEOUT] = "The card did not send what it was given for seconds; the driver resets it and "
		"traffic stops meanwhile.",
	[LOG_SYN_FLOOD] = "The listener's queue is full: more connections are opened than the program accepts.",
	[LOG_TCP_MEMORY] = "TCP reached net.ipv4.tcp_mem: sockets are refused memory, connections stall or "
		"are reset.",
	[LOG_THERMAL] = "The CPU ran hot and lowered its clock: all that runs on it is slower until it has "
		"cooled down.",
	[LOG_CLOCK] = "The kernel changes to a slower clock: each reading of the time becomes a system call.",
	[LOG_RT_THROTTLED] = "Real-time tasks wanted more than 95 % of a CPU and were held back for the "
		"rest of the period.",
	[LOG_WORKQUEUE_LOCKUP] = "Work that the kernel put off was not done for that long; something "
		"occupies its worker.",
	[LOG_AUDIT] = "More audit records come than auditd takes; some are lost, or tasks wait for it.",
	[LOG_GPU] = "The GPU stopped answering; what computes or draws on it fails.",
	[LOG_FIRMWARE] = "The device's own firmware failed; the driver restarts it or leaves it dead.",
	[LOG_HARDWARE_CORRECTED] = "The hardware corrected it and nothing is lost; many of them announce "
		"one that cannot be corrected.",
	[LOG_HARDWARE] = "The hardware could not correct it: data or a task is lost.",
};

static void fixed(const struct log_event *e, struct prose *p)
{
	const char *meaning = meanings[e->kind], *at = strstr(meaning, "%s");

	if (!at) {
		say(p, "%s", meaning);
		return;
	}
	say(p, "%.*s%s%s", (int)(at - meaning), meaning, e->object[0] ? e->object : "It", at + 2);
}

static void link_words(const struct log_event *e, struct prose *p)
{
	if (e->good)
		say(p, "It has a link.");
	else if (strstr(e->text, "without any active"))
		say(p, "None of its slaves has a link: nothing goes through it.");
	else
		say(p, "The cable, the switch's port or the other side is gone; nothing goes through it "
			"until it is back.");
}

static void numbers(const struct log_event *e, struct prose *p)
{
	uint64_t n = reading_or(e->number, 0);

	switch (e->kind) {
	case LOG_ALLOCATION:
		if (strstr(e->text, "page allocation failure"))
			say(p, "The kernel found no %s in one piece (order %" PRIu64 ", %s): memory is "
				"short or in small pieces.",
			    bytes_text(4096.0 * (double)(UINT64_C(1) << (n & 31))).text, n, e->detail);
		break;
	case LOG_OVERCOMMIT:
		say(p, "%s (%d) was refused", name_of(e), e->pid);
		if (reading_ok(e->number))
			say(p, " %s", bytes_text((double)n).text);
		say(p, " of memory: more than the kernel would promise (vm.overcommit_memory), whatever was free.");
		break;
	case LOG_SECCOMP:
		say(p, "%s (%d) made system call %" PRIu64 ", which its seccomp filter "
			"forbids", name_of(e), e->pid, n);
		say(p, "%s%s.", e->detail[0] ? ": " : " (it was only noted)", e->detail);
		break;
	case LOG_TABLE_FULL:
		if (strcmp(e->object, "conntrack") == 0)
			say(p, "The table of tracked connections is full: packets of new connections are dropped.");
		else
			say(p, "The table of neighbours (%s) is full: hosts on the network cannot be "
				"reached.", e->object);
		break;
	case LOG_NFS:
		if (e->good)
			say(p, "%s answers again.", e->object);
		else
			say(p, "%s does not answer; processes that use its files hang, most of them where "
				"no signal ends them.",
			    e->object);
		break;
	case LOG_PIDS_LIMIT: say(p, "The cgroup has as many tasks as pids.max allows: fork and threads "
		"fail with EAGAIN."); break;
	case LOG_WORKQUEUE_HOG:
		say(p, "%s held a CPU for more than 10 ms, %" PRIu64 " times: other work on that CPU is "
			"late.", e->where, n);
		break;
	case LOG_SCHED_EXT:
		say(p, "BPF scheduler %s: %s.", e->object, e->good ? "started or stopped by its owner" : e->detail);
		break;
	case LOG_SUSPEND: say(p, "%s", e->good ? "It woke up." : "It went to sleep."); break;
	default: break;
	}
}

static void device(const struct log_event *e, struct prose *p)
{
	quote(p, "Told: ", e->detail);
	if (e->where[0])
		say(p, " It was found in %s.", e->where);
	if (e->kind == LOG_FS_WARNING && reading_ok(e->number))
		say(p, "%" PRIu64 " errors are noted in it since it was last checked.", e->number);
	if (e->kind == LOG_FS_ERROR)
		say(p, " Its structures on the disk are damaged, or the disk below fails.");
	if (e->kind == LOG_DISK_FAULT && e->severity == LOG_CRITICAL)
		say(p, " The device is taken out of service, or about to be.");
}

static void meaning(const struct log_happening *h, struct prose *p)
{
	const struct log_event *e = &h->event;

	switch (e->kind) {
	case LOG_OOM_KILL: oom(e, p); return;
	case LOG_SEGFAULT:
	case LOG_TRAP: fault(h, p); return;
	case LOG_HUNG_TASK: hung(e, p); return;
	case LOG_SOFT_LOCKUP:
	case LOG_HARD_LOCKUP: lockup(e, p); return;
	case LOG_RCU_STALL: rcu(e, p); return;
	case LOG_OOPS:
	case LOG_KERNEL_WARNING:
	case LOG_PANIC: bug(e, p); return;
	case LOG_IO_ERROR: io(e, p); return;
	case LOG_LINK: link_words(e, p); return;
	case LOG_FS_ERROR:
	case LOG_FS_WARNING:
	case LOG_DISK_FAULT:
	case LOG_USB: device(e, p); return;
	default: break;
	}
	if (meanings[e->kind])
		fixed(e, p);
	else
		numbers(e, p);
}

int log_meaning(const struct log_happening *h, struct buf *ret)
{
	struct prose p = { .out = ret };

	meaning(h, &p);
	return p.error;
}
