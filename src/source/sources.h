/* The list of all sources (sources.def) and whether each can be read here.
 *
 * To add a source, give it a line there: docs/adding-a-source.md. A probe tries the real thing
 * once: opens, asks, closes. All of them together take a few ms and change nothing. On captured
 * hosts they tell what was written down. */
#ifndef OSPREY_SOURCE_SOURCES_H
#define OSPREY_SOURCE_SOURCES_H

#include "base/note.h"
#include "base/reading.h"
#include "kernel/host.h"

struct source {
	const char *id;
	const char *path;    /* exact: what evidence names */
	const char *needs;   /* what makes it available where it is absent */
	const char *gives;
	const char *without; /* what is lost without it */
	/* 0 or -errno; more in the note. */
	int (*probe)(struct host *h, const struct source *s, struct buf *scratch, struct note *note);
};

extern const struct source sources[];
extern const size_t nsources;

struct source_state {
	enum presence presence; /* UNREAD: a capture that does not hold it */
	struct note why;	/* when not PRESENT; "": nothing more is known */
};

void source_probe(struct host *h, const struct source *s, struct buf *scratch, struct source_state *ret);

#endif
