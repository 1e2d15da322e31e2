/* A process of threads that wait in every way glibc knows: those that wait for a mutex are
 * told with its owner, the others are not taken for such. Seen by both task readers. */
#include "source/process/mutex.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "source/process/task.h"

enum role {
	HOLDS_A_WANTS_B,
	HOLDS_B_WANTS_A,
	HOLDS_ALL,
	WANTS_PLAIN,
	WANTS_TIMED,
	WANTS_RECURSIVE,
	WANTS_ROBUST,
	WANTS_INHERITING,
	WANTS_SHARED,
	MUTEX_ROLES,
	IN_CONDITION = MUTEX_ROLES,
	IN_TIMED_CONDITION,
	IN_SEMAPHORE,
	IN_BARRIER,
	WANTS_TO_READ,
	WANTS_TO_WRITE,
	IN_JOIN,
	IN_OWN_FUTEX,
	IN_SLEEP,
	ROLES,
};

struct shared {
	_Atomic int tid[ROLES];
	_Atomic int ready;
	pthread_mutex_t across; /* shared between processes */
};

static struct shared *shared;
static struct buf scratch;
static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, timed = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive, robust, inheriting, waited = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static pthread_barrier_t barrier, both;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER, read_held = PTHREAD_RWLOCK_INITIALIZER;
static pthread_t joined;
/* A program's own lock, that looks like glibc's at first: 2, and something behind it. */
static uint32_t own_word[8] = { 2, 1, 0x7fffffff, 1, 0xdead };

static void prepare_mutexes(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&recursive, &attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_NORMAL);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_STALLED);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->across, &attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_PRIVATE);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&inheriting, &attr);
	sem_init(&semaphore, 0, 0);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_barrier_init(&both, NULL, 2);
	pthread_rwlock_wrlock(&written);
	pthread_rwlock_rdlock(&read_held);
}

static struct timespec in_an_hour(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 3600;
	return t;
}

static void hold_all(void)
{
	pthread_mutex_lock(&plain);
	pthread_mutex_lock(&timed);
	pthread_mutex_lock(&recursive);
	pthread_mutex_lock(&recursive);
	pthread_mutex_lock(&robust);
	pthread_mutex_lock(&inheriting);
	pthread_mutex_lock(&shared->across);
}

static void *forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void wait_in(enum role role)
{
	struct timespec end = in_an_hour();

	switch (role) {
	case HOLDS_A_WANTS_B:
		pthread_mutex_lock(&a);
		pthread_barrier_wait(&both);
		pthread_mutex_lock(&b);
		break;
	case HOLDS_B_WANTS_A:
		pthread_mutex_lock(&b);
		pthread_barrier_wait(&both);
		pthread_mutex_lock(&a);
		break;
	case WANTS_PLAIN:
		pthread_mutex_lock(&plain);
		break;
	case WANTS_TIMED:
		(void)!pthread_mutex_timedlock(&timed, &end);
		break;
	case WANTS_RECURSIVE:
		pthread_mutex_lock(&recursive);
		break;
	case WANTS_ROBUST:
		(void)!pthread_mutex_lock(&robust);
		break;
	case WANTS_INHERITING:
		pthread_mutex_lock(&inheriting);
		break;
	case WANTS_SHARED:
		pthread_mutex_lock(&shared->across);
		break;
	case IN_CONDITION:
		pthread_mutex_lock(&waited);
		for (;;)
			pthread_cond_wait(&condition, &waited);
	case IN_TIMED_CONDITION:
		pthread_mutex_lock(&waited);
		for (;;)
			pthread_cond_timedwait(&condition, &waited, &end);
	case IN_SEMAPHORE:
		sem_wait(&semaphore);
		break;
	case IN_BARRIER:
		pthread_barrier_wait(&barrier);
		break;
	case WANTS_TO_READ:
		pthread_rwlock_rdlock(&written);
		break;
	case WANTS_TO_WRITE:
		pthread_rwlock_wrlock(&read_held);
		break;
	case IN_JOIN:
		pthread_join(joined, NULL);
		break;
	case IN_OWN_FUTEX:
		for (;;)
			syscall(SYS_futex, own_word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
	default:
		break;
	}
}

static void *act(void *arg)
{
	enum role role = (enum role)(intptr_t)arg;

	shared->tid[role] = (int)syscall(SYS_gettid);
	if (role == HOLDS_ALL)
		hold_all();
	shared->ready++;
	wait_in(role);
	return forever(NULL);
}

/* The condition is signalled again and again, so that its words are not all zero. */
static void *signal_condition(void *unused)
{
	(void)unused;
	for (int i = 0; i < 51; i++) {
		usleep(1000);
		pthread_mutex_lock(&waited);
		pthread_cond_signal(&condition);
		if (i % 7 == 0)
			pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&waited);
	}
	return NULL;
}

static void start(enum role role)
{
	pthread_t t;
	int before = shared->ready;

	if (pthread_create(&t, NULL, act, (void *)(intptr_t)role) != 0)
		_exit(1);
	while (shared->ready == before)
		usleep(200);
}

static void company(void)
{
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prepare_mutexes();
	pthread_create(&joined, NULL, forever, NULL);
	start(HOLDS_ALL);
	for (int role = 0; role < ROLES; role++)
		if (role != HOLDS_ALL)
			start((enum role)role);
	pthread_create(&t, NULL, signal_condition, NULL);
	pthread_join(t, NULL);
	shared->ready = 1000;
	forever(NULL);
}

struct found {
	struct task task[ROLES];
	unsigned n;
};

static int find_roles(const struct task *t, void *arg)
{
	struct found *found = arg;

	for (int role = 0; role < ROLES; role++)
		if (t->tid == shared->tid[role]) {
			found->task[role] = *t;
			found->n++;
		}
	return 0;
}

static enum role owner_role(enum role waiter)
{
	return waiter == HOLDS_A_WANTS_B ? HOLDS_B_WANTS_A : waiter == HOLDS_B_WANTS_A ? HOLDS_A_WANTS_B : HOLDS_ALL;
}

static void check_waiter(struct host *h, const struct task *t, enum role role)
{
	struct mutex_wait wait = { 0 };
	int r = mutex_wait_suspected(t) ? mutex_wait_read(h, &scratch, t, &wait) : -ENODATA;

	check_count++;
	if (r == 0 && wait.owner_tid == shared->tid[owner_role(role)] && wait.pid == t->pid && wait.tid == t->tid &&
	    wait.address == t->argument[0])
		return;
	check_failures++;
	fprintf(stderr, "role %d: %s, owner %d, wanted %d (call %d, arguments %llx %llx %llx)\n", role, strerror(-r),
		wait.owner_tid, shared->tid[owner_role(role)], t->syscall, (unsigned long long)t->argument[0],
		(unsigned long long)t->argument[1], (unsigned long long)t->argument[2]);
}

static void check_other(struct host *h, const struct task *t, enum role role)
{
	struct mutex_wait wait = { 0 };

	check_count++;
	if (!mutex_wait_suspected(t) || mutex_wait_read(h, &scratch, t, &wait) == -ENOENT)
		return;
	check_failures++;
	fprintf(stderr, "role %d is taken for a waiter of %d\n", role, wait.owner_tid);
}

static void test_reader(struct host *h, enum task_reader_kind kind)
{
	struct found found = { 0 };
	struct task_reader *r;
	struct note note = { 0 };

	if (task_reader_new_of_kind(h, kind, &r, &note) < 0) {
		fprintf(stderr, "not seen by BPF: %s\n", note.text);
		return;
	}
	CHECK(task_reader_each(r, find_roles, &found) == 0);
	CHECK_U64(found.n, ROLES);
	for (int role = 0; role < ROLES; role++) {
		CHECK(found.task[role].state == 'S' && found.task[role].flags & TASK_HAS_SYSCALL);
		if (role < MUTEX_ROLES && role != HOLDS_ALL)
			check_waiter(h, &found.task[role], (enum role)role);
		else
			check_other(h, &found.task[role], (enum role)role);
	}
	task_reader_free(r);
}

/* A process that is gone, and memory that is not mapped. */
static void test_unreadable(struct host *h, int gone_pid)
{
	struct task t;
	struct mutex_wait wait;

	task_missing(READING_ABSENT, &t);
	CHECK(!mutex_wait_suspected(&t));
	t = (struct task){ .pid = gone_pid, .tid = gone_pid, .state = 'S', .flags = TASK_HAS_SYSCALL, .syscall = SYS_futex,
			   .argument = { 0x1000, FUTEX_WAIT_PRIVATE, 2 } };
	CHECK(mutex_wait_suspected(&t));
	CHECK(mutex_wait_read(h, &scratch, &t, &wait) == -ESRCH);
	t.pid = t.tid = getpid();
	t.argument[0] = 8;
	CHECK(mutex_wait_read(h, &scratch, &t, &wait) == -EFAULT);
	t.state = 'R';
	CHECK(!mutex_wait_suspected(&t));
}

/* Memory whose pages somebody else provides, and does not: as one on a dead server. 0: not here. */
static void *withheld_memory(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register range = { .range = { (uintptr_t)p, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (fd < 0 || p == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		return NULL;
	return p;
}

/* Who reads memory that does not come is not held up by it, and not twice. */
static void test_hanging(struct host *h)
{
	struct task t = { .flags = TASK_HAS_SYSCALL, .syscall = SYS_futex, .state = 'S', .argument = { 0, FUTEX_WAIT, 2 } };
	struct mutex_wait wait;
	void *address = NULL;
	int ready[2];

	CHECK(pipe(ready) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		address = withheld_memory();
		CHECK(write(ready[1], &address, sizeof address) == sizeof address);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &address, sizeof address) == sizeof address);
	t.pid = t.tid = pid;
	t.argument[0] = (uintptr_t)address;
	if (address) {
		uint64_t start = clock_mono_ns();
		CHECK(mutex_wait_read(h, &scratch, &t, &wait) == -ETIMEDOUT);
		uint64_t asked = clock_mono_ns();
		CHECK(asked - start < 2 * NS_PER_S);
		for (int i = 0; i < 100; i++)
			CHECK(mutex_wait_read(h, &scratch, &t, &wait) == -ETIMEDOUT);
		CHECK(clock_mono_ns() - asked < 2 * NS_PER_S); /* not 100 times 50 ms */
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	int r = -ETIMEDOUT;
	for (int i = 0; address && i < 500 && r == -ETIMEDOUT; i++, usleep(10000))
		r = mutex_wait_read(h, &scratch, &t, &wait);
	CHECK(!address || r == -ESRCH);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	struct host *h = NULL;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && host_open_live("/", &h, NULL) == 0);
	pid_t pid = fork();
	if (pid == 0)
		company();
	for (int i = 0; i < 2000 && shared->ready < 1000; i++)
		usleep(10000);
	CHECK(shared->ready == 1000);
	usleep(100000); /* until the last of them sleeps */
	test_reader(h, TASK_READER_PROC);
	test_reader(h, TASK_READER_BPF);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	test_unreadable(h, pid);
	test_hanging(h);
	host_free(h);
	buf_deinit(&scratch);
	return check_exit();
}
