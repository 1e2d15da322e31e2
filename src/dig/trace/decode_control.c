/* Calls whose arguments mean what another argument says: fcntl, prctl, ioctl, futex, clone; and flags that are more than bits. */
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "dig/trace/decode_parts.h"

/* ---- flags ---- */

void put_open_flags(struct decoding *d, uint64_t flags)
{
	static const char *const ways[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	bool any = true;

	put_text(d, ways[flags & O_ACCMODE]);
	if (flags & ~(uint64_t)O_ACCMODE)
		put_bits_more(d, &flag_names_open, flags & ~(uint64_t)O_ACCMODE, &any);
}

void decode_open_flags(struct decoding *d)
{
	put_open_flags(d, (uint32_t)value_of(d));
}

void decode_mmap_flags(struct decoding *d)
{
	uint32_t flags = (uint32_t)value_of(d), kind = flags & MAP_TYPE;
	uint32_t page = flags & MAP_HUGETLB ? flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK : 0;
	bool any = true;

	put_text(d, kind == MAP_SHARED ? "MAP_SHARED" : kind == MAP_PRIVATE ? "MAP_PRIVATE" :
		    kind == MAP_SHARED_VALIDATE ? "MAP_SHARED_VALIDATE" : "MAP_FILE");
	flags &= ~(kind | page << MAP_HUGE_SHIFT);
	if (flags)
		put_bits_more(d, &flag_names_mmap, flags, &any);
	if (page) {
		put_char(d, '|');
		put_u64(d, page);
		put_text(d, "<<MAP_HUGE_SHIFT");
	}
}

void put_statx_mask(struct decoding *d, uint32_t mask)
{
	bool any = true;

	if ((mask & 0xfff) == 0xfff)
		put_text(d, "STATX_ALL");
	else if ((mask & 0x7ff) == 0x7ff)
		put_text(d, "STATX_BASIC_STATS");
	else {
		put_bits(d, &flag_names_statx, mask);
		return;
	}
	mask &= (mask & 0xfff) == 0xfff ? ~0xfffu : ~0x7ffu;
	if (mask)
		put_bits_more(d, &flag_names_statx, mask, &any);
}

void decode_statx_mask(struct decoding *d)
{
	put_statx_mask(d, (uint32_t)value_of(d));
}

void decode_statx_flags(struct decoding *d)
{
	uint32_t flags = (uint32_t)value_of(d);
	bool any = true;

	if (flags & 0x6000) { /* how to ask the file server is a name of its own */
		put_bits(d, d->names, flags);
		return;
	}
	put_text(d, "AT_STATX_SYNC_AS_STAT");
	if (flags)
		put_bits_more(d, d->names, flags, &any);
}

void put_mount_state(struct decoding *d, uint64_t flags)
{
	static const struct flag_name names[] = {
		{ 0x20, "ST_VALID" },	{ 1, "ST_RDONLY" },   { 2, "ST_NOSUID" },	 { 4, "ST_NODEV" },
		{ 8, "ST_NOEXEC" },	{ 16, "ST_SYNCHRONOUS" }, { 64, "ST_MANDLOCK" }, { 0x400, "ST_NOATIME" },
		{ 0x800, "ST_NODIRATIME" }, { 0x1000, "ST_RELATIME" }, { 0x2000, "ST_NOSYMFOLLOW" },
	};

	put_bits(d, &(struct flag_names){ names, sizeof names / sizeof names[0], "ST_?\?\?" }, flags);
}

/* ---- clone ---- */

static void put_clone_flags(struct decoding *d, uint64_t flags)
{
	bool any = false;

	if (flags & ~UINT64_C(0xff))
		put_bits_more(d, &flag_names_clone, flags & ~UINT64_C(0xff), &any);
	if (flags & 0xff) {
		if (any)
			put_char(d, '|');
		put_signal(d, (int)(flags & 0xff));
	} else if (!any) {
		put_char(d, '0');
	}
}

/* In the order in which people know them: the stack first. */
void decode_clone_flags(struct decoding *d)
{
	const struct trace_record *r = d->event->record;
	uint64_t flags = r->argument[0];

	put_member(d, "child_stack");
	put_pointer(d, r->argument[1]);
	put_member(d, ", flags");
	put_clone_flags(d, flags);
	if (flags & CLONE_PARENT_SETTID) {
		put_member(d, ", parent_tid");
		put_pointer(d, r->argument[2]);
	}
	if (flags & CLONE_SETTLS) {
		put_member(d, ", tls");
		put_pointer(d, r->argument[4]);
	}
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) {
		put_member(d, ", child_tidptr");
		put_pointer(d, r->argument[3]);
	}
}

/* ---- futex ---- */

static unsigned futex_command(const struct trace_event *e)
{
	return e->record->argument[1] & FUTEX_CMD_MASK;
}

void decode_futex_op(struct decoding *d)
{
	uint32_t op = (uint32_t)value_of(d);
	const char *name = flag_name(d->names, op & FUTEX_CMD_MASK);

	if (!name) {
		put_hex(d, op);
		return;
	}
	put_text(d, name);
	if (op & FUTEX_PRIVATE_FLAG)
		put_text(d, "_PRIVATE");
	if (op & FUTEX_CLOCK_REALTIME)
		put_text(d, "|FUTEX_CLOCK_REALTIME");
}

void decode_futex_value(struct decoding *d)
{
	decode_uint(d);
}

static bool futex_requeues(unsigned command)
{
	return command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE || command == FUTEX_CMP_REQUEUE_PI ||
	       command == FUTEX_WAKE_OP;
}

void decode_futex_timeout(struct decoding *d)
{
	if (futex_requeues(futex_command(d->event)))
		decode_uint(d);
	else
		decode_timespec(d);
}

void decode_futex_word2(struct decoding *d)
{
	decode_pointer(d);
}

void decode_futex_value3(struct decoding *d)
{
	uint32_t value = (uint32_t)value_of(d);

	if (value == FUTEX_BITSET_MATCH_ANY)
		put_text(d, "FUTEX_BITSET_MATCH_ANY");
	else if (futex_command(d->event) == FUTEX_CMP_REQUEUE || futex_command(d->event) == FUTEX_CMP_REQUEUE_PI)
		put_u64(d, value);
	else
		decode_hex(d);
}

/* How many arguments an operation takes. */
static unsigned futex_arguments(unsigned command)
{
	switch (command) {
	case FUTEX_WAIT:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return 4;
	case FUTEX_WAKE:
		return 3;
	case FUTEX_UNLOCK_PI:
	case FUTEX_TRYLOCK_PI:
		return 2;
	case FUTEX_REQUEUE:
		return 5;
	}
	return 6;
}

/* ---- fcntl ---- */

enum fcntl_takes { TAKES_NOTHING, TAKES_INT, TAKES_FLAGS, TAKES_CLOEXEC, TAKES_LOCK, TAKES_SIGNAL, TAKES_POINTER };

static enum fcntl_takes fcntl_takes(uint32_t command)
{
	switch (command) {
	case F_GETFD:
	case F_GETFL:
	case F_GETOWN:
	case F_GETSIG:
	case F_GETLEASE:
	case F_GETPIPE_SZ:
	case F_GET_SEALS:
		return TAKES_NOTHING;
	case F_SETFD:
		return TAKES_CLOEXEC;
	case F_SETFL:
		return TAKES_FLAGS;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return TAKES_LOCK;
	case F_SETSIG:
		return TAKES_SIGNAL;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETOWN:
	case F_SETPIPE_SZ:
		return TAKES_INT;
	}
	return TAKES_POINTER;
}

static void put_lock(struct decoding *d, const void *p)
{
	put_member(d, "{l_type");
	put_value(d, &flag_names_lock_type, u16_at(p, 0));
	put_member(d, ", l_whence");
	put_value(d, &flag_names_whence, u16_at(p, 2));
	put_member_i64(d, ", l_start", (int64_t)u64_at(p, 8));
	put_member_i64(d, ", l_len", (int64_t)u64_at(p, 16));
	put_char(d, '}');
}

void decode_fcntl_argument(struct decoding *d)
{
	const void *p;

	switch (fcntl_takes((uint32_t)d->event->record->argument[1])) {
	case TAKES_CLOEXEC:
		put_text(d, value_of(d) == FD_CLOEXEC ? "FD_CLOEXEC" : "");
		if (value_of(d) != FD_CLOEXEC)
			decode_hex(d);
		break;
	case TAKES_FLAGS:
		put_open_flags(d, (uint32_t)value_of(d));
		break;
	case TAKES_SIGNAL:
		decode_signal(d);
		break;
	case TAKES_INT:
		decode_int(d);
		break;
	case TAKES_LOCK:
		if (struct_of(d, 32, &p)) {
			put_lock(d, p);
			break;
		}
		decode_pointer(d);
		break;
	default:
		decode_hex(d);
	}
}

void put_fcntl_number(struct decoding *d)
{
	int64_t result = d->event->record->result;

	switch ((uint32_t)d->event->record->argument[1]) {
	case F_GETFD:
	case F_GETFL:
	case F_GET_SEALS:
		if (result)
			put_hex(d, (uint64_t)result);
		else
			put_char(d, '0');
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		put_fd(d, (int)result);
		break;
	default:
		put_i64(d, result);
	}
}

void put_fcntl_result(struct decoding *d)
{
	uint64_t result = (uint64_t)d->event->record->result;

	switch ((uint32_t)d->event->record->argument[1]) {
	case F_GETFD:
		if (result & FD_CLOEXEC)
			put_text(d, " (flags FD_CLOEXEC)");
		break;
	case F_GETFL:
		put_text(d, " (flags ");
		put_open_flags(d, result);
		put_char(d, ')');
		break;
	}
}

/* ---- prctl ---- */

static unsigned prctl_arguments(uint32_t option)
{
	switch (option) {
	case PR_GET_DUMPABLE:
	case PR_GET_KEEPCAPS:
	case PR_GET_TIMERSLACK:
	case PR_GET_SECUREBITS:
		return 1;
	case PR_SET_NAME:
	case PR_GET_NAME:
	case PR_SET_PDEATHSIG:
	case PR_GET_PDEATHSIG:
	case PR_SET_DUMPABLE:
	case PR_SET_KEEPCAPS:
	case PR_SET_TIMERSLACK:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_SET_CHILD_SUBREAPER:
	case PR_GET_CHILD_SUBREAPER:
	case PR_SET_PTRACER:
	case PR_SET_SECUREBITS:
		return 2;
	}
	return 5;
}

void decode_prctl_argument(struct decoding *d)
{
	uint32_t option = (uint32_t)d->event->record->argument[0];
	struct span s;

	if (option == PR_SET_NAME && part_of(d, d->at, 0, false, &s)) {
		put_quoted(d, (struct span){ s.p, strnlen(s.p, s.n) }, strnlen(s.p, s.n) == s.n);
	} else if (option == PR_SET_PDEATHSIG) {
		decode_signal(d);
	} else if (option == PR_SET_DUMPABLE) {
		static const char *const words[] = { "SUID_DUMP_DISABLE", "SUID_DUMP_USER", "SUID_DUMP_ROOT" };

		if (value_of(d) < 3)
			put_text(d, words[value_of(d)]);
		else
			decode_hex(d);
	} else if (prctl_arguments(option) == 2 || option == PR_SET_NO_NEW_PRIVS) {
		decode_ulong(d);
	} else {
		decode_hex(d);
	}
}

/* ---- ioctl ---- */

void decode_ioctl(struct decoding *d)
{
	uint32_t request = (uint32_t)value_of(d), direction = request >> 30;
	const char *name = flag_name(d->names, request);

	if (name) {
		put_text(d, name);
		return;
	}
	put_text(d, "_IOC(");
	static const char *const directions[] = { "_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE" };
	put_text(d, directions[direction]);
	put_text(d, ", ");
	put_hex(d, request >> 8 & 0xff);
	put_text(d, ", ");
	put_hex(d, request & 0xff);
	put_text(d, ", ");
	put_hex(d, request >> 16 & 0x3fff);
	put_char(d, ')');
}

void decode_ioctl_argument(struct decoding *d)
{
	struct span s;

	switch ((uint32_t)d->event->record->argument[1]) {
	case FIONREAD:
	case TIOCOUTQ:
	case TIOCGPGRP:
		if (succeeded(d) && part_of(d, d->at, 0, true, &s) && s.n >= 4) {
			put_char(d, '[');
			put_i64(d, (int32_t)u32_at(s.p, 0));
			put_char(d, ']');
			return;
		}
		break;
	case FIONBIO:
	case TIOCSPGRP:
		if (part_of(d, d->at, 0, false, &s) && s.n >= 4) {
			put_char(d, '[');
			put_i64(d, (int32_t)u32_at(s.p, 0));
			put_char(d, ']');
			return;
		}
		break;
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		if (part_of(d, d->at, 0, d->event->record->argument[1] == TIOCGWINSZ, &s) && s.n >= 8) {
			put_member_u64(d, "{ws_row", u16_at(s.p, 0));
			put_member_u64(d, ", ws_col", u16_at(s.p, 2));
			put_member_u64(d, ", ws_xpixel", u16_at(s.p, 4));
			put_member_u64(d, ", ws_ypixel", u16_at(s.p, 6));
			put_char(d, '}');
			return;
		}
		break;
	}
	decode_pointer(d);
}

/* ---- how many ---- */

static bool clone_counts(unsigned i)
{
	return i == 0; /* it writes all of them */
}

bool decode_skips(const struct trace_event *e, unsigned i)
{
	if (syscall_argument_kind(e->call, 1) != ARGUMENT_FUTEX_OP)
		return false;
	return (i == 4 && (futex_command(e) == FUTEX_WAIT_BITSET || futex_command(e) == FUTEX_WAKE_BITSET)) ||
	       (i == 3 && futex_command(e) == FUTEX_WAKE_BITSET);
}

/* What stands last and is looked at only with some flags. */
static bool last_counts(const struct trace_event *e, unsigned i)
{
	const struct trace_record *r = e->record;

	if (i && syscall_argument_kind(e->call, i - 1) == ARGUMENT_MODE_TYPE)
		return S_ISCHR((uint32_t)r->argument[i - 1]) || S_ISBLK((uint32_t)r->argument[i - 1]);
	if (i && syscall_argument_kind(e->call, i - 1) == ARGUMENT_MREMAP_FLAGS)
		return r->argument[i - 1] & ~UINT64_C(1);
	return true;
}

bool decode_counts(const struct trace_event *e, unsigned i)
{
	const struct trace_record *r = e->record;

	if (!last_counts(e, i))
		return false;

	switch (syscall_argument_kind(e->call, 0)) {
	case ARGUMENT_PRCTL:
		return i < prctl_arguments((uint32_t)r->argument[0]);
	case ARGUMENT_CLONE_FLAGS:
		return clone_counts(i);
	default:
		break;
	}
	switch (syscall_argument_kind(e->call, 1)) {
	case ARGUMENT_FUTEX_OP:
		return i < futex_arguments(futex_command(e));
	case ARGUMENT_FCNTL:
		return i < 2 || fcntl_takes((uint32_t)r->argument[1]) != TAKES_NOTHING;
	case ARGUMENT_IOCTL:
		return i < 2 || !((uint32_t)r->argument[1] == FIOCLEX || (uint32_t)r->argument[1] == FIONCLEX);
	default:
		return true;
	}
}
