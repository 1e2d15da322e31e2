#include "source/kernel_log/log_clock.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "source/kernel_log/scan.h"

void log_clock_deinit(struct log_clock *c)
{
	vec_free(&c->sleeps);
}

/* ---- now ---- */

/* The newest record of the ring ends in its time. */
static int newest_time(const struct perf_event_mmap_page *page, uint64_t *ret)
{
	const unsigned char *data = (const unsigned char *)page + page->data_offset;
	uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
	struct perf_event_header header;

	if (head < sizeof header || head > page->data_size)
		return -ENODATA;
	for (uint64_t at = 0; at + sizeof header <= head; at += header.size) {
		memcpy(&header, data + at, sizeof header);
		if (header.size < sizeof header + sizeof *ret || at + header.size > head)
			return -ENODATA;
		memcpy(ret, data + at + header.size - sizeof *ret, sizeof *ret);
	}
	return 0;
}

/* Giving this thread the name it has makes an event that carries the scheduler's clock. */
static int ask(struct perf_event_mmap_page *page, uint64_t *ret_mono_ns, uint64_t *ret_log_ns)
{
	char name[16];

	if (prctl(PR_GET_NAME, name) < 0)
		return -errno;
	uint64_t before = clock_mono_ns();
	if (prctl(PR_SET_NAME, name) < 0)
		return -errno;
	*ret_mono_ns = before + (clock_mono_ns() - before) / 2;
	return newest_time(page, ret_log_ns);
}

static int live_clock(struct host *h, const char *key, void *arg, struct buf *ret)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME, .sample_id_all = 1, .comm = 1, .exclude_kernel = 1, .exclude_hv = 1,
	};
	size_t bytes = 2 * (size_t)sysconf(_SC_PAGESIZE);
	uint64_t mono_ns = 0, log_ns = 0;

	(void)h;
	(void)key;
	(void)arg;
	cleanup(close_fd) int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct perf_event_mmap_page *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	int r = ask(page, &mono_ns, &log_ns);
	munmap(page, bytes);
	return r < 0 ? r : buf_printf(ret, "%" PRIu64 " %" PRIu64 "\n", mono_ns, log_ns);
}

void log_clock_now(struct log_clock *c, struct host *h, struct buf *scratch)
{
	struct host_time now = host_time(h);
	uint64_t mono_ns, log_ns;

	c->real_ns = now.real_ns;
	c->log_ns = now.mono_ns;
	c->slept_ns = now.boot_ns > now.mono_ns ? now.boot_ns - now.mono_ns : 0;
	c->exact = false;
	if (host_fetch(h, "kmsg:clock", live_clock, NULL, scratch) < 0)
		return;
	struct span answer = span_trim(buf_span(scratch));
	if (!span_next_u64(&answer, &mono_ns) || !span_next_u64(&answer, &log_ns))
		return;
	/* Both clocks tick alike for the moment between. */
	c->log_ns = log_ns + (now.mono_ns - mono_ns);
	c->exact = true;
}

/* ---- sleeps ---- */

static int add_sleep(struct log_clock *c, uint64_t log_ns, uint64_t slept_ns, bool told)
{
	struct log_sleep *last = c->sleeps.n ? &c->sleeps.v[c->sleeps.n - 1] : NULL;

	/* "Timekeeping suspended" and "suspend exit" speak of the same: the first comes soon before. */
	if (last && !told && last->told && log_ns - last->log_ns < 60 * NS_PER_S)
		return 0;
	struct log_sleep *sleep = vec_push(&c->sleeps);
	if (!sleep)
		return -ENOMEM;
	*sleep = (struct log_sleep){ log_ns, slept_ns, told };
	return 0;
}

int log_clock_learn(struct log_clock *c, const struct log_record *record)
{
	struct span text = record->text, seconds;
	uint64_t slept_ns;

	if (record->facility != 0 || !reading_ok(record->log_ns) || text.n < 15 ||
	    (text.p[0] != 'P' && text.p[0] != 'T'))
		return 0;
	if (scan_past(&text, "Timekeeping suspended for ") && span_word(&text, &seconds) &&
	    span_fixed(seconds, 9, &slept_ns))
		return add_sleep(c, record->log_ns, slept_ns, true);
	if (span_is(record->text, "PM: suspend exit") || span_is(record->text, "PM: hibernation: hibernation exit"))
		return add_sleep(c, record->log_ns, 0, false);
	return 0;
}

#define ROUNDING_NS (NS_PER_S) /* what the kernel tells of a sleep is rounded to ms; drift comes on top */

void log_clock_settle(struct log_clock *c)
{
	struct log_sleep *only = NULL;
	uint64_t told_ns = 0;
	size_t untold = 0;

	vec_each(sleep, &c->sleeps) {
		told_ns += sleep->slept_ns;
		if (!sleep->told) {
			only = sleep;
			untold++;
		}
	}
	c->unknown_ns = c->unsure_before_ns = 0;
	if (untold == 0 || c->slept_ns < told_ns + ROUNDING_NS)
		return;
	if (untold == 1) {
		only->slept_ns = c->slept_ns - told_ns;
		only->told = true;
		return;
	}
	c->unknown_ns = c->slept_ns - told_ns;
	c->unsure_before_ns = only->log_ns;
}

reading log_clock_real(const struct log_clock *c, reading log_ns)
{
	uint64_t ago;

	if (!reading_ok(log_ns))
		return log_ns;
	if (log_ns >= c->log_ns)
		return c->real_ns + (log_ns - c->log_ns); /* written after now was taken */
	ago = c->log_ns - log_ns;
	vec_each(sleep, &c->sleeps)
		if (sleep->log_ns > log_ns)
			ago += sleep->slept_ns;
	return ago > c->real_ns ? 0 : c->real_ns - ago;
}
