/* A view: what a command shows of the host, collected look by look.
 *
 * To add a view x:
 *  1. src/view/x_view.c: the entity's columns, and a `const struct view view_x` that collects rows;
 *     a line in src/view/entities.def for each new entity.
 *  2. src/cmd/x.c: the command, a few lines (see src/cmd/cpu.c), and its line in commands.def.
 *  3. a test of its getters beside it, golden outputs in tests/cli/x/, the comparison with a peer in
 *     tests/agree/.
 *
 * The driver (src/cmd/view.h) calls open once, then look and rows in turn. Rates: at the first look
 * there is none before, so growth counts from boot (that is what one-shot views show, as vmstat
 * does); later ones count from the look before. Layout, sort, filter, JSON and CSV are not the
 * view's affair. */
#ifndef OSPREY_VIEW_VIEW_H
#define OSPREY_VIEW_VIEW_H

#include "base/note.h"
#include "kernel/host.h"
#include "view/entity.h"

/* Which columns will be shown, sorted by or filtered by: what is costly is collected only then. */
struct view_wanted {
	column_vec columns;
};
bool view_wants(const struct view_wanted *wanted, const struct column *c);
bool view_wants_named(const struct view_wanted *wanted, const char *name);

/* One table of a view. */
struct view_section {
	const char *name;  /* key in JSON, word of --table: "zones" */
	const char *title; /* above it in text, when there are several; NULL: none */
	const struct entity *entity;
	bool on_request; /* only with --table NAME */
	bool single; /* one row a look: with an interval rows follow each other under one header */
	/* Appends the rows of the last look; they live until the next. 0 or -errno. */
	int (*rows)(void *state, row_vec *ret);
	const char *(*prefix)(const void *row); /* see struct table; nullable */
	/* Whether it is left out of text that shows several tables: there is nothing to see (no swap,
	 * one node). Nullable. */
	bool (*idle)(void *state);
};

/* The time that rates are over: since the look before, or since boot at the first. */
struct view_span {
	double seconds;
	bool since_boot;
	uint64_t looks;
};
/* To be called once a look; *last is the time of the look before, and becomes that of this one. */
void view_span_next(struct host_time now, struct host_time *last, struct view_span *span);

struct view {
	const struct view_section *sections;
	size_t nsections;
	/* `options` is what the command hands over. 0 or -errno with the reason in `note`. */
	int (*open)(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
		    struct note *note);
	/* Reads the host now. 0; -errno: it cannot be shown at all. */
	int (*look)(void *state, struct note *note);
	void (*close)(void *state);
	/* What its rates are over; NULL: it has none. */
	const struct view_span *(*span)(const void *state);
	/* Rates at the first look are over the life of each row, not since boot: then nothing is said. */
	bool over_lives;
};

#define SECTIONS(table) .sections = (table), .nsections = sizeof(table) / sizeof(table)[0]

#endif
