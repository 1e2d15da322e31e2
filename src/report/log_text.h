/* The kernel log for people and for programs. */
#ifndef OSPREY_REPORT_LOG_TEXT_H
#define OSPREY_REPORT_LOG_TEXT_H

#include "base/json.h"
#include "report/page.h"
#include "view/log_book.h"

struct log_page {
	const struct log_book *book;
	const struct log_wanted *wanted;
	bool each;	   /* every event by itself, oldest first, in place of groups */
	bool replayed;	   /* a capture */
};

/* The answer: how much of what severity, from when on; then the groups (or each event). */
void log_page_events(struct page *p, const struct log_page *of);
/* One event, as it is told while following. */
void log_page_happening(struct page *p, const struct log_page *of, const struct log_happening *h);
/* One record as dmesg tells it, with the time of day; colour by level, marked when an event tells of it. */
void log_page_record(struct page *p, const struct log_page *of, const struct log_entry *e);

/* Schema osprey.log/1: docs/log-json.md. `records`: those too. */
void log_json(struct json *j, const struct log_page *of, bool records);
void log_json_happening(struct json *j, const char *key, const struct log_happening *h);
void log_json_record(struct json *j, const char *key, const struct log_entry *e);

#endif
