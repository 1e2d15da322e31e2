/* What scenarios call, storage and cgroups apart. */
#include "lab/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"
#include "lab/tree.h"

enum strength lab_strength(const struct lab *lab)
{
	return lab->strength;
}

uint64_t lab_pick(const struct lab *lab, uint64_t weak, uint64_t medium, uint64_t strong)
{
	const uint64_t values[] = { weak, medium, strong };

	return values[lab->strength];
}

unsigned lab_cpus(const struct lab *lab)
{
	cpu_set_t set;

	(void)lab;
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	/* More CPUs than a cpu_set_t holds. */
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

void lab_say(struct lab *lab, const char *format, ...)
{
	struct message m = { .kind = MESSAGE_SAY };
	va_list args;

	va_start(args, format);
	vsnprintf(m.note.text, sizeof m.note.text, format, args);
	va_end(args);
	(void)!message_send_now(lab->guardian, &m);
}

static _Noreturn void worker_main(struct lab *lab, const char *comm, bool of_first,
				  int (*fn)(struct lab *lab, void *arg), void *arg)
{
	int r;

	if (of_first)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, comm);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	close_fd(&lab->journal);
	lab->journal = -1;
	(void)!file_write("/proc/self/oom_score_adj", "1000");
	r = fn(lab, arg);
	if (r < 0)
		lab_say(lab, "%s: %s", comm, strerror(-r));
	_exit(r < 0 ? 1 : r);
}

pid_t lab_spawn(struct lab *lab, const char *comm, int (*fn)(struct lab *lab, void *arg), void *arg)
{
	bool of_first = lab->journal >= 0;
	pid_t pid = fork();

	if (pid == 0)
		worker_main(lab, comm, of_first, fn, arg);
	return pid < 0 ? -errno : pid;
}

/* One at a time, so that the end of the pipe is the end of this worker. */
pid_t lab_spawn_at_work(struct lab *lab, const char *comm, int (*fn)(struct lab *lab, void *arg),
			void *arg, struct note *note)
{
	cleanup(close_fd) int in = -1;
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return note_set(note, -errno, "pipe: %s", strerror(errno));
	in = ends[0];
	lab->at_work = ends[1];
	pid_t pid = lab_spawn(lab, comm, fn, arg);
	close(ends[1]);
	lab->at_work = -1;
	if (pid < 0)
		return note_set(note, pid, "cannot start %s: %s", comm, strerror(-pid));
	if (read(in, &byte, 1) != 1)
		return note_set(note, -ECHILD, "%s ended before it was at work", comm);
	return pid;
}

/* The descriptor stays: a worker that counts its descriptors finds as many as before. */
void lab_at_work(struct lab *lab)
{
	if (lab->at_work >= 0)
		(void)!write(lab->at_work, "", 1);
}

void lab_ready(struct lab *lab)
{
	struct message m = { .kind = MESSAGE_READY };

	lab->readied = true;
	(void)!message_send(lab->guardian, &m);
}

void lab_label_self(struct lab *lab)
{
	struct message m = { .kind = MESSAGE_LABEL };

	snprintf(m.label.kind, sizeof m.label.kind, "process");
	prctl(PR_GET_NAME, m.label.comm);
	m.label.pid = getpid(); /* ours; the guardian gets it translated */
	(void)!message_send(lab->guardian, &m);
}

void lab_label_name(struct lab *lab, const char *kind, const char *name)
{
	struct message m = { .kind = MESSAGE_LABEL };

	snprintf(m.label.kind, sizeof m.label.kind, "%s", kind);
	snprintf(m.label.name, sizeof m.label.name, "%s", name);
	(void)!message_send(lab->guardian, &m);
}
