/* Lists of events as users write them. */
#include <stdlib.h>

#include "dig/count/count_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	count_event_vec events = { 0 };
	struct note note = { "" };
	int r = count_events_parse((struct span){ (const char *)data, size }, &events, &note);

	if ((r < 0) != (events.n == 0) || (r < 0 && !note.text[0]))
		abort();
	vec_each(e, &events)
		if (!e->text[0] || (e->only_user && e->only_kernel))
			abort();
	vec_free(&events);
	return 0;
}
