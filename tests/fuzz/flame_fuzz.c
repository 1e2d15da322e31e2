/* Saved profiles, folded and pprof, and what is written of them: names come from whoever made the file. */
#include "base/buf.h"
#include "dig/profile/call_compare.h"
#include "dig/profile/call_folded.h"
#include "dig/profile/call_pprof.h"
#include "dig/profile/profile.h"
#include "dig/profile/profile_space.h"
#include "report/flame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(const struct call_tree *t, bool compared)
{
	struct flame f = { .tree = t, .title = "a", .whole = "b", .event = "c", .proof = "d", .cut = 0.01, .nfunctions = 5,
			   .period_ns = 10, .compared = compared };
	int (*const writers[])(const struct flame *, struct buf *) = { flame_folded, flame_pprof, flame_speedscope, flame_json,
								       flame_svg, flame_html };
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
		buf_clear(&out);
		(void)!writers[i](&f, &out);
	}
	struct page p = { .out = &out, .style = { .width = 80, .unicode = true } };
	if (compared)
		flame_compared_text(&p, &f);
	else
		flame_text(&p, &f);
	buf_deinit(&out);
}

static void trees(struct span text, int (*parse)(struct span, struct call_tree *))
{
	struct call_tree t, both;

	if (call_tree_init(&t, CALL_SAMPLES) < 0)
		return;
	t.by_line = text.n & 1;
	if (parse(text, &t) == 0 && call_tree_sum(&t) == 0) {
		write_all(&t, false);
		if (call_compare(&t, &t, &both) == 0) {
			write_all(&both, true);
			call_tree_deinit(&both);
		}
	}
	call_tree_deinit(&t);
}

static int parse_folded(struct span text, struct call_tree *t)
{
	size_t refused;

	return call_folded_parse(text, t, &refused);
}

static void places(struct span text)
{
	struct span first = text;
	int hierarchy;

	(void)profile_layout_parse(text);
	if (span_until(&text, '\0', &first))
		(void)!profile_cgroup_hierarchy(first, text, "/sys/fs/cgroup/cpu/x", &hierarchy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	if (data[0] % 3 == 0)
		trees(text, parse_folded);
	else if (data[0] % 3 == 1)
		trees(text, call_pprof_parse);
	else
		places(text);
	return 0;
}
