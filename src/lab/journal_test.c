#include "lab/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "lab/file.h"
#include "lab/undo.h"

static const char tree[] = "/tmp/osprey-lab-test%1 2";

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void make_tree(const char *path)
{
	char name[300];

	CHECK(mkdir(path, 0700) == 0);
	snprintf(name, sizeof name, "%s/inner", path);
	CHECK(mkdir(name, 0700) == 0);
	snprintf(name, sizeof name, "%s/inner/link", path);
	CHECK(symlink("/etc", name) == 0);
	snprintf(name, sizeof name, "%s/file", path);
	int fd = open(name, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	close(fd);
}

/* Entries come back in reverse, odd bytes and all; the file goes when all is undone. */
static void test_undo(void)
{
	char old[64];
	struct journal j;
	struct note note = { "" };
	unsigned undone = 0;

	CHECK(journal_create(&j, &note) == 0);
	make_tree(tree);
	CHECK(journal_add(j.fd, JOURNAL_TREE, tree, NULL, &note) == 0);
	CHECK(file_read("/proc/sys/vm/swappiness", old, sizeof old) > 0);
	CHECK(journal_add(j.fd, JOURNAL_FILE, "/proc/sys/vm/swappiness", old, &note) == 0);
	CHECK(journal_add(j.fd, JOURNAL_FILE, "/proc/sys/vm/swappiness", "17", &note) == 0);
	CHECK(file_write("/proc/sys/vm/swappiness", "18") == 0);
	CHECK(journal_id_lives(j.id));
	CHECK(journal_undo(&j, &undone, &note) == 0);
	CHECK_U64(undone, 3);
	CHECK(!exists(tree));
	CHECK(!exists(j.path));
	CHECK(exists("/etc/passwd"));
	char now[64];
	CHECK(file_read("/proc/sys/vm/swappiness", now, sizeof now) > 0);
	CHECK_STR(now, old);
	close(j.fd);
}

/* A line without its newline speaks of a change that was not made. */
static void test_torn(void)
{
	struct journal j;
	unsigned undone = 0;

	CHECK(journal_create(&j, NULL) == 0);
	CHECK(journal_add(j.fd, JOURNAL_TREE, "/tmp/osprey-lab-none", NULL, NULL) == 0);
	CHECK(write(j.fd, "file /proc/sys/vm/swappiness 1", 30) == 30);
	CHECK(journal_undo(&j, &undone, NULL) == 0);
	CHECK_U64(undone, 1);
	close(j.fd);
}

/* What is no lab's is not touched, whatever the journal says; it stays to be looked at. */
static void test_foreign(void)
{
	static const char *const lines[] = { "tree /etc\n",	   "tree /tmp/osprey-lab-x/../../etc\n",
					     "file /etc/passwd x\n", "mount /tmp\n",
					     "unknown x\n",	   "file\n",
					     "tree %zz\n" };

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct journal j;
		struct note note = { "" };
		unsigned undone = 0;

		CHECK(journal_create(&j, NULL) == 0);
		CHECK(write(j.fd, lines[i], strlen(lines[i])) > 0);
		CHECK(journal_undo(&j, &undone, &note) < 0);
		CHECK(note.text[0] != '\0');
		CHECK_U64(undone, 0);
		CHECK(exists(j.path));
		unlink(j.path);
		close(j.fd);
	}
	CHECK(exists("/etc/passwd"));
}

/* A process that dies with its journal open, as a guardian that is killed. */
static void dead_journal(const char *dir, char *ret_id, size_t size)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct journal j;

		_exit(journal_create(&j, NULL) || journal_add(j.fd, JOURNAL_TREE, dir, NULL, NULL));
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	snprintf(ret_id, size, "osprey-lab-%d", (int)pid);
}

static void test_clean(void)
{
	char id[32];
	struct journal mine;
	unsigned undone = 0;
	struct note note = { "" };

	CHECK(journal_create(&mine, NULL) == 0);
	CHECK(journal_add(mine.fd, JOURNAL_TREE, "/tmp/osprey-lab-living", NULL, NULL) == 0);
	make_tree("/tmp/osprey-lab-living");
	make_tree("/tmp/osprey-lab-dead");
	dead_journal("/tmp/osprey-lab-dead", id, sizeof id);
	CHECK(!journal_id_lives(id));
	CHECK(journal_clean(&undone, &note) == 0);
	CHECK(undone >= 1);
	CHECK(!exists("/tmp/osprey-lab-dead"));
	CHECK(exists("/tmp/osprey-lab-living"));
	CHECK(journal_undo(&mine, &undone, NULL) == 0);
	CHECK(!exists("/tmp/osprey-lab-living"));
	close(mine.fd);
}

static void test_held(void)
{
	struct journal j;
	unsigned undone = 0;

	CHECK(journal_create(&j, NULL) == 0);
	CHECK(journal_add(j.fd, JOURNAL_FILE, "/sys/none at all", "1", NULL) == 0);
	CHECK(journal_held_elsewhere("other", JOURNAL_FILE, "/sys/none at all", NULL));
	CHECK(!journal_held_elsewhere("other", JOURNAL_FILE, "/sys/none", NULL));
	CHECK(!journal_held_elsewhere(j.id, JOURNAL_FILE, "/sys/none at all", NULL));
	CHECK(journal_undo(&j, &undone, NULL) == 0);
	CHECK(!journal_held_elsewhere("other", JOURNAL_FILE, "/sys/none at all", NULL));
	close(j.fd);
}

int main(void)
{
	if (geteuid() != 0)
		check_skip("needs root: the journal is obeyed by root alone");
	test_undo();
	test_torn();
	test_foreign();
	test_clean();
	test_held();
	return check_exit();
}
