#include "source/process/wait_words.h"

#include <string.h>
#include <sys/syscall.h>

static const struct syscall_words calls[] = {
#define CALL(name, waits_for) [SYS_##name] = { #name, waits_for, false },
#define FD_CALL(name, waits_for) [SYS_##name] = { #name, waits_for, true },
	FD_CALL(read, "data")
	FD_CALL(readv, "data")
	FD_CALL(pread64, "data of a file")
	FD_CALL(preadv, "data of a file")
	FD_CALL(write, "room to write")
	FD_CALL(writev, "room to write")
	FD_CALL(pwrite64, "room to write")
	FD_CALL(pwritev, "room to write")
	CALL(futex, "a lock, or another thread")
	CALL(ppoll, "events of descriptors")
	CALL(pselect6, "events of descriptors")
	FD_CALL(epoll_pwait, "events of descriptors")
	CALL(nanosleep, "time to pass")
	CALL(clock_nanosleep, "time to pass")
	CALL(wait4, "a child to end")
	CALL(waitid, "a child to end")
	FD_CALL(accept, "a connection")
	FD_CALL(accept4, "a connection")
	FD_CALL(connect, "a connection to be answered")
	FD_CALL(recvfrom, "data of a socket")
	FD_CALL(recvmsg, "data of a socket")
	FD_CALL(recvmmsg, "data of a socket")
	FD_CALL(sendto, "room in a socket")
	FD_CALL(sendmsg, "room in a socket")
	FD_CALL(sendmmsg, "room in a socket")
	CALL(rt_sigsuspend, "a signal")
	CALL(rt_sigtimedwait, "a signal")
	FD_CALL(flock, "a file lock")
	FD_CALL(fcntl, "a file lock")
	FD_CALL(fsync, "data to reach the disk")
	FD_CALL(fdatasync, "data to reach the disk")
	CALL(sync, "data to reach the disks")
	FD_CALL(syncfs, "data to reach the disk")
	FD_CALL(sync_file_range, "data to reach the disk")
	CALL(msync, "data to reach the disk")
	FD_CALL(fallocate, "the filesystem")
	FD_CALL(ftruncate, "the filesystem")
	CALL(truncate, "the filesystem")
	CALL(openat, "the filesystem, or the other end of a named pipe")
	FD_CALL(close, "a file to be closed")
	FD_CALL(ioctl, "a device")
	FD_CALL(getdents64, "the filesystem")
	CALL(newfstatat, "the filesystem")
	FD_CALL(fstat, "the filesystem")
	CALL(statx, "the filesystem")
	CALL(faccessat, "the filesystem")
	CALL(unlinkat, "the filesystem")
	CALL(renameat2, "the filesystem")
	CALL(mkdirat, "the filesystem")
	CALL(readlinkat, "the filesystem")
	CALL(mount, "the filesystem")
	CALL(umount2, "the filesystem")
	CALL(statfs, "the filesystem")
	CALL(io_getevents, "asynchronous I/O")
	CALL(io_submit, "room in the queue of a disk")
	FD_CALL(io_uring_enter, "asynchronous I/O")
	CALL(msgrcv, "a message")
	CALL(msgsnd, "room in a message queue")
	CALL(semop, "a System V semaphore")
	CALL(semtimedop, "a System V semaphore")
	FD_CALL(mq_timedreceive, "a message")
	FD_CALL(mq_timedsend, "room in a message queue")
	CALL(restart_syscall, "the rest of an interrupted call")
	FD_CALL(splice, "data or room")
	FD_CALL(sendfile, "room to write")
	FD_CALL(copy_file_range, "the filesystem")
	CALL(execve, "a program to be loaded")
	CALL(exit_group, "its end")
	CALL(exit, "its end")
	CALL(clone, "a child")
	CALL(mmap, "its address space")
	CALL(munmap, "its address space")
	CALL(mprotect, "its address space")
	CALL(madvise, "its address space")
	CALL(brk, "its address space")
	CALL(ptrace, "a traced process")
	CALL(process_vm_readv, "memory of another process")
	CALL(process_vm_writev, "memory of another process")
	FD_CALL(finit_module, "the kernel to take a module")
	CALL(bpf, "the kernel's BPF")
	CALL(sched_yield, NULL)
#ifdef SYS_epoll_pwait2
	FD_CALL(epoll_pwait2, "events of descriptors")
#endif
#ifdef SYS_clone3
	CALL(clone3, "a child")
#endif
#ifdef SYS_openat2
	CALL(openat2, "the filesystem")
#endif
#ifdef SYS_futex_waitv
	CALL(futex_waitv, "a lock, or another thread")
#endif
#ifdef __x86_64__
	CALL(poll, "events of descriptors")
	CALL(select, "events of descriptors")
	FD_CALL(epoll_wait, "events of descriptors")
	CALL(pause, "a signal")
	CALL(open, "the filesystem, or the other end of a named pipe")
	CALL(stat, "the filesystem")
	CALL(lstat, "the filesystem")
	CALL(access, "the filesystem")
	CALL(unlink, "the filesystem")
	CALL(rename, "the filesystem")
	CALL(mkdir, "the filesystem")
	CALL(rmdir, "the filesystem")
	CALL(readlink, "the filesystem")
	CALL(creat, "the filesystem")
	CALL(vfork, "its child to start a program, or to end")
	CALL(fork, "a child")
#endif
#undef CALL
#undef FD_CALL
};

const struct syscall_words *syscall_words(int number)
{
	if (number < 0 || (size_t)number >= sizeof calls / sizeof calls[0] || !calls[number].name)
		return NULL;
	return &calls[number];
}

/* Functions carry suffixes of the compiler and leading underscores, so a part of the name decides;
 * the first that is found in it. */
static const struct {
	const char *part, *words;
} places[] = {
	{ "rpc_wait_bit", "an NFS server" },
	{ "nfs_wait", "an NFS server" },
	{ "fuse_", "a FUSE filesystem's process to answer" },
	{ "request_wait_answer", "a FUSE filesystem's process to answer" },
	{ "cifs_", "an SMB server" },
	{ "nbd_", "a network block device" },
	{ "jbd2_log_wait_commit", "the ext4 journal to be committed" },
	{ "wait_transaction_locked", "the ext4 journal to be committed" },
	{ "jbd2_journal_commit", "the ext4 journal to be written" },
	{ "xlog_", "the XFS log" },
	{ "xfs_log", "the XFS log" },
	{ "btrfs_", "a btrfs transaction" },
	{ "balance_dirty_pages", "write-back: it dirties pages faster than the disk takes them" },
	{ "mem_cgroup_handle_over_high", "memory.high of its cgroup: it is throttled" },
	{ "mem_cgroup_oom", "memory in its cgroup, whose limit is reached" },
	{ "throttle_direct_reclaim", "memory: it must wait for reclaim" },
	{ "congestion_wait", "memory: it must wait for reclaim" },
	{ "folio_wait_bit", "a page to be read or written" },
	{ "wait_on_page_bit", "a page to be read or written" },
	{ "wait_on_page_writeback", "a page to be written" },
	{ "migration_entry_wait", "a page that is being moved" },
	{ "do_swap_page", "a page to come back from swap" },
	{ "blk_mq_get_tag", "room in the queue of a disk" },
	{ "rq_qos_wait", "its share of a disk (blk-throttle, wbt, iocost)" },
	{ "blk_throtl", "its limit on a disk (io.max)" },
	{ "blkdev_issue", "a disk" },
	{ "blk_execute_rq", "a disk" },
	{ "submit_bio_wait", "a disk" },
	{ "io_schedule", "a disk" },
	{ "wait_on_buffer", "a disk" },
	{ "bit_wait_io", "a disk" },
	{ "dio_", "a disk (direct I/O)" },
	{ "iomap_dio", "a disk (direct I/O)" },
	{ "rwsem_down", "a read-write lock of the kernel" },
	{ "__mutex_lock", "a mutex of the kernel" },
	{ "mutex_lock", "a mutex of the kernel" },
	{ "__down", "a semaphore of the kernel" },
	{ "synchronize_rcu", "all CPUs to pass a quiet state (RCU)" },
	{ "wait_rcu_gp", "all CPUs to pass a quiet state (RCU)" },
	{ "percpu_ref", "users of a kernel object to leave" },
	{ "futex", "a lock, or another thread" },
	{ "ep_poll", "events of descriptors" },
	{ "do_epoll", "events of descriptors" },
	{ "poll_schedule_timeout", "events of descriptors" },
	{ "do_poll", "events of descriptors" },
	{ "do_select", "events of descriptors" },
	{ "pipe_read", "data in a pipe" },
	{ "pipe_write", "room in a pipe" },
	{ "pipe_wait", "a pipe" },
	{ "wait_for_partner", "the other end of a named pipe" },
	{ "unix_stream_read", "data of a unix socket" },
	{ "unix_stream_", "a unix socket" },
	{ "unix_", "a unix socket" },
	{ "inet_csk_accept", "a connection" },
	{ "inet_stream_connect", "a connection to be answered" },
	{ "inet_wait_for_connect", "a connection to be answered" },
	{ "tcp_recvmsg", "data of a TCP connection" },
	{ "sk_wait_data", "data of a socket" },
	{ "sk_stream_wait_memory", "room in a TCP connection" },
	{ "__skb_wait_for_more_packets", "a datagram" },
	{ "skb_recv_datagram", "a datagram" },
	{ "sock_alloc_send", "room in a socket" },
	{ "do_wait", "a child to end" },
	{ "kernel_wait4", "a child to end" },
	{ "wait_for_vfork_done", "its child to start a program, or to end" },
	{ "hrtimer_nanosleep", "time to pass" },
	{ "do_nanosleep", "time to pass" },
	{ "sigsuspend", "a signal" },
	{ "do_sigtimedwait", "a signal" },
	{ "sys_pause", "a signal" },
	{ "do_signal_stop", "SIGCONT" },
	{ "ptrace_stop", "its tracer" },
	{ "ptrace_", "its tracer" },
	{ "refrigerator", "its cgroup to be thawed, or the machine to resume" },
	{ "freezer", "its cgroup to be thawed" },
	{ "n_tty_read", "input of its terminal" },
	{ "tty_", "its terminal" },
	{ "wait_for_tty", "its terminal" },
	{ "eventfd_read", "an eventfd" },
	{ "inotify_read", "a change of a file" },
	{ "fanotify", "a listener's permission (fanotify)" },
	{ "timerfd_read", "a timer" },
	{ "signalfd_", "a signal" },
	{ "io_cqring_wait", "asynchronous I/O (io_uring)" },
	{ "read_events", "asynchronous I/O" },
	{ "do_msgrcv", "a message" },
	{ "do_msgsnd", "room in a message queue" },
	{ "semtimedop", "a System V semaphore" },
	{ "wq_sleep", "a message queue" },
	{ "flock_lock_inode_wait", "a file lock" },
	{ "locks_lock_inode_wait", "a file lock" },
	{ "fcntl_setlk", "a file lock" },
	{ "posix_lock", "a file lock" },
	{ "sync_inodes_sb", "data to reach the disk" },
	{ "worker_thread", "work" },
	{ "kthreadd", "work" },
	{ "kthread", "work" },
	{ "smpboot_thread", "work" },
	{ "rescuer_thread", "work" },
	{ "rcu_", "RCU work" },
	{ "kswapd", "memory to run short" },
	{ "kcompactd", "memory to be compacted" },
	{ "do_exit", "its end" },
	{ "zap_pid_ns", "the processes of its pid namespace to end" },
	{ "coredump", "its core to be written" },
	{ "usleep", "a device" },
	{ "msleep", "a device" },
	{ "schedule_timeout", "time to pass" },
	{ "wait_for_completion", "another part of the kernel to finish" },
};

const char *wchan_words(const char *function)
{
	if (!*function)
		return NULL;
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (strstr(function, places[i].part))
			return places[i].words;
	return NULL;
}

const char *task_state_words(char state)
{
	switch (state) {
	case 'R':
		return "running, or ready to run";
	case 'S':
		return "sleeping (a signal wakes it)";
	case 'D':
		return "uninterruptible sleep (no signal wakes it, not even KILL)";
	case 'T':
		return "stopped by a signal";
	case 't':
		return "stopped by a tracer";
	case 'Z':
		return "zombie: it has ended, and its parent has not asked how";
	case 'X':
	case 'x':
		return "dead";
	case 'I':
		return "idle thread of the kernel";
	case 'P':
		return "parked thread of the kernel";
	default:
		return "in a state that is not known";
	}
}

const char *policy_name(unsigned policy)
{
	static const char *const names[] = {
		"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE",
		"SCHED_EXT",
	};

	return policy < sizeof names / sizeof names[0] ? names[policy] : "?";
}
