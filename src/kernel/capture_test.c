#include "kernel/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

static char path[] = "/tmp/osprey-capture-XXXXXX";

/* An answer that changes with each question. */
static int counting(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h;
	(void)key;
	return buf_printf(ret, "%d", ++*(int *)arg);
}

static int refused(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h, (void)key, (void)arg, (void)ret;
	return -EACCES;
}

static int must_not_run(struct host *h, const char *key, void *arg, struct buf *ret)
{
	(void)h, (void)key, (void)arg, (void)ret;
	CHECK(!"a captured host asks nobody");
	return -EIO;
}

static void record(struct host_time times[2])
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;
	int n = 0;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(host_fetch(h, "n", counting, &n, &b) == 0); /* before: not in the capture */
	CHECK(host_capture_to(h, path, NULL) == 0 && host_is_textual(h));
	times[0] = host_time(h);
	CHECK(host_fetch(h, "n", counting, &n, &b) == 0);
	CHECK(host_fetch(h, "secret file", refused, NULL, &b) == -EACCES);
	CHECK(host_fetch(h, "statvfs:/a\nb", counting, &(int){ 40 }, &b) == 0);
	CHECK(host_read(h, "/proc/sys/kernel/osrelease", &b) == 0);
	CHECK(host_tick(h, 0) == 0);
	times[1] = host_time(h);
	CHECK(host_fetch(h, "n", counting, &n, &b) == 0);
	CHECK(host_capture_end(h) == 0 && !host_is_textual(h));
	host_free(h);
}

static void replay(const struct host_time times[2])
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;

	CHECK(host_open_capture(path, &h, NULL) == 0);
	CHECK(!host_is_live(h) && host_is_textual(h) && host_root_fd(h) == -1);
	CHECK_U64(host_time(h).mono_ns, times[0].mono_ns);
	CHECK(host_fetch(h, "n", must_not_run, NULL, &b) == 0);
	CHECK_STR(b.data, "2");
	CHECK(host_fetch(h, "secret file", must_not_run, NULL, &b) == -EACCES && b.n == 0);
	CHECK(host_read(h, "/proc/sys/kernel/osrelease", &b) == 0 && b.n > 0);
	CHECK(host_fetch(h, "statvfs:/a\nb", must_not_run, NULL, &b) == 0);
	CHECK_STR(b.data, "41");
	CHECK(host_read(h, "statvfs:/a\nc", &b) == -ENOENT);
	CHECK(host_read(h, "/never/asked", &b) == -ENOENT);
	CHECK(host_capture_to(h, "/tmp/x", NULL) == -EINVAL);
	CHECK(host_tick(h, UINT64_MAX) == 0); /* at once, whatever time is given */
	CHECK_U64(host_time(h).boot_ns, times[1].boot_ns);
	CHECK_U64(host_time(h).real_ns, times[1].real_ns);
	CHECK(host_fetch(h, "n", must_not_run, NULL, &b) == 0);
	CHECK_STR(b.data, "3");
	CHECK(host_read(h, "/proc/sys/kernel/osrelease", &b) == -ENOENT); /* of the first tick */
	CHECK(host_tick(h, 0) == -ENODATA);
	host_free(h);
}

static int open_bytes(const char *bytes, size_t n)
{
	struct host *h = NULL;
	struct note note = { "" };
	FILE *f = fopen(path, "w");

	CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
	int r = host_open_capture(path, &h, &note);
	CHECK((r == 0) == (h != NULL) && (r == 0 || note.text[0]));
	host_free(h);
	return r;
}

/* Wherever the file is cut it is refused; whichever byte is damaged, it is refused or gives
 * the same answers. */
static void test_damage(const struct host_time times[2])
{
	cleanup(buf_deinit) struct buf whole = { 0 };
	struct host *h = NULL;
	size_t unharmed = 0;

	CHECK(host_open_live("/", &h, NULL) == 0 && host_read(h, path, &whole) == 0);
	host_free(h);
	for (size_t n = 0; n < whole.n; n++)
		CHECK(open_bytes(whole.data, n) == -EBADMSG);
	for (size_t i = 0; i < whole.n; i++) {
		whole.data[i] ^= 0x10;
		int r = open_bytes(whole.data, whole.n);
		CHECK(r == 0 || r == -EBADMSG);
		if (r == 0) {
			replay(times); /* the window size, say: nothing that is read */
			unharmed++;
		}
		whole.data[i] ^= 0x10;
	}
	CHECK(unharmed < whole.n / 10);
	CHECK(open_bytes(whole.data, whole.n) == 0);
}

static int parse(struct span text, struct capture_reader **ret)
{
	struct buf b = { 0 };

	CHECK(buf_append(&b, text.p, text.n) == 0);
	*ret = NULL;
	int r = capture_reader_from_text(&b, ret, NULL);
	CHECK(b.data == NULL); /* taken over, also on failure */
	return r;
}

#define HEAD "osprey-capture 1\n"
#define TICK HEAD "tick 1 2 3\n"

static void test_text(void)
{
	struct capture_reader *r;
	struct span bytes;

	CHECK(parse(SPAN(TICK "have 5 a key with blanks\nx\ny\0z\nmiss 2 b\nhave 0 c\n\ntick 4 5 6\n"), &r) == 0);
	CHECK(capture_get(r, "a key with blanks", &bytes) == 0);
	CHECK(bytes.n == 5 && memcmp(bytes.p, "x\ny\0z", 5) == 0);
	CHECK(capture_get(r, "b", &bytes) == -ENOENT);
	CHECK(capture_get(r, "c", &bytes) == 0 && bytes.n == 0);
	CHECK(capture_get(r, "d", &bytes) == -ENOENT);
	CHECK(capture_time(r).mono_ns == 1 && capture_time(r).boot_ns == 2 && capture_time(r).real_ns == 3);
	CHECK(capture_next(r) == 0 && capture_get(r, "c", &bytes) == -ENOENT);
	CHECK(capture_next(r) == -ENODATA && capture_time(r).mono_ns == 4);
	capture_reader_free(r);
	capture_reader_free(NULL);
}

/* The same key twice in a tick: each that asks gets the answer it got then. */
static void test_asked_twice(void)
{
	struct capture_reader *r;
	struct span bytes;

	CHECK(parse(SPAN(TICK "have 1 k\na\nmiss 2 k\nhave 1 l\nl\nhave 1 k\nb\n"), &r) == 0);
	CHECK(capture_get(r, "k", &bytes) == 0 && span_is(bytes, "a"));
	CHECK(capture_get(r, "l", &bytes) == 0 && span_is(bytes, "l"));
	CHECK(capture_get(r, "k", &bytes) == -ENOENT);
	CHECK(capture_get(r, "k", &bytes) == 0 && span_is(bytes, "b"));
	CHECK(capture_get(r, "k", &bytes) == 0 && span_is(bytes, "b"));
	capture_reader_free(r);
}

static void test_malformed(void)
{
	static const char *const bad[] = {
		"",
		"osprey-capture 2\ntick 1 2 3\n",
		HEAD,				       /* no tick */
		HEAD "have 1 k\nx\n",		       /* an answer before the first tick */
		TICK "have 2 k\nx\n",		       /* longer than what is left */
		TICK "have 18446744073709551615 k\nx\n",
		TICK "have 1 k\nxx\n",		       /* no newline where the length says */
		TICK "have x k\nx\n",
		TICK "have 1\nx\n",		       /* no key */
		TICK "have 1 \nx\n",
		TICK "miss 0 k\n",
		TICK "miss 99999 k\n",
		TICK "what 1 k\n",
		TICK "\n",
		HEAD "tick 1 2\n",
		HEAD "tick -1 2 3\n",
	};
	struct capture_reader *r;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int error = parse(span_from(bad[i]), &r);
		if (error != -EBADMSG || r)
			fprintf(stderr, "case %zu: %d\n", i, error);
		CHECK(error == -EBADMSG && r == NULL);
	}
}

static void test_unwritable(void)
{
	struct host *h = NULL;
	struct note note = { "" };

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(host_open_capture("/tmp", &h, &note) == -EISDIR);
	CHECK(host_capture_to(h, "/no/such/directory/x", &note) == -ENOENT);
	CHECK(strstr(note.text, "/no/such/directory/x") != NULL && !host_is_textual(h));
	if (access("/dev/full", W_OK) == 0) {
		cleanup(buf_deinit) struct buf b = { 0 };

		CHECK(host_capture_to(h, "/dev/full", NULL) == 0);
		CHECK(host_read(h, "/proc/stat", &b) == 0);
		CHECK(host_capture_end(h) == -ENOSPC);
	}
	host_free(h);
}

int main(void)
{
	struct host_time times[2];
	int fd = mkstemp(path);

	if (fd < 0)
		check_skip("no directory for temporary files");
	close(fd);
	record(times);
	replay(times);
	test_damage(times);
	test_text();
	test_asked_twice();
	test_malformed();
	test_unwritable();
	unlink(path);
	return check_exit();
}
