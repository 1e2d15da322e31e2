#include <string.h>

#include "base/units.h"
#include "report/core.h"

#define HANG 12

static struct units_text ms(uint64_t ns)
{
	return duration_text((double)ns / 1e9);
}

static struct units_text size(uint64_t bytes)
{
	return bytes_text((double)bytes);
}

#define ROW(p, name, ...) PAGE_ROW(p, HANG, name, __VA_ARGS__)

static void first_line(struct page *p, const struct core_view *v)
{
	const struct core_result *r = v->result;

	page_tone(p, TONE_STRONG);
	page_put(p, "%s", strcmp(v->path, "-") == 0 ? "standard output" : v->path);
	page_tone(p, TONE_PLAIN);
	page_put(p, ":");
	page_wrap(p, 2, "core of %d (%s), %u %s, paused", r->pid, r->name, r->threads,
		  r->threads == 1 ? "thread" : "threads");
	page_tone(p, TONE_STRONG);
	page_wrap(p, 2, "%s", ms(r->pause_ns[CORE_PAUSE_ALL]).text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_method(struct page *p, const struct core_result *r)
{
	switch (r->method) {
	case CORE_METHOD_PRECOPY:
		ROW(p, "method",
		    "precopy: copied while it ran, in %u passes; %s in the stop (%s written meanwhile, and shared "
		    "memory)",
		    r->passes, size(r->stopped_bytes).text, size(r->dirty_pages * 4096).text);
		break;
	case CORE_METHOD_FORK:
		ROW(p, "method", "fork: copied from a stopped copy of it; %s (shared memory) in the stop",
		    size(r->stopped_bytes).text);
		break;
	default:
		ROW(p, "method", "plain: copied while it stood");
	}
	for (unsigned m = CORE_METHOD_PRECOPY; m <= CORE_METHOD_PLAIN; m++) {
		if (r->why_not[m][0])
			ROW(p, "", "not %s: %s", core_method_name((enum core_method)m), r->why_not[m]);
	}
}

static void put_pauses(struct page *p, const struct core_result *r)
{
	page_row_name(p, HANG, "pauses");
	page_wrap(p, HANG, "all threads %s", ms(r->pause_ns[CORE_PAUSE_ALL]).text);
	if (r->pause_ns[CORE_PAUSE_TRACK])
		page_wrap(p, HANG, "(and one thread %s before, for userfaultfd())",
			  ms(r->pause_ns[CORE_PAUSE_TRACK]).text);
	if (r->pause_ns[CORE_PAUSE_REAP])
		page_wrap(p, HANG, "(and one thread %s after, to reap the copy)",
			  ms(r->pause_ns[CORE_PAUSE_REAP]).text);
	page_newline(p);
	if (r->restarted)
		ROW(p, "", "%u blocked %s (epoll_wait and its like) started again: no EINTR was seen", r->restarted,
		    r->restarted == 1 ? "call" : "calls");
}

void core_text(struct page *p, const struct core_view *v)
{
	const struct core_result *r = v->result;

	first_line(p, v);
	if (v->compressed || r->disk_bytes == 0)
		ROW(p, "size", "%s, of %s in memory", size(r->file_bytes).text, size(r->resident_bytes).text);
	else
		ROW(p, "size", "%s on disk, of %s in memory; %s long (the rest are holes)", size(r->disk_bytes).text,
		    size(r->resident_bytes).text, size(r->file_bytes).text);
	put_pauses(p, r);
	put_method(p, r);
	ROW(p, "took", "%s; %s copied", ms(r->wall_ns).text, size(r->copied_bytes).text);
	if (r->unreadable_bytes) {
		page_tone(p, TONE_YELLOW);
		ROW(p, "missing", "%s could not be read (guard pages, files that were cut, poisoned memory): zeros in the core",
		    size(r->unreadable_bytes).text);
		page_tone(p, TONE_PLAIN);
	}
}
