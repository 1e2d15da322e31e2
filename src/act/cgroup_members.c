#include "act/cgroup_members.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"

#define DEPTH_MAX 32

static bool is_cgroup(const char *dir)
{
	char path[CGROUP_DIR_MAX + 16];

	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	return access(path, F_OK) == 0;
}

/* "a//b/" is "a/b" */
static void trim_slashes(char *path)
{
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
}

int cgroup_find(struct host *h, const char *name, char *ret_dir, struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct cgroup_mounts mounts = { 0 };
	char dir[CGROUP_DIR_MAX];
	int r;

	if (strlen(name) >= 256)
		return note_set(note, -ENAMETOOLONG, "the name of the cgroup is too long");
	snprintf(dir, sizeof dir, "%s", name);
	trim_slashes(dir);
	r = cgroup_mounts_read(h, &scratch, &mounts);
	if (r < 0)
		return note_set(note, r, "/proc/self/mountinfo: %s", strerror(-r));
	for (size_t i = 0; i < mounts.n && name[0] == '/'; i++) {
		if (strncmp(dir, mounts.v[i].path, strlen(mounts.v[i].path)) == 0 && is_cgroup(dir)) {
			snprintf(ret_dir, CGROUP_DIR_MAX, "%s", dir);
			return 0;
		}
	}
	for (int v2 = 1; v2 >= 0; v2--) {
		for (size_t i = 0; i < mounts.n; i++) {
			snprintf(dir, sizeof dir, "%s/%s", mounts.v[i].path, name + strspn(name, "/"));
			trim_slashes(dir);
			if (mounts.v[i].v2 == (bool)v2 && is_cgroup(dir)) {
				snprintf(ret_dir, CGROUP_DIR_MAX, "%s", dir);
				return 0;
			}
		}
	}
	return note_set(note, -ENOENT, "no cgroup '%s' in any mounted hierarchy; osprey cgroups lists them",
			name);
}

int cgroup_dir_of(struct host *h, int pid, enum cgroup_controller controller, char *ret_dir, bool *ret_v2,
		  struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct cgroup_mounts mounts = { 0 };
	char path[256];
	int r = cgroup_mounts_read(h, &scratch, &mounts);

	if (r < 0)
		return note_set(note, r, "/proc/self/mountinfo: %s", strerror(-r));
	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	r = host_read(h, path, &scratch);
	if (r < 0)
		return note_set(note, r == -ENOENT ? -ESRCH : r, "%s: %s", path, strerror(-r));
	r = cgroup_of_task_parse(buf_span(&scratch), controller, path, sizeof path);
	if (r < 0)
		return note_set(note, r, "no mounted cgroup hierarchy has this controller");
	for (size_t i = 0; i < mounts.n; i++) {
		if (!(mounts.v[i].controllers & controller))
			continue;
		snprintf(ret_dir, CGROUP_DIR_MAX, "%s%s", mounts.v[i].path, path);
		trim_slashes(ret_dir);
		*ret_v2 = mounts.v[i].v2;
		return 0;
	}
	return note_set(note, -ENOENT, "no mounted cgroup hierarchy has this controller");
}

static int add_procs(struct host *h, const char *dir, process_vec *v)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[CGROUP_DIR_MAX + 16];
	struct span rest, line;
	int r, added = 0;

	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	r = host_read(h, path, &text);
	rest = buf_span(&text);
	while (r == 0 && span_line(&rest, &line)) {
		struct process p;
		uint64_t pid;
		size_t n = v->n;

		/* 0: a process of another pid namespace. */
		if (!span_u64(line, &pid) || pid == 0 || pid > INT32_MAX || pid == (uint64_t)getpid() ||
		    process_read(h, (int)pid, 0, &p) < 0 || p.state == 'Z')
			continue;
		r = process_vec_add(v, &p);
		added += v->n > n;
	}
	return r < 0 ? r : added;
}

static int add_below(struct host *h, const char *dir, unsigned depth, process_vec *v)
{
	int total = add_procs(h, dir, v);
	struct dirent *d;
	DIR *list;

	if (total == -EOPNOTSUPP) /* a threaded cgroup has threads alone */
		total = 0;
	if (total < 0 || depth == 0)
		return total;
	list = opendir(dir);
	while (list && (d = readdir(list))) {
		char path[CGROUP_DIR_MAX];
		int added;

		if (d->d_type != DT_DIR || d->d_name[0] == '.' ||
		    snprintf(path, sizeof path, "%s/%s", dir, d->d_name) >= (int)sizeof path)
			continue;
		added = add_below(h, path, depth - 1, v);
		if (added > 0)
			total += added;
		else if (added < 0 && added != -ENOENT && added != -ENODEV) {
			closedir(list);
			return added;
		}
	}
	if (list)
		closedir(list);
	return total;
}

int cgroup_add_members(struct host *h, const char *dir, process_vec *v)
{
	return add_below(h, dir, DEPTH_MAX, v);
}

bool cgroup_has_self(struct host *h, const char *dir)
{
	cleanup(buf_deinit) struct buf scratch = { 0 }, text = { 0 };
	struct cgroup_mounts mounts = { 0 };
	struct span rest, line, skip;

	if (cgroup_mounts_read(h, &scratch, &mounts) < 0 || host_read(h, "/proc/self/cgroup", &text) < 0)
		return true; /* nobody knows: then with care */
	rest = buf_span(&text);
	while (span_line(&rest, &line)) {
		char own[CGROUP_DIR_MAX];

		if (!span_until(&line, ':', &skip) || !span_until(&line, ':', &skip))
			continue;
		for (size_t i = 0; i < mounts.n; i++) {
			size_t n = strlen(dir);

			snprintf(own, sizeof own, "%s%.*s", mounts.v[i].path, (int)line.n, line.p);
			if (strncmp(own, dir, n) == 0 && (own[n] == '/' || own[n] == '\0'))
				return true;
		}
	}
	return false;
}

int cgroup_kill(const char *dir)
{
	char path[CGROUP_DIR_MAX + 16];

	snprintf(path, sizeof path, "%s/cgroup.kill", dir);
	return file_write(path, "1");
}
