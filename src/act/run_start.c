/* From clone to exec. The child shares the memory of its parent, which waits: so nothing is copied, and what
 * fails is told through a structure. It therefore calls the kernel alone: no allocation, no locks, and for
 * user and groups no glibc, which would tell threads that are not the child's. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act/run.h"

#define STACK_BYTES (64 * 1024)
#define IOPRIO_WHO_PROCESS 1

enum step {
	NO_STEP, STEP_PROCESS_GROUP, STEP_CGROUP, STEP_POLICY, STEP_NICE, STEP_CPUS, STEP_IO_PRIORITY, STEP_LIMIT, STEP_GROUPS,
	STEP_GROUP, STEP_USER, STEP_DESCRIPTORS, STEP_DIRECTORY, STEP_PARENT, STEP_EXEC,
};

struct start {
	const struct run_spec *spec;
	const int *group_fds;
	size_t ngroup_fds;
	pid_t front_group, parent;
	const char *path;
	/* told back */
	volatile enum step step;
	volatile int error;
	volatile size_t limit;
	volatile long peak_kib; /* of the memory that exec replaces */
};

/* ---- settings ---- */

static bool set_limit(const struct rlimit_wish *w)
{
	struct rlimit64 l;

	if (syscall(SYS_prlimit64, 0, w->kind->resource, NULL, &l) < 0)
		return false;
	/* A hard limit alone pulls the soft one down with it. */
	if (w->has_hard)
		l.rlim_max = w->hard;
	if (w->has_soft)
		l.rlim_cur = w->soft;
	else if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	return syscall(SYS_prlimit64, 0, w->kind->resource, &l, NULL) == 0;
}

static bool set_limits(struct start *s)
{
	const struct run_spec *spec = s->spec;

	if (spec->inherited.has_nofile)
		(void)!syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &spec->inherited.nofile, NULL);
	for (size_t i = 0; i < spec->nlimits; i++) {
		s->limit = i;
		if (!set_limit(&spec->limits[i]))
			return false;
	}
	return true;
}

static bool set_policy(const struct run_spec *spec)
{
	struct sched_param param = { .sched_priority = spec->schedule.priority };

	return syscall(SYS_sched_setscheduler, 0, spec->schedule.policy, &param) == 0;
}

static bool enter_groups(const struct start *s)
{
	for (size_t i = 0; i < s->ngroup_fds; i++)
		if (write(s->group_fds[i], "0", 1) < 0)
			return false;
	return true;
}

/* Those that osprey found closed are closed again. */
static bool set_descriptors(const struct run_spec *spec)
{
	const int wanted[] = { spec->in, spec->out, spec->err };

	for (int fd = 0; fd < 3; fd++) {
		if (wanted[fd] >= 0 && dup2(wanted[fd], fd) < 0)
			return false;
		if (wanted[fd] < 0 && spec->inherited.closed[fd])
			close(fd);
	}
	return true;
}

/* The credentials change clears it, so it comes after; the parent may have died before it. */
static bool die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return false;
	if (getppid() == parent)
		return true;
	errno = ESRCH;
	return false;
}

static void reset_signals(const struct run_inherited *inherited)
{
	signal(SIGPIPE, inherited->ignored_pipe ? SIG_IGN : SIG_DFL);
	signal(SIGCHLD, inherited->ignored_child ? SIG_IGN : SIG_DFL);
	sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
}

/* ---- exec ---- */

/* A script without "#!", as the shells and execvp do. */
static void execute(struct start *s, const char *file)
{
	char **argv = s->spec->argv;
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	s->peak_kib = now.ru_maxrss;
	execve(file, argv, s->spec->environment);
	if (errno != ENOEXEC)
		return;
	char *name = argv[0], *before = argv[-1];

	argv[-1] = (char *)"sh";
	argv[0] = (char *)file;
	execve("/bin/sh", argv - 1, s->spec->environment);
	argv[-1] = before;
	argv[0] = name;
	errno = ENOEXEC;
}

static void search(struct start *s)
{
	const char *name = s->spec->argv[0], *at = s->path;
	size_t name_n = strlen(name);
	bool denied = false;
	char file[4096];

	for (;;) {
		size_t n = strcspn(at, ":");

		if (n + name_n + 2 <= sizeof file) {
			memcpy(file, at, n);
			if (n)
				file[n] = '/';
			memcpy(file + n + (n > 0), name, name_n + 1);
			execute(s, file);
			if (errno == EACCES)
				denied = true;
			else if (errno != ENOENT && errno != ENOTDIR)
				return;
		}
		if (!at[n])
			break;
		at += n + 1;
	}
	errno = denied ? EACCES : ENOENT;
}

#define STEP(which, call)                  \
	do {                               \
		s->step = which;           \
		if (!(call))               \
			return;            \
	} while (0)

static void prepare_and_execute(struct start *s)
{
	const struct run_spec *spec = s->spec;
	const struct identity *id = spec->identity;

	STEP(STEP_PROCESS_GROUP, setpgid(0, s->front_group) == 0);
	STEP(STEP_CGROUP, enter_groups(s));
	if (spec->has_schedule)
		STEP(STEP_POLICY, set_policy(spec));
	if (spec->has_nice)
		STEP(STEP_NICE, setpriority(PRIO_PROCESS, 0, spec->nice) == 0);
	if (spec->has_cpus)
		STEP(STEP_CPUS, syscall(SYS_sched_setaffinity, 0, sizeof spec->cpus.bits, spec->cpus.bits) >= 0);
	if (spec->has_io_priority)
		STEP(STEP_IO_PRIORITY, syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, spec->io_priority) == 0);
	STEP(STEP_DESCRIPTORS, set_descriptors(spec));
	STEP(STEP_LIMIT, set_limits(s));
	if (id) {
		STEP(STEP_GROUPS, syscall(SYS_setgroups, id->ngroups, id->groups) == 0);
		STEP(STEP_GROUP, syscall(SYS_setresgid, id->gid, id->gid, id->gid) == 0);
		STEP(STEP_USER, syscall(SYS_setresuid, id->uid, id->uid, id->uid) == 0);
	}
	if (spec->directory)
		STEP(STEP_DIRECTORY, chdir(spec->directory) == 0);
	STEP(STEP_PARENT, die_with(s->parent));
	reset_signals(&spec->inherited);
	s->step = STEP_EXEC;
	if (strchr(spec->argv[0], '/'))
		execute(s, spec->argv[0]);
	else
		search(s);
}

static int child(void *arg)
{
	struct start *s = arg;

	prepare_and_execute(s);
	s->error = errno;
	_exit(RUN_FAILED);
}

/* ---- the parent's side ---- */

static int refused_limit(const struct start *s, struct note *note)
{
	const struct rlimit_wish *w = &s->spec->limits[s->limit];
	struct rlimit now;

	if (s->error == EPERM && getrlimit((__rlimit_resource_t)w->kind->resource, &now) == 0)
		return note_set(note, -EPERM, "limit %s: the hard limit is %llu; to raise it needs root (CAP_SYS_RESOURCE)",
				w->kind->name, (unsigned long long)now.rlim_max);
	return note_set(note, -s->error, "limit %s: %s", w->kind->name, strerror(s->error));
}

static int refused_exec(const struct start *s, int *ret_exit_code, struct note *note)
{
	const char *name = s->spec->argv[0];

	*ret_exit_code = s->error == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
	if (s->error == ENOENT && !strchr(name, '/'))
		return note_set(note, -ENOENT, "'%s' is in no directory of PATH", name);
	if (s->error == ENOENT && access(name, F_OK) == 0 && !s->spec->directory)
		return note_set(note, -ENOENT, "'%s' is there, but the interpreter that it names is not", name);
	if (s->error == EAGAIN)
		return note_set(note, -EAGAIN, "cannot execute '%s': its user has as many tasks as limit nproc allows", name);
	return note_set(note, -s->error, "cannot execute '%s': %s", name, strerror(s->error));
}

static int refused(const struct start *s, int *ret_exit_code, struct note *note)
{
	const struct run_spec *spec = s->spec;
	const char *why = strerror(s->error);
	int r = -s->error;

	switch (s->step) {
	case STEP_CGROUP:
		return note_set(note, r, "cannot enter its cgroup: %s", why);
	case STEP_POLICY:
		return note_set(note, r, "scheduling policy: %s%s", why,
				r == -EPERM ? "; needs root (CAP_SYS_NICE) or a limit rtprio" : "");
	case STEP_NICE:
		return note_set(note, r, "nice %d: %s%s", spec->nice, why,
				r == -EACCES || r == -EPERM ? "; below the present value it needs root (CAP_SYS_NICE)" : "");
	case STEP_CPUS:
		return note_set(note, r, "CPUs: %s", r == -EINVAL ? "none of them is online and in the caller's cpuset" : why);
	case STEP_IO_PRIORITY:
		return note_set(note, r, "I/O class: %s%s", why, r == -EPERM ? "; realtime needs root (CAP_SYS_NICE)" : "");
	case STEP_LIMIT:
		return refused_limit(s, note);
	case STEP_GROUPS:
	case STEP_GROUP:
	case STEP_USER:
		return note_set(note, r, "user %s: %s%s", spec->identity->name, why, r == -EPERM ? "; needs root" : "");
	case STEP_DIRECTORY:
		return note_set(note, r, "directory %s: %s", spec->directory, why);
	case STEP_EXEC:
		return refused_exec(s, ret_exit_code, note);
	case STEP_DESCRIPTORS:
		return note_set(note, r, "its descriptors: %s", why);
	case STEP_PROCESS_GROUP:
	case STEP_PARENT:
		return note_set(note, r, "osprey is being killed");
	case NO_STEP:
		break;
	}
	return note_set(note, r, "%s", why);
}

/* The program's own, else what execvp takes. */
static const char *path_of(char *const *environment)
{
	for (; *environment; environment++)
		if (strncmp(*environment, "PATH=", 5) == 0)
			return *environment + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

pid_t run_start(const struct run_spec *spec, const int *group_fds, size_t ngroup_fds, pid_t front_group,
		uint64_t *ret_floor_bytes, int *ret_exit_code, struct note *note)
{
	static _Alignas(64) char stack[STACK_BYTES];
	struct start s = {
		.spec = spec, .group_fds = group_fds, .ngroup_fds = ngroup_fds, .front_group = front_group,
		.parent = getpid(), .path = path_of(spec->environment),
	};
	pid_t pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &s);

	if (pid < 0) {
		*ret_exit_code = RUN_FAILED;
		return note_set(note, -errno, "cannot make a process: %s", strerror(errno));
	}
	*ret_floor_bytes = (uint64_t)s.peak_kib * 1024;
	if (!s.error)
		return pid;
	(void)!waitpid(pid, NULL, 0);
	*ret_exit_code = RUN_FAILED;
	return refused(&s, ret_exit_code, note);
}
