/* Entities and their columns: what a view can show of a thing, each described once.
 *
 * An entity (process, cpu, disk…) is a list of columns; a row is any struct that its getters
 * know. From the one list come text tables, JSON keys, CSV headers, --columns, --sort, --filter
 * and `osprey metrics`.
 *
 * To add a column: a line in the entity's table, with an id that none has (tools/check-fields
 * --next) and a getter. An id is never reused. */
#ifndef OSPREY_VIEW_ENTITY_H
#define OSPREY_VIEW_ENTITY_H

#include <stdbool.h>

#include "base/field.h"
#include "base/note.h"
#include "base/vec.h"

/* The value of one column in one row: a number, a text, or why there is none. */
enum cell_kind { CELL_MISSING, CELL_COUNT, CELL_REAL, CELL_TEXT };

struct cell {
	enum cell_kind kind;
	union {
		reading missing; /* READING_ABSENT…; 0: see cell_nothing */
		uint64_t count;
		double real;
		struct span text; /* raw bytes of the host, not yet safe; lives as long as the row */
	};
};

static inline struct cell cell_reading(reading r)
{
	return reading_ok(r) ? (struct cell){ .kind = CELL_COUNT, .count = r } :
			       (struct cell){ .kind = CELL_MISSING, .missing = r };
}
/* Of something that was computed; NaN: absent. */
static inline struct cell cell_real(double v)
{
	return isfinite(v) ? (struct cell){ .kind = CELL_REAL, .real = v } :
			     (struct cell){ .kind = CELL_MISSING, .missing = READING_ABSENT };
}
/* No number, and yet nothing is amiss: a mean of no requests, a limit that such a thing has not. A column of
 * these keeps its place in a table, and no reason is told. */
static inline struct cell cell_nothing(void)
{
	return (struct cell){ .kind = CELL_MISSING, .missing = 0 };
}
static inline struct cell cell_span(struct span text)
{
	return (struct cell){ .kind = CELL_TEXT, .text = text };
}
static inline struct cell cell_text(const char *text)
{
	return cell_span(span_from(text));
}
/* A counter's growth (a reading_delta) per second. */
static inline struct cell cell_rate(reading delta, double seconds)
{
	return reading_ok(delta) ? cell_real((double)delta / seconds) : cell_reading(delta);
}
/* `part` of `whole` in percent; of nothing there is no share. */
static inline struct cell cell_share(reading part, double whole)
{
	if (reading_ok(part) && whole == 0)
		return cell_nothing();
	return reading_ok(part) ? cell_real(100.0 * (double)part / whole) : cell_reading(part);
}
/* As a number: NaN for text and what is missing. */
double cell_number(const struct cell *c);

struct column {
	uint32_t id;
	const char *name; /* snake_case with its unit: "cpu_pct" */
	const char *header; /* of text tables: "CPU%" */
	enum field_unit unit;
	enum field_kind kind;
	const char *source; /* where the kernel tells it */
	const char *help;
	struct cell (*get)(const void *row);
	/* Who goes first when a screen is narrow: 0 stays always; 9 is the first to go. */
	unsigned char rank;
	bool elastic; /* takes what room is left, and is cut (command lines, paths) */
	bool costly;  /* collected only when it is asked for by name */
};

/* COLUMN(id, name, "HEADER", UNIT, KIND, getter, rank, "source", "help") */
#define COLUMN(id_, name_, header_, unit_, kind_, get_, rank_, source_, help_)                          \
	{ .id = (id_), .name = #name_, .header = (header_), .unit = UNIT_##unit_, .kind = (kind_),      \
	  .source = (source_), .help = (help_), .get = (get_), .rank = (rank_) }
#define COLUMN_ELASTIC(id_, name_, header_, unit_, kind_, get_, rank_, source_, help_)                  \
	{ .id = (id_), .name = #name_, .header = (header_), .unit = UNIT_##unit_, .kind = (kind_),      \
	  .source = (source_), .help = (help_), .get = (get_), .rank = (rank_), .elastic = true }
#define COLUMN_COSTLY(id_, name_, header_, unit_, kind_, get_, rank_, source_, help_)                   \
	{ .id = (id_), .name = #name_, .header = (header_), .unit = UNIT_##unit_, .kind = (kind_),      \
	  .source = (source_), .help = (help_), .get = (get_), .rank = (rank_), .costly = true }

struct entity {
	const char *name; /* "process" */
	const char *help;
	const struct column *columns;
	size_t ncolumns;
	const char *shown; /* by default: names, separated by commas, in order */
	const char *sort;  /* by default: as --sort takes it; NULL: as the rows come */
};

#define COLUMNS(table) .columns = (table), .ncolumns = sizeof(table) / sizeof(table)[0]

/* Every entity that a view shows, in the order of `osprey metrics`; src/view/entities.def. */
extern const struct entity *const entities[];
extern const size_t nentities;

/* NULL: there is none. */
const struct column *entity_column(const struct entity *e, struct span name);
/* The name closest to a mistyped one. Not for threads. */
const char *entity_closest(const struct entity *e, struct span name);

typedef VEC(const struct column *) column_vec;
/* Columns by their names, separated by commas: "pid,cpu_pct"; "+x" adds x to those shown by
 * default (before an elastic one at their end), "all" is every one that is not costly. Appends to *ret.
 * -EINVAL with the reason in `note`; -ENOMEM. */
int entity_columns(const struct entity *e, struct span names, column_vec *ret, struct note *note)
	__attribute__((warn_unused_result));
/* The same without those that "+" adds to: what was asked for by name. */
int entity_columns_named(const struct entity *e, struct span names, column_vec *ret, struct note *note)
	__attribute__((warn_unused_result));

/* Rows of one entity. They belong to whom collected them. */
typedef VEC(const void *) row_vec;
/* 0 or -ENOMEM. */
int row_push(row_vec *rows, const void *row) __attribute__((warn_unused_result));
/* The same for each element of a VEC. */
#define row_push_each(rows, vec)                                          \
	({                                                                \
		int pushed_ = 0;                                          \
		vec_each(item_, vec)                                      \
			pushed_ = pushed_ < 0 ? pushed_ : row_push(rows, item_); \
		pushed_;                                                  \
	})

/* Orders rows by columns: "cpu_pct", "-name", "user,-rss_bytes". Numbers go largest first, texts
 * and ids (LABEL) smallest first; "-" turns that round. Missing cells stand last. Stable. */
struct sort_key {
	const struct column *column;
	bool descending;
};
#define SORT_MAX 4
struct sort {
	struct sort_key key[SORT_MAX];
	size_t n;
};
/* -EINVAL with the reason in `note`. */
int sort_parse(const struct entity *e, struct span text, struct sort *ret, struct note *note)
	__attribute__((warn_unused_result));
/* -ENOMEM. Each cell is asked for once. */
int sort_rows(const struct sort *sort, row_vec *rows) __attribute__((warn_unused_result));

#endif
