#include <dirent.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "dig/child/waiting_child.h"
#include "dig/trace/trace_capture.h"
#include "dig/trace/trace_source.h"

#define X32_BIT 0x40000000u

/* A thread under ptrace. */
struct traced {
	int32_t tid, pid;
	bool in_call;	     /* its next syscall stop is the exit */
	bool wanted;	     /* the call under way is to be shown */
	bool waits_for_exec; /* nothing counts yet */
	bool begins;	     /* in that exec */
	bool seccomp;	     /* the filter stops it at what is wanted */
	bool listening;	     /* in a group stop */
	bool was_in_call;    /* attached in the midst of one */
	char comm[16];
	struct trace_capturer capture;
};

struct ptrace_source {
	struct trace_source source;
	struct map by_tid; /* position in thread */
	VEC(struct traced *) thread;
	bool seccomp, attached;
	struct waiting_child command;
	int32_t leader; /* of the command */
	trace_sink sink;
	void *arg;
	bool enough;
};

static struct traced *find(struct ptrace_source *s, int32_t tid)
{
	uint32_t at = map_get(&s->by_tid, (uint64_t)tid);

	return at == MAP_NONE ? NULL : s->thread.v[at];
}

static int32_t process_of(int32_t tid)
{
	char path[40], line[64];
	int32_t pid = tid;

	snprintf(path, sizeof path, "/proc/%d/status", tid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid;
}

static struct traced *add(struct ptrace_source *s, int32_t tid)
{
	struct traced *t = find(s, tid), **slot;

	if (t)
		return t;
	t = calloc(1, sizeof *t);
	slot = t ? vec_push(&s->thread) : NULL;
	if (!slot || map_set(&s->by_tid, (uint64_t)tid, (uint32_t)(s->thread.n - 1)) < 0) {
		free(t);
		s->thread.n -= slot != NULL;
		return NULL;
	}
	t->tid = tid;
	t->pid = process_of(tid);
	t->seccomp = s->seccomp;
	*slot = t;
	return t;
}

static void drop(struct ptrace_source *s, struct traced *t)
{
	uint32_t at = map_get(&s->by_tid, (uint64_t)t->tid);
	struct traced *last = s->thread.v[s->thread.n - 1];

	s->thread.v[at] = last;
	s->thread.n--;
	map_remove(&s->by_tid, (uint64_t)t->tid);
	if (last != t && map_set(&s->by_tid, (uint64_t)last->tid, at) < 0)
		s->enough = true; /* cannot be: the key was there */
	free(t);
}

static void name_thread(struct traced *t)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", t->pid, t->tid);
	FILE *f = fopen(path, "re");
	char text[32] = "";
	if (f && fgets(text, sizeof text, f))
		span_copy(span_trim(span_from(text)), t->comm, sizeof t->comm);
	if (f)
		fclose(f);
	memcpy(t->capture.record.comm, t->comm, sizeof t->comm);
}

static void give(struct ptrace_source *s, struct traced *t)
{
	struct trace_event e;

	name_thread(t);
	if (s->enough || trace_event_parse(trace_captured(&t->capture), &e) < 0)
		return;
	if (e.record->type == RECORD_CALL && !trace_filter_fits(s->source.copy.filter, &e))
		return;
	s->enough = s->sink(s->arg, trace_captured(&t->capture)) != 0;
}

/* ---- calls ---- */

static const struct trace_call_rule *rule_of(const struct ptrace_source *s, const struct traced *t)
{
	return &s->source.copy.filter->call[t->capture.record.call % TRACE_CALLS];
}

static void enter(struct ptrace_source *s, struct traced *t)
{
	const struct trace_request *q = &s->source.copy;
	struct trace_record *r = &t->capture.record;
	struct user_regs_struct regs;
	struct __ptrace_syscall_info info = { 0 };

	t->in_call = true;
	t->wanted = false;
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) < 0)
		return;
	bool compat = (regs.orig_rax & X32_BIT) != 0;
	/* Which table a call counts in is not in the registers (int 0x80 from 64-bit code): 5.3 tells. */
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info) > 0)
		compat |= info.arch != AUDIT_ARCH_X86_64;
	uint64_t call = regs.orig_rax & ~(uint64_t)X32_BIT;
	if (call >= TRACE_CALLS)
		return;
	*r = (struct trace_record){ .argument = { regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9 }, .pid = t->pid, .tid = t->tid,
				    .call = (uint16_t)call, .type = RECORD_CALL, .flags = compat ? RECORD_COMPAT : 0 };
	if (compat && info.op == PTRACE_SYSCALL_INFO_ENTRY)
		for (unsigned i = 0; i < TRACE_ARGUMENTS; i++)
			r->argument[i] = info.entry.args[i];
	const struct trace_call_rule *rule = rule_of(s, t);
	if (t->waits_for_exec) {
		if (!(rule->flags & CALL_EXECUTES))
			return;
		t->waits_for_exec = false;
		t->begins = true;
	}
	if (!compat && (!(rule->flags & CALL_WANTED) || !trace_filter_fds_fit(q->filter, r)))
		return;
	t->wanted = true;
	if (!compat)
		trace_capture(&t->capture, t->pid, rule, false, q->excerpt_bytes);
	trace_note_paths(q->filter, r, false);
	r->start_ns = clock_mono_ns();
	if (!compat && (rule->flags & CALL_NO_RETURN)) {
		r->flags |= RECORD_UNFINISHED;
		give(s, t);
		t->wanted = false;
	}
}

static void leave(struct ptrace_source *s, struct traced *t)
{
	struct trace_record *r = &t->capture.record;
	struct user_regs_struct regs;

	t->in_call = false;
	if (!(t->wanted || t->begins) || ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) < 0)
		return;
	/* A command that could not be run: what follows is not its own. */
	t->waits_for_exec = t->begins && (int64_t)regs.rax < 0;
	t->begins = false;
	if (!t->wanted)
		return;
	t->wanted = false;
	r->duration_ns = clock_mono_ns() - r->start_ns;
	r->result = (int64_t)((r->flags & RECORD_COMPAT) && !(regs.rax >> 32) ? (uint64_t)(int64_t)(int32_t)regs.rax : regs.rax);
	if (!(r->flags & RECORD_COMPAT))
		trace_capture(&t->capture, t->pid, rule_of(s, t), true, s->source.copy.excerpt_bytes);
	trace_note_paths(s->source.copy.filter, r, true);
	give(s, t);
}

/* ---- stops ---- */

/* With the filter, only what it stops at needs a stop at its end. */
static void go_on(struct traced *t, int signal)
{
	long how = t->seccomp && !t->in_call ? PTRACE_CONT : PTRACE_SYSCALL;

	/* ESRCH: killed meanwhile, and wait() will tell. */
	ptrace((enum __ptrace_request)how, t->tid, NULL, (void *)(intptr_t)signal);
}

static void tell_signal(struct ptrace_source *s, struct traced *t, int signal)
{
	struct trace_capturer kept = t->capture;
	siginfo_t info;

	if (!s->source.copy.signals || t->waits_for_exec || ptrace(PTRACE_GETSIGINFO, t->tid, NULL, &info) < 0)
		return;
	t->capture.record = (struct trace_record){ .start_ns = clock_mono_ns(), .pid = t->pid, .tid = t->tid,
						   .call = (uint16_t)signal, .type = RECORD_SIGNAL };
	memcpy(t->capture.record.argument, &info, sizeof t->capture.record.argument);
	give(s, t);
	t->capture = kept;
}

static void tell_exit(struct ptrace_source *s, struct traced *t, int status)
{
	const struct trace_filter *f = s->source.copy.filter;

	if (!s->source.copy.signals || t->waits_for_exec)
		return;
	if (t->in_call && t->wanted && !f->settings.failed_only && !f->settings.slower_ns) {
		t->capture.record.flags |= RECORD_UNFINISHED;
		give(s, t);
	}
	t->capture.record = (struct trace_record){ .start_ns = clock_mono_ns(), .argument = { (uint64_t)(unsigned)status }, .pid = t->pid,
						   .tid = t->tid, .type = RECORD_EXIT, .flags = t->tid == t->pid ? RECORD_LAST : 0 };
	give(s, t);
}

static void on_event(struct ptrace_source *s, struct traced *t, int event, int signal)
{
	unsigned long message = 0;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		enter(s, t);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		if (ptrace(PTRACE_GETEVENTMSG, t->tid, NULL, &message) == 0 && !add(s, (int32_t)message))
			s->enough = true;
		break;
	case PTRACE_EVENT_EXEC:
		/* The thread that called exec has taken the number of the first over; what that one did has ended without a word. */
		if (ptrace(PTRACE_GETEVENTMSG, t->tid, NULL, &message) == 0 && (int32_t)message != t->tid) {
			struct traced *caller = find(s, (int32_t)message);

			if (caller) {
				t->capture = caller->capture;
				t->capture.record.tid = t->tid;
				t->in_call = caller->in_call;
				t->wanted = caller->wanted;
				drop(s, caller);
			}
		}
		break;
	case PTRACE_EVENT_STOP:
		if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
			/* Stays stopped, and still hears SIGCONT. */
			ptrace(PTRACE_LISTEN, t->tid, NULL, NULL);
			return;
		}
		break;
	}
	go_on(t, 0);
}

static void on_stop(struct ptrace_source *s, int32_t tid, int status)
{
	struct traced *t = find(s, tid);
	int signal = WSTOPSIG(status), event = status >> 16;

	/* A child may stop before its parent's event has told of it. */
	if (!t && !(t = add(s, tid))) {
		s->enough = true;
		return;
	}
	if (event) {
		on_event(s, t, event, signal);
	} else if (signal == (SIGTRAP | 0x80)) {
		if (t->in_call)
			leave(s, t);
		else if (t->was_in_call)
			t->was_in_call = false;
		else
			enter(s, t);
		go_on(t, 0);
	} else {
		tell_signal(s, t, signal);
		go_on(t, signal);
	}
}

static void on_wait(struct ptrace_source *s, int32_t tid, int status)
{
	if (WIFSTOPPED(status)) {
		on_stop(s, tid, status);
		return;
	}
	struct traced *t = find(s, tid);
	if (t) {
		tell_exit(s, t, status);
		drop(s, t);
	}
	if (tid == s->source.child) {
		s->source.status = status;
		s->source.child = 0;
	}
}

static void alarmed(int signal)
{
	(void)signal; /* it interrupts wait() */
}

static void set_alarm(uint64_t until_ns)
{
	uint64_t now = clock_mono_ns(), left_us = until_ns > now ? (until_ns - now) / 1000 + 1 : 1;
	struct itimerval timer = { .it_value = { (time_t)(left_us / 1000000), (suseconds_t)(left_us % 1000000) } };

	if (until_ns == UINT64_MAX)
		timer = (struct itimerval){ 0 };
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = alarmed }, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Waits for one stop, then takes all that are there: what has come is printed while more is being done. */
static int take(struct trace_source *source, uint64_t until_ns, trace_sink sink, void *arg)
{
	struct ptrace_source *s = (struct ptrace_source *)source;
	int status, flags = __WALL;
	int32_t tid;

	s->sink = sink;
	s->arg = arg;
	set_alarm(until_ns);
	uint64_t begin = clock_mono_ns();
	while (!s->enough && s->thread.n && clock_mono_ns() - begin < 50 * NS_PER_MS && (tid = waitpid(-1, &status, flags)) != 0) {
		if (tid < 0 && errno != EINTR)
			return errno == ECHILD ? 1 : -errno;
		if (tid < 0) {
			set_alarm(UINT64_MAX);
			return -EINTR;
		}
		on_wait(s, tid, status);
		flags = __WALL | (s->thread.n ? WNOHANG : 0);
	}
	set_alarm(UINT64_MAX);
	return s->enough || !s->thread.n ? 1 : 0;
}

/* ---- letting go ---- */

static int deaf(void *arg, struct span record)
{
	(void)arg;
	(void)record;
	return 1;
}

/* A thread is let go when it stands; a signal that came with the stop goes along. */
static void detach(struct ptrace_source *s, struct traced *t)
{
	int status, signal = 0;

	if (ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) < 0 || waitpid(t->tid, &status, __WALL) != t->tid || !WIFSTOPPED(status)) {
		drop(s, t);
		return;
	}
	if (!(status >> 16) && WSTOPSIG(status) != (SIGTRAP | 0x80))
		signal = WSTOPSIG(status);
	ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(intptr_t)signal);
	drop(s, t);
}

static int end(struct trace_source *source, trace_sink sink, void *arg)
{
	struct ptrace_source *s = (struct ptrace_source *)source;
	int status;

	s->sink = sink;
	s->arg = arg;
	for (size_t i = 0; !s->enough && i < s->thread.n; i++) {
		struct traced *t = s->thread.v[i];

		if (!t->in_call || !t->wanted)
			continue;
		t->capture.record.flags |= RECORD_UNFINISHED;
		give(s, t);
	}
	s->sink = deaf;
	/* Under the filter a thread that nobody traces fails every wanted call with ENOSYS: what is ours cannot go on alone. */
	if (source->child && s->seccomp)
		kill(source->child, SIGTERM);
	for (int i = 0; s->seccomp && s->thread.n; i++) {
		struct timespec moment = { 0, 1000000 };
		int32_t tid = waitpid(-1, &status, __WALL | WNOHANG);

		if (tid > 0)
			on_wait(s, tid, status);
		else if (tid < 0)
			break;
		else
			nanosleep(&moment, NULL);
		if (i == 2000) /* it does not heed TERM */
			for (size_t k = 0; k < s->thread.n; k++)
				kill(s->thread.v[k]->pid, SIGKILL);
	}
	while (s->thread.n)
		detach(s, s->thread.v[s->thread.n - 1]);
	return 0;
}

static uint64_t lost(const struct trace_source *source)
{
	(void)source;
	return 0; /* the target waits until it has been heard */
}

static void free_ptrace(struct trace_source *source)
{
	struct ptrace_source *s = (struct ptrace_source *)source;

	while (s->thread.n)
		detach(s, s->thread.v[s->thread.n - 1]);
	vec_free(&s->thread);
	map_deinit(&s->by_tid);
	waiting_child_drop(&s->command);
	free(s);
}

/* ---- starting ---- */

#define OPTIONS_OF_ALL (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC)
#define OPTIONS_OF_FOLLOWING (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)

/* In the child, right before exec: stop at what is wanted, let all else pass. A foreign architecture's calls stop
 * always. */
static int install_filter(void *arg)
{
	const struct ptrace_source *s = arg;
	const struct trace_filter *f = s->source.copy.filter;
	static struct sock_filter code[TRACE_CALLS + 8];
	unsigned n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	/* A jump reaches 255 instructions, so each run of wanted numbers answers for itself. */
	for (unsigned i = 0; i < TRACE_CALLS;) {
		bool wanted = f->call[i].flags & (CALL_WANTED | CALL_EXECUTES);

		while (i < TRACE_CALLS && wanted == !!(f->call[i].flags & (CALL_WANTED | CALL_EXECUTES)))
			i++;
		if (n + 3 > sizeof code / sizeof code[0])
			return -E2BIG;
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, i, 1, 0);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, wanted ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	struct sock_fprog program = { (unsigned short)n, code };
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
		return 0;
	/* Without CAP_SYS_ADMIN the kernel wants a promise: set-user-ID programs get no rights. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return -errno;
	return 0;
}

static int start_command(struct ptrace_source *s, struct note *note)
{
	const struct trace_request *q = &s->source.copy;
	struct waiting_child *child = &s->command;
	unsigned long options = OPTIONS_OF_ALL | PTRACE_O_EXITKILL | (q->no_follow ? 0 : OPTIONS_OF_FOLLOWING | PTRACE_O_TRACESECCOMP);

	/* Children that are not followed would inherit the filter and find nobody behind it. */
	s->seccomp = !q->no_follow;
	struct waiting_child_request wanted = { q->argv, q->restore, s->seccomp ? install_filter : NULL, s };
	int r = waiting_child_start(&wanted, child, note);
	if (r < 0)
		return r;
	s->source.child = s->leader = child->pid;
	struct traced *t = add(s, child->pid);
	if (!t || ptrace(PTRACE_SEIZE, child->pid, NULL, (void *)options) < 0) {
		r = t ? -errno : -ENOMEM;
		waiting_child_drop(child);
		s->source.child = 0;
		return note_set(note, r, "ptrace is not permitted here: %s", strerror(-r));
	}
	t->waits_for_exec = true;
	/* It sits in the read that holds it back: its next syscall stop would be that one's exit. */
	ptrace(PTRACE_INTERRUPT, child->pid, NULL, NULL);
	int status;
	if (waitpid(child->pid, &status, __WALL) == child->pid && WIFSTOPPED(status))
		go_on(t, 0);
	waiting_child_let_go(child);
	return 0;
}

static int seize(struct ptrace_source *s, int32_t pid, bool *ret_new, struct note *note)
{
	char path[40];
	struct dirent *entry;
	unsigned long options = OPTIONS_OF_ALL | (s->source.copy.no_follow ? PTRACE_O_TRACECLONE : OPTIONS_OF_FOLLOWING);
	int r = 0;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *d = opendir(path);
	if (!d)
		return note_set(note, -ESRCH, "there is no process %d", pid);
	while (r == 0 && (entry = readdir(d))) {
		uint64_t tid;

		if (!span_u64(span_from(entry->d_name), &tid) || find(s, (int32_t)tid))
			continue;
		if (ptrace(PTRACE_SEIZE, (pid_t)tid, NULL, (void *)options) < 0) {
			r = errno == ESRCH ? 0 : -errno; /* it has just ended */
			continue;
		}
		struct traced *t = add(s, (int32_t)tid);
		r = t ? 0 : -ENOMEM;
		if (t && ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) == 0)
			*ret_new = true;
	}
	closedir(d);
	if (r == -EPERM)
		note_set(note, r, "process %d may not be traced: it is somebody else's (needs CAP_SYS_PTRACE), a kernel thread, or traced already",
			 pid);
	return r;
}

static int attach(struct ptrace_source *s, struct note *note)
{
	const struct trace_request *q = &s->source.copy;

	for (size_t i = 0; i < q->npids; i++) {
		bool more = true;

		while (more) { /* until no thread has been born meanwhile */
			more = false;
			int r = seize(s, q->pid[i], &more, note);
			if (r < 0)
				return r;
		}
	}
	s->attached = true;
	return s->thread.n ? 0 : note_set(note, -ESRCH, "no thread of the targets is left");
}

int trace_by_ptrace(const struct trace_request *q, struct trace_source **ret, struct note *note)
{
	struct ptrace_source *s = calloc(1, sizeof *s);

	if (!s)
		return note_set(note, -ENOMEM, "out of memory");
	s->source = (struct trace_source){ .take = take, .end = end, .lost = lost, .free = free_ptrace, .copy = *q, .status = -1 };
	s->sink = deaf;
	int r = q->argv ? start_command(s, note) : attach(s, note);
	if (r < 0) {
		free_ptrace(&s->source);
		return r;
	}
	*ret = &s->source;
	return 0;
}
