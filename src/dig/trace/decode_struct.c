/* Structs of the kernel's interface, by their layout on x86-64. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "dig/trace/decode_parts.h"

/* ---- times ---- */

static void put_pair(struct decoding *d, const void *p, const char *first, const char *second)
{
	put_char(d, '{');
	put_member_i64(d, first, (int64_t)u64_at(p, 0));
	put_text(d, ", ");
	put_member_i64(d, second, (int64_t)u64_at(p, 8));
	put_char(d, '}');
}

static void put_timespec(struct decoding *d, const void *p)
{
	put_pair(d, p, "tv_sec", "tv_nsec");
}

static void put_timeval(struct decoding *d, const void *p)
{
	put_pair(d, p, "tv_sec", "tv_usec");
}

static void decode_struct(struct decoding *d, size_t size, void (*put)(struct decoding *d, const void *p))
{
	const void *p;

	if (value_of(d) && struct_of(d, size, &p))
		put(d, p);
	else
		decode_pointer(d);
}

void decode_timespec(struct decoding *d)
{
	decode_struct(d, 16, put_timespec);
}

void decode_timeval(struct decoding *d)
{
	decode_struct(d, 16, put_timeval);
}

/* The rest is written when the sleep was interrupted: a failure, at which nothing is captured. */
void decode_timespec_left(struct decoding *d)
{
	decode_pointer(d);
}

void decode_timespec_pair(struct decoding *d)
{
	const char *p;

	if (!struct_of(d, 32, (const void **)&p)) {
		decode_pointer(d);
		return;
	}
	put_char(d, '[');
	for (int i = 0; i < 2; i++) {
		uint64_t ns = u64_at(p, (size_t)i * 16 + 8);

		if (i)
			put_text(d, ", ");
		if (ns == 0x3fffffff)
			put_text(d, "UTIME_NOW");
		else if (ns == 0x3ffffffe)
			put_text(d, "UTIME_OMIT");
		else
			put_timespec(d, p + i * 16);
	}
	put_char(d, ']');
}

static void put_interval(struct decoding *d, const void *p, void (*put)(struct decoding *d, const void *p))
{
	put_text(d, "{it_interval=");
	put(d, p);
	put_text(d, ", it_value=");
	put(d, (const char *)p + 16);
	put_char(d, '}');
}

static void put_itimerval(struct decoding *d, const void *p)
{
	put_interval(d, p, put_timeval);
}

static void put_itimerspec(struct decoding *d, const void *p)
{
	put_interval(d, p, put_timespec);
}

void decode_itimerval(struct decoding *d)
{
	decode_struct(d, 32, put_itimerval);
}

void decode_itimerspec(struct decoding *d)
{
	decode_struct(d, 32, put_itimerspec);
}

static void put_times(struct decoding *d, const void *p)
{
	static const char *const names[] = { "{tms_utime", ", tms_stime", ", tms_cutime", ", tms_cstime" };

	for (size_t i = 0; i < 4; i++)
		put_member_u64(d, names[i], u64_at(p, i * 8));
	put_char(d, '}');
}

void decode_times(struct decoding *d)
{
	decode_struct(d, 32, put_times);
}

/* ---- words behind a pointer ---- */

static void put_int_at(struct decoding *d, const void *p)
{
	put_char(d, '[');
	put_i64(d, (int32_t)u32_at(p, 0));
	put_char(d, ']');
}

static void put_long_at(struct decoding *d, const void *p)
{
	put_char(d, '[');
	put_i64(d, (int64_t)u64_at(p, 0));
	put_char(d, ']');
}

void decode_int_at(struct decoding *d)
{
	decode_struct(d, 4, put_int_at);
}

void decode_long_at(struct decoding *d)
{
	decode_struct(d, 8, put_long_at);
}

/* [before => after], where the call changed it. */
static void put_change(struct decoding *d, size_t size)
{
	struct span before, after;

	if (!value_of(d) || !part_of(d, d->at, 0, false, &before) || before.n < size) {
		decode_pointer(d);
		return;
	}
	int64_t was = size == 8 ? (int64_t)u64_at(before.p, 0) : (int32_t)u32_at(before.p, 0);
	put_char(d, '[');
	put_i64(d, was);
	if (part_of(d, d->at, 0, true, &after) && after.n >= size) {
		int64_t is = size == 8 ? (int64_t)u64_at(after.p, 0) : (int32_t)u32_at(after.p, 0);

		if (is != was) {
			put_text(d, " => ");
			put_i64(d, is);
		}
	}
	put_char(d, ']');
}

void decode_length(struct decoding *d)
{
	put_change(d, 4);
}

void decode_long_change(struct decoding *d)
{
	put_change(d, 8);
}

static void put_fd_pair(struct decoding *d, const void *p)
{
	put_char(d, '[');
	put_fd(d, (int32_t)u32_at(p, 0));
	put_text(d, ", ");
	put_fd(d, (int32_t)u32_at(p, 4));
	put_char(d, ']');
}

void decode_fd_pair(struct decoding *d)
{
	decode_struct(d, 8, put_fd_pair);
}

/* ---- files ---- */

static void put_device(struct decoding *d, unsigned device_major, unsigned device_minor)
{
	put_text(d, "makedev(");
	put_hex(d, device_major);
	put_text(d, ", ");
	put_hex(d, device_minor);
	put_char(d, ')');
}

static void put_stat(struct decoding *d, const void *p)
{
	struct stat st;

	memcpy(&st, p, sizeof st);
	put_member(d, "{st_mode");
	put_mode(d, st.st_mode, true);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		put_member(d, ", st_rdev");
		put_device(d, major(st.st_rdev), minor(st.st_rdev));
	} else {
		put_member_i64(d, ", st_size", st.st_size);
	}
	put_text(d, ", ...}");
}

void decode_stat(struct decoding *d)
{
	decode_struct(d, sizeof(struct stat), put_stat);
}

/* struct statx: mask, block size, attributes, links, uid, gid, mode (28), inode, size (40). */
static void put_statx(struct decoding *d, const void *p)
{
	put_member(d, "{stx_mask");
	put_statx_mask(d, u32_at(p, 0));
	put_member(d, ", stx_attributes");
	put_bits(d, &flag_names_statx_attribute, u64_at(p, 8));
	put_member(d, ", stx_mode");
	put_mode(d, u16_at(p, 28), true);
	put_member_u64(d, ", stx_size", u64_at(p, 40));
	put_text(d, ", ...}");
}

void decode_statx(struct decoding *d)
{
	decode_struct(d, 256, put_statx);
}

static void put_hex_or_0(struct decoding *d, uint64_t value)
{
	if (value)
		put_hex(d, value);
	else
		put_char(d, '0');
}

static void put_statfs(struct decoding *d, const void *p)
{
	struct statfs s;

	memcpy(&s, p, sizeof s);
	put_member(d, "{f_type");
	put_value(d, &flag_names_statfs_magic, (uint64_t)s.f_type);
	put_member_i64(d, ", f_bsize", s.f_bsize);
	put_member_u64(d, ", f_blocks", s.f_blocks);
	put_member_u64(d, ", f_bfree", s.f_bfree);
	put_member_u64(d, ", f_bavail", s.f_bavail);
	put_member_u64(d, ", f_files", s.f_files);
	put_member_u64(d, ", f_ffree", s.f_ffree);
	put_text(d, ", f_fsid={val=[");
	put_hex_or_0(d, u32_at(p, 56));
	put_text(d, ", ");
	put_hex_or_0(d, u32_at(p, 60));
	put_member_i64(d, "]}, f_namelen", s.f_namelen);
	put_member_i64(d, ", f_frsize", s.f_frsize);
	put_member(d, ", f_flags");
	put_mount_state(d, u64_at(p, 80));
	put_char(d, '}');
}

void decode_statfs(struct decoding *d)
{
	decode_struct(d, sizeof(struct statfs), put_statfs);
}

static void put_open_how(struct decoding *d, const void *p)
{
	put_member(d, "{flags");
	put_open_flags(d, u64_at(p, 0));
	if (u64_at(p, 8)) {
		put_member(d, ", mode");
		put_octal(d, u64_at(p, 8), 3);
	}
	put_member(d, ", resolve");
	put_bits(d, &flag_names_resolve, u64_at(p, 16));
	put_char(d, '}');
}

void decode_open_how(struct decoding *d)
{
	decode_struct(d, 24, put_open_how);
}

/* ---- the host ---- */

static void put_field(struct decoding *d, const char *name, const char *p, size_t size)
{
	put_member(d, name);
	put_quoted(d, (struct span){ p, strnlen(p, size) }, false);
}

static void put_utsname(struct decoding *d, const void *p)
{
	put_field(d, "{sysname", p, 65);
	put_field(d, ", nodename", (const char *)p + 65, 65);
	put_text(d, ", ...}");
}

void decode_utsname(struct decoding *d)
{
	decode_struct(d, 390, put_utsname);
}

static void put_sysinfo(struct decoding *d, const void *p)
{
	static const char *const memory[] = { ", totalram", ", freeram", ", sharedram", ", bufferram", ", totalswap", ", freeswap" };

	put_member_i64(d, "{uptime", (int64_t)u64_at(p, 0));
	put_text(d, ", loads=[");
	for (size_t i = 0; i < 3; i++) {
		put_u64(d, u64_at(p, 8 + i * 8));
		put_text(d, i < 2 ? ", " : "]");
	}
	for (size_t i = 0; i < 6; i++)
		put_member_u64(d, memory[i], u64_at(p, 32 + i * 8));
	put_member_u64(d, ", procs", u16_at(p, 80));
	put_member_u64(d, ", totalhigh", u64_at(p, 88));
	put_member_u64(d, ", freehigh", u64_at(p, 96));
	put_member_u64(d, ", mem_unit", u32_at(p, 104));
	put_char(d, '}');
}

void decode_sysinfo(struct decoding *d)
{
	decode_struct(d, 112, put_sysinfo);
}

static void put_limit(struct decoding *d, uint64_t value)
{
	if (value == RLIM_INFINITY) {
		put_text(d, d->event->record->call == 302 ? "RLIM64_INFINITY" : "RLIM_INFINITY");
	} else if (value >= 1024 && value % 1024 == 0) {
		put_u64(d, value / 1024);
		put_text(d, "*1024");
	} else {
		put_u64(d, value);
	}
}

static void put_rlimit(struct decoding *d, const void *p)
{
	put_member(d, "{rlim_cur");
	put_limit(d, u64_at(p, 0));
	put_member(d, ", rlim_max");
	put_limit(d, u64_at(p, 8));
	put_char(d, '}');
}

void decode_rlimit(struct decoding *d)
{
	decode_struct(d, 16, put_rlimit);
}

static void put_rusage(struct decoding *d, const void *p)
{
	put_text(d, "{ru_utime=");
	put_timeval(d, p);
	put_text(d, ", ru_stime=");
	put_timeval(d, (const char *)p + 16);
	put_text(d, ", ...}");
}

void decode_rusage(struct decoding *d)
{
	decode_struct(d, sizeof(struct rusage), put_rusage);
}

/* ---- waiting ---- */

static void put_pollfd_list(struct decoding *d, struct span s, bool of_result)
{
	bool any = false;

	for (size_t at = 0; at + 8 <= s.n; at += 8) {
		uint16_t events = u16_at(s.p, at + 4), happened = u16_at(s.p, at + 6);

		if (of_result && !happened)
			continue;
		put_text(d, any ? ", {fd=" : "{fd=");
		put_fd(d, (int32_t)u32_at(s.p, at));
		if ((int32_t)u32_at(s.p, at) >= 0) {
			put_member(d, of_result ? ", revents" : ", events");
			put_bits(d, &flag_names_poll, of_result ? happened : events);
		}
		put_char(d, '}');
		any = true;
	}
}

void decode_pollfds(struct decoding *d)
{
	struct span s;

	if (!value_of(d) || !part_of(d, d->at, 0, false, &s)) {
		decode_pointer(d);
		return;
	}
	put_char(d, '[');
	put_pollfd_list(d, s, false);
	put_text(d, s.n / 8 < (uint32_t)d->event->record->argument[1] ? ", ...]" : "]");
}

static void put_fd_list(struct decoding *d, struct span s)
{
	bool any = false;

	for (size_t bit = 0; bit < s.n * 8; bit++)
		if ((unsigned char)s.p[bit / 8] >> bit % 8 & 1) {
			if (any)
				put_char(d, ' ');
			put_fd(d, (int)bit);
			any = true;
		}
}

void decode_fd_set(struct decoding *d)
{
	struct span s;

	if (!value_of(d) || !part_of(d, d->at, 0, false, &s)) {
		decode_pointer(d);
		return;
	}
	put_char(d, '[');
	put_fd_list(d, s);
	put_char(d, ']');
}

static bool any_bit(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i])
			return true;
	return false;
}

static void put_left(struct decoding *d, unsigned argument, bool timeval, bool *any)
{
	struct span s;

	if (!part_of(d, argument, 0, true, &s) || s.n < 16)
		return;
	put_text(d, *any ? ", left " : " (left ");
	if (timeval)
		put_timeval(d, s.p);
	else
		put_timespec(d, s.p);
	*any = true;
}

static void put_polled(struct decoding *d)
{
	struct span s;
	bool any = false;
	int64_t n = d->event->record->result;

	if (n == 0) {
		put_text(d, " (Timeout)");
		return;
	}
	if (part_of(d, 0, 0, true, &s)) {
		put_text(d, " ([");
		put_pollfd_list(d, s, true);
		put_char(d, ']');
		any = true;
	}
	if (syscall_argument_kind(d->event->call, 2) == ARGUMENT_TIMESPEC_BOTH)
		put_left(d, 2, false, &any);
	if (any)
		put_char(d, ')');
}

static void put_selected(struct decoding *d)
{
	static const char *const sets[] = { "in", "out", "except" };
	struct span s;
	bool any = false;

	if (d->event->record->result == 0) {
		put_text(d, " (Timeout)");
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (!part_of(d, 1 + i, 0, true, &s) || !any_bit(s))
			continue;
		put_text(d, any ? ", " : " (");
		put_text(d, sets[i]);
		put_text(d, " [");
		put_fd_list(d, s);
		put_char(d, ']');
		any = true;
	}
	put_left(d, 4, d->event->record->call == 23, &any);
	if (any)
		put_char(d, ')');
}

void decode_result_words(struct decoding *d)
{
	switch (d->event->call->result) {
	case ARGUMENT_POLLED:
		put_polled(d);
		break;
	case ARGUMENT_SELECTED:
		put_selected(d);
		break;
	case ARGUMENT_FCNTL_RESULT:
		put_fcntl_result(d);
		break;
	case ARGUMENT_POLICY:
		put_text(d, " (");
		put_value(d, &flag_names_policy, (uint64_t)d->event->record->result);
		put_char(d, ')');
		break;
	}
}

/* struct epoll_event is packed. */
static void put_epoll_event(struct decoding *d, const void *p)
{
	put_member(d, "{events");
	put_bits(d, &flag_names_epoll, u32_at(p, 0));
	put_member(d, ", data");
	/* A number that fits a descriptor is one, mostly. */
	put_member_u64(d, "{u32", u32_at(p, 4));
	put_member_u64(d, ", u64", u64_at(p, 4));
	put_text(d, "}}");
}

void decode_epoll_event(struct decoding *d)
{
	if (d->event->record->argument[1] == 2) /* EPOLL_CTL_DEL: ignored */
		decode_pointer(d);
	else
		decode_struct(d, 12, put_epoll_event);
}

void decode_epoll_events(struct decoding *d)
{
	struct span s;

	if (!part_of(d, d->at, 0, true, &s)) {
		if (succeeded(d) && value_of(d))
			put_text(d, "[]");
		else
			decode_pointer(d);
		return;
	}
	put_char(d, '[');
	for (size_t at = 0; at + 12 <= s.n; at += 12) {
		if (at)
			put_text(d, ", ");
		put_epoll_event(d, s.p + at);
	}
	put_text(d, s.n / 12 < (uint64_t)d->event->record->result ? ", ...]" : "]");
}

static void put_wait_status(struct decoding *d, const void *p)
{
	int status = (int)u32_at(p, 0);

	if (WIFEXITED(status)) {
		put_text(d, "[{WIFEXITED(s) && WEXITSTATUS(s) == ");
		put_i64(d, WEXITSTATUS(status));
	} else if (WIFSIGNALED(status)) {
		put_text(d, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
		put_signal(d, WTERMSIG(status));
		if (WCOREDUMP(status))
			put_text(d, " && WCOREDUMP(s)");
	} else if (WIFSTOPPED(status)) {
		put_text(d, "[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
		put_signal(d, WSTOPSIG(status));
	} else if (WIFCONTINUED(status)) {
		put_text(d, "[{WIFCONTINUED(s)");
	} else {
		put_char(d, '[');
		put_hex(d, (uint32_t)status);
		put_char(d, ']');
		return;
	}
	put_text(d, "}]");
}

void decode_wait_status(struct decoding *d)
{
	if (d->event->record->result <= 0) /* nothing was written */
		decode_pointer(d);
	else
		decode_struct(d, 4, put_wait_status);
}

/* ---- signals ---- */

void put_sigset(struct decoding *d, uint64_t set)
{
	bool any = false, inverse = __builtin_popcountll(set) >= 32;
	char name[SIGNAL_NAME_SIZE];

	put_text(d, inverse ? "~[" : "[");
	for (int i = 1; i <= 64; i++) {
		if ((set >> (i - 1) & 1) == inverse)
			continue;
		if (any)
			put_char(d, ' ');
		if (trace_signal_name(i, name))
			put_text(d, name + strlen("SIG"));
		any = true;
	}
	put_char(d, ']');
}

static void put_sigset_at(struct decoding *d, const void *p)
{
	put_sigset(d, u64_at(p, 0));
}

void decode_sigset(struct decoding *d)
{
	decode_struct(d, 8, put_sigset_at);
}

static void put_sigaction(struct decoding *d, const void *p)
{
	uint64_t handler = u64_at(p, 0), flags = u64_at(p, 8);

	put_member(d, "{sa_handler");
	if (handler <= 1)
		put_text(d, handler ? "SIG_IGN" : "SIG_DFL");
	else
		put_hex(d, handler);
	put_member(d, ", sa_mask");
	put_sigset(d, u64_at(p, 24));
	put_member(d, ", sa_flags");
	put_bits(d, &flag_names_sigaction, flags);
	if (flags & 0x04000000) {
		put_member(d, ", sa_restorer");
		put_pointer(d, u64_at(p, 16));
	}
	put_char(d, '}');
}

void decode_sigaction(struct decoding *d)
{
	decode_struct(d, 32, put_sigaction);
}

static void put_signal_fields(struct decoding *d, const void *info)
{
	int signal = (int)u32_at(info, 0), code = (int)u32_at(info, 8);

	if (signal == SIGCHLD && code > 0 && code < 7) {
		put_member_i64(d, ", si_pid", (int32_t)u32_at(info, 16));
		put_member_u64(d, ", si_uid", u32_at(info, 20));
		put_member(d, ", si_status");
		if (code == CLD_EXITED)
			put_i64(d, (int32_t)u32_at(info, 24));
		else
			put_signal(d, (int)u32_at(info, 24));
		put_member_u64(d, ", si_utime", u64_at(info, 32));
		put_member_u64(d, ", si_stime", u64_at(info, 40));
	} else if (code <= 0) {
		put_member_i64(d, ", si_pid", (int32_t)u32_at(info, 16));
		put_member_u64(d, ", si_uid", u32_at(info, 20));
	} else if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP) {
		put_member(d, ", si_addr");
		put_pointer(d, u64_at(info, 16));
	}
}

static const struct flag_names *signal_codes(int signal, int code)
{
	static const struct flag_name faults[] = { { 1, "SEGV_MAPERR" }, { 2, "SEGV_ACCERR" }, { 3, "SEGV_BNDERR" },
						   { 4, "SEGV_PKUERR" } };
	static const struct flag_name buses[] = { { 1, "BUS_ADRALN" }, { 2, "BUS_ADRERR" }, { 3, "BUS_OBJERR" } };
	static const struct flag_name floats[] = { { 1, "FPE_INTDIV" }, { 2, "FPE_INTOVF" }, { 3, "FPE_FLTDIV" } };
	static const struct flag_names fault = { faults, 4, NULL }, bus = { buses, 3, NULL }, fpe = { floats, 3, NULL };

	if (code <= 0 || code == SI_KERNEL)
		return &flag_names_signal_code;
	switch (signal) {
	case SIGCHLD:
		return &flag_names_child_code;
	case SIGSEGV:
		return &fault;
	case SIGBUS:
		return &bus;
	case SIGFPE:
		return &fpe;
	}
	return &flag_names_signal_code;
}

void put_siginfo(struct decoding *d, const void *info)
{
	int signal = (int)u32_at(info, 0), code = (int)u32_at(info, 8);
	const char *name = flag_name(signal_codes(signal, code), (uint32_t)code);

	put_member(d, "{si_signo");
	put_signal(d, signal);
	put_member(d, ", si_code");
	if (name)
		put_text(d, name);
	else
		put_i64(d, code);
	put_signal_fields(d, info);
	put_char(d, '}');
}

void decode_siginfo(struct decoding *d)
{
	const void *p;

	if (value_of(d) && struct_of(d, 48, &p) && u32_at(p, 0))
		put_siginfo(d, p);
	else
		decode_pointer(d);
}

static void put_stack(struct decoding *d, const void *p)
{
	put_member(d, "{ss_sp");
	put_pointer(d, u64_at(p, 0));
	put_member(d, ", ss_flags");
	put_bits(d, &flag_names_sigaltstack, u32_at(p, 8));
	put_member_u64(d, ", ss_size", u64_at(p, 16));
	put_char(d, '}');
}

void decode_stack(struct decoding *d)
{
	decode_struct(d, 24, put_stack);
}

/* ---- scheduling ---- */

static void put_sched_param(struct decoding *d, const void *p)
{
	put_char(d, '[');
	put_i64(d, (int32_t)u32_at(p, 0));
	put_char(d, ']');
}

void decode_sched_param(struct decoding *d)
{
	decode_struct(d, 4, put_sched_param);
}

static void put_sched_attr(struct decoding *d, const void *p)
{
	put_member_u64(d, "{size", u32_at(p, 0));
	put_member(d, ", sched_policy");
	put_value(d, &flag_names_policy, u32_at(p, 4));
	put_member(d, ", sched_flags");
	put_octal(d, u64_at(p, 8), 0);
	put_member_i64(d, ", sched_nice", (int32_t)u32_at(p, 16));
	put_member_u64(d, ", sched_priority", u32_at(p, 20));
	put_member_u64(d, ", sched_runtime", u64_at(p, 24));
	put_member_u64(d, ", sched_deadline", u64_at(p, 32));
	put_member_u64(d, ", sched_period", u64_at(p, 40));
	put_char(d, '}');
}

void decode_sched_attr(struct decoding *d)
{
	decode_struct(d, 48, put_sched_attr);
}

void decode_cpu_set(struct decoding *d)
{
	struct span s;

	if (!part_of(d, d->at, 0, false, &s) && !part_of(d, d->at, 0, true, &s)) {
		decode_pointer(d);
		return;
	}
	put_char(d, '[');
	put_fd_list(&(struct decoding){ .event = d->event, .options = &(struct decode_options){ 0 }, .out = d->out }, s);
	put_char(d, ']');
}

void decode_clone_args(struct decoding *d)
{
	const void *p;

	if (!struct_of(d, 64, &p)) {
		decode_pointer(d);
		return;
	}
	bool any = false;
	put_member(d, "{flags");
	if (u64_at(p, 0))
		put_bits_more(d, &flag_names_clone, u64_at(p, 0), &any);
	else
		put_char(d, '0');
	static const struct {
		size_t at;
		uint64_t flag;
		const char *name;
	} members[] = { { 8, 0x1000, ", pidfd" }, { 16, 0x1200000, ", child_tid" }, { 24, 0x100000, ", parent_tid" } };
	for (size_t i = 0; i < 3; i++)
		if (u64_at(p, 0) & members[i].flag) {
			put_member(d, members[i].name);
			put_pointer(d, u64_at(p, members[i].at));
		}
	put_member(d, ", exit_signal");
	if (u64_at(p, 32))
		put_signal(d, (int)u64_at(p, 32));
	else
		put_char(d, '0');
	put_member(d, ", stack");
	put_pointer(d, u64_at(p, 40));
	put_member(d, ", stack_size");
	if (u64_at(p, 48))
		put_hex(d, u64_at(p, 48));
	else
		put_char(d, '0');
	if (u64_at(p, 0) & 0x80000) {
		put_member(d, ", tls");
		put_pointer(d, u64_at(p, 56));
	}
	put_char(d, '}');
}
