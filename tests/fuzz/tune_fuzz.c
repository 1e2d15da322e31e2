/* Parsers of src/act/tune*: values of tunables, counters by name, tables; and every advice function on whatever
 * value was read. The first byte selects. */
#include <stdlib.h>

#include "act/tune.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void values(struct span text)
{
	static struct tune_evidence seen = { .seconds = 2, .total_bytes = 1e10, .swap_total_bytes = 1e9 };
	static struct tune_net net;
	static struct tune_disk disk;
	struct tune_value v[TUNABLE_COUNT];
	struct tune_advice advice;

	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		v[i] = (struct tune_value){ 0 };
		v[i].error = tune_value_parse(text, tunables[i].shape, &v[i]);
		if (v[i].error && (v[i].text[0] || v[i].number[0]))
			abort(); /* untouched on failure */
	}
	for (size_t i = 0; i < TUNABLE_COUNT; i++) {
		tune_advise(&(struct tune_case){ .tunable = &tunables[i], .value = &v[i], .values = v, .seen = &seen,
						 .net = &net, .disk = &disk }, &advice);
		if (!advice.because[0] || (advice.verdict == TUNE_CHANGE && !advice.value[0]))
			abort();
	}
}

static void counters(struct span text)
{
	struct inotify_use instances, watches;

	(void)named_value(text, "nr_dirty");
	(void)named_sum(text, "allocstall");
	(void)paired_value(text, "TcpExt", "PruneCalled");
	(void)worded_value(text, "UDP", "mem");
	(void)column_value(text, "drop", false);
	(void)column_value(text, "entries", true);
	inotify_use_parse(text, &instances, &watches);
	if (reading_ok(instances.instances) != reading_ok(watches.watches))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };

	if (data[0] % 2)
		values(text);
	else
		counters(text);
	return 0;
}
