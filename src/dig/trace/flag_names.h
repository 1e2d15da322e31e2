/* Names of flags and values of arguments, by the table that arguments.def names. Pure.
 * Source: the uapi headers of Linux 6.17; values that Debian's headers lack are written as numbers. */
#ifndef OSPREY_DIG_TRACE_FLAG_NAMES_H
#define OSPREY_DIG_TRACE_FLAG_NAMES_H

#include <stdbool.h>
#include <stdint.h>

struct flag_name {
	uint64_t value;
	const char *name;
};

struct flag_names {
	const struct flag_name *v;
	unsigned n;
	const char *unknown; /* what stands in a comment behind bits without a name: "PROT_???" */
};

#define FLAG_TABLE(table) extern const struct flag_names flag_names_##table
FLAG_TABLE(none);
FLAG_TABLE(open);
FLAG_TABLE(whence);
FLAG_TABLE(prot);
FLAG_TABLE(mmap);
FLAG_TABLE(mremap);
FLAG_TABLE(msync);
FLAG_TABLE(madvise);
FLAG_TABLE(mlockall);
FLAG_TABLE(sigmask);
FLAG_TABLE(access);
FLAG_TABLE(itimer);
FLAG_TABLE(family);
FLAG_TABLE(socket_type);
FLAG_TABLE(socket_flags);
FLAG_TABLE(socket_level);
FLAG_TABLE(socket_option);
FLAG_TABLE(tcp_option);
FLAG_TABLE(ip_option);
FLAG_TABLE(ip6_option);
FLAG_TABLE(ip_protocol);
FLAG_TABLE(netlink_protocol);
FLAG_TABLE(message);
FLAG_TABLE(shutdown);
FLAG_TABLE(wait);
FLAG_TABLE(wait_id);
FLAG_TABLE(flock);
FLAG_TABLE(resource);
FLAG_TABLE(rusage_who);
FLAG_TABLE(ptrace);
FLAG_TABLE(priority);
FLAG_TABLE(policy);
FLAG_TABLE(arch_prctl);
FLAG_TABLE(mount);
FLAG_TABLE(umount);
FLAG_TABLE(fadvise);
FLAG_TABLE(clock);
FLAG_TABLE(timer);
FLAG_TABLE(timerfd);
FLAG_TABLE(timerfd_set);
FLAG_TABLE(epoll_op);
FLAG_TABLE(epoll_create);
FLAG_TABLE(epoll);
FLAG_TABLE(poll);
FLAG_TABLE(eventfd);
FLAG_TABLE(signalfd);
FLAG_TABLE(inotify);
FLAG_TABLE(inotify_init);
FLAG_TABLE(at);
FLAG_TABLE(faccessat);
FLAG_TABLE(unlinkat);
FLAG_TABLE(rename);
FLAG_TABLE(fallocate);
FLAG_TABLE(splice);
FLAG_TABLE(clone);
FLAG_TABLE(unshare);
FLAG_TABLE(statx);
FLAG_TABLE(statx_attribute);
FLAG_TABLE(seccomp);
FLAG_TABLE(getrandom);
FLAG_TABLE(memfd);
FLAG_TABLE(bpf);
FLAG_TABLE(membarrier);
FLAG_TABLE(rwf);
FLAG_TABLE(uring_enter);
FLAG_TABLE(pidfd);
FLAG_TABLE(close_range);
FLAG_TABLE(ioctl);
FLAG_TABLE(fcntl);
FLAG_TABLE(lock_type);
FLAG_TABLE(prctl);
FLAG_TABLE(futex);
FLAG_TABLE(resolve);
FLAG_TABLE(sigaction);
FLAG_TABLE(sigaltstack);
FLAG_TABLE(statfs_magic);
FLAG_TABLE(signal_code);
FLAG_TABLE(child_code);
#undef FLAG_TABLE

/* NULL: no name. */
const char *flag_name(const struct flag_names *names, uint64_t value);
/* "ENOENT"; NULL: no such error. */
const char *errno_name(int error);
/* Its number, or -ENOENT. */
int errno_number(const char *name);
/* "SIGTERM", "SIGRT_3" (of realtime signals), into SIGNAL_NAME_SIZE bytes. False: no signal has the number. */
#define SIGNAL_NAME_SIZE 16
bool trace_signal_name(int signal, char *ret);

#endif
