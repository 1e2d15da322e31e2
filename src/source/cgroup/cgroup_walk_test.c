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

#define CROWD 5000

static void add_hierarchy(struct buf *text, const char *name, unsigned inode)
{
	struct buf list = { 0 };
	char links[32];

	for (unsigned i = 1; i <= CROWD; i++) {
		int n = snprintf(links, sizeof links, "%u 2\n", inode + i);

		CHECK(buf_printf(&list, "%u g%u\n", inode + i, i) == 0);
		CHECK(buf_printf(text, "have %d directory:/%s/g%u\n%s\nhave 0 dirs:/%s/g%u\n\n", n, name, i, links, name,
				 i) == 0);
	}
	int n = snprintf(links, sizeof links, "%u 5002\n", inode);
	CHECK(buf_printf(text, "have %d directory:/%s\n%s\nhave %zu dirs:/%s\n%s\n", n, name, links, list.n, name,
			 list.data) == 0);
	buf_deinit(&list);
}

/* More groups than are walked: no hierarchy crowds another out, and what one leaves the next has. */
static void too_many(void)
{
	static const char mounts[] = "30 1 0:1 / /cpu rw - cgroup cgroup rw,cpu\n"
				     "31 1 0:2 / /memory rw - cgroup cgroup rw,memory\n"
				     "32 1 0:3 / /pids rw - cgroup cgroup rw,pids\n";
	struct buf text = { 0 };
	struct cgroup_reader *r;
	cgroup_vec all = { 0 };
	size_t of_memory = 0, of_pids = 0;
	bool truncated = false;
	struct host *h;

	CHECK(buf_printf(&text, "osprey-capture 1\ntick 1 1 1\nhave %zu /proc/self/mountinfo\n%s\n",
			 sizeof mounts - 1, mounts) == 0);
	CHECK(buf_printf(&text, "have 4 directory:/cpu\n7 2\n\nhave 0 dirs:/cpu\n\n") == 0);
	add_hierarchy(&text, "memory", 10000);
	add_hierarchy(&text, "pids", 20000);
	CHECK(host_open_capture_text(&text, &h, NULL) == 0);
	CHECK(cgroup_reader_new(h, &r) == 0);
	CHECK(cgroups_read(r, &all, &truncated) == 0);
	CHECK(truncated);
	CHECK_U64(all.n, 4096);
	vec_each(c, &all) {
		of_memory += strcmp(c->mount, "/memory") == 0;
		of_pids += strcmp(c->mount, "/pids") == 0;
	}
	CHECK(find(&all, "/cpu", "/") != NULL);
	CHECK_U64(of_memory, 2047);
	CHECK_U64(of_pids, 2048);
	cgroup_reader_free(r);
	vec_free(&all);
	host_free(h);
}

int main(void)
{
	too_many();

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
