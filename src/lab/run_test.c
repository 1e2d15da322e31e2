/* Live: needs root. Small scenarios of its own, one for each thing that a lab makes; whatever
 * dies, nothing is left. */
#include "lab/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "lab/file.h"

#define MIB (UINT64_C(1) << 20)

static void nap(unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * NS_PER_MS;

	while (clock_sleep_until(end) == -EINTR)
		;
}

/* ---- scenarios ---- */

static int sleeper(struct lab *lab, void *arg)
{
	(void)arg;
	lab_label_self(lab);
	for (;;)
		pause();
	return 0;
}

static int sleep_run(struct lab *lab, struct note *note)
{
	pid_t pid = lab_spawn(lab, "lab_sleeper", sleeper, NULL);

	if (pid < 0)
		return note_set(note, pid, "spawn");
	lab_ready(lab);
	return 0;
}

/* Everything at once, as far as this host has it. */
static int rich_set_up(struct lab *lab, struct note *note)
{
	char path[256], mount[256];
	struct statvfs fs;
	int r = lab_cgroup(lab, 1 | 2 | 8, path, sizeof path, note);

	if (r < 0)
		return r;
	lab_label_name(lab, "cgroup", path);
	r = lab_cgroup_cpu_quota(lab, 20000, 100000, note);
	if (r == 0)
		r = lab_cgroup_memory_limit(lab, 32 * MIB, note);
	if (r == 0)
		r = lab_cgroup_pids_limit(lab, 20, note);
	if (r == 0)
		r = lab_mount(lab, "tmpfs", 4 * MIB, mount, sizeof mount, note);
	if (r < 0)
		return r;
	if (statvfs(mount, &fs) < 0 || fs.f_blocks * fs.f_frsize != 4 * MIB)
		return note_set(note, -EIO, "the tmpfs has the wrong size");
	lab_label_name(lab, "mount", mount);
	return lab_write(lab, "/proc/sys/vm/swappiness", "77", note);
}

static int rich_worker(struct lab *lab, void *arg)
{
	struct note note;
	int r = lab_cgroup_enter(lab, &note);

	(void)arg;
	if (r < 0)
		return r;
	lab_label_self(lab);
	lab_say(lab, "entered as %d", (int)getpid());
	for (;;)
		;
	return 0;
}

static int rich_run(struct lab *lab, struct note *note)
{
	char self[16] = "";
	ssize_t n = readlink("/proc/self", self, sizeof self - 1);

	if (getpid() != 1 || n != 1 || self[0] != '1')
		return note_set(note, -EINVAL, "not pid 1 with its own /proc: pid %d, /proc/self %s", (int)getpid(), self);
	pid_t pid = lab_spawn(lab, "rich_worker", rich_worker, NULL);

	if (pid < 0)
		return note_set(note, pid, "spawn");
	lab_ready(lab);
	return 0;
}

static int loop_set_up(struct lab *lab, struct note *note)
{
	char mount[256];
	int r = lab_mount(lab, "ext4", 16 * MIB, mount, sizeof mount, note);

	if (r == 0)
		r = lab_zram_swap(lab, 16 * MIB, note);
	return r;
}

static int failing_run(struct lab *lab, struct note *note)
{
	(void)lab;
	return note_set(note, -ENOTTY, "it was to fail");
}

static int silent_run(struct lab *lab, struct note *note)
{
	(void)lab;
	(void)note;
	return 0;
}

static int hog(struct lab *lab, void *arg)
{
	size_t size = 200 * MIB;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)lab;
	(void)arg;
	if (p == MAP_FAILED)
		return -errno;
	memset(p, 1, size);
	pause();
	return 0;
}

static int hog_run(struct lab *lab, struct note *note)
{
	pid_t pid = lab_spawn(lab, "lab_hog", hog, NULL);

	if (pid < 0)
		return note_set(note, pid, "spawn");
	lab_ready(lab);
	return 0;
}

/* More processes than were declared. */
static int swarm_run(struct lab *lab, struct note *note)
{
	int started = 0;

	while (started < 200 && lab_spawn(lab, "lab_swarm", sleeper, NULL) > 0)
		started++;
	if (started == 200)
		return note_set(note, -EINVAL, "nothing stopped the processes");
	lab_say(lab, "started %d", started);
	lab_ready(lab);
	return 0;
}

static int net_run(struct lab *lab, struct note *note)
{
	int r = lab_write(lab, "/proc/sys/net/ipv4/tcp_fin_timeout", "7", note);

	if (r == 0)
		lab_ready(lab);
	return r;
}

#define SCENARIO(id, ...) \
	static const struct scenario id = { .name = #id, .memory_bytes = 64 * MIB, .processes = 8, __VA_ARGS__ }

SCENARIO(plain, .run = sleep_run);
SCENARIO(rich, .needs = LAB_CPU_CGROUP | LAB_MEMORY_CGROUP | LAB_PIDS_CGROUP, .set_up = rich_set_up, .run = rich_run);
SCENARIO(loop_and_zram, .needs = LAB_LOOP | LAB_ZRAM, .disk_bytes = 32 * MIB, .set_up = loop_set_up, .run = sleep_run);
SCENARIO(failing, .set_up = rich_set_up, .run = failing_run);
SCENARIO(silent, .run = silent_run);
SCENARIO(hungry, .run = hog_run);
SCENARIO(swarm, .run = swarm_run);
SCENARIO(network, .needs = LAB_NET_NS, .run = net_run);

/* ---- looking for what is left ---- */

static struct residue *before;

/* How many differences there are after at most `ms`. */
static int left_after(unsigned ms)
{
	uint64_t end = clock_mono_ns() + ms * NS_PER_MS;
	cleanup(buf_deinit) struct buf lines = { 0 };
	int n;

	do {
		struct residue *now;

		buf_clear(&lines);
		if (residue_take(&now) < 0)
			return -1;
		n = residue_compare(before, now, &lines);
		residue_free(now);
	} while (n != 0 && clock_mono_ns() < end);
	if (n != 0)
		fprintf(stderr, "left: %s", lines.data);
	return n;
}

static bool possible(const struct scenario *s)
{
	struct note note = { "" };

	if (lab_possible(s, &note) == 0)
		return true;
	fprintf(stderr, "%s is left out: %s\n", s->name, note.text);
	return false;
}

/* ---- tests ---- */

static void test_start_stop(const struct scenario *s)
{
	struct lab_run *run;
	struct note note = { "" };

	if (!possible(s))
		return;
	int r = lab_start(s, STRENGTH_MEDIUM, NULL, &run, &note);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", s->name, note.text);
	CHECK(r == 0);
	if (r < 0)
		return;
	nap(300);
	CHECK(lab_run_alive(run, &note));
	CHECK(lab_stop(run, &note) == 0);
	CHECK(left_after(0) == 0);
}

static void test_labels(void)
{
	struct lab_run *run;
	struct note note = { "" };
	size_t n;
	char path[64], comm[32];

	if (!possible(&rich))
		return;
	CHECK(lab_start(&rich, STRENGTH_MEDIUM, NULL, &run, &note) == 0);
	nap(300);
	const struct lab_label *labels = lab_run_labels(run, &n);
	CHECK_U64(n, 3);
	CHECK_STR(labels[0].kind, "cgroup");
	CHECK(strncmp(labels[0].name, "/osprey-lab-", 12) == 0);
	CHECK_STR(labels[1].kind, "mount");
	CHECK(access(labels[1].name, F_OK) == 0);
	/* The pid is ours to use: /proc of the host has that process. */
	CHECK_STR(labels[2].comm, "rich_worker");
	snprintf(path, sizeof path, "/proc/%d/comm", (int)labels[2].pid);
	CHECK(file_read(path, comm, sizeof comm) > 0);
	CHECK_STR(comm, "rich_worker");
	CHECK(lab_stop(run, &note) == 0);
	CHECK(access(path, F_OK) < 0);
	CHECK(left_after(0) == 0);
}

static void test_failures(void)
{
	struct lab_run *run;
	struct note note = { "" };
	static const struct scenario unmet = { .name = "unmet", .memory_bytes = MIB, .disk_bytes = UINT64_C(1) << 60,
					       .processes = 1, .run = sleep_run };

	CHECK(lab_start(&failing, STRENGTH_WEAK, NULL, &run, &note) == -ENOTTY);
	CHECK(strstr(note.text, "it was to fail") != NULL);
	CHECK(lab_start(&silent, STRENGTH_WEAK, NULL, &run, &note) == -EPROTO);
	CHECK(lab_start(&unmet, STRENGTH_WEAK, NULL, &run, &note) == -ENOSPC);
	CHECK(left_after(0) == 0);
}

static void test_time_limit(void)
{
	const struct lab_options how = { .strength = STRENGTH_WEAK, .limit_s = 1 };
	struct lab_run *run;
	struct note note = { "" };

	CHECK(lab_start_with(&plain, &how, &run, &note) == 0);
	nap(1600);
	CHECK(!lab_run_alive(run, &note));
	CHECK(strstr(note.text, "time limit") != NULL);
	CHECK(left_after(0) == 0);
	CHECK(lab_stop(run, &note) == -ETIME);
}

static void test_memory_bound(void)
{
	struct lab_run *run;
	struct note note = { "" };
	bool alive = true;

	if (access("/sys/fs/cgroup/memory", F_OK) < 0 && access("/sys/fs/cgroup/memory.stat", F_OK) < 0)
		return;
	int r = lab_start(&hungry, STRENGTH_WEAK, NULL, &run, &note);
	if (r == 0) {
		for (int i = 0; i < 400 && (alive = lab_run_alive(run, &note)); i++)
			nap(50);
		CHECK(!alive);
		r = lab_stop(run, &note);
	}
	if (r != -EDQUOT)
		fprintf(stderr, "%d: %s\n", r, note.text);
	CHECK(r == -EDQUOT);
	CHECK(strstr(note.text, "MiB of memory") != NULL);
	CHECK(left_after(0) == 0);
}

static int interrupt_now = 1;

static void test_interrupted_start(void)
{
	const struct lab_options how = { .strength = STRENGTH_WEAK, .interrupted = &interrupt_now };
	struct lab_run *run;
	struct note note = { "" };

	CHECK(lab_start_with(&plain, &how, &run, &note) == -EINTR);
	CHECK(left_after(0) == 0);
}

static pid_t guardian_of(const char *id)
{
	return (pid_t)atoi(id + strlen("osprey-lab-"));
}

/* A runner of its own, that starts the scenario, says so and waits. */
static pid_t runner_start(const struct scenario *s, pid_t *ret_guardian)
{
	int ready[2];
	char id[32] = "";

	CHECK(pipe2(ready, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct lab_run *run;
		struct note note = { "" };
		int r = lab_start(s, STRENGTH_MEDIUM, NULL, &run, &note);

		if (r == 0)
			(void)!write(ready[1], lab_run_id(run), strlen(lab_run_id(run)));
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], id, sizeof id - 1) > 0);
	close(ready[0]);
	*ret_guardian = guardian_of(id);
	return pid;
}

/* A living lab is no residue, so its guardian must have ended before we look. */
static void test_runner_killed(const struct scenario *s)
{
	pid_t guardian;

	if (!possible(s))
		return;
	pid_t pid = runner_start(s, &guardian);

	nap(200);
	CHECK(guardian > 1 && kill(guardian, 0) == 0);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	uint64_t end = clock_mono_ns() + 2 * NS_PER_S;
	/* We are a subreaper: orphans are ours to wait for. */
	while (waitpid(guardian, NULL, WNOHANG) == 0 && clock_mono_ns() < end)
		nap(5);
	CHECK(kill(guardian, 0) < 0 && errno == ESRCH);
	CHECK(left_after(0) == 0);
}

/* The processes die with it; the rest waits for lab_clean, or the runner's lab_stop. */
static void test_guardian_killed(const struct scenario *s, bool by_stop)
{
	struct lab_run *run;
	struct note note = { "" };
	unsigned undone = 0;
	size_t n;
	char path[64] = "/";

	if (!possible(s))
		return;
	CHECK(lab_start(s, STRENGTH_MEDIUM, NULL, &run, &note) == 0);
	nap(200);
	const struct lab_label *labels = lab_run_labels(run, &n);
	for (size_t i = 0; i < n; i++)
		if (labels[i].pid)
			snprintf(path, sizeof path, "/proc/%d", (int)labels[i].pid);
	CHECK(access(path, F_OK) == 0);
	kill(guardian_of(lab_run_id(run)), SIGKILL);
	for (int i = 0; i < 200 && access(path, F_OK) == 0; i++)
		nap(10);
	CHECK(access(path, F_OK) < 0);
	CHECK(!lab_run_alive(run, &note));
	if (!by_stop) {
		CHECK(lab_clean(&undone, &note) == 0);
		CHECK(undone > 0);
		CHECK(left_after(0) == 0);
	}
	CHECK(lab_stop(run, &note) == 0);
	CHECK(left_after(0) == 0);
}

/* Two at once: one ends, the other stays whole; what only one may hold is refused. */
static void test_two(void)
{
	struct lab_run *one, *two, *three;
	struct note note = { "" };
	unsigned undone;

	if (!possible(&rich))
		return;
	CHECK(lab_start(&rich, STRENGTH_MEDIUM, NULL, &one, &note) == 0);
	CHECK(lab_start(&plain, STRENGTH_MEDIUM, NULL, &two, &note) == 0);
	CHECK(lab_start(&rich, STRENGTH_MEDIUM, NULL, &three, &note) == -EBUSY);
	CHECK(lab_clean(&undone, &note) == 0);
	CHECK_U64(undone, 0);
	CHECK(lab_stop(two, &note) == 0);
	CHECK(lab_run_alive(one, &note));
	CHECK(lab_stop(one, &note) == 0);
	CHECK(left_after(0) == 0);
}

/* What one has mounted can be unmounted while another, that began later, lives. */
static void test_two_mounts(void)
{
	struct lab_run *one, *two;
	struct note note = { "" };

	if (!possible(&loop_and_zram))
		return;
	CHECK(lab_start(&loop_and_zram, STRENGTH_MEDIUM, NULL, &one, &note) == 0);
	CHECK(lab_start(&plain, STRENGTH_MEDIUM, NULL, &two, &note) == 0);
	CHECK(lab_stop(one, &note) == 0);
	CHECK(lab_run_alive(two, &note));
	CHECK(lab_stop(two, &note) == 0);
	CHECK(left_after(0) == 0);
}

/* A reboot loses the journal and keeps the disk. */
static void test_orphans(void)
{
	struct note note = { "" };
	unsigned undone = 0;

	CHECK(mkdir("/var/tmp/osprey-lab-999999999", 0700) == 0);
	CHECK(mkdir("/var/tmp/osprey-lab-999999999/inner", 0700) == 0);
	CHECK(mkdir("/var/tmp/osprey-lab-notes", 0700) == 0);
	CHECK(lab_clean(&undone, &note) == 0);
	CHECK(undone >= 1);
	CHECK(access("/var/tmp/osprey-lab-999999999", F_OK) < 0);
	CHECK(rmdir("/var/tmp/osprey-lab-notes") == 0); /* no lab's */
}

int main(void)
{
	if (geteuid() != 0)
		check_skip("needs root");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	CHECK(residue_take(&before) == 0);
	test_start_stop(&plain);
	test_start_stop(&rich);
	test_start_stop(&loop_and_zram);
	test_start_stop(&swarm);
	test_start_stop(&network);
	test_labels();
	test_failures();
	test_time_limit();
	test_memory_bound();
	test_interrupted_start();
	test_runner_killed(&plain);
	test_runner_killed(&rich);
	test_runner_killed(&loop_and_zram);
	test_guardian_killed(&rich, false);
	test_guardian_killed(&rich, true);
	test_two();
	test_two_mounts();
	test_orphans();
	residue_free(before);
	return check_exit();
}
