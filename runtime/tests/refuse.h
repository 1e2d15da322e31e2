/* A kernel that refuses, by a seccomp filter: for the calling process, and for ever. */
#ifndef RT_TESTS_REFUSE_H
#define RT_TESTS_REFUSE_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* One call whose argument `arg` (its lower half) is at least `from` and at
 * most `to` fails with `error`. */
struct refused {
	const char *name;
	int call, arg;
	unsigned from, to;
	int error;
};

static const struct refused refused_calls[] = {
	/* As a container's profile does. */
	{ "membarrier", SYS_membarrier, 0, 0, ~0u, EPERM },
	/* As kernels before 6.13 do. */
	{ "guard", SYS_madvise, 2, MADV_GUARD_INSTALL, MADV_GUARD_INSTALL, EINVAL },
	{ "madvise", SYS_madvise, 2, 0, ~0u, ENOSYS },
	/* As vm.overcommit_memory = 2 does when little is left: what is made writable counts. */
	{ "commit16m", SYS_mprotect, 1, 16u << 20, ~0u, ENOMEM },
	{ "commit1m", SYS_mprotect, 1, 1u << 20, ~0u, ENOMEM },
	/* What descriptors are made of, a thousand at a time. */
	{ "descriptors", SYS_mprotect, 1, 64u << 10, 64u << 10, ENOMEM },
	{ "threads", SYS_clone3, 0, 0, ~0u, EAGAIN },
	{ "ring", SYS_io_uring_enter, 0, 0, ~0u, EPERM },
};

static inline int refuse(const char *name)
{
	const struct refused *r = refused_calls, *end = r + sizeof refused_calls / sizeof *refused_calls;

	while (r < end && strcmp(r->name, name) != 0)
		r++;
	if (r == end)
		return -ENOENT;
	unsigned at = (unsigned)(offsetof(struct seccomp_data, args) + 8 * (size_t)r->arg);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)r->call, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, r->from, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, r->to, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)r->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* For all threads, unless one has another filter already. */
	long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	return result < 0 ? -errno : result > 0 ? -EBUSY : 0;
}

#endif
