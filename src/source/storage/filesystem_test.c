#include "source/storage/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/check.h"
#include "source/storage/mountinfo.h"

static const char machine[] =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334460k,nr_inodes=3083615,mode=755\n"
	"25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k\n"
	"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resuid=65534,resgid=65534\n"
	"30 25 0:27 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k\n"
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
	"40 27 7:0 / /snap/core/1 ro,nodev - squashfs /dev/loop0 ro\n"
	"41 27 8:1 / /mnt/with\\040blank rw shared:1 master:2 - ext4 /dev/sda1 rw,errors=continue\n"
	"42 27 8:1 /a /srv rw - ext4 /dev/sda1 rw\n"
	"43 27 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw,lowerdir=a\n"
	"44 27 0:51 / /nfs rw - nfs4 server:/export rw,vers=4.2\n"
	"45 27 8:17 / /backup ro,relatime - xfs /dev/sdb1 ro\n"
	"46 27 0:60 / /run/lxcfs rw - fuse.lxcfs lxcfs rw\n";

static void one_line(void)
{
	struct filesystem fs;

	CHECK(mountinfo_parse(SPAN("41 27 8:1 / /mnt/with\\040blank rw shared:1 master:2 - ext4 /dev/sda1 rw"),
			      &fs) == 0);
	CHECK_U64(fs.major, 8);
	CHECK_U64(fs.minor, 1);
	CHECK_STR(fs.mount, "/mnt/with blank");
	CHECK_STR(fs.type, "ext4");
	CHECK_STR(fs.source, "/dev/sda1");
	CHECK(!fs.read_only);
	CHECK(fs.presence == UNREAD);
	CHECK_U64(fs.total_bytes, READING_ABSENT);
	/* The mount read-only, its filesystem not; and the other way round. */
	CHECK(mountinfo_parse(SPAN("41 27 8:1 / /a ro,noatime - ext4 /dev/sda1 rw"), &fs) == 0 && fs.read_only);
	CHECK(mountinfo_parse(SPAN("41 27 8:1 / /a rw - ext4 /dev/sda1 ro"), &fs) == 0 && fs.read_only);
	CHECK(mountinfo_parse(SPAN("41 27 8:1 / /a rw - ext4 /dev/sda1 rw,errors=remount-ro"), &fs) == 0 &&
	      !fs.read_only);
	/* a mount without a source */
	CHECK(mountinfo_parse(SPAN("41 27 0:33 / /a rw - tmpfs  rw,size=4k"), &fs) == 0);
	CHECK_STR(fs.source, "");
	CHECK_STR(fs.type, "tmpfs");
}

static void bad_lines(void)
{
	static const char *const bad[] = { "",
					   "41",
					   "41 27",
					   "41 27 8:1",
					   "41 27 8-1 / /a rw - ext4 /dev/sda1 rw",
					   "41 27 8:x / /a rw - ext4 /dev/sda1 rw",
					   "41 27 8:4294967296 / /a rw - ext4 /dev/sda1 rw",
					   "41 27 8:1 / /a rw",
					   "41 27 8:1 / /a rw shared:1",
					   "41 27 8:1 / /a rw - ext4",
					   "x 27 8:1 / /a rw - ext4 /dev/sda1 rw" };
	struct filesystem fs = { .major = 77 };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(mountinfo_parse(span_from(bad[i]), &fs) == -EBADMSG);
	CHECK_U64(fs.major, 77);
}

static void escapes(void)
{
	char name[8];

	mountinfo_unescape(SPAN("a\\134b"), name, sizeof name);
	CHECK_STR(name, "a\\b");
	mountinfo_unescape(SPAN("a\\04"), name, sizeof name);
	CHECK_STR(name, "a\\04");
	mountinfo_unescape(SPAN("\\"), name, sizeof name);
	CHECK_STR(name, "\\");
	mountinfo_unescape(SPAN("12345678901"), name, sizeof name);
	CHECK_STR(name, "1234567");
}

/* Which mounts are worth asking: each device once, none that another covers. */
static void selection(void)
{
	static const char *const wanted[] = { "/",     "/dev/shm", "/sys/fs/cgroup", "/mnt/with blank",
					      "/nfs", "/backup" };
	filesystem_vec all = { 0 };

	CHECK(filesystems_parse(SPAN(machine), &all) == 0);
	CHECK_U64(all.n, 6);
	for (size_t i = 0; i < all.n && i < 6; i++)
		CHECK_STR(all.v[i].mount, wanted[i]);
	CHECK_U64(all.v[1].minor, 27); /* the upper /dev/shm, not the one it covers */
	CHECK(filesystems_parse(SPAN("1 1 0:9 / / rw - overlay overlay rw\n"), &all) == 0);
	CHECK_U64(all.n, 1); /* a container's root */
	CHECK(filesystems_parse(SPAN("nonsense\n\n\n1 0 0"), &all) == 0);
	CHECK_U64(all.n, 0);
	vec_free(&all);
}

/* A path that has no room is not cut: it would name another directory. */
static void long_paths(void)
{
	filesystem_vec all = { 0 };
	struct buf text = { 0 };

	CHECK(buf_printf(&text, "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /%0*d rw - ext4 /dev/b rw\n", 255, 0) == 0);
	CHECK(filesystems_parse(buf_span(&text), &all) == 0);
	CHECK_U64(all.n, 1);
	CHECK(buf_printf(&text, "3 1 8:2 / /%0*d rw - ext4 /dev/b rw\n", 254, 0) == 0);
	CHECK(filesystems_parse(buf_span(&text), &all) == 0);
	CHECK_U64(all.n, 2);
	CHECK_U64(all.n == 2 ? strlen(all.v[1].mount) : 0, 255);
	buf_deinit(&text);
	vec_free(&all);
}

/* A mount made later on a directory above hides what is below; children go with it. */
static void covered_by_an_ancestor(void)
{
	static const char text[] = "1 0 8:1 / / rw - ext4 /dev/a rw\n"
				   "2 1 8:2 / /srv/data rw - ext4 /dev/b rw\n"
				   "3 2 8:3 / /srv/data/sub rw - ext4 /dev/c rw\n"
				   "4 1 8:4 / /srv rw - ext4 /dev/d rw\n"
				   "5 4 8:5 / /srv/data rw - ext4 /dev/e rw\n"
				   "6 1 8:6 / /srv2 rw - ext4 /dev/f rw\n";
	filesystem_vec all = { 0 };

	CHECK(filesystems_parse(SPAN(text), &all) == 0);
	CHECK_U64(all.n, 4);
	if (all.n == 4) {
		CHECK_STR(all.v[0].source, "/dev/a");
		CHECK_STR(all.v[1].source, "/dev/d");
		CHECK_STR(all.v[2].source, "/dev/e");
		CHECK_STR(all.v[3].source, "/dev/f");
	}
	/* Parents in a circle: no kernel writes that, and it must end. */
	CHECK(filesystems_parse(SPAN("2 3 8:2 / /a rw - ext4 /dev/b rw\n3 2 8:3 / /b rw - ext4 /dev/c rw\n"),
				&all) == 0);
	vec_free(&all);
}

static void space(void)
{
	struct filesystem fs = { 0 };

	filesystem_statvfs_parse(SPAN("4096 1000 200 100 500 25\n"), &fs);
	CHECK(fs.presence == PRESENT);
	CHECK_U64(fs.total_bytes, 4096000);
	CHECK_U64(fs.free_bytes, 819200);
	CHECK_U64(fs.available_bytes, 409600);
	CHECK_NEAR(filesystem_used_pct(&fs), 800 / 9.0, 0.001); /* as df: used / (used + available) */
	CHECK_NEAR(filesystem_inodes_used_pct(&fs), 95, 0.001);
	CHECK(filesystem_nearly_full(&fs));
	fs.read_only = true;
	CHECK(!filesystem_nearly_full(&fs));
	/* btrfs: no inodes to count */
	filesystem_statvfs_parse(SPAN("4096 1000 200 200 0 0"), &fs);
	CHECK(isnan(filesystem_inodes_used_pct(&fs)));
	static const char *const bad[] = { "", "4096 1 2 3 4", "a b c d e f", "-1 1 1 1 1 1",
					   "4096 18446744073709551615 1 1 1 1", "4096 9007199254740993 1 1 1 1" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		filesystem_statvfs_parse(span_from(bad[i]), &fs);
		CHECK(fs.presence == MALFORMED);
		CHECK_U64(fs.total_bytes, READING_MALFORMED);
		CHECK(isnan(filesystem_used_pct(&fs)));
		CHECK(!filesystem_nearly_full(&fs));
	}
}

static void live(struct host *h)
{
	struct filesystem_reader *r = NULL;
	filesystem_vec all = { 0 };
	struct statvfs st;
	bool root = false;

	CHECK(filesystem_reader_new(h, &r) == 0);
	CHECK(filesystems_read(r, &all) == 0);
	size_t n = all.n;
	CHECK(filesystems_read(r, &all) == 0);
	CHECK_U64(all.n, n);
	CHECK(statvfs("/", &st) == 0);
	vec_each(fs, &all) {
		if (strcmp(fs->mount, "/") != 0)
			continue;
		root = true;
		CHECK(fs->presence == PRESENT);
		CHECK_U64(fs->total_bytes, (uint64_t)st.f_blocks * st.f_frsize);
		CHECK_U64(fs->inodes, st.f_files);
		CHECK(fs->available_bytes <= fs->free_bytes && fs->free_bytes <= fs->total_bytes);
	}
	CHECK(root);
	vec_free(&all);
	filesystem_reader_free(r);
}

static void deleted_text(void)
{
	static const char text[] = "12 4096 4 9 a b\n/tmp/x\ny \n13 8192 2 2 cd/z\n";
	deleted_file_vec all = { 0 };

	CHECK(deleted_files_parse(SPAN(text), 8, 1, &all) == 0);
	CHECK_U64(all.n, 2);
	CHECK_STR(all.v[0].comm, "a b\n");
	CHECK_STR(all.v[0].path, "/tmp/x\ny ");
	CHECK_U64(all.v[1].bytes, 8192);
	CHECK_U64(all.v[1].major, 8);
	all.n = 0;
	for (size_t n = 0; n + 1 < sizeof text; n++) /* cut anywhere: whole files or none */
		CHECK(deleted_files_parse((struct span){ text, n }, 8, 1, &all) == 0);
	CHECK(deleted_files_parse(SPAN("1 1 18446744073709551615 1 a"), 8, 1, &all) == 0);
	vec_free(&all);
}

/* This process holds a deleted file: it must be found, with its size and name. */
static void deleted_live(struct host *h)
{
	char path[] = "deleted-file-test.XXXXXX", bytes[65536];
	deleted_file_vec all = { 0 };
	bool found = false;
	struct stat st;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	memset(bytes, 1, sizeof bytes);
	for (int i = 0; i < 64; i++)
		CHECK(write(fd, bytes, sizeof bytes) == sizeof bytes);
	fsync(fd); /* blocks are counted once allocated */
	unlink(path);
	CHECK(fstat(fd, &st) == 0);
	CHECK(deleted_files_read(h, major(st.st_dev), minor(st.st_dev), &all) == 0);
	CHECK(all.n <= 8);
	vec_each(f, &all) {
		CHECK(f == all.v || f[-1].bytes >= f->bytes);
		if (f->pid == getpid() && strstr(f->path, "deleted-file-test")) {
			found = true;
			CHECK_U64(f->bytes, (uint64_t)st.st_blocks * 512);
			CHECK(f->comm[0]);
		}
	}
	CHECK(found);
	close(fd);
	vec_free(&all);
}

int main(void)
{
	struct host *h;

	one_line();
	bad_lines();
	escapes();
	selection();
	long_paths();
	covered_by_an_ancestor();
	space();
	deleted_text();
	CHECK(host_open_live("/", &h, NULL) == 0);
	live(h);
	deleted_live(h);
	host_free(h);
	return check_exit();
}
