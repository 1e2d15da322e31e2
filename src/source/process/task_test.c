/* The two readers of the task table against each other and against what we know of
 * ourselves. A value that moves must lie between two readings of /proc, one before and one
 * after the look of BPF. */
#include "source/process/task.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"

struct table {
	task_vec tasks;
	struct map by_tid;
};

static int keep(const struct task *t, void *arg)
{
	struct table *table = arg;
	struct task *kept = vec_push(&table->tasks);

	if (!kept)
		return -ENOMEM;
	*kept = *t;
	return map_set(&table->by_tid, (uint64_t)t->tid, (uint32_t)(table->tasks.n - 1));
}

static void look(struct task_reader *r, struct table *ret)
{
	ret->tasks.n = 0;
	map_clear(&ret->by_tid);
	CHECK(task_reader_each(r, keep, ret) == 0);
}

static void table_deinit(struct table *t)
{
	vec_free(&t->tasks);
	map_deinit(&t->by_tid);
}

static const struct task *find(const struct table *t, int tid)
{
	uint32_t at = map_get(&t->by_tid, (uint64_t)tid);
	return at == MAP_NONE ? NULL : &t->tasks.v[at];
}

static struct task_reader *reader(struct host *h, enum task_reader_kind kind)
{
	struct note note = { 0 };
	struct task_reader *r = NULL;

	if (task_reader_new_of_kind(h, kind, &r, &note) < 0) {
		if (kind == TASK_READER_BPF)
			check_skip("the readers cannot be compared: %s", note.text);
		CHECK(!"the /proc reader never fails");
		exit(check_exit());
	}
	CHECK(task_reader_kind(r) == kind);
	return r;
}

/* before <= got <= after, with `slack` for what the kernel rounds. */
static void between(const struct task *t, const char *name, reading before, reading got, reading after, uint64_t slack)
{
	check_count++;
	if (!reading_ok(before) || !reading_ok(after)) {
		/* /proc does not tell it; BPF may. */
		return;
	}
	if (reading_ok(got) && got + slack >= before && got <= after + slack)
		return;
	check_failures++;
	fprintf(stderr, "%d/%d %s: %s is %lld, wanted %llu to %llu +- %llu\n", t->pid, t->tid, t->comm, name,
		(long long)got, (unsigned long long)before, (unsigned long long)after, (unsigned long long)slack);
}

#define TICK_NS 10000000 /* the step of /proc's times */

#define SAME_RANGE(member, slack) between(t, #member, a->member, t->member, b->member, slack)
#define SUM(of, member) reading_sum((of)->member, (of)->dead_##member)
#define SAME_SUM(member) between(t, #member " with the dead", SUM(a, member), SUM(t, member), SUM(b, member), 0)

/* What a process has done of which one thread is left. Of threads that ended before they were ever looked at /proc knows nothing,
 * and takes for the last one's what they did. */
static void compare_last_thread(const struct task *a, const struct task *t, const struct task *b)
{
	SAME_SUM(minor_faults);
	SAME_SUM(major_faults);
	SAME_SUM(read_bytes);
	SAME_SUM(write_bytes);
}

static void compare_work(const struct task *a, const struct task *t, const struct task *b)
{
	SAME_RANGE(minor_faults, 0);
	SAME_RANGE(major_faults, 0);
	SAME_RANGE(read_bytes, 0);
	SAME_RANGE(write_bytes, 0);
}

static void compare_counters(const struct task *a, const struct task *t, const struct task *b)
{
	SAME_RANGE(run_ns, 0);
	SAME_RANGE(wait_ns, 0);
	SAME_RANGE(runs, 0);
	SAME_RANGE(voluntary_switches, 0);
	SAME_RANGE(involuntary_switches, 0);
	if (reading_ok(t->block_delay_ns)) /* /proc writes 0 for a task that began without accounting */
		SAME_RANGE(block_delay_ns, TICK_NS);
	/* The sum is exact; the split is a guess of each, made from ticks. */
	between(t, "user + system", reading_sum(a->user_ns, a->system_ns), reading_sum(t->user_ns, t->system_ns),
		reading_sum(b->user_ns, b->system_ns), 0);
}

/* The kernel splits at each reading of /proc and never takes back, we at each look: for
 * those who live a steady life the two agree. */
static void compare_split(const struct task *a, const struct task *t, const struct task *b)
{
	uint64_t slack = 3 * TICK_NS + reading_or(t->run_ns, 0) / 5;

	SAME_RANGE(user_ns, slack);
	SAME_RANGE(system_ns, slack);
}

/* What the CPUs hold back of a counter of pages: 32 pages each, or twice their number. */
static uint64_t page_slack(void)
{
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF), batch = 2 * cpus > 32 ? 2 * cpus : 32;
	return cpus * batch * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void compare_children(const struct task *a, const struct task *t, const struct task *b)
{
	SAME_RANGE(children_user_ns, TICK_NS);
	SAME_RANGE(children_system_ns, TICK_NS);
	SAME_RANGE(children_minor_faults, 0);
}

/* What the dead of a process left behind: of two sums in steps of 10 ms, exact to three such steps. */
static void compare_dead(const struct task *a, const struct task *t, const struct task *b)
{
	between(t, "dead user + system", reading_sum(a->dead_user_ns, a->dead_system_ns),
		reading_sum(t->dead_user_ns, t->dead_system_ns), reading_sum(b->dead_user_ns, b->dead_system_ns), 3 * TICK_NS);
	SAME_RANGE(dead_minor_faults, 0);
	SAME_RANGE(dead_major_faults, 0);
	SAME_RANGE(dead_read_bytes, 0);
	SAME_RANGE(dead_write_bytes, 0);
}

/* What goes up and down, of a process that did not run in between. */
static void compare_rested(const struct task *a, const struct task *t, const struct task *b)
{
	SAME_RANGE(threads, 0);
	SAME_RANGE(virtual_bytes, 0);
	SAME_RANGE(anon_bytes, page_slack());
	SAME_RANGE(file_bytes, page_slack());
	SAME_RANGE(shmem_bytes, page_slack());
	SAME_RANGE(swap_bytes, page_slack());
	SAME_RANGE(fd_limit, 0);
	SAME_RANGE(fd_count, 0);
	if (!reading_ok(a->anon_bytes))
		CHECK_U64(t->anon_bytes, a->anon_bytes);
	if (!reading_ok(a->fd_count))
		CHECK_U64(t->fd_count, a->fd_count);
}

static void compare_places(const struct task *a, const struct task *t)
{
	CHECK(memcmp(a->cgroup, t->cgroup, sizeof t->cgroup) == 0);
	CHECK(a->cgroup[0] != 0);
	if (a->net_ns) /* 0: /proc may not tell it */
		CHECK_U64(t->net_ns, a->net_ns);
}

static void compare_identity(const struct task *a, const struct task *t, const struct task *b)
{
	const unsigned lasting = TASK_IS_LEADER | TASK_IS_KERNEL_THREAD | TASK_HAS_WAIT_NS;

	CHECK(t->pid == a->pid);
	CHECK(t->ppid == a->ppid || t->ppid == b->ppid);
	CHECK(t->uid == a->uid || t->uid == b->uid);
	CHECK((t->flags & lasting) == (a->flags & lasting));
	CHECK(t->tty == a->tty || t->tty == b->tty);
	CHECK(t->policy == a->policy || t->policy == b->policy);
	CHECK(t->nice == a->nice || t->nice == b->nice);
	CHECK(t->rt_priority == a->rt_priority || t->rt_priority == b->rt_priority);
	if (memcmp(a->comm, b->comm, sizeof a->comm) == 0)
		CHECK_STR(t->comm, a->comm);
	/* /proc cuts the start to its step. */
	CHECK(t->start_ns >= a->start_ns && t->start_ns < a->start_ns + TICK_NS);
}

static bool rested(const struct task *a, const struct task *b)
{
	return a->runs == b->runs && a->state == b->state && a->state != 'R';
}

static void compare_wait(const struct task *a, const struct task *t, const struct task *b)
{
	CHECK(t->state == a->state);
	/* A wake-up places a task before it runs. */
	CHECK(t->last_cpu == a->last_cpu || t->last_cpu == b->last_cpu);
	if (a->flags & b->flags & TASK_HAS_SYSCALL) {
		CHECK(t->flags & TASK_HAS_SYSCALL && t->syscall == a->syscall);
		CHECK(memcmp(t->argument, a->argument, sizeof t->argument) == 0);
	}
}

/* Some kernels keep single processes from tracers and iterators: what root may not see of
 * them in /proc either. */
static bool shielded(const struct task *a)
{
	return geteuid() == 0 && a->read_bytes == READING_DENIED;
}

/* The processes of which a thread ran, came or went. */
static void find_busy(const struct table *before, const struct table *after, struct map *ret)
{
	map_clear(ret);
	vec_each(b, &after->tasks)
		if (!find(before, b->tid))
			CHECK(map_set(ret, (uint64_t)b->pid, 1) == 0);
	vec_each(a, &before->tasks)
	{
		const struct task *b = find(after, a->tid);

		if (!b || b->start_ns != a->start_ns || !rested(a, b))
			CHECK(map_set(ret, (uint64_t)a->pid, 1) == 0);
	}
}

static void compare_task(const struct task *a, const struct task *t, const struct task *b, bool idle, bool ours)
{
	int failures = check_failures;

	compare_identity(a, t, b);
	compare_counters(a, t, b);
	/* We were looked at from the first on. */
	bool apart = ours || t->threads != 1 || !(t->flags & TASK_IS_LEADER);
	apart ? compare_work(a, t, b) : compare_last_thread(a, t, b);
	if (rested(a, b))
		compare_wait(a, t, b);
	if (t->flags & TASK_IS_LEADER) {
		compare_children(a, t, b);
		if (idle)
			compare_rested(a, t, b);
		if (idle && apart)
			compare_dead(a, t, b);
	}
	if (ours) { /* nobody moves us about */
		compare_split(a, t, b);
		compare_places(a, t);
	}
	if (check_failures != failures)
		fprintf(stderr, "… was %d/%d %s, %c\n", t->pid, t->tid, t->comm, t->state);
}

static void compare(const struct table *before, const struct table *bpf, const struct table *after, unsigned *ret_idle)
{
	struct map busy = { 0 };

	find_busy(before, after, &busy);
	vec_each(a, &before->tasks)
	{
		const struct task *t = find(bpf, a->tid), *b = find(after, a->tid);

		if (!b || b->start_ns != a->start_ns || b->state == 'Z' || (!t && shielded(a)))
			continue;
		CHECK(t != NULL);
		if (!t)
			continue;
		bool idle = map_get(&busy, (uint64_t)a->pid) == MAP_NONE;
		compare_task(a, t, b, idle, a->pid == getpid() || a->ppid == getpid());
		*ret_idle += idle;
	}
	map_deinit(&busy);
}

/* Something of every kind to compare: threads that wait and work, a child that has mapped
 * memory and open files, a stopped child, a zombie. */
static pthread_t threads[3];
static pid_t children[4];
static atomic_bool stop_threads;
static int idle_pipe[2], ready_pipe[2];

static void *idler(void *unused)
{
	char c;

	(void)unused;
	(void)!read(idle_pipe[0], &c, 1);
	return NULL;
}

static void *worker(void *unused)
{
	volatile uint64_t n = 0;

	(void)unused;
	while (!atomic_load(&stop_threads)) {
		for (int i = 0; i < 100000; i++)
			n++;
		usleep(500);
	}
	return NULL;
}

static void *short_lived(void *unused)
{
	volatile uint64_t n = 0;
	uint64_t end = clock_mono_ns() + 60 * NS_PER_MS;

	(void)unused;
	while (clock_mono_ns() < end)
		n++;
	return NULL;
}

static pid_t child(void (*act)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		act();
		(void)!write(ready_pipe[1], "", 1);
		for (;;)
			pause();
	}
	return pid;
}

static void await_children(void)
{
	siginfo_t info;
	char c;

	CHECK(read(ready_pipe[0], &c, 1) == 1 && read(ready_pipe[0], &c, 1) == 1);
	CHECK(waitid(P_PID, (id_t)children[1], &info, WSTOPPED | WNOWAIT) == 0);
	CHECK(waitid(P_PID, (id_t)children[2], &info, WEXITED | WNOWAIT) == 0);
}

/* Past each level of the count (8, 64 and 1024 words of 64) as far as the limit lets us. */
static unsigned many_descriptors(void)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	return limit.rlim_max > 70000 ? 66000 : limit.rlim_max > 5500 ? 5000 : 700;
}

static void act_rich(void)
{
	const unsigned many = many_descriptors();
	struct rlimit limit = { many + 100, many + 100 };
	size_t n = 32 << 20;
	char *anon = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, n / 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(anon, 1, n);
	memset(shared, 1, n / 4);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (unsigned i = 0; i < many; i++) /* with a hole */
		(void)!dup(0);
	for (int i = 300; i < 400; i++)
		close(i);
	prctl(PR_SET_NAME, "a) R 1\n(b");
	setpriority(PRIO_PROCESS, 0, 3); /* wherever the test itself started */
}
static void act_stopped(void)
{
	raise(SIGSTOP);
}
static void act_zombie(void)
{
	_exit(0);
}
static void act_idle(void)
{
}


static void start_company(void)
{
	pthread_t dead;

	atomic_store(&stop_threads, false);
	CHECK(pipe2(idle_pipe, O_CLOEXEC) == 0 && pipe2(ready_pipe, O_CLOEXEC) == 0);
	children[0] = child(act_rich);
	children[1] = child(act_stopped);
	children[2] = child(act_zombie);
	children[3] = child(act_idle);
	pthread_create(&threads[0], NULL, idler, NULL);
	pthread_create(&threads[1], NULL, idler, NULL);
	pthread_create(&threads[2], NULL, worker, NULL);
	pthread_create(&dead, NULL, short_lived, NULL);
	pthread_join(dead, NULL);
	await_children();
	usleep(200000); /* until the last of them sleeps */
}

static void end_company(void)
{
	for (size_t i = 0; i < 4; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	atomic_store(&stop_threads, true);
	close(idle_pipe[1]);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* What we know of the company without asking either reader. */
static void check_company(const struct table *t)
{
	const struct task *self = find(t, getpid()), *rich = find(t, children[0]);
	const struct task *stopped = find(t, children[1]), *zombie = find(t, children[2]);
	const struct task *idle = find(t, children[3]);

	CHECK(self && rich && stopped && zombie && idle);
	if (!self || !rich || !stopped || !zombie || !idle)
		return;
	CHECK_U64(self->threads, 4);
	CHECK(self->dead_user_ns + self->dead_system_ns >= 20000000 || !reading_ok(self->dead_user_ns));
	CHECK_STR(rich->comm, "a) R 1\n(b");
	CHECK(rich->nice == 3 && rich->ppid == getpid() && rich->state == 'S');
	uint64_t more = rich->anon_bytes - idle->anon_bytes; /* a child has what it has of us, too */
	CHECK(more + 2 * page_slack() >= 32 << 20 && more < 44 << 20);
	CHECK(rich->shmem_bytes + page_slack() >= 8 << 20 && rich->shmem_bytes < 12 << 20);
	CHECK(rich->fd_count > many_descriptors() - 100 && rich->fd_count < many_descriptors());
	CHECK(stopped->state == 'T');
	CHECK(zombie->state == 'Z');
	CHECK_U64(zombie->anon_bytes, READING_ABSENT);
}

static void test_equal(struct task_reader *bpf, struct task_reader *proc)
{
	struct table before = { 0 }, now = { 0 }, after = { 0 };

	unsigned idle = 0;

	start_company();
	/* Past the eighth look, so that resting tasks were written short and whole. */
	for (int i = 0; i < 10; i++) {
		look(proc, &before);
		look(bpf, &now);
		look(proc, &after);
		compare(&before, &now, &after, &idle);
		check_company(&before);
		check_company(&now);
		check_company(&after);
		usleep(20000);
	}
	CHECK(idle >= 3 * 8); /* the sleeping children, nearly always */
	end_company();
	table_deinit(&before);
	table_deinit(&now);
	table_deinit(&after);
}

/* Counters of a task never run backwards from look to look. */
static void check_grows(const struct table *old, const struct table *new)
{
	vec_each(a, &old->tasks)
	{
		const struct task *b = find(new, a->tid);

		if (!b || b->start_ns != a->start_ns)
			continue;
#define GROWS(member) CHECK(!reading_ok(a->member) || !reading_ok(b->member) || a->member <= b->member)
		GROWS(user_ns);
		GROWS(system_ns);
		GROWS(run_ns);
		GROWS(runs);
		GROWS(voluntary_switches);
		GROWS(minor_faults);
		GROWS(dead_user_ns);
		GROWS(dead_system_ns);
		GROWS(dead_minor_faults);
	}
}

static atomic_bool stop_churn;

static void *churn_threads(void *unused)
{
	pthread_t t;

	(void)unused;
	while (!atomic_load(&stop_churn))
		if (pthread_create(&t, NULL, (void *(*)(void *))(void *)clock_cpu_ns, NULL) == 0)
			pthread_join(t, NULL);
	return NULL;
}

/* Processes and threads come and go while we look: no torn record, nothing invented. */
static void test_races(struct task_reader *r)
{
	struct table tables[2] = { 0 };
	uint64_t end = clock_mono_ns() + 1500 * NS_PER_MS;
	pthread_t churn;
	pid_t storm = fork();

	if (storm == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			pid_t pid = vfork();
			if (pid == 0)
				_exit(0);
			if (pid > 0)
				waitpid(pid, NULL, 0);
		}
	}
	atomic_store(&stop_churn, false);
	pthread_create(&churn, NULL, churn_threads, NULL);
	for (int i = 0; clock_mono_ns() < end; i++) {
		struct table *now = &tables[i % 2], *last = &tables[(i + 1) % 2];

		look(r, now);
		CHECK(find(now, getpid()) != NULL && find(now, storm) != NULL);
		vec_each(t, &now->tasks)
		{
			CHECK(t->tid > 0 && t->pid > 0 && t->ppid >= 0);
			CHECK(memchr(t->comm, '\0', sizeof t->comm) != NULL);
			CHECK(strchr("RSDTtZXIP", t->state) != NULL);
			CHECK(t->start_ns <= clock_boot_ns());
			CHECK(!(t->flags & TASK_IS_LEADER) == (t->tid != t->pid));
		}
		check_grows(last, now);
	}
	atomic_store(&stop_churn, true);
	pthread_join(churn, NULL);
	kill(storm, SIGKILL);
	waitpid(storm, NULL, 0);
	table_deinit(&tables[0]);
	table_deinit(&tables[1]);
}

/* In a pid namespace of our own there may be no second task. */
static int stop_at_first(const struct task *t, void *arg)
{
	(void)t;
	++*(int *)arg;
	return -ECANCELED;
}

/* A look that was broken off leaves nothing behind that a later one would take for true. */
static void test_broken_off(struct task_reader *r)
{
	struct table before = { 0 }, after = { 0 };
	int n = 0;

	look(r, &before);
	CHECK(task_reader_each(r, stop_at_first, &n) == -ECANCELED && n == 1);
	look(r, &after);
	CHECK(after.tasks.n + 20 > before.tasks.n);
	CHECK(find(&after, getpid()) != NULL);
	check_grows(&before, &after);
	table_deinit(&before);
	table_deinit(&after);
}

/* What a capture holds makes the same table again. */
static void test_replay(void)
{
	struct table live = { 0 }, replayed = { 0 };
	char path[] = "/tmp/task_test.XXXXXX";
	struct task_reader *r = NULL;
	struct host *h = NULL;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(host_capture_to(h, path, NULL) == 0);
	CHECK(task_reader_new(h, &r, NULL) == 0 && task_reader_kind(r) == TASK_READER_PROC);
	look(r, &live);
	task_reader_free(r);
	CHECK(host_capture_end(h) == 0);
	host_free(h);
	CHECK(host_open_capture(path, &h, NULL) == 0);
	CHECK(task_reader_new(h, &r, NULL) == 0);
	look(r, &replayed);
	CHECK(live.tasks.n > 0 && live.tasks.n == replayed.tasks.n);
	for (size_t i = 0; i < live.tasks.n && i < replayed.tasks.n; i++)
		CHECK(memcmp(&live.tasks.v[i], &replayed.tasks.v[i], sizeof live.tasks.v[i]) == 0);
	task_reader_free(r);
	host_free(h);
	close(fd);
	unlink(path);
	table_deinit(&live);
	table_deinit(&replayed);
}

/* Under another user: the table is there, what is not ours to see is denied. */
static void test_unprivileged(void)
{
	if (geteuid() != 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		struct table t = { 0 };
		struct note note = { 0 };
		struct task_reader *r;
		struct host *h;

		check_failures = 0;
		CHECK(setgid(65534) == 0 && setuid(65534) == 0);
		CHECK(host_open_live("/", &h, NULL) == 0);
		CHECK(task_reader_new_of_kind(h, TASK_READER_BPF, &r, &note) < 0 && note.text[0]);
		CHECK(task_reader_new(h, &r, &note) == 0 && task_reader_kind(r) == TASK_READER_PROC);
		look(r, &t);
		const struct task *parent = find(&t, getppid());
		CHECK(parent != NULL);
		CHECK(parent && parent->read_bytes == READING_DENIED && reading_ok(parent->run_ns));
		CHECK(parent && parent->net_ns == 0 && !(parent->flags & TASK_HAS_SYSCALL));
		_exit(check_failures ? 1 : 0);
	}
	int status = 0;
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Without a descriptor to read with, the looks say so; and the next one is whole again. */
static void test_no_descriptors(struct task_reader *r)
{
	struct rlimit before, low;
	struct table t = { 0 };
	int fds[64], n = 0;

	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	low = (struct rlimit){ 64, before.rlim_max };
	CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
	while (n < 64 && (fds[n] = dup(0)) >= 0)
		n++;
	CHECK(task_reader_each(r, keep, &t) == -EMFILE);
	while (n > 0)
		close(fds[--n]);
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	look(r, &t);
	CHECK(find(&t, getpid()) != NULL);
	table_deinit(&t);
}

static int look_in_namespace(void)
{
	struct table bpf_table = { 0 }, proc_table = { 0 };
	struct task_reader *bpf, *proc;
	struct host *h;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0)
		return 77;
	pid_t sleeper = child(act_idle);
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(task_reader_new_of_kind(h, TASK_READER_PROC, &proc, NULL) == 0);
	CHECK(task_reader_new_of_kind(h, TASK_READER_BPF, &bpf, NULL) == 0);
	for (int i = 0; i < 3; i++) {
		look(proc, &proc_table);
		look(bpf, &bpf_table);
		CHECK_U64(proc_table.tasks.n, 2);
		CHECK_U64(bpf_table.tasks.n, 2);
		const struct task *first = find(&bpf_table, 1), *second = find(&bpf_table, sleeper);
		CHECK(sleeper == 2 && first && second);
		CHECK(first && first->pid == 1 && first->ppid == 0 && first->flags & TASK_IS_LEADER);
		CHECK(second && second->pid == 2 && second->ppid == 1);
		CHECK(first && first->start_ns - find(&proc_table, 1)->start_ns < TICK_NS);
	}
	return check_failures ? 1 : 0;
}

/* In a container: its tasks alone, by its numbers. */
static void test_namespace(void)
{
	int status = -1, before = check_failures;
	pid_t pid;

	CHECK(pipe2(ready_pipe, O_CLOEXEC) == 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		check_failures = 0;
		_exit(look_in_namespace());
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
	if (check_failures == before && WEXITSTATUS(status) == 77)
		fputs("no pid namespace can be looked at from within here\n", stderr);
	close(ready_pipe[0]);
	close(ready_pipe[1]);
}

static int must_have_moved(const struct task *t, void *arg)
{
	struct task_reader **r = arg;

	(void)t;
	CHECK(task_reader_rests(*r) == TASK_MOVED);
	return 0;
}

/* Every look of a reader that keeps nothing is a first one. */
static void test_forgetful(struct host *h, struct task_reader *proc)
{
	struct task_reader *r = reader(h, TASK_READER_BPF);

	task_reader_forget(r);
	for (int i = 0; i < 3; i++)
		CHECK(task_reader_each(r, must_have_moved, &r) == 0);
	test_equal(r, proc);
	task_reader_free(r);
}

int main(void)
{
	struct host *h;

	CHECK(host_open_live("/", &h, NULL) == 0);
	test_replay();
	test_unprivileged();
	struct task_reader *proc = reader(h, TASK_READER_PROC);
	test_races(proc);
	test_broken_off(proc);
	test_no_descriptors(proc);
	if (check_failures)
		return check_exit();
	struct task_reader *bpf = reader(h, TASK_READER_BPF);
	test_namespace();
	test_equal(bpf, proc);
	test_races(bpf);
	test_broken_off(bpf);
	test_no_descriptors(bpf);
	test_forgetful(h, proc);
	task_reader_free(bpf);
	task_reader_free(proc);
	host_free(h);
	return check_exit();
}
