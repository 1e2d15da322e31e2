/* Tables of a view: as text for people, as JSON and CSV for programs. */
#ifndef OSPREY_REPORT_TABLE_H
#define OSPREY_REPORT_TABLE_H

#include "base/json.h"
#include "report/page.h"
#include "view/entity.h"

/* How numbers are written in text tables. */
enum table_units {
	UNITS_IEC, /* 1.5G of 1024 */
	UNITS_SI,  /* 1.6G of 1000 */
	UNITS_RAW, /* whole numbers in base units */
};

struct table {
	const struct entity *entity;
	column_vec columns;
	row_vec rows;
	enum table_units units;
	uint64_t now_ns;   /* CLOCK_REALTIME of the rows: moments of today are written as times */
	column_vec named;  /* columns that were asked for by name: none is dropped, whatever the room */
	bool no_header;
	/* Stands before the last elastic column of a row: the branches of a tree. NULL: nothing. */
	const char *(*prefix)(const void *row);
	/* Colour of a row. NULL: plain. */
	enum page_tone (*tone)(const void *row);
	/* Widths of the columns are kept from one table to the next, so that lines that follow each
	 * other stand under one header. */
	unsigned *kept_widths;
};

/* A cell as text, at most UNITS_SIZE - 1 bytes of ASCII for numbers; texts are appended raw.
 * Missing: "-". */
int cell_format(const struct column *c, const struct cell *cell, enum table_units units, uint64_t now_ns,
		struct buf *ret) __attribute__((warn_unused_result));

/* Why cells of a column are missing. An absent one is no fault of the kernel's alone: a kernel thread has no
 * memory, a group no limit, a single look no growth. */
struct table_lack {
	const char *reason; /* of those that are denied or malformed; NULL: none is */
	bool some_absent, all_absent;
};
struct table_lack table_lack(const struct table *t, const struct column *c);
#define TABLE_NONE "none here" /* said where all are absent */

/* Header and rows. Columns are as wide as their widest cell; those that this kernel has nothing for are
 * left out; when they do not fit the page, those of the highest rank go, and elastic ones are cut. Then a
 * line that tells why cells are missing. Those that were named stay. */
void table_text(struct page *p, struct table *t);

/* A moment for programs: "2026-01-31T10:20:30.500Z"; 40 bytes suffice. */
void table_moment(uint64_t real_ns, char *ret, size_t size);

/* An array of objects under `key`, a member a column. Missing: null. */
void table_json(struct json *j, const char *key, const struct table *t);
/* Object: why cells of a column are null, where they are. */
void table_json_missing(struct json *j, const char *key, const struct table *t);

/* RFC 4180, but for the end of lines, which is that of Unix. `header`: names of the columns first. `first` stands in front of every row (a time). */
int table_csv(struct buf *ret, const struct table *t, bool header, const char *first_name, const char *first)
	__attribute__((warn_unused_result));

#endif
