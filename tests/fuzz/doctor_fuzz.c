/* The whole doctor on hostile captures: every parser, the folding of tasks, every rule and
 * the report meet whatever the bytes say. Seeds are small captures of real hosts. */
#include <stdint.h>
#include <stdlib.h>

#include "conditions/conditions.h"
#include "diagnose/doctor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = { 0 };
	struct host *h;

	if (buf_append(&text, data, size) < 0)
		return 0;
	if (host_open_capture_text(&text, &h, NULL) == 0) {
		struct doctor_options options = { .window_ns = 3600 * NS_PER_S };
		struct doctor_report report;
		size_t n;
		const struct condition *const *all = conditions_all(&n);

		(void)!doctor_run(h, all, n, &options, &report, NULL);
		doctor_report_deinit(&report);
		host_free(h);
	}
	buf_deinit(&text);
	return 0;
}
