/* The walk against real trees: the groups are made in the mounted hierarchies, and the same
 * reads replayed from a capture must give the same rows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "source/cgroup/cgroup.h"

static const struct cgroup *find(const cgroup_vec *all, const char *mount, const char *path)
{
	vec_each(c, all)
		if (strcmp(c->mount, mount) == 0 && strcmp(c->path, path) == 0)
			return c;
	return NULL;
}

static void read_all(struct cgroup_reader *r, cgroup_vec *all)
{
	bool truncated;

	CHECK(cgroups_read(r, all, &truncated) == 0);
	CHECK(!truncated);
}

static void put(const char *dir, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", dir, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* Groups that come, go, and come again under their old name, in one hierarchy. */
static void tree_changes(struct host *h, const char *mount)
{
	char top[128], a[160], b[160];
	struct cgroup_reader *r;
	cgroup_vec all = { 0 };
	struct stat st;
	uint64_t inode;

	snprintf(top, sizeof top, "%s/osprey-test-%d", mount, getpid());
	snprintf(a, sizeof a, "%s/a", top);
	snprintf(b, sizeof b, "%s/b", top);
	const char *top_path = top + strlen(mount), *a_path = a + strlen(mount), *b_path = b + strlen(mount);

	CHECK(mkdir(top, 0755) == 0 && mkdir(a, 0755) == 0);
	CHECK(cgroup_reader_new(h, &r) == 0);
	read_all(r, &all);
	CHECK(find(&all, mount, "/") != NULL);
	CHECK(find(&all, mount, top_path) != NULL);
	const struct cgroup *found = find(&all, mount, a_path);
	CHECK(found != NULL);
	CHECK(stat(a, &st) == 0);
	CHECK_U64(found ? found->id : 0, st.st_ino);
	CHECK(host_inode(h, a, &inode) == 0);
	CHECK_U64(inode, st.st_ino);

	CHECK(mkdir(b, 0755) == 0);
	read_all(r, &all);
	CHECK(find(&all, mount, a_path) && find(&all, mount, b_path));
	CHECK(rmdir(b) == 0);
	read_all(r, &all);
	CHECK(find(&all, mount, a_path) && !find(&all, mount, b_path));

	/* One goes and one comes: the link count stays. The new one may show a read late. */
	CHECK(rmdir(a) == 0 && mkdir(b, 0755) == 0);
	read_all(r, &all);
	CHECK(!find(&all, mount, a_path));
	read_all(r, &all);
	CHECK(find(&all, mount, b_path));

	/* The same name, another group. */
	CHECK(rmdir(b) == 0 && mkdir(b, 0755) == 0);
	CHECK(stat(b, &st) == 0);
	read_all(r, &all);
	read_all(r, &all);
	found = find(&all, mount, b_path);
	CHECK_U64(found ? found->id : 0, st.st_ino);

	CHECK(rmdir(b) == 0 && rmdir(top) == 0);
	read_all(r, &all);
	CHECK(!find(&all, mount, top_path));
	CHECK(host_inode(h, top, &inode) == -ENOENT);
	cgroup_reader_free(r);
	vec_free(&all);
}

/* What is written to a v1 group is what is read. */
static void v1_limits(struct host *h, const struct cgroup_mounts *mounts)
{
	struct cgroup_reader *r;
	cgroup_vec all = { 0 };
	char dir[128];

	for (size_t i = 0; i < mounts->n; i++) {
		const struct cgroup_mount *m = &mounts->v[i];
		const struct cgroup *c;

		if (m->v2)
			continue;
		snprintf(dir, sizeof dir, "%s/osprey-test-%d", m->path, getpid());
		CHECK(mkdir(dir, 0755) == 0);
		if (m->controllers & CGROUP_CPU)
			put(dir, "cpu.cfs_quota_us", "20000");
		if (m->controllers & CGROUP_MEMORY)
			put(dir, "memory.limit_in_bytes", "67108864");
		if (m->controllers & CGROUP_PIDS)
			put(dir, "pids.max", "50");
		CHECK(cgroup_reader_new(h, &r) == 0);
		read_all(r, &all);
		c = find(&all, m->path, dir + strlen(m->path));
		CHECK(c != NULL);
		if (c && (m->controllers & CGROUP_CPU)) {
			CHECK_U64(c->cpu_quota_ns, 20000000);
			CHECK_U64(c->cpu_period_ns, 100000000);
			CHECK_U64(c->cpu_throttled_periods, 0);
		}
		if (c && (m->controllers & CGROUP_MEMORY)) {
			CHECK_U64(c->memory_limit_bytes, 67108864);
			CHECK_U64(c->memory_limit_hits, 0);
			CHECK_U64(c->memory_oom_kills, 0);
			CHECK(reading_ok(c->memory_anon_bytes) && reading_ok(c->memory_bytes));
		}
		if (c && (m->controllers & CGROUP_PIDS)) {
			CHECK_U64(c->pids_limit, 50);
			CHECK_U64(c->pids, 0);
		}
		if (c)
			CHECK_U64(c->controllers, m->controllers);
		cgroup_reader_free(r);
		CHECK(rmdir(dir) == 0);
	}
	vec_free(&all);
}

static void expect_same(const cgroup_vec *a, const cgroup_vec *b)
{
	CHECK_U64(a->n, b->n);
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		CHECK_STR(a->v[i].path, b->v[i].path);
		CHECK_U64(a->v[i].id, b->v[i].id);
		CHECK_U64(a->v[i].memory_bytes, b->v[i].memory_bytes);
		CHECK_U64(a->v[i].cpu_usage_ns, b->v[i].cpu_usage_ns);
		CHECK_U64(a->v[i].pids_limit, b->v[i].pids_limit);
	}
}

static void replay(void)
{
	char path[] = "/tmp/cgroup-walk-test.XXXXXX";
	cgroup_vec live[2] = { { 0 }, { 0 } }, again = { 0 };
	struct cgroup_reader *r;
	struct host *h;

	close(mkstemp(path));
	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(host_capture_to(h, path, NULL) == 0);
	CHECK(cgroup_reader_new(h, &r) == 0);
	read_all(r, &live[0]);
	CHECK(host_tick(h, 0) == 0);
	read_all(r, &live[1]);
	CHECK(host_capture_end(h) == 0);
	cgroup_reader_free(r);
	host_free(h);

	CHECK(host_open_capture(path, &h, NULL) == 0);
	CHECK(cgroup_reader_new(h, &r) == 0);
	read_all(r, &again);
	expect_same(&live[0], &again);
	CHECK(host_tick(h, 0) == 0);
	read_all(r, &again);
	expect_same(&live[1], &again);
	cgroup_reader_free(r);
	host_free(h);
	unlink(path);
	for (int i = 0; i < 2; i++)
		vec_free(&live[i]);
	vec_free(&again);
}

int main(void)
{
	struct buf scratch = { 0 };
	struct cgroup_mounts mounts;
	struct host *h;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(cgroup_mounts_read(h, &scratch, &mounts) == 0);
	buf_deinit(&scratch);
	if (mounts.n == 0)
		check_skip("no cgroup hierarchy is mounted");
	replay();
	char dir[128];
	snprintf(dir, sizeof dir, "%s/osprey-test-%d", mounts.v[0].path, getpid());
	if (mkdir(dir, 0755) < 0)
		check_skip("cannot make a cgroup in %s: %s", mounts.v[0].path, strerror(errno));
	rmdir(dir);
	for (size_t i = 0; i < mounts.n; i++)
		tree_changes(h, mounts.v[i].path);
	v1_limits(h, &mounts);
	host_free(h);
	return check_exit();
}
