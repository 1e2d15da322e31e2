/* lab_write: files of /proc/sys and /sys, with the way back in the journal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"
#include "lab/tree.h"

/* "none [mq-deadline] kyber": the file shows all, and takes the one in brackets. */
static void keep_chosen(char *text)
{
	char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

	if (!close)
		return;
	*close = '\0';
	memmove(text, open + 1, strlen(open + 1) + 1);
}

/* The network sysctls of a scenario's own namespace die with it; the guardian, who lives in
 * the host's, would write to the wrong ones. */
static bool dies_with_scene(const struct lab *lab, const char *path)
{
	return (lab->scenario->needs & LAB_NET_NS) && strncmp(path, "/proc/sys/net/", 14) == 0;
}

static int journal_old(struct lab *lab, const char *path, struct note *note)
{
	char old[4096];
	ssize_t n = file_read(path, old, sizeof old);

	if (n < 0)
		return note_set(note, (int)n, "%s: %s", path, strerror((int)-n));
	keep_chosen(old);
	if (journal_held_elsewhere(lab->id, JOURNAL_FILE, path, NULL))
		return note_set(note, -EBUSY, "another lab holds %s", path);
	return journal_add(lab->journal, JOURNAL_FILE, path, old, note);
}

int lab_write(struct lab *lab, const char *path, const char *text, struct note *note)
{
	cleanup(close_fd) int lock = -1;
	int r = 0;

	if (strncmp(path, "/proc/sys/", 10) != 0 && strncmp(path, "/sys/", 5) != 0)
		return note_set(note, -EINVAL, "lab_write: %s is no tunable", path);
	if (!dies_with_scene(lab, path)) {
		lock = journal_lock();
		r = lock < 0 ? note_set(note, lock, "lock of the labs: %s", strerror(-lock)) :
			       journal_old(lab, path, note);
	}
	if (r < 0)
		return r;
	r = file_write(path, text);
	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", path, text, strerror(-r)) : 0;
}
