#include "dig/latency/call_name.h"

#include <stddef.h>
#include <sys/syscall.h>

#include "dig/trace/syscall_table.h"

static const bool waits[] = {
	[SYS_accept] = true, [SYS_accept4] = true, [SYS_clock_nanosleep] = true,
	[SYS_epoll_pwait] = true, [SYS_epoll_pwait2] = true, [SYS_epoll_wait] = true,
	[SYS_futex] = true, [SYS_futex_waitv] = true, [SYS_io_getevents] = true,
	[SYS_io_pgetevents] = true, [SYS_io_uring_enter] = true, [SYS_mq_timedreceive] = true,
	[SYS_msgrcv] = true, [SYS_nanosleep] = true, [SYS_pause] = true, [SYS_poll] = true,
	[SYS_ppoll] = true, [SYS_pselect6] = true, [SYS_recvfrom] = true, [SYS_recvmmsg] = true,
	[SYS_recvmsg] = true, [SYS_restart_syscall] = true, [SYS_rt_sigsuspend] = true,
	[SYS_rt_sigtimedwait] = true, [SYS_select] = true, [SYS_semop] = true, [SYS_semtimedop] = true,
	[SYS_wait4] = true, [SYS_waitid] = true,
	[455] = true, /* futex_wait, which headers of 6.1 lack */
};

const char *call_name(uint64_t number)
{
#ifdef __x86_64__
	const struct syscall_entry *e = number < UINT32_MAX ? syscall_entry((unsigned)number) : NULL;

	return e ? e->name : NULL;
#else /* the table has the numbers of x86-64 */
	(void)number;
	return NULL;
#endif
}

bool call_waits(uint64_t number)
{
	return number < sizeof waits / sizeof waits[0] && waits[number];
}
