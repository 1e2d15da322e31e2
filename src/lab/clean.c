/* lab_clean: journals first, then what bears a lab's name and no journal speaks of. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/tree.h"
#include "lab/undo.h"

struct cleaning {
	unsigned undone;
	int result; /* the first failure */
	struct note *note;
};

static void count(struct cleaning *c, int r)
{
	if (r == 0)
		c->undone++;
	else if (c->result == 0)
		c->result = r;
}

/* Whether it is named as a lab's that does not live. */
static bool is_orphan(const char *name)
{
	const char *pid = name + strlen("osprey-lab-");

	return strncmp(name, "osprey-lab-", strlen("osprey-lab-")) == 0 && *pid &&
	       pid[strspn(pid, "0123456789")] == '\0' && !journal_id_lives(name);
}

static void sweep(struct cleaning *c, const char *dir, int (*undo)(const char *path, struct note *note))
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char path[400];

		if (!is_orphan(entry->d_name))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		count(c, undo(path, c->result == 0 ? c->note : NULL));
	}
	if (d)
		closedir(d);
}

static void sweep_cgroups(struct cleaning *c)
{
	static const unsigned one_by_one[] = { CGROUP_CPU, CGROUP_MEMORY, CGROUP_IO, CGROUP_PIDS };

	for (size_t i = 0; i < sizeof one_by_one / sizeof one_by_one[0]; i++) {
		struct groups g;

		if (groups_find(one_by_one[i], &g, NULL) == 0)
			sweep(c, g.v[0].mount, undo_cgroup);
	}
}

int lab_clean(unsigned *ret_undone, struct note *note)
{
	struct cleaning c = { .note = note };

	*ret_undone = 0;
	if (geteuid() != 0)
		return note_set(note, -EPERM, "needs root");
	c.result = journal_clean(&c.undone, note);
	for (size_t i = 0; scratch_bases[i]; i++)
		sweep(&c, scratch_bases[i], undo_tree);
	sweep_cgroups(&c);
	*ret_undone = c.undone;
	return c.result;
}
