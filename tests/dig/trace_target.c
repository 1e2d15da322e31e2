/* Makes system calls with arguments that are known: those of it that are decoded are compared with strace's, one by one.
 * Nothing here waits, and nothing differs from run to run but numbers of processes, addresses and times. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/netlink.h>

#define CALL(...) ((void)!(__VA_ARGS__))

static char bytes[65536];

static int files(void)
{
	struct stat st;
	struct statfs fs;
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2 };

	CALL(fstat(fd, &st), stat("/etc/hostname", &st), lstat("/no/such/file", &st), stat("/dev/null", &st));
	CALL(read(fd, bytes, 40), read(fd, bytes, 10), pread(fd, bytes, 8, 5), lseek(fd, 10, SEEK_SET), lseek(fd, -1, SEEK_END));
	CALL(fcntl(fd, F_GETFD), fcntl(fd, F_SETFD, 0), fcntl(fd, F_GETFL), fcntl(fd, F_SETFL, O_NONBLOCK), fcntl(fd, F_DUPFD, 50));
	CALL(fcntl(fd, F_DUPFD_CLOEXEC, 60), fcntl(fd, F_SETLK, &lock), flock(fd, LOCK_SH | LOCK_NB), flock(fd, LOCK_UN));
	CALL(dup(fd), dup2(fd, 70), dup3(fd, 71, O_CLOEXEC), fsync(fd), fdatasync(fd), ftruncate(fd, 5), fchmod(-1, 0600));
	CALL(access("/etc", R_OK | X_OK), access("/no/such", F_OK), faccessat(AT_FDCWD, "/etc", W_OK, 0), chdir("/tmp"), fchdir(-1));
	CALL(mkdir("/no/such/dir", 0755), rmdir("/no/such/dir"), unlink("/no/such/file"), unlinkat(AT_FDCWD, "/no/such", AT_REMOVEDIR));
	CALL(rename("/no/a", "/no/b"), renameat2(AT_FDCWD, "/no/a", AT_FDCWD, "/no/b", RENAME_NOREPLACE), link("/no/a", "/no/b"));
	CALL(symlink("to \"what\"\n", "/no/such/link"), readlink("/proc/self/exe", bytes, 20), chmod("/no/such", 04755));
	CALL(chown("/no/such", 1, -1), utimensat(AT_FDCWD, "/no/such", now, AT_SYMLINK_NOFOLLOW), truncate("/no/such", 7));
	CALL(mknod("/no/such/fifo", S_IFIFO | 0644, 0), statfs("/proc", &fs), umask(022), umask(022), getcwd(bytes, 100));
	CALL(open("/no/such", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0640), open("/no\377\t\033", O_WRONLY | O_EXCL | O_NOFOLLOW));
	CALL(syscall(SYS_openat2, AT_FDCWD, "/no/such", &(uint64_t[3]){ O_RDONLY, 0, 8 }, 24), fallocate(-1, 3, 10, 20));
	CALL(posix_fadvise(fd, 0, 100, POSIX_FADV_SEQUENTIAL), readahead(-1, 1, 2), syscall(SYS_close_range, 500, 600, 0));
	CALL(syscall(SYS_statx, AT_FDCWD, "/dev/zero", AT_SYMLINK_NOFOLLOW, 0x7ff, bytes), mount("a", "/no/such", "tmpfs", 6, "size=1"));
	CALL(umount2("/no/such", 2), syscall(SYS_newfstatat, fd, "", &st, 0x1000), sync_file_range(-1, 1, 2, 0));
	return fd;
}

static void memory(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CALL(mprotect(p, 4096, PROT_READ | PROT_EXEC), madvise(p, 8192, MADV_DONTNEED), madvise(p, 8192, MADV_WILLNEED));
	CALL(mremap(p, 8192, 4096, 0) == p, msync(p, 4096, MS_SYNC), mlock(p, 4096), munlock(p, 4096), munmap(p, 8192));
	CALL(syscall(SYS_memfd_create, "name", 3), mlockall(0x100));
}

static void waiting(int fd)
{
	struct pollfd polls[2] = { { fd, POLLIN | POLLPRI, 0 }, { -1, POLLOUT, 0 } };
	struct epoll_event event = { EPOLLIN | EPOLLET, { .u32 = 77 } };
	struct timespec moment = { 0, 1000 };
	struct timeval short_time = { 0, 5 };
	struct itimerspec timer = { { 0, 0 }, { 1, 2 } };
	int epoll = epoll_create1(EPOLL_CLOEXEC), event_fd = eventfd(3, EFD_NONBLOCK), pipes[2];
	fd_set set;

	CALL(pipe2(pipes, O_NONBLOCK | O_CLOEXEC), write(pipes[1], "hi\n\0001\200", 6));
	CALL(poll(polls, 2, 0), poll(NULL, 0, 1), ppoll(polls, 1, &moment, NULL));
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event), epoll_wait(epoll, &event, 1, 0), epoll_ctl(epoll, EPOLL_CTL_DEL, 99, NULL));
	FD_ZERO(&set);
	FD_SET(pipes[0], &set);
	CALL(select(pipes[0] + 1, &set, NULL, NULL, &short_time), read(event_fd, bytes, 8), ioctl(pipes[0], FIONREAD, bytes));
	CALL(read(pipes[0], bytes, 100), read(pipes[0], bytes, 100), writev(pipes[1], (struct iovec[]){ { "abc", 3 }, { "defg", 4 } }, 2));
	CALL(readv(pipes[0], (struct iovec[]){ { bytes, 2 }, { bytes + 100, 50 } }, 2), ioctl(fd, FIONCLEX), ioctl(-1, TCGETS, bytes));
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	CALL(timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &timer, NULL), nanosleep(&moment, NULL));
	CALL(clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL), clock_getres(CLOCK_BOOTTIME, &moment), alarm(0));
	CALL(inotify_init1(IN_CLOEXEC), inotify_add_watch(-1, "/tmp", IN_CREATE | IN_DELETE), sched_yield());
	CALL(setitimer(ITIMER_VIRTUAL, &(struct itimerval){ 0 }, NULL), getitimer(ITIMER_REAL, (struct itimerval *)bytes));
	CALL(syscall(SYS_futex, &event_fd, 0, 7777, &moment), syscall(SYS_futex, &event_fd, 129, 1), syscall(SYS_futex, &event_fd, 137, 9, NULL, NULL, -1));
}

static void sockets(void)
{
	struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr = { htonl(0x7f000001) } };
	struct sockaddr_in6 inet6 = { .sin6_family = AF_INET6, .sin6_port = htons(1), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un local = { AF_UNIX, "/no/such/socket" }, abstract = { AF_UNIX, "\0osprey-name" };
	struct sockaddr_nl netlink = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), u = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int s6 = socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP), n = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), pair[2], one = 1;
	struct iovec out[2] = { { "abc", 3 }, { "defg", 4 } }, in = { bytes, 50 };
	struct msghdr sent = { .msg_iov = out, .msg_iovlen = 2 }, got = { .msg_iov = &in, .msg_iovlen = 1 };
	struct linger linger = { 1, 2 };
	socklen_t size = sizeof one;

	CALL(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, 4), setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, 4));
	CALL(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), getsockopt(s, SOL_SOCKET, SO_TYPE, &one, &size));
	CALL(connect(s, (void *)&inet, sizeof inet), connect(s6, (void *)&inet6, sizeof inet6), connect(u, (void *)&local, sizeof local));
	CALL(bind(u, (void *)&abstract, offsetof(struct sockaddr_un, sun_path) + 12), bind(n, (void *)&netlink, sizeof netlink));
	size = sizeof inet6;
	CALL(getpeername(s6, (void *)bytes, &size), getpeername(s, (void *)bytes, &size), listen(u, 5), shutdown(s, SHUT_RDWR));
	CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), sendmsg(pair[0], &sent, MSG_DONTWAIT | MSG_NOSIGNAL), recvmsg(pair[1], &got, 0));
	CALL(send(pair[0], "q", 1, 0), recv(pair[1], bytes, 50, MSG_DONTWAIT), recv(pair[1], bytes, 50, MSG_DONTWAIT | MSG_PEEK));
	CALL(sendto(s6, "to", 2, MSG_MORE, (void *)&inet6, sizeof inet6), accept4(u, NULL, NULL, SOCK_CLOEXEC));
}

static void processes(void)
{
	struct rlimit limit;
	struct sigaction action = { .sa_handler = SIG_IGN, .sa_flags = SA_RESTART };
	struct sched_param priority = { 0 };
	struct utsname name;
	sigset_t set;
	int status;

	CALL(getrlimit(RLIMIT_NOFILE, &limit), setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }), prctl(PR_SET_NAME, "renamed"));
	CALL(prctl(PR_SET_PDEATHSIG, 0), prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), uname(&name));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, 40);
	CALL(sigaction(SIGUSR1, &action, NULL), sigprocmask(SIG_BLOCK, &set, NULL), sigprocmask(SIG_UNBLOCK, NULL, &set));
	CALL(signalfd(-1, &set, SFD_CLOEXEC), sigaltstack(NULL, NULL), kill(-12345678, SIGTERM), wait4(-1, &status, WNOHANG, NULL));
	CALL(getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), sched_getparam(0, &priority), sched_setscheduler(-1, SCHED_FIFO, &priority));
	CALL(waitid(P_PID, 12345678, (siginfo_t *)bytes, WEXITED | WNOHANG), getgroups(0, NULL), setpgid(-1, 0), getppid() > 0);
	CALL(unshare(0), setns(-1, CLONE_NEWNET), syscall(SYS_tkill, -1, 10));
	if (fork() == 0)
		_exit(3);
	CALL(wait4(-1, &status, 0, NULL));
}

int main(void)
{
	int fd = files();

	memory();
	waiting(fd);
	sockets();
	processes();
	return 7;
}
