#include "source/kernel_log/event.h"

#include <stdlib.h>

const struct log_kind_of log_kinds[LOG_KINDS] = {
#define KIND(name, id, severity, title) [LOG_##name] = { id, title, LOG_##severity },
#include "source/kernel_log/kinds.def"
#undef KIND
};

const char *log_severity_name(enum log_severity severity)
{
	static const char *const names[] = { "note", "risk", "warning", "critical" };

	return names[severity];
}

void log_event_deinit(struct log_event *e)
{
	free(e->oom);
	free(e->fault);
	free(e->stack);
	*e = (struct log_event){ 0 };
}

void log_events_free(log_event_vec *events)
{
	vec_each(e, events)
		log_event_deinit(e);
	vec_free(events);
}
