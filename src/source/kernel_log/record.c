#include "source/kernel_log/record.h"

const char *const log_level_names[LOG_LEVELS + 1] = { "emerg",	"alert",  "crit", "err", "warn",
						      "notice", "info", "debug", NULL };

const char *log_facility_name(unsigned facility)
{
	static const char *const names[LOG_FACILITIES] = {
		"kern", "user",	  "mail",   "daemon", "auth",	"syslog", "lpr",    "news",
		"uucp", "cron",	  "authpriv", "ftp",  "res0",	"res1",	  "res2",   "res3",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	};

	return facility < LOG_FACILITIES ? names[facility] : "?";
}

static void parse_flags(struct span head, struct log_record *ret)
{
	while (head.n) {
		struct span flag = head;

		if (!span_until(&head, ',', &flag))
			head.n = 0;
		if (span_starts(flag, "caller="))
			ret->caller = (struct span){ flag.p + 7, flag.n - 7 };
		else if (span_is(flag, "c") || span_is(flag, "+"))
			ret->fragment = true;
	}
}

bool log_record_parse(struct span record, struct log_record *ret)
{
	struct log_record got = { .log_ns = READING_ABSENT };
	struct span head, field;
	uint64_t priority, us;

	if (!span_until(&record, ';', &head) || !span_until(&head, ',', &field) || !span_u64(field, &priority))
		return false;
	got.level = priority & 7;
	got.facility = priority >> 3 < LOG_FACILITIES ? (uint8_t)(priority >> 3) : LOG_FACILITIES;
	if (!span_until(&head, ',', &field) || !span_u64(field, &got.sequence))
		return false;
	if (!span_until(&head, ',', &field)) {
		field = head;
		head.n = 0;
	}
	/* "-": ours, of a log without times */
	if (!span_is(field, "-") &&
	    (!span_u64(field, &us) || __builtin_mul_overflow(us, UINT64_C(1000), &got.log_ns) ||
	     !reading_ok(got.log_ns)))
		return false;
	parse_flags(head, &got);
	if (!span_line(&record, &got.text))
		got.text = (struct span){ record.p, 0 };
	got.dictionary = record;
	*ret = got;
	return true;
}

bool log_record_value(const struct log_record *record, const char *key, struct span *ret)
{
	struct span rest = record->dictionary, line, name;

	while (span_line(&rest, &line)) {
		if (!span_starts(line, " "))
			continue;
		line = (struct span){ line.p + 1, line.n - 1 };
		if (span_until(&line, '=', &name) && span_is(name, key)) {
			*ret = line;
			return true;
		}
	}
	return false;
}
