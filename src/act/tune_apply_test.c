/* Setting and taking back, on the live kernel: in a network namespace of its own, and for an instant on two
 * values of writeback, which are put back. */
#include "act/tune_apply.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "lab/file.h"

#define TIMEOUT "/proc/sys/net/ipv4/tcp_fin_timeout"

static char state[64];
static struct tune_place here;
static struct tune_item item;

static const char *get(const char *path)
{
	static char text[128];

	return file_read(path, text, sizeof text) < 0 ? "?" : text;
}

static void put(const char *path, const char *text)
{
	CHECK(file_write(path, text) == 0);
}

static struct change_journal *open_journal(void)
{
	struct change_journal *j;
	struct note note = { "" };

	if (change_journal_open(CHANGE_WRITE, &j, &note) < 0) {
		fprintf(stderr, "%s\n", note.text);
		exit(1);
	}
	return j;
}

static void advise(enum tunable_id id, const char *value)
{
	item = (struct tune_item){ .tunable = &tunables[id], .advice = { .verdict = TUNE_CHANGE } };
	snprintf(item.advice.value, sizeof item.advice.value, "%s", value);
}

static int apply(const struct tune_place *place, struct tune_done *ret, struct note *note)
{
	struct change_journal *j = open_journal();
	int r = tune_apply(j, &item, place, ret, note);

	change_journal_close(j);
	return r;
}

static int roll_back(uint64_t id, bool force, struct change_outcome *ret, struct note *note)
{
	struct change_journal *j = open_journal();
	struct change_list l = { 0 };
	int r = changes_list(j, &l, NULL);
	const struct change *c = r == 0 ? change_find(&l, id) : NULL;

	memset(ret, 0, sizeof *ret);
	r = c ? tune_rollback(j, c, force, ret, note) : -ENOENT;
	change_list_deinit(&l);
	change_journal_close(j);
	return r;
}

static void test_there_and_back(void)
{
	struct tune_done done = { 0 };
	struct change_outcome outcome;

	put(TIMEOUT, "60");
	advise(TUNABLE_tcp_fin_timeout, "15");
	CHECK(apply(&here, &done, NULL) == 0);
	CHECK_STR(get(TIMEOUT), "15");
	CHECK_STR(done.before, "60");
	CHECK_STR(done.after, "15");
	CHECK(done.as_advised);
	CHECK(apply(&here, &done, NULL) == -EALREADY);
	CHECK(roll_back(done.id, false, &outcome, NULL) == 0);
	CHECK(outcome.restored == 1);
	CHECK_STR(get(TIMEOUT), "60");
	CHECK(roll_back(done.id, false, &outcome, NULL) == -EALREADY);
}

static void test_a_third_hand(void)
{
	struct tune_done done = { 0 };
	struct change_outcome outcome;

	put(TIMEOUT, "60");
	advise(TUNABLE_tcp_fin_timeout, "15");
	CHECK(apply(&here, &done, NULL) == 0);
	put(TIMEOUT, "20");
	CHECK(roll_back(done.id, false, &outcome, NULL) == -ESTALE);
	CHECK_STR(get(TIMEOUT), "20");
	CHECK_STR(outcome.now, "20");
	CHECK(roll_back(done.id, true, &outcome, NULL) == 0);
	CHECK_STR(get(TIMEOUT), "60");
}

/* What tune_apply does until the value is set, then kill -9. */
static void die_after_setting(void)
{
	struct change_journal *j = open_journal();
	struct change_value value = { .before = "60", .after = "15" };
	struct change c = { .command = TUNE_COMMAND, .attribute = "net.ipv4.tcp_fin_timeout", .kind = CHANGE_FILE,
			    .path = TIMEOUT, .value = { .v = &value, .n = 1 } };
	uint64_t id;

	if (change_begin(j, &c, &id, NULL) == 0 && file_write(TIMEOUT, "15") == 0)
		kill(getpid(), SIGKILL);
	_exit(1);
}

static void test_killed_before_commit(void)
{
	struct change_journal *j;
	struct change_list l = { 0 };
	struct change_outcome outcome;
	int status = 0;

	put(TIMEOUT, "60");
	pid_t child = fork();
	if (child == 0)
		die_after_setting();
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_STR(get(TIMEOUT), "15");
	j = open_journal();
	CHECK(changes_list(j, &l, NULL) == 0);
	change_journal_close(j);
	CHECK(l.change.n > 0);
	if (l.change.n == 0)
		return;
	const struct change *c = &l.change.v[l.change.n - 1];
	CHECK(c->state == CHANGE_BEGUN && tune_owns(c));
	CHECK(tune_rollback_look(c, &outcome) == 0 && outcome.restored == 1);
	CHECK(roll_back(c->id, false, &outcome, NULL) == 0);
	CHECK_STR(get(TIMEOUT), "60");
	change_list_deinit(&l);
}

static void test_refused(void)
{
	struct tune_done done = { .id = 77 };
	struct note note = { "" };

	put(TIMEOUT, "60");
	advise(TUNABLE_tcp_fin_timeout, "banana");
	CHECK(apply(&here, &done, &note) == -EINVAL);
	CHECK(strstr(note.text, "refuses banana") != NULL);
	CHECK_U64(done.id, 77);
	CHECK_STR(get(TIMEOUT), "60");
}

static uint64_t own_namespace(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* A child in a namespace of its own, until the pipe closes. */
static pid_t live_elsewhere(int *ret_end)
{
	int told[2], wait[2];
	char byte;

	if (pipe(told) < 0 || pipe(wait) < 0)
		return -1;
	pid_t child = fork();
	if (child == 0) {
		close(wait[1]);
		if (unshare(CLONE_NEWNET) < 0)
			_exit(1);
		(void)!write(told[1], "x", 1);
		(void)!read(wait[0], &byte, 1);
		_exit(0);
	}
	(void)!read(told[0], &byte, 1);
	close(told[0]);
	close(told[1]);
	close(wait[0]);
	*ret_end = wait[1];
	return child;
}

static int read_there(void *arg)
{
	snprintf(arg, 32, "%.31s", get(TIMEOUT));
	return 0;
}

static void test_another_namespace(void)
{
	struct tune_place there = { .scope = SCOPE_NET };
	struct tune_done done = { 0 };
	struct change_outcome outcome;
	struct note note = { "" };
	char path[40], value[32] = "";
	int end = -1;
	pid_t child = live_elsewhere(&end);

	snprintf(path, sizeof path, "/proc/%d/ns/net", child);
	there.net.pid = child;
	there.net.inode = own_namespace(path);
	put(TIMEOUT, "60");
	advise(TUNABLE_tcp_fin_timeout, "15");
	CHECK(apply(&there, &done, &note) == 0);
	CHECK_STR(get(TIMEOUT), "60");
	CHECK(net_ns_within(child, read_there, value) == 0);
	CHECK_STR(value, "15");
	CHECK(roll_back(done.id, false, &outcome, &note) == 0 && outcome.restored == 1);
	CHECK(net_ns_within(child, read_there, value) == 0);
	CHECK_STR(value, "60");
	CHECK_STR(get(TIMEOUT), "60");

	there.net.inode++;
	CHECK(apply(&there, &done, &note) == -ESTALE);
	there.net.inode--;
	CHECK(apply(&there, &done, &note) == 0);
	close(end);
	CHECK(waitpid(child, NULL, 0) == child);
	note.text[0] = '\0';
	CHECK(roll_back(done.id, false, &outcome, &note) == -EXDEV);
	CHECK(strstr(note.text, "network namespace") != NULL);
}

/* Setting the bytes sets the ratio to 0; taking it back is setting the ratio. */
static void test_bytes_and_ratio(void)
{
	static const char ratio[] = "/proc/sys/vm/dirty_background_ratio", bytes[] = "/proc/sys/vm/dirty_background_bytes";
	struct tune_done done = { 0 };
	struct change_outcome outcome;
	struct note note = { "" };
	char before[32], command[128];

	snprintf(before, sizeof before, "%s", get(ratio));
	if (strcmp(get(bytes), "0") != 0 || access(bytes, W_OK) < 0)
		return; /* this machine has it otherwise */
	CHECK(tune_value_parse(span_from(before), SHAPE_NUMBER, &here.value[TUNABLE_dirty_background_ratio]) == 0);
	advise(TUNABLE_dirty_background_bytes, "1073741824");
	tune_undo_command(&item, &here, command, sizeof command);
	CHECK(strstr(command, "vm.dirty_background_ratio=") != NULL);
	CHECK(apply(&here, &done, &note) == 0);
	CHECK_STR(get(bytes), "1073741824");
	CHECK_STR(get(ratio), "0");
	CHECK(roll_back(done.id, false, &outcome, &note) == 0 && outcome.restored == 1);
	CHECK_STR(get(ratio), before);
	CHECK_STR(get(bytes), "0");
}

static void test_commands(void)
{
	struct tune_place p = { .scope = SCOPE_DISK, .disk = { .name = "vda" } };
	char text[320], file[96];

	advise(TUNABLE_scheduler, "mq-deadline");
	CHECK(tune_value_parse(SPAN("[none] mq-deadline"), SHAPE_CHOICE, &p.value[TUNABLE_scheduler]) == 0);
	tune_command(&item, &p, text, sizeof text);
	CHECK_STR(text, "echo mq-deadline > /sys/block/vda/queue/scheduler");
	tune_undo_command(&item, &p, text, sizeof text);
	CHECK_STR(text, "echo none > /sys/block/vda/queue/scheduler");
	tune_permanent(&item, &p, file, sizeof file, text, sizeof text);
	CHECK(strstr(file, "udev") && strstr(text, "ATTR{queue/scheduler}=\"mq-deadline\""));

	p = (struct tune_place){ .scope = SCOPE_NET, .net = { .pid = 12, .enter = "nsenter -t 12 -n " } };
	advise(TUNABLE_tcp_rmem, "1 2 3");
	tune_command(&item, &p, text, sizeof text);
	CHECK_STR(text, "nsenter -t 12 -n sysctl -w 'net.ipv4.tcp_rmem=1 2 3'");
	p = (struct tune_place){ .scope = SCOPE_HOST };
	tune_permanent(&item, &p, file, sizeof file, text, sizeof text);
	CHECK_STR(text, "net.ipv4.tcp_rmem = 1 2 3");
	advise(TUNABLE_thp_defrag, "madvise");
	tune_permanent(&item, &p, file, sizeof file, text, sizeof text);
	CHECK(strstr(file, "tmpfiles") && strstr(text, "w /sys/kernel/mm/transparent_hugepage/defrag - - - - madvise"));
}

int main(void)
{
	test_commands();
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		check_skip("needs root, and network namespaces");
	if (access(TIMEOUT, W_OK) < 0)
		check_skip("/proc/sys is read-only here");
	snprintf(state, sizeof state, "/tmp/osprey-tune-test.XXXXXX");
	if (!mkdtemp(state) || setenv("OSPREY_STATE_DIR", state, 1) < 0)
		return 1;
	test_there_and_back();
	test_a_third_hand();
	test_killed_before_commit();
	test_refused();
	test_another_namespace();
	test_bytes_and_ratio();
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", state);
	return check_exit() | (system(command) != 0);
}
