/* Tables on disk: kept and found again, every damaged byte noticed, others' files not believed, the oldest removed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "dig/unwind/unwind_cache.h"

static char place[64];
static char directory[80], file[200];
static struct elf_image *image;
static struct unwind_table *built;

static bool same(const struct unwind_table *a, const struct unwind_table *b)
{
	return a->base == b->base && a->nrows == b->nrows && a->nrules == b->nrules &&
	       a->expressions.n == b->expressions.n && a->storage_size == b->storage_size &&
	       memcmp(a->storage, b->storage, a->storage_size) == 0;
}

static bool loads(void)
{
	struct unwind_table *t = NULL;
	int rc = unwind_cache_load(image, &t);
	bool equal = rc == 0 && same(t, built);

	CHECK(rc == 0 ? equal : rc == -ENOENT && t == NULL);
	unwind_table_free(t);
	return equal;
}

static size_t read_file(char **ret)
{
	FILE *f = fopen(file, "re");

	CHECK(f != NULL);
	if (!f)
		exit(1);
	fseek(f, 0, SEEK_END);
	size_t n = (size_t)ftell(f);
	rewind(f);
	*ret = malloc(n);
	CHECK(fread(*ret, 1, n, f) == n);
	fclose(f);
	return n;
}

static void test_store(void)
{
	char build_id[2 * BUILD_ID_MAX + 1];

	CHECK(!loads());
	CHECK(unwind_cache_store(image, built) == 0);
	CHECK(loads());
	elf_image_build_id_text(image, build_id);
	snprintf(file, sizeof file, "%s/%s", directory, build_id);
	CHECK(access(file, R_OK) == 0);
	CHECK(unwind_cache_store(image, built) == 0); /* over it */
	CHECK(loads());
}

static void test_damage(void)
{
	char *bytes;
	size_t n = read_file(&bytes), noticed = 0, tried = 0;
	struct unwind_table *t;

	CHECK(unwind_cache_parse((struct span){ bytes, n }, image, &t) == 0);
	unwind_table_free(t);
	/* All of the header, and bytes spread over the rest. */
	for (size_t i = 0; i < n; i += i < 256 ? 1 : n / 200 + 1, tried++) {
		bytes[i] ^= (char)(1 << i % 8);
		noticed += unwind_cache_parse((struct span){ bytes, n }, image, &t) == -ENOENT;
		bytes[i] ^= (char)(1 << i % 8);
	}
	CHECK(tried > 300);
	CHECK_U64(noticed, tried);
	for (size_t cut = 0; cut < n; cut += n / 100 + 1)
		CHECK(unwind_cache_parse((struct span){ bytes, cut }, image, &t) == -ENOENT);
	free(bytes);
	CHECK(truncate(file, (off_t)n / 2) == 0);
	CHECK(!loads());
	CHECK(unwind_cache_store(image, built) == 0);
	CHECK(loads());
}

static void test_other_file(void)
{
	CHECK(image->build_id_size > 0);
	image->build_id[0] ^= 1;
	char build_id[2 * BUILD_ID_MAX + 1], other[200];
	elf_image_build_id_text(image, build_id);
	snprintf(other, sizeof other, "%s/%s", directory, build_id);
	CHECK(rename(file, other) == 0);
	CHECK(!loads()); /* what is in it is another's */
	image->build_id[0] ^= 1;
	CHECK(rename(other, file) == 0);
	CHECK(loads());
	size_t n = image->build_id_size;
	image->build_id_size = 0;
	CHECK(!loads() && unwind_cache_store(image, built) == -EPERM);
	image->build_id_size = n;
	/* The same build-id, but other sections than those the rows were made of. */
	struct elf_section *s = (struct elf_section *)elf_image_find(image, ".eh_frame");
	CHECK(s != NULL);
	if (s) {
		s->header.sh_size++;
		CHECK(!loads());
		s->header.sh_size--;
	}
}

static void test_owners(void)
{
	CHECK(chmod(file, 0664) == 0 && !loads());
	CHECK(chmod(file, 0646) == 0 && !loads());
	CHECK(chmod(file, 0644) == 0 && loads());
	CHECK(chmod(directory, 0777) == 0 && !loads() && unwind_cache_store(image, built) == -EPERM);
	CHECK(chmod(directory, 0755) == 0 && loads());
	if (geteuid() == 0) {
		CHECK(chown(file, 12345, 0) == 0 && !loads());
		CHECK(unwind_cache_store(image, built) == 0 && loads());
	}
	char elsewhere[100];
	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", place);
	CHECK(rename(file, elsewhere) == 0 && symlink(elsewhere, file) == 0 && !loads());
	CHECK(unlink(file) == 0 && mkfifo(file, 0600) == 0 && !loads()); /* and does not hang */
	CHECK(unlink(file) == 0 && rename(elsewhere, file) == 0 && loads());
}

static void aged(const char *name, size_t size, time_t used_s)
{
	char path[200];
	struct timespec times[2] = { { .tv_sec = used_s }, { .tv_sec = used_s } };

	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && futimens(fd, times) == 0);
	close(fd);
}

static bool there(const char *name)
{
	char path[200];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

static void test_trim(void)
{
	struct stat s;
	int fd = unwind_cache_open();

	CHECK(fd >= 0 && stat(file, &s) == 0);
	aged("aa", 1000, 3000);
	aged("bb", 1000, 1000);
	aged("cc", 1000, 2000);
	aged(".1.unfinished", 10, 1000);
	CHECK(unwind_cache_trim(fd, (uint64_t)s.st_size + 2000) == 0);
	CHECK(there("aa") && !there("bb") && there("cc") && !there(".1.unfinished"));
	CHECK(unwind_cache_trim(fd, (uint64_t)s.st_size + 1999) == 0);
	CHECK(there("aa") && !there("cc"));
	/* What was of use counts as new. */
	struct timespec old[2] = { { .tv_sec = 500 }, { .tv_sec = 500 } };
	CHECK(utimensat(AT_FDCWD, file, old, 0) == 0 && loads());
	CHECK(unwind_cache_trim(fd, (uint64_t)s.st_size) == 0);
	CHECK(!there("aa") && loads());
	CHECK(unwind_cache_trim(fd, 0) == 0 && !loads());
	close(fd);
}

/* A full disk leaves nothing behind. */
static void test_full(void)
{
	struct rlimit kept, small = { 4096, RLIM_INFINITY };
	char command[200];

	CHECK(getrlimit(RLIMIT_FSIZE, &kept) == 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	CHECK(unwind_cache_store(image, built) == -EFBIG);
	CHECK(setrlimit(RLIMIT_FSIZE, &kept) == 0);
	CHECK(!loads());
	snprintf(command, sizeof command, "test -z \"$(ls -A %s)\"", directory);
	CHECK(system(command) == 0);
}

static void test_none(void)
{
	setenv("OSPREY_CACHE_DIR", "", 1);
	CHECK(unwind_cache_store(image, built) == -ENOENT && !loads());
	setenv("OSPREY_CACHE_DIR", "/proc/no/such/place", 1);
	CHECK(unwind_cache_store(image, built) < 0 && !loads());
	setenv("OSPREY_CACHE_DIR", place, 1);
}

static void build(void)
{
	/* One that has a build-id; this program need not. */
	static const char *const paths[] = { "/proc/self/exe", "/bin/bash", "/bin/sh", "/bin/ls" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (elf_image_open(paths[i], &image, NULL) < 0)
			continue;
		if (image->build_id_size && unwind_table_build(image, &built) == 0)
			return;
		elf_image_free(image);
	}
	check_skip("no program with a build-id and call frames here");
}

int main(void)
{
	char command[100];

	snprintf(place, sizeof place, "/tmp/osprey-unwind-cache.XXXXXX");
	build();
	if (!mkdtemp(place))
		return 1;
	snprintf(directory, sizeof directory, "%s/unwind", place);
	setenv("OSPREY_CACHE_DIR", place, 1);
	test_store();
	test_damage();
	test_other_file();
	test_owners();
	test_trim();
	test_full();
	test_none();
	unwind_table_free(built);
	elf_image_free(image);
	snprintf(command, sizeof command, "rm -rf '%s'", place);
	CHECK(system(command) == 0);
	return check_exit();
}
