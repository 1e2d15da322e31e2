#include "act/words.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define WORD(s) (int)((s).n < 60 ? (s).n : 60), (s).p

static bool same(struct span s, const char *text)
{
	return s.n == strlen(text) && strncasecmp(s.p, text, s.n) == 0;
}

static bool is_unlimited(struct span s)
{
	return same(s, "max") || same(s, "unlimited") || same(s, "infinity");
}

/* ---- sizes ---- */

int size_parse(struct span text, uint64_t *ret_bytes, struct note *note)
{
	static const char letters[] = "KMGTPE";
	size_t digits = 0;
	uint64_t milli, bytes;
	unsigned shift = 0;

	if (is_unlimited(text)) {
		*ret_bytes = SIZE_UNLIMITED;
		return 0;
	}
	while (digits < text.n && (isdigit((unsigned char)text.p[digits]) || text.p[digits] == '.'))
		digits++;
	struct span number = { text.p, digits }, unit = { text.p + digits, text.n - digits };
	const char *letter = unit.n ? strchr(letters, toupper((unsigned char)unit.p[0])) : NULL;

	if (letter && unit.p[0]) {
		shift = 10 * (unsigned)(letter - letters + 1);
		unit.p++;
		unit.n--;
		if (same(unit, "iB"))
			unit.n = 0;
	}
	if (!(unit.n == 0 || same(unit, "B")) || !span_fixed(number, 3, &milli))
		return note_set(note, -EINVAL, "'%.*s' is no size; write 4096, 64K, 512M, 1.5G or max", WORD(text));
	if (milli % 1000 && !shift)
		return note_set(note, -EINVAL, "'%.*s' has a part of a byte", WORD(text));
	if (__builtin_mul_overflow(milli, UINT64_C(1) << shift, &bytes))
		return note_set(note, -ERANGE, "'%.*s' is more than there can be; write max for no limit",
				WORD(text));
	*ret_bytes = bytes / 1000;
	return 0;
}

/* ---- resource limits ---- */

const struct rlimit_kind rlimit_kinds[RLIMIT_KINDS] = {
	{ "cpu", RLIMIT_CPU, RLIMIT_IN_SECONDS, "CPU time" },
	{ "fsize", RLIMIT_FSIZE, RLIMIT_IN_BYTES, "size of a file" },
	{ "data", RLIMIT_DATA, RLIMIT_IN_BYTES, "private memory" },
	{ "stack", RLIMIT_STACK, RLIMIT_IN_BYTES, "stack" },
	{ "core", RLIMIT_CORE, RLIMIT_IN_BYTES, "core file" },
	{ "rss", RLIMIT_RSS, RLIMIT_IN_BYTES, "resident memory (without effect since 2.4.30)" },
	{ "nproc", RLIMIT_NPROC, RLIMIT_IN_COUNTS, "tasks of the user" },
	{ "nofile", RLIMIT_NOFILE, RLIMIT_IN_COUNTS, "open files" },
	{ "memlock", RLIMIT_MEMLOCK, RLIMIT_IN_BYTES, "locked memory" },
	{ "as", RLIMIT_AS, RLIMIT_IN_BYTES, "address space" },
	{ "locks", RLIMIT_LOCKS, RLIMIT_IN_COUNTS, "file locks (without effect since 2.4.25)" },
	{ "sigpending", RLIMIT_SIGPENDING, RLIMIT_IN_COUNTS, "queued signals" },
	{ "msgqueue", RLIMIT_MSGQUEUE, RLIMIT_IN_BYTES, "POSIX message queues" },
	{ "nice", RLIMIT_NICE, RLIMIT_IN_COUNTS, "ceiling of nice, as 20 - nice" },
	{ "rtprio", RLIMIT_RTPRIO, RLIMIT_IN_COUNTS, "ceiling of real-time priority" },
	{ "rttime", RLIMIT_RTTIME, RLIMIT_IN_US, "real-time CPU time without a sleep" },
};

const struct rlimit_kind *rlimit_find(struct span name)
{
	if (name.n > 7 && strncasecmp(name.p, "RLIMIT_", 7) == 0)
		name = (struct span){ name.p + 7, name.n - 7 };
	for (size_t i = 0; i < RLIMIT_KINDS; i++)
		if (same(name, rlimit_kinds[i].name))
			return &rlimit_kinds[i];
	return NULL;
}

/* One side of "1024:4096", in the unit of its limit. */
static int rlimit_side(const struct rlimit_kind *kind, struct span text, uint64_t *ret, struct note *note)
{
	uint64_t ns, unit = kind->unit == RLIMIT_IN_SECONDS ? NS_PER_S : NS_PER_US;

	if (kind->unit == RLIMIT_IN_BYTES)
		return size_parse(text, ret, note);
	if (is_unlimited(text)) {
		*ret = SIZE_UNLIMITED;
		return 0;
	}
	if (span_u64(text, ret))
		return 0;
	if (kind->unit == RLIMIT_IN_COUNTS)
		return note_set(note, -EINVAL, "%s: '%.*s' is no whole number and not unlimited", kind->name,
				WORD(text));
	if (duration_parse(text, &ns) < 0)
		return note_set(note, -EINVAL, "%s: '%.*s' is no duration; write 30s, 2m or unlimited", kind->name,
				WORD(text));
	if (ns % unit)
		return note_set(note, -EINVAL, "%s: '%.*s': the kernel counts whole %s", kind->name, WORD(text),
				kind->unit == RLIMIT_IN_SECONDS ? "seconds" : "microseconds");
	*ret = ns / unit;
	return 0;
}

static int unknown_limit(struct span name, struct note *note)
{
	char names[160] = "";
	size_t n = 0;

	for (size_t i = 0; i < RLIMIT_KINDS && n < sizeof names; i++)
		n += (size_t)snprintf(names + n, sizeof names - n, " %s", rlimit_kinds[i].name);
	return note_set(note, -EINVAL, "there is no limit '%.*s'; there are:%s", WORD(name), names);
}

int rlimit_parse(struct span text, struct rlimit_wish *ret, struct note *note)
{
	struct span name, soft, hard = text;
	struct rlimit_wish w = { 0 };
	int r = 0;

	if (!span_until(&hard, '=', &name))
		return note_set(note, -EINVAL, "'%.*s' is no limit; write NAME=SOFT[:HARD], nofile=1024:4096, say",
				WORD(text));
	w.kind = rlimit_find(name);
	if (!w.kind)
		return unknown_limit(name, note);
	if (!span_until(&hard, ':', &soft))
		soft = hard;
	w.has_soft = soft.n > 0;
	w.has_hard = hard.n > 0;
	if (!w.has_soft && !w.has_hard)
		return note_set(note, -EINVAL, "'%.*s' has no value", WORD(text));
	if (w.has_soft)
		r = rlimit_side(w.kind, soft, &w.soft, note);
	if (r == 0 && w.has_hard)
		r = rlimit_side(w.kind, hard, &w.hard, note);
	if (r == 0 && w.has_soft && w.has_hard && w.soft > w.hard)
		r = note_set(note, -EINVAL, "'%.*s': the soft limit is above the hard one", WORD(text));
	if (r == 0)
		*ret = w;
	return r;
}

/* ---- CPUs ---- */

static bool cpu_range(struct span range, struct cpu_list *l)
{
	struct span first, last, step = range;
	uint64_t from, to, by = 1;

	if (!span_until(&step, ':', &last))
		last = range;
	else if (!span_u64(step, &by) || by == 0)
		return false;
	if (!span_until(&last, '-', &first))
		first = last;
	else if (last.n == 0)
		return false;
	if (!span_u64(first, &from) || !span_u64(last, &to) || from > to || to >= CPU_LIST_MAX)
		return false;
	for (; from <= to; from += by)
		l->bits[from / (8 * sizeof(long))] |= 1UL << from % (8 * sizeof(long));
	return true;
}

int cpu_list_parse(struct span text, struct cpu_list *ret, struct note *note)
{
	struct cpu_list l = { { 0 } };
	struct span rest = text, range;
	bool more;

	do {
		more = span_until(&rest, ',', &range);
		if (!cpu_range(more ? range : rest, &l))
			return note_set(note, -EINVAL, "'%.*s' is no list of CPUs; write 0-3,8", WORD(text));
	} while (more);
	*ret = l;
	return 0;
}

int cpu_list_text(const struct cpu_list *l, struct buf *ret)
{
	const char *comma = "";
	int r = 0;

	for (unsigned i = 0; r == 0 && i < CPU_LIST_MAX; i++) {
		unsigned first = i;

		if (!cpu_list_has(l, i))
			continue;
		while (i + 1 < CPU_LIST_MAX && cpu_list_has(l, i + 1))
			i++;
		r = first == i ? buf_printf(ret, "%s%u", comma, i) : buf_printf(ret, "%s%u-%u", comma, first, i);
		comma = ",";
	}
	return r;
}

/* ---- scheduling ---- */

int schedule_parse(struct span text, struct schedule *ret, struct note *note)
{
	static const struct {
		const char *name;
		int policy;
		bool realtime;
	} policies[] = {
		{ "other", SCHED_OTHER, false }, { "batch", SCHED_BATCH, false }, { "idle", SCHED_IDLE, false },
		{ "fifo", SCHED_FIFO, true },	 { "rr", SCHED_RR, true },
	};
	struct span level = text, name;
	bool has_level = span_until(&level, ':', &name);
	uint64_t priority = 0;

	for (size_t i = 0; i < COUNT_OF(policies); i++) {
		if (!same(has_level ? name : text, policies[i].name))
			continue;
		if (policies[i].realtime != has_level)
			return note_set(note, -EINVAL, policies[i].realtime ? "'%.*s' needs a priority: %s:1 to %s:99" :
									      "'%.*s': %s takes no priority",
					WORD(text), policies[i].name, policies[i].name);
		if (has_level && (!span_u64(level, &priority) || priority < 1 || priority > 99))
			return note_set(note, -ERANGE, "'%.*s': the priority is 1 to 99", WORD(text));
		*ret = (struct schedule){ policies[i].policy, (int)priority };
		return 0;
	}
	return note_set(note, -EINVAL, "'%.*s' is no policy; write other, batch, idle, fifo:N or rr:N", WORD(text));
}

int nice_parse(struct span text, int *ret, struct note *note)
{
	struct span number = text;
	int64_t value;

	if (number.n > 1 && number.p[0] == '+' && isdigit((unsigned char)number.p[1]))
		number = (struct span){ number.p + 1, number.n - 1 };
	if (!span_i64(number, &value))
		return note_set(note, -EINVAL, "'%.*s' is no nice value; it is -20 (first) to 19 (last)", WORD(text));
	if (value < -20 || value > 19)
		return note_set(note, -ERANGE, "nice %.*s is out of range: -20 (first) to 19 (last)", WORD(text));
	*ret = (int)value;
	return 0;
}

int io_priority_parse(struct span text, int *ret, struct note *note)
{
	/* The numbers of IOPRIO_CLASS_*; the level is in the low bits. */
	static const struct {
		const char *name;
		int class;
		bool levels;
	} classes[] = { { "none", 0, false }, { "realtime", 1, true }, { "best-effort", 2, true }, { "idle", 3, false } };
	struct span level = text, name;
	bool has_level = span_until(&level, ':', &name);
	uint64_t n = 4;

	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		if (!same(has_level ? name : text, classes[i].name))
			continue;
		if (has_level && !classes[i].levels)
			return note_set(note, -EINVAL, "'%.*s': %s takes no level", WORD(text), classes[i].name);
		if (has_level && (!span_u64(level, &n) || n > 7))
			return note_set(note, -ERANGE, "'%.*s': the level is 0 (first) to 7 (last)", WORD(text));
		*ret = classes[i].class << 13 | (classes[i].levels ? (int)n : 0);
		return 0;
	}
	return note_set(note, -EINVAL, "'%.*s' is no I/O class; write idle, best-effort:N or realtime:N", WORD(text));
}

/* ---- signals ---- */

static const char *const signal_names[] = {
	[SIGHUP] = "HUP",	[SIGINT] = "INT",     [SIGQUIT] = "QUIT",     [SIGILL] = "ILL",	  [SIGTRAP] = "TRAP",
	[SIGABRT] = "ABRT",	[SIGBUS] = "BUS",     [SIGFPE] = "FPE",	      [SIGKILL] = "KILL", [SIGUSR1] = "USR1",
	[SIGSEGV] = "SEGV",	[SIGUSR2] = "USR2",   [SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM", [SIGTERM] = "TERM",
	[SIGSTKFLT] = "STKFLT", [SIGCHLD] = "CHLD",   [SIGCONT] = "CONT",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",
	[SIGTTIN] = "TTIN",	[SIGTTOU] = "TTOU",   [SIGURG] = "URG",	      [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF",   [SIGWINCH] = "WINCH",   [SIGIO] = "IO",	  [SIGPWR] = "PWR",
	[SIGSYS] = "SYS",
};

/* "RTMIN+3", "RTMAX-1", "RTMIN": 0 when it is none. */
static int realtime_signal(struct span s)
{
	uint64_t step = 0;
	bool from_top = s.n >= 5 && strncasecmp(s.p, "RTMAX", 5) == 0;
	int number;

	if (s.n < 5 || (!from_top && strncasecmp(s.p, "RTMIN", 5) != 0))
		return 0;
	if (s.n > 5 && (s.p[5] != (from_top ? '-' : '+') || !span_u64((struct span){ s.p + 6, s.n - 6 }, &step) ||
			step > 64))
		return 0;
	number = from_top ? SIGRTMAX - (int)step : SIGRTMIN + (int)step;
	return number >= SIGRTMIN && number <= SIGRTMAX ? number : 0;
}

int signal_parse(struct span text, int *ret, struct note *note)
{
	struct span s = text;
	uint64_t number;

	if (span_u64(s, &number) && number >= 1 && number <= (uint64_t)SIGRTMAX) {
		*ret = (int)number;
		return 0;
	}
	if (s.n > 3 && strncasecmp(s.p, "SIG", 3) == 0)
		s = (struct span){ s.p + 3, s.n - 3 };
	for (int i = 1; i < (int)COUNT_OF(signal_names); i++)
		if (signal_names[i] && same(s, signal_names[i])) {
			*ret = i;
			return 0;
		}
	if (realtime_signal(s)) {
		*ret = realtime_signal(s);
		return 0;
	}
	return note_set(note, -EINVAL, "'%.*s' is no signal; write TERM, SIGHUP, 9 or RTMIN+1", WORD(text));
}

struct signal_text signal_text(int number)
{
	struct signal_text t;

	if (number > 0 && number < (int)COUNT_OF(signal_names) && signal_names[number])
		snprintf(t.text, sizeof t.text, "%s", signal_names[number]);
	else if (number >= SIGRTMIN && number <= SIGRTMAX)
		snprintf(t.text, sizeof t.text, "RTMIN+%d", number - SIGRTMIN);
	else
		snprintf(t.text, sizeof t.text, "signal %d", number);
	return t;
}
