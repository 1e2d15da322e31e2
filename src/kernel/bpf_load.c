#include "kernel/bpf_load.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_this_machine(const struct host *h)
{
	struct stat root, ours;

	return host_is_live(h) && fstat(host_root_fd(h), &root) == 0 && stat("/", &ours) == 0 &&
	       root.st_dev == ours.st_dev && root.st_ino == ours.st_ino;
}

/* Asks for the next program's id: a call that changes nothing and needs what loading
 * needs (before 5.8 CAP_SYS_ADMIN, then CAP_BPF or it as well). */
static int try_bpf(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	if (syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof attr) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

/* Loading takes a dozen descriptors and keeps half of them; what reads the host afterwards must
 * not starve for them. */
#define DESCRIPTORS_WANTED 40

static bool descriptors_scarce(const struct host *h)
{
	struct rlimit limit;
	int next = fcntl(host_root_fd(h), F_DUPFD_CLOEXEC, 0);

	if (next < 0)
		return true;
	close(next);
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)next + DESCRIPTORS_WANTED;
}

int bpf_usable(struct host *h, struct note *note)
{
	if (!is_this_machine(h))
		return note_set(note, -EOPNOTSUPP, "BPF shows the running machine alone");
	if (descriptors_scarce(h))
		return note_set(note, -EMFILE, "BPF: too few file descriptors are left (RLIMIT_NOFILE)");
	int r = try_bpf();
	if (r < 0)
		return bpf_load_failed(note, r, "BPF");
	if (access("/sys/kernel/btf/vmlinux", F_OK) != 0)
		return note_set(note, -ENOENT, "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF), or /sys is not mounted");
	libbpf_set_print(NULL); /* the caller has the error, and says it better */
	return 0;
}

bool bpf_load_again(int negative_errno)
{
	return negative_errno != -ENOMEM && negative_errno != -ENOSYS;
}

int bpf_load_failed(struct note *note, int negative_errno, const char *what)
{
	switch (-negative_errno) {
	case EPERM:
		return note_set(note, negative_errno,
				geteuid() == 0 ? "%s: not permitted, even as root (lockdown, seccomp or a container)" :
						 "%s: needs root, or CAP_BPF and CAP_PERFMON",
				what);
	case ENOSYS:
		return note_set(note, negative_errno, "%s: this kernel has no BPF (CONFIG_BPF_SYSCALL)", what);
	case EINVAL:
	case EACCES:
		return note_set(note, negative_errno, "%s: refused by this kernel's verifier, or the kernel is older than 5.8",
				what);
	default:
		return note_set(note, negative_errno, "%s: %s", what, strerror(-negative_errno));
	}
}
