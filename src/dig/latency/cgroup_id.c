#include "dig/latency/cgroup_id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"

#define MAX_DEPTH 32

static const char *mount_point(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return places[i];
	return NULL;
}

static int level_of(struct span below)
{
	struct span part;
	int level = 0;

	while (span_until(&below, '/', &part))
		level += part.n > 0;
	return level + (below.n > 0);
}

int cgroup_id_find(const char *path, uint64_t *ret_id, int *ret_level, struct note *note)
{
	const char *root = mount_point();
	char whole[4200];
	struct stat st;

	if (!root)
		return note_set(note, -EOPNOTSUPP, "no cgroup2 is mounted on /sys/fs/cgroup");
	size_t n = strlen(root);
	const char *below = strncmp(path, root, n) == 0 && (path[n] == '/' || !path[n]) ? path + n : path;
	snprintf(whole, sizeof whole, "%s/%.4000s", root, below);
	if (strstr(below, "..") || stat(whole, &st) < 0 || !S_ISDIR(st.st_mode))
		return note_set(note, -ENOENT, "there is no cgroup '%.150s' below %s", below, root);
	*ret_id = st.st_ino;
	*ret_level = level_of(span_from(below));
	return 0;
}

struct cgroup_ids {
	struct map map; /* id: where its name begins in `text` */
	struct buf text;
};

static int add(struct cgroup_ids *n, uint64_t id, const char *path)
{
	size_t at = n->text.n;
	int r = buf_append(&n->text, path, strlen(path) + 1);

	return r < 0 ? r : map_set(&n->map, id, (uint32_t)at);
}

static int walk(struct cgroup_ids *n, int directory, char *path, size_t length, unsigned depth)
{
	struct stat st;
	struct dirent *entry;
	int r = fstat(directory, &st) < 0 ? -errno : add(n, st.st_ino, length ? path : "/");
	DIR *d = r == 0 ? fdopendir(directory) : NULL;

	if (!d) {
		close(directory);
		return r;
	}
	while (r == 0 && depth < MAX_DEPTH && (entry = readdir(d))) {
		size_t more = strlen(entry->d_name) + 1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || length + more >= 4096)
			continue;
		int fd = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue; /* gone meanwhile */
		snprintf(path + length, 4096 - length, "/%s", entry->d_name);
		r = walk(n, fd, path, length + more, depth + 1);
		path[length] = '\0';
	}
	closedir(d);
	return r;
}

int cgroup_ids_new(struct cgroup_ids **ret)
{
	const char *root = mount_point();
	struct cgroup_ids *n = calloc(1, sizeof *n);
	char path[4096] = "";
	int r = 0;

	if (!n)
		return -ENOMEM;
	int fd = root ? open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0)
		r = walk(n, fd, path, 0, 0);
	if (r == -ENOMEM) {
		cgroup_ids_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void cgroup_ids_free(struct cgroup_ids *n)
{
	if (!n)
		return;
	map_deinit(&n->map);
	buf_deinit(&n->text);
	free(n);
}

const char *cgroup_id_name(const struct cgroup_ids *n, uint64_t id)
{
	uint32_t at = id ? map_get(&n->map, id) : MAP_NONE;

	return at == MAP_NONE ? NULL : n->text.data + at;
}
