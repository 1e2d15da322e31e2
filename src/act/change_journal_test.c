#include "act/change_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "act/change_record.h"
#include "base/check.h"
#include "base/cleanup.h"

static char state[] = "/tmp/osprey-changes-XXXXXX";
static char file[64], journal_path[96];

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static const char *get(const char *path)
{
	static char text[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void setup(void)
{
	if (!mkdtemp(state))
		check_skip("no directory under /tmp");
	setenv("OSPREY_STATE_DIR", state, 1);
	snprintf(file, sizeof file, "%s/value", state);
	snprintf(journal_path, sizeof journal_path, "%s/changes/journal", state);
}

static void fresh(void)
{
	(void)!unlink(journal_path);
	put(file, "10\n");
}

static struct change_journal *open_write(void)
{
	struct change_journal *j = NULL;
	struct note note = { "" };

	CHECK(change_journal_open(CHANGE_WRITE, &j, &note) == 0);
	if (!j) {
		fprintf(stderr, "%s\n", note.text);
		exit(1);
	}
	return j;
}

static uint64_t set(struct change_journal *j, const char *text)
{
	uint64_t id = 0;

	CHECK(change_file(j, "tune", "test.value", file, text, &id, NULL, NULL, NULL) == 0);
	return id;
}

static int undo(struct change_journal *j, uint64_t id, bool force, struct change_outcome *ret)
{
	return change_undo(j, id, &change_file_access, force, ret, NULL);
}

static enum change_state state_of(struct change_journal *j, uint64_t id)
{
	cleanup(change_list_deinit) struct change_list l = { 0 };
	const struct change *c;

	CHECK(changes_list(j, &l, NULL) == 0);
	c = change_find(&l, id);
	CHECK(c != NULL);
	return c ? c->state : CHANGE_ABORTED;
}

static void test_change_and_undo(void)
{
	cleanup(buf_deinit) struct buf before = { 0 }, after = { 0 };
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct change_outcome outcome;
	struct change_journal *j;
	uint64_t id = 0;

	fresh();
	j = open_write();
	CHECK(change_file(j, "tune", "test.value", file, "60", &id, &before, &after, NULL) == 0);
	CHECK_U64(id, 1);
	CHECK_STR(before.data, "10");
	CHECK_STR(after.data, "60");
	CHECK_STR(get(file), "60\n");
	CHECK(change_file(j, "tune", "test.value", file, "60", &id, NULL, NULL, NULL) == -EALREADY);
	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK_U64(l.change.n, 1);
	CHECK_STR(l.change.v[0].command, "tune");
	CHECK_STR(l.change.v[0].attribute, "test.value");
	CHECK_STR(l.change.v[0].path, file);
	CHECK(strstr(l.change.v[0].who, "change_journal_test") != NULL);
	CHECK(l.change.v[0].state == CHANGE_MADE);
	CHECK(undo(j, 1, false, &outcome) == 0);
	CHECK_U64(outcome.restored, 1);
	CHECK_STR(get(file), "10\n");
	CHECK(state_of(j, 1) == CHANGE_UNDONE);
	CHECK(undo(j, 1, false, &outcome) == -EALREADY);
	CHECK(undo(j, 2, false, &outcome) == -ENOENT);
	change_journal_close(j);
}

/* "60" over "10\n" leaves "60\n": the file is no sysctl, but as long as values have two digits. */
static void test_a_third_hand_is_respected(void)
{
	struct change_outcome outcome;
	struct change_journal *j;
	uint64_t first, second;

	fresh();
	j = open_write();
	first = set(j, "20");
	put(file, "33\n");
	CHECK(undo(j, first, false, &outcome) == -ESTALE);
	CHECK_STR(outcome.now, "33");
	CHECK_STR(get(file), "33\n");
	CHECK(state_of(j, first) == CHANGE_MADE);
	CHECK(undo(j, first, true, &outcome) == 0);
	CHECK_STR(get(file), "10\n");

	/* Two of our own, the lower one first. */
	first = set(j, "20");
	second = set(j, "30");
	CHECK(undo(j, first, false, &outcome) == -ESTALE);
	cleanup(change_list_deinit) struct change_list l = { 0 };

	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK(change_over(&l, change_find(&l, first)) == change_find(&l, second));
	CHECK(change_over(&l, change_find(&l, second)) == NULL);
	CHECK(undo(j, second, false, &outcome) == 0);
	CHECK(undo(j, first, false, &outcome) == 0);
	CHECK_STR(get(file), "10\n");

	/* Set back by hand: nothing to do, and settled. */
	first = set(j, "40");
	put(file, "10\n");
	CHECK(undo(j, first, false, &outcome) == 0);
	CHECK_U64(outcome.already, 1);

	/* The file is gone. */
	first = set(j, "40");
	CHECK(unlink(file) == 0);
	CHECK(undo(j, first, false, &outcome) == 0);
	CHECK(outcome.obsolete);
	CHECK(state_of(j, first) == CHANGE_OBSOLETE);
	change_journal_close(j);
}

static void test_a_refused_write_is_aborted(void)
{
	struct change_journal *j;
	struct note note = { "" };
	uint64_t id = 0;

	fresh();
	if (access("/proc/self/oom_score_adj", W_OK) < 0)
		return;
	j = open_write();
	CHECK(change_file(j, "tune", "x", "/proc/self/oom_score_adj", "many", &id, NULL, NULL, &note) == -EINVAL);
	CHECK(strstr(note.text, "many") != NULL);
	CHECK(state_of(j, 1) == CHANGE_ABORTED);
	change_journal_close(j);
}

/* A copy of a good journal, cut at every byte, and with every byte turned: what is whole stays,
 * nothing is invented, and a new change can be added. */
static void test_torn_records(void)
{
	char whole[4096];
	struct change_journal *j;
	size_t n;

	fresh();
	j = open_write();
	set(j, "20");
	set(j, "30");
	change_journal_close(j);
	int fd = open(journal_path, O_RDONLY);

	n = (size_t)read(fd, whole, sizeof whole);
	close(fd);
	for (size_t cut = 0; cut <= n; cut++) {
		struct change_list l = { 0 };

		CHECK(change_list_parse((struct span){ whole, cut }, &l) == 0);
		CHECK(l.change.n <= 2 && l.ntorn <= 1);
		if (cut == n)
			CHECK(l.change.n == 2 && l.ntorn == 0);
		change_list_deinit(&l);
	}
	for (size_t at = 0; at < n; at++) {
		struct change_list l = { 0 };
		char kept = whole[at];

		whole[at] = kept == '~' ? '!' : '~';
		CHECK(change_list_parse((struct span){ whole, n }, &l) == 0);
		CHECK(l.ntorn >= 1);
		vec_each(c, &l.change)
			CHECK(strcmp(c->value.v[0].before, c->id == 1 ? "10" : "20") == 0);
		change_list_deinit(&l);
		whole[at] = kept;
	}

	fd = open(journal_path, O_WRONLY | O_TRUNC);
	CHECK(write(fd, whole, n - 30) == (ssize_t)n - 30);
	close(fd);
	put(file, "30\n");
	j = open_write();
	cleanup(change_list_deinit) struct change_list l = { 0 };
	uint64_t id = set(j, "50");

	CHECK_U64(id, 3);
	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK_U64(l.ntorn, 1);
	CHECK_U64(l.change.n, 3);
	CHECK(l.change.v[1].state == CHANGE_BEGUN);
	CHECK(l.change.v[2].state == CHANGE_MADE);
	change_journal_close(j);
}

/* A maker that died between begin and commit, before and after it had changed the value. */
static void test_unfinished_changes_can_be_undone(void)
{
	for (int made = 0; made < 2; made++) {
		struct change_value v = { .before = "10", .after = "20" };
		struct change c = {
			.command = "tune", .attribute = "x", .path = file, .value = { .v = &v, .n = 1 }
		};
		struct change_outcome outcome;
		struct change_journal *j;
		uint64_t id = 0;

		fresh();
		j = open_write();
		CHECK(change_begin(j, &c, &id, NULL) == 0);
		change_journal_close(j);
		if (made)
			put(file, "20\n");
		j = open_write();
		CHECK(state_of(j, id) == CHANGE_BEGUN);
		CHECK(undo(j, id, false, &outcome) == 0);
		CHECK_U64(outcome.restored, (uint64_t)made);
		CHECK_STR(get(file), "10\n");
		change_journal_close(j);
	}
}

static void test_writers_take_turns(void)
{
	enum { WRITERS = 6, CHANGES = 8 };
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct change_journal *j;
	pid_t child[WRITERS];

	fresh();
	for (int w = 0; w < WRITERS; w++) {
		child[w] = fork();
		if (child[w] == 0) {
			for (int i = 0; i < CHANGES; i++) {
				struct change_value v = { .before = "0", .after = "1" };
				struct change c = { .attribute = "x",
						    .path = file,
						    .value = { .v = &v, .n = 1 } };
				uint64_t id;

				j = open_write();
				if (change_begin(j, &c, &id, NULL) < 0 || change_commit(j, id, NULL, NULL) < 0)
					_exit(1);
				change_journal_close(j);
			}
			_exit(check_failures != 0);
		}
	}
	for (int w = 0; w < WRITERS; w++) {
		int status = 1;

		CHECK(waitpid(child[w], &status, 0) == child[w] && status == 0);
	}
	CHECK(change_journal_open(CHANGE_READ, &j, NULL) == 0);
	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK_U64(l.ntorn, 0);
	CHECK_U64(l.change.n, WRITERS * CHANGES);
	for (size_t i = 0; i < l.change.n; i++) {
		CHECK_U64(l.change.v[i].id, i + 1);
		CHECK(l.change.v[i].state == CHANGE_MADE);
	}
	change_journal_close(j);
}

/* No room for a record: nothing is changed, nothing of the record stays, and all before it is whole. */
static void test_full_disk(void)
{
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct rlimit unlimited, small;
	struct change_journal *j;
	struct note note = { "" };
	uint64_t id = 0;
	struct stat st;
	int r = 0;

	fresh();
	signal(SIGXFSZ, SIG_IGN);
	j = open_write();
	set(j, "20");
	CHECK(stat(journal_path, &st) == 0 && getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
	small = (struct rlimit){ (rlim_t)st.st_size + 40, unlimited.rlim_max };
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	r = change_file(j, "tune", "x", file, "30", &id, NULL, NULL, &note);
	CHECK(setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
	CHECK(r == -ENOSPC || r == -EFBIG);
	CHECK(strstr(note.text, "journal") != NULL);
	CHECK_STR(get(file), "20\n");
	off_t size = st.st_size;

	CHECK(stat(journal_path, &st) == 0 && st.st_size == size);
	CHECK_U64(set(j, "40"), 2);
	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK(l.ntorn == 0 && l.change.n == 2);
	change_journal_close(j);
}

static void test_long_journals_lose_what_is_settled(void)
{
	cleanup(change_list_deinit) struct change_list l = { 0 };
	cleanup(buf_deinit) struct buf text = { 0 };
	char boot[64] = "";
	struct change_journal *j;
	struct stat st;

	fresh();
	snprintf(boot, sizeof boot, "%s", get("/proc/sys/kernel/random/boot_id"));
	boot[strcspn(boot, "\n")] = '\0';
	for (uint64_t id = 1; id <= 3000; id++) {
		struct change_value v = { .before = "0", .after = "1" };
		struct change c = {
			.id = id,
			.real_ns = id,
			.attribute = "x",
			.path = file,
			.value = { .v = &v, .n = 1 },
			.boot = boot,
			.state = id % 1000 == 7 ? CHANGE_MADE : CHANGE_UNDONE,
		};

		CHECK(record_change(&text, &c) == 0);
	}
	put(journal_path, text.data);
	CHECK(chmod(journal_path, 0600) == 0);
	j = open_write();
	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK_U64(l.change.n, 103);
	CHECK(change_find(&l, 7) && change_find(&l, 1007) && change_find(&l, 2007) && change_find(&l, 3000));
	CHECK(!change_find(&l, 8));
	CHECK_U64(l.last_id, 3000);
	put(file, "1\n");
	CHECK_U64(set(j, "2"), 3001);
	CHECK(stat(journal_path, &st) == 0 && (size_t)st.st_size < text.n / 4);
	change_journal_close(j);
}

static void test_other_worlds(void)
{
	struct change_value v = { .before = "10", .after = "20" };
	struct change c = {
		.id = 1, .attribute = "x", .path = file, .value = { .v = &v, .n = 1 }, .state = CHANGE_MADE,
		.boot = "another", .space = "",
	};
	cleanup(buf_deinit) struct buf text = { 0 };
	struct change_outcome outcome;
	struct change_journal *j;

	fresh();
	put(file, "20\n");
	CHECK(record_change(&text, &c) == 0);
	put(journal_path, text.data);
	j = open_write();
	CHECK(undo(j, 1, false, &outcome) == 0);
	CHECK(outcome.obsolete && strstr(outcome.why.text, "booted"));
	CHECK_STR(get(file), "20\n");
	change_journal_close(j);

	c.boot = "";
	c.space = "net:1";
	buf_clear(&text);
	CHECK(record_change(&text, &c) == 0);
	put(journal_path, text.data);
	j = open_write();
	CHECK(undo(j, 1, false, &outcome) == -EXDEV);
	CHECK_STR(get(file), "20\n");
	change_journal_close(j);
}

static void test_place_of_others_is_refused(void)
{
	char dir[96];
	struct change_journal *j;
	struct note note = { "" };

	snprintf(dir, sizeof dir, "%s/changes", state);
	CHECK(chmod(dir, 0777) == 0);
	CHECK(change_journal_open(CHANGE_WRITE, &j, &note) == -EPERM);
	CHECK(strstr(note.text, "others") != NULL);
	CHECK(chmod(dir, 0700) == 0);
	setenv("OSPREY_STATE_DIR", "relative", 1);
	CHECK(change_journal_open(CHANGE_READ, &j, &note) == -EINVAL);
	setenv("OSPREY_STATE_DIR", "/nowhere/at/all", 1);
	cleanup(change_list_deinit) struct change_list l = { 0 };

	CHECK(change_journal_open(CHANGE_READ, &j, NULL) == 0);
	CHECK(changes_list(j, &l, NULL) == 0 && l.change.n == 0);
	change_journal_close(j);
	setenv("OSPREY_STATE_DIR", state, 1);
}

static void test_many_values_and_odd_names(void)
{
	enum { N = 1000 };
	struct change_value *v = calloc(N, sizeof *v);
	struct change c = { .command = "priority", .kind = CHANGE_PROCESS, .pid = 7, .start_ticks = 99,
			    .comm = "a b\n%/=\x1b[1m", .attribute = "nice", .value = { .v = v, .n = N } };
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct change_journal *j;
	uint64_t id;

	fresh();
	for (int i = 0; i < N; i++)
		v[i] = (struct change_value){ .tid = i + 1, .start_ticks = 5, .before = "a/b %", .after = "" };
	j = open_write();
	CHECK(change_begin(j, &c, &id, NULL) == 0);
	CHECK(change_more(j, id, v, 3, NULL) == 0);
	CHECK(changes_list(j, &l, NULL) == 0);
	CHECK(l.ntorn == 0 && l.change.n == 1);
	CHECK_U64(l.change.v[0].value.n, N + 3);
	CHECK_U64(l.change.v[0].value.v[N - 1].tid, N);
	CHECK_STR(l.change.v[0].value.v[500].before, "a/b %");
	CHECK_STR(l.change.v[0].value.v[500].after, "");
	CHECK_STR(l.change.v[0].comm, c.comm);
	CHECK(l.change.v[0].pid == 7 && l.change.v[0].kind == CHANGE_PROCESS);
	change_journal_close(j);
	free(v);
}

static void clear(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/changes/lock", state);
	(void)!unlink(path);
	(void)!unlink(journal_path);
	(void)!unlink(file);
	snprintf(path, sizeof path, "%s/changes", state);
	(void)!rmdir(path);
	(void)!rmdir(state);
}

int main(void)
{
	setup();
	struct change_journal *j = open_write(); /* the place */

	change_journal_close(j);
	test_change_and_undo();
	test_a_third_hand_is_respected();
	test_a_refused_write_is_aborted();
	test_torn_records();
	test_unfinished_changes_can_be_undone();
	test_writers_take_turns();
	test_full_disk();
	test_long_journals_lose_what_is_settled();
	test_other_worlds();
	test_place_of_others_is_refused();
	test_many_values_and_odd_names();
	clear();
	return check_exit();
}
