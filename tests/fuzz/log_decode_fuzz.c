/* The kernel log from its text to words and JSON: as syslog(2) gives it, or, where the input has NULs, as
 * records of /dev/kmsg. Also what people write to choose from it, and answers about symbols. */
#include <stdlib.h>

#include "report/log_meaning.h"
#include "report/log_text.h"
#include "source/kernel_log/ring.h"
#include "source/process/elf_symbol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TERMINATED(array) (memchr((array), '\0', sizeof(array)) != NULL)
#define MUST(condition)              \
	do {                         \
		if (!(condition))    \
			abort();     \
	} while (0)

static void check_event(const struct log_event *e)
{
	MUST(e->kind < LOG_KINDS && e->severity <= LOG_CRITICAL && e->pid >= 0 && e->cpu >= -1);
	MUST(TERMINATED(e->comm) && TERMINATED(e->object) && TERMINATED(e->detail) && TERMINATED(e->where) &&
	     TERMINATED(e->taint) && TERMINATED(e->text));
	MUST((e->kind == LOG_OOM_KILL) == (e->oom != NULL));
	if (e->oom)
		MUST(e->oom->ntasks <= LOG_OOM_TASKS && e->oom->ntasks <= e->oom->all_tasks);
	if (e->stack)
		MUST(e->stack->n <= LOG_FRAMES);
	if (e->fault)
		MUST(e->fault->code_length <= sizeof e->fault->code && TERMINATED(e->fault->module));
}

static void tell(const struct log_event *e)
{
	struct log_happening h = { .event = *e, .real_ns = e->log_ns };
	struct buf text = { 0 };
	struct json j = { .out = &text };
	struct log_next next;

	check_event(e);
	MUST(log_title(&h, &text) == 0 && log_meaning(&h, &text) == 0);
	log_next_of(&h, &next);
	buf_clear(&text);
	log_json_happening(&j, NULL, &h);
	MUST(json_finish(&j) == 0);
	buf_deinit(&text);
}

static void decode(struct span records)
{
	struct log_decoder *d;
	log_event_vec events = { 0 };
	struct span record;

	MUST(log_decoder_new(&d) == 0);
	while (records.n) {
		struct log_record r;
		struct span value;

		if (!span_until(&records, '\0', &record)) {
			record = records;
			records.n = 0;
		}
		if (!log_record_parse(record, &r))
			continue;
		(void)!log_record_value(&r, "DEVICE", &value);
		MUST(log_decoder_feed(d, &r, &events) == 0);
	}
	MUST(log_decoder_flush(d, &events) == 0 && !log_decoder_open(d));
	vec_each(e, &events)
		tell(e);
	log_events_free(&events);
	log_decoder_free(d);
}

static void choose(struct span text)
{
	struct elf_symbol symbol;
	struct note note;
	uint32_t bits;
	uint64_t ns;

	(void)!log_levels_parse(text, &bits, &note);
	(void)!log_facilities_parse(text, &bits, &note);
	(void)!log_kinds_parse(text, &ns, &note);
	(void)!log_time_parse(text, UINT64_C(1763676000000000000), &ns, &note);
	if (elf_symbol_parse(text, &symbol) == 0)
		MUST(TERMINATED(symbol.name) && symbol.code_length <= sizeof symbol.code &&
		     (symbol.code_length == 0 || symbol.code_ip < symbol.code_length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct buf records = { 0 };

	if (size < 256)
		choose(text);
	if (memchr(data, '\0', size)) {
		decode(text);
	} else {
		MUST(log_ring_from_syslog(text, &records) == 0);
		decode(buf_span(&records));
	}
	buf_deinit(&records);
	return 0;
}
