/* Making, killing and removing; limits and figures are in run_group_files.c. */
#include "act/run_group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "act/run_group_files.h"
#include "act/run_tree.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "kernel/cgroup_tree.h"
#include "lab/file.h"

#define PREFIX "osprey-run-"
#define PATIENCE_NS (5 * NS_PER_S)
#define PAUSE_NS (2 * NS_PER_MS)
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const struct {
	unsigned bit;
	char letter;
	const char *name;
} controllers[] = {
	{ CGROUP_CPU, 'c', "cpu" },
	{ CGROUP_MEMORY, 'm', "memory" },
	{ CGROUP_IO, 'i', "io" },
	{ CGROUP_PIDS, 'p', "pids" },
};

/* ---- names ---- */

void run_group_name_text(const struct run_group_name *n, char *ret, size_t size)
{
	char letters[COUNT_OF(controllers) + 2] = "";
	size_t at = 0;

	for (size_t i = 0; i < COUNT_OF(controllers); i++)
		if (n->controllers & controllers[i].bit) {
			if (!at)
				letters[at++] = '-';
			letters[at++] = controllers[i].letter;
		}
	snprintf(ret, size, PREFIX "%llu-%d-%llu%s", (unsigned long long)n->namespace_inode, n->pid,
		 (unsigned long long)n->start_ticks, letters);
}

static bool letters_parse(struct span text, unsigned *ret)
{
	unsigned bits = 0;

	for (size_t at = 0; at < text.n; at++) {
		size_t i = 0;

		while (i < COUNT_OF(controllers) && controllers[i].letter != text.p[at])
			i++;
		if (i == COUNT_OF(controllers))
			return false;
		bits |= controllers[i].bit;
	}
	*ret = bits;
	return true;
}

bool run_group_name_parse(struct span text, struct run_group_name *ret)
{
	struct run_group_name n = { 0 };
	struct span inode, pid, start;
	uint64_t number;

	if (!span_starts(text, PREFIX))
		return false;
	text = (struct span){ text.p + strlen(PREFIX), text.n - strlen(PREFIX) };
	if (!span_until(&text, '-', &inode) || !span_until(&text, '-', &pid) || !span_u64(inode, &n.namespace_inode) ||
	    !span_u64(pid, &number) || number == 0 || number > INT32_MAX)
		return false;
	n.pid = (pid_t)number;
	if (!span_until(&text, '-', &start)) {
		start = text;
		text.n = 0;
	}
	if (!span_u64(start, &n.start_ticks) || !letters_parse(text, &n.controllers))
		return false;
	*ret = n;
	return true;
}

static uint64_t own_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) < 0 ? 0 : st.st_ino;
}

static bool process_read(pid_t pid, struct tree_process *ret)
{
	char path[32], text[1024];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	n = file_read(path, text, sizeof text);
	return n > 0 && tree_stat_parse((struct span){ text, (size_t)n }, ret) == 0;
}

/* Whether the keeper of that name lives; of another pid namespace nothing is known. */
static bool is_left(const struct run_group_name *n)
{
	struct tree_process p;

	if (n->namespace_inode != own_namespace() || n->namespace_inode == 0)
		return false;
	if (process_read(n->pid, &p))
		return p.start_ticks != n->start_ticks || p.state == 'Z';
	/* Not readable, or hidden from us: then it is another's, and not ours to remove. */
	return kill(n->pid, 0) < 0 && errno == ESRCH;
}

/* ---- controllers of v2 ---- */

static unsigned controllers_in(const char *directory, const char *file)
{
	char path[320], text[256];

	snprintf(path, sizeof path, "%s/%s", directory, file);
	return file_read(path, text, sizeof text) < 0 ? 0 : cgroup_controllers_parse(span_from(text));
}

static int controller_switch(const char *parent, size_t i, bool on, struct note *note)
{
	char path[320], text[16];
	int r;

	snprintf(path, sizeof path, "%s/cgroup.subtree_control", parent);
	snprintf(text, sizeof text, "%c%s", on ? '+' : '-', controllers[i].name);
	r = file_write(path, text);
	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", path, text, strerror(-r)) : 0;
}

/* What other groups of ours beside this one say is to be switched off after them. */
static unsigned recorded_by_others(const char *parent, const char *not_this)
{
	DIR *dir = opendir(parent);
	struct dirent *d;
	unsigned bits = 0;

	while (dir && (d = readdir(dir))) {
		struct run_group_name n;

		if (run_group_name_parse(span_from(d->d_name), &n) && strcmp(d->d_name, not_this) != 0)
			bits |= n.controllers;
	}
	if (dir)
		closedir(dir);
	return bits;
}

static void switch_off(const char *parent, const char *name)
{
	struct run_group_name n;
	unsigned others = recorded_by_others(parent, name);

	if (!run_group_name_parse(span_from(name), &n))
		return;
	for (size_t i = 0; i < COUNT_OF(controllers); i++)
		/* EBUSY: somebody else handed it further down meanwhile; it is theirs now. */
		if (n.controllers & ~others & controllers[i].bit)
			(void)!controller_switch(parent, i, false, NULL);
}

/* Held to the end of the caller's scope. */
static int lock_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)!flock(fd, LOCK_EX);
	return fd;
}

/* ---- killing ---- */

bool run_group_kill(const struct run_group *g)
{
	bool any = false;

	for (size_t i = 0; i < g->n; i++)
		any |= cgroup_tree_kill(g->part[i].path);
	return any;
}

/* ---- removing ---- */

static int remove_part(const struct run_group_part *p, struct note *note)
{
	uint64_t end = clock_mono_ns() + PATIENCE_NS;
	struct run_group alone = { .part = { *p }, .n = 1 };

	for (;;) {
		/* Under the lock, so that who makes one meanwhile sees either it or its controllers off. */
		cleanup(close_fd) int lock = lock_directory(p->parent);
		int r = cgroup_tree_remove(p->path);

		if (r == 0) {
			if (p->v2)
				switch_off(p->parent, strrchr(p->path, '/') + 1);
			return 0;
		}
		if (r != -EBUSY || clock_mono_ns() > end)
			return note_set(note, r, "cgroup %s could not be removed: %s", p->path, strerror(-r));
		close_fd(&lock);
		lock = -1;
		run_group_kill(&alone);
		(void)!clock_sleep_until(clock_mono_ns() + PAUSE_NS);
	}
}

int run_group_remove(struct run_group *g, struct note *note)
{
	int r = 0;

	for (size_t i = 0; i < g->n; i++) {
		int failed = remove_part(&g->part[i], r == 0 ? note : NULL);

		if (r == 0)
			r = failed;
	}
	g->n = 0;
	return r;
}

/* ---- sweeping ---- */

static unsigned sweep_directory(const char *parent, bool v2, char ret_path[192])
{
	DIR *dir = opendir(parent);
	struct dirent *d;
	unsigned swept = 0;

	while (dir && (d = readdir(dir))) {
		struct run_group_part p = { .v2 = v2 };
		struct run_group_name n;

		if (!run_group_name_parse(span_from(d->d_name), &n) || !is_left(&n))
			continue;
		snprintf(p.parent, sizeof p.parent, "%s", parent);
		if ((size_t)snprintf(p.path, sizeof p.path, "%s/%s", parent, d->d_name) >= sizeof p.path ||
		    remove_part(&p, NULL) < 0)
			continue;
		snprintf(ret_path, 192, "%.191s", p.path);
		swept++;
	}
	if (dir)
		closedir(dir);
	return swept;
}

unsigned run_group_sweep(char ret_path[192])
{
	struct run_group_place place;
	unsigned swept = 0;

	if (run_group_places(RUN_GROUP_ALL, 0, &place, NULL) < 0)
		return 0;
	for (size_t i = 0; i < place.n; i++)
		swept += sweep_directory(place.v[i].parent, place.v[i].v2, ret_path);
	return swept;
}

/* ---- making ---- */

/* `inherit`: what others have switched on and this one needs too, is to be switched off by whoever is last. */
static int make_v2(struct run_group_part *p, struct run_group_name *name, struct note *note)
{
	unsigned on = controllers_in(p->parent, "cgroup.subtree_control");
	int r = 0;

	name->controllers = (p->controllers & ~on) | (p->controllers & recorded_by_others(p->parent, ""));
	for (size_t i = 0; r == 0 && i < COUNT_OF(controllers); i++)
		if (p->controllers & ~on & controllers[i].bit) {
			r = controller_switch(p->parent, i, true, note);
			on |= r == 0 ? controllers[i].bit : 0;
			if (r < 0) /* take back those before it */
				for (size_t j = 0; j < i; j++)
					if (name->controllers & ~recorded_by_others(p->parent, "") & controllers[j].bit)
						(void)!controller_switch(p->parent, j, false, NULL);
		}
	return r;
}

static int make_part(struct run_group_part *p, struct run_group_name name, struct note *note)
{
	cleanup(close_fd) int lock = lock_directory(p->parent);
	char text[96], path[sizeof p->path];
	int r = p->v2 ? make_v2(p, &name, note) : 0;

	if (r < 0)
		return r;
	run_group_name_text(&name, text, sizeof text);
	if ((size_t)snprintf(path, sizeof path, "%s/%s", p->parent, text) >= sizeof path)
		return note_set(note, -ENAMETOOLONG, "cgroup %s: its path is too long", p->parent);
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		r = note_set(note, -errno, "cannot make a cgroup in %s: %s%s", p->parent, strerror(errno),
			     errno == EACCES || errno == EPERM || errno == EROFS ?
				     "; needs root or a delegated cgroup" : "");
		if (p->v2)
			switch_off(p->parent, text);
		return r;
	}
	memcpy(p->path, path, sizeof path);
	return 0;
}

static int make_all(const struct run_group_place *place, struct run_group *g, struct note *note)
{
	struct run_group_name name = { .namespace_inode = own_namespace(), .pid = getpid() };
	struct tree_process self;
	int r = 0;

	if (!process_read(name.pid, &self))
		return note_set(note, -EIO, "/proc/self/stat cannot be read");
	name.start_ticks = self.start_ticks;
	for (size_t i = 0; r == 0 && i < place->n; i++) {
		struct run_group_part *p = &g->part[g->n];

		*p = place->v[i];
		r = make_part(p, name, p->controllers ? note : NULL);
		if (r == 0)
			g->n++;
		else if (!p->controllers) /* only to kill and to measure better */
			r = 0;
	}
	return r;
}

int run_group_make(const struct run_group_wish *wish, struct run_group *ret, struct note *note)
{
	struct run_group_place place;
	struct run_group g = { 0 };
	int r;

	(void)run_group_sweep(g.swept);
	r = run_group_places(run_group_needs(wish) | CGROUP_MEMORY, run_group_needs(wish), &place, note);
	if (r == 0)
		r = make_all(&place, &g, note);
	if (r == 0 && g.n == 0)
		r = note_set(note, -EOPNOTSUPP, "no cgroup can be made here: no hierarchy is mounted where the caller may write");
	if (r == 0)
		r = run_group_limit(&g, wish, note);
	if (r < 0) {
		(void)!run_group_remove(&g, NULL);
		return r;
	}
	*ret = g;
	return 0;
}

int run_group_open(const struct run_group *g, int ret_fds[RUN_GROUP_MAX], struct note *note)
{
	for (size_t i = 0; i < g->n; i++) {
		char path[320];

		snprintf(path, sizeof path, "%s/cgroup.procs", g->part[i].path);
		ret_fds[i] = open(path, O_WRONLY | O_CLOEXEC);
		if (ret_fds[i] >= 0)
			continue;
		int r = note_set(note, -errno, "%s: %s", path, strerror(errno));

		while (i-- > 0)
			close(ret_fds[i]);
		return r;
	}
	return 0;
}
