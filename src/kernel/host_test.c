#include "kernel/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"

static char dir[] = "/tmp/osprey-host-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static struct host *open_at(const char *root)
{
	struct host *h = NULL;
	struct note note = { "" };

	if (host_open_live(root, &h, &note) < 0) {
		fprintf(stderr, "%s\n", note.text);
		exit(1);
	}
	return h;
}

/* All paths are below the root, whatever they look like. */
static void test_root(struct buf *b)
{
	struct host *h = open_at(dir);

	CHECK(host_is_live(h) && host_root_fd(h) >= 0 && !host_is_textual(h));
	CHECK(host_read(h, "/one", b) == 0);
	CHECK_STR(b->data, "first\n");
	CHECK(host_read(h, "//one", b) == 0 && b->n == 6);
	CHECK(host_read(h, "/missing", b) == -ENOENT && b->n == 0);
	CHECK(host_read(h, "/sub", b) == -EISDIR && b->n == 0);
	CHECK(host_read(h, "/empty", b) == 0 && b->n == 0);
	CHECK(host_readlink(h, "/link", b) == 0);
	CHECK_STR(b->data, "one");
	CHECK(host_readlink(h, "/one", b) == -EINVAL && b->n == 0);
	host_free(h);
}

static void test_list(struct buf *b)
{
	struct host *h = open_at(dir);

	CHECK(host_list(h, "/sub", b) == 0);
	CHECK(b->n == 4 && strstr(b->data, "x\n") && strstr(b->data, "y\n"));
	CHECK(host_list(h, "/one", b) == -ENOTDIR && b->n == 0);
	CHECK(host_list(h, "/missing", b) == -ENOENT);
	host_free(h);
}

/* A kept file is read from its start each time, and shows new contents. */
static void test_kept(struct buf *b)
{
	static const char path[] = "/kept";
	struct host *h = open_at(dir);

	write_file("kept", "1 of 2\n");
	CHECK(host_read_kept(h, path, b) == 0);
	CHECK_STR(b->data, "1 of 2\n");
	write_file("kept", "2\n");
	CHECK(host_read_kept(h, path, b) == 0);
	CHECK_STR(b->data, "2\n");
	host_free(h);
}

/* More kept files than there are places: the others are read all the same. */
static void test_kept_overflow(struct buf *b)
{
	static char paths[40][16];
	struct host *h = open_at(dir);

	for (int i = 0; i < 40; i++) {
		snprintf(paths[i], sizeof paths[i], "/k%d", i);
		write_file(paths[i] + 1, paths[i]);
	}
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 40; i++) {
			CHECK(host_read_kept(h, paths[i], b) == 0);
			CHECK_STR(b->data, paths[i]);
		}
	host_free(h);
}

/* A FIFO that nobody writes to must not hold us: it is opened without waiting, and reads
 * as empty. */
static void test_fifo(struct buf *b)
{
	struct host *h = open_at(dir);
	uint64_t start = clock_mono_ns();

	CHECK(host_read(h, "/fifo", b) == 0 && b->n == 0);
	CHECK(host_read_bounded(h, "/fifo", 200, b) == 0);
	CHECK(clock_mono_ns() - start < 2 * NS_PER_S);
	host_free(h);
}

static void test_bounded(struct buf *b)
{
	struct host *h = open_at(dir);

	CHECK(host_read_bounded(h, "/one", 1000, b) == 0);
	CHECK_STR(b->data, "first\n");
	CHECK(host_read_bounded(h, "/missing", 1000, b) == -ENOENT && b->n == 0);
	host_free(h);
}

static void test_big_file(struct buf *b)
{
	char path[128];
	struct host *h = open_at(dir);

	snprintf(path, sizeof path, "%s/big", dir);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 3 << 20) == 0);
	CHECK(host_read(h, "/big", b) == 0 && b->n == 3 << 20);
	CHECK(ftruncate(fd, INT64_C(1) << 40) == 0);
	CHECK(host_read(h, "/big", b) == -EFBIG && b->n == 0);
	close(fd);
	host_free(h);
}

static void test_time(void)
{
	struct host *h = open_at("/");
	struct host_time start = host_time(h);

	usleep(2000);
	CHECK_U64(host_time(h).mono_ns, start.mono_ns); /* stands still within a tick */
	CHECK(host_tick(h, start.mono_ns + 20 * NS_PER_MS) == 0);
	CHECK(host_time(h).mono_ns >= start.mono_ns + 20 * NS_PER_MS);
	struct host_time then = host_time(h);
	CHECK(host_tick(h, 0) == 0); /* has passed: at once */
	CHECK(host_time(h).mono_ns >= then.mono_ns && host_time(h).mono_ns < then.mono_ns + NS_PER_S);
	host_free(h);
}

static void test_refusals(void)
{
	struct host *h = NULL;
	struct note note = { "" };

	CHECK(host_open_live("/no/such/root", &h, &note) == -ENOENT && h == NULL);
	CHECK(strstr(note.text, "/no/such/root") != NULL);
	CHECK(host_open_live("/dev/null", &h, NULL) == -ENOTDIR);
	CHECK(host_open_capture("/no/such/capture", &h, &note) == -ENOENT && h == NULL);
	CHECK(host_open_capture("/dev/null", &h, &note) == -EBADMSG && h == NULL);
	host_free(NULL);
}

static int fails_halfway(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h;
	(void)key;
	(void)arg;
	int r = buf_append(ret, "half", 4);
	return r < 0 ? r : -EIO;
}

static void test_failed_fetch_is_empty(struct buf *b)
{
	struct host *h = open_at("/");

	CHECK(buf_append(b, "old", 3) == 0);
	CHECK(host_fetch(h, "x", fails_halfway, NULL, b) == -EIO && b->n == 0);
	host_free(h);
}

static void make_tree(void)
{
	char path[128];

	write_file("one", "first\n");
	write_file("empty", "");
	snprintf(path, sizeof path, "%s/sub", dir);
	CHECK(mkdir(path, 0700) == 0);
	write_file("sub/x", "");
	write_file("sub/y", "");
	write_file("sub/.hidden", "");
	snprintf(path, sizeof path, "%s/link", dir);
	CHECK(symlink("one", path) == 0);
	snprintf(path, sizeof path, "%s/fifo", dir);
	CHECK(mkfifo(path, 0600) == 0);
}

static void remove_tree(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	CHECK(system(command) == 0);
}

int main(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };

	if (!mkdtemp(dir))
		check_skip("no directory for temporary files");
	make_tree();
	test_root(&b);
	test_list(&b);
	test_kept(&b);
	test_kept_overflow(&b);
	test_fifo(&b);
	test_bounded(&b);
	test_big_file(&b);
	test_time();
	test_refusals();
	test_failed_fetch_is_empty(&b);
	remove_tree();
	return check_exit();
}
