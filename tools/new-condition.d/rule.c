#include "conditions/conditions.h"

/* Pure: reads the window, says one verdict. Two signals at least: one that accuses and one
 * that could contradict it. */
static void rule(const struct window *w, struct verdict *v)
{
	(void)w;
	verdict_unmeasured(v, "a rule: this condition is only sketched");
}

const struct condition_rule @NAME@_rule = {
	.title = "What is wrong, in one line",
	.resource = "cpu",
	.rule = rule,
};
