#include "dig/profile/call_folded.h"

#include <errno.h>

/* "python3 [1234]" */
static bool is_process(struct span label)
{
	struct span name = label, digits;
	uint64_t pid;

	if (label.n < 4 || label.p[label.n - 1] != ']' || !(name.n--, span_until_last(&name, '[', &digits)))
		return false;
	return name.n > 1 && name.p[name.n - 1] == ' ' && span_u64(digits, &pid);
}

static bool take_ending(struct span *label, const char *ending)
{
	size_t n = strlen(ending);

	if (label->n <= n || memcmp(label->p + label->n - n, ending, n) != 0)
		return false;
	label->n -= n;
	return true;
}

int call_label_parse(struct call_tree *t, struct span label, bool first, struct call_frame *ret)
{
	struct call_frame f = { .function = "", .module = "", .file = "" };
	int r;

	if (take_ending(&label, "_[k]"))
		f.kind = CALL_KERNEL;
	else if (take_ending(&label, "_[j]"))
		f.kind = CALL_JIT;
	else if (take_ending(&label, "_[i]"))
		f.inlined = true;
	if (first && is_process(label)) {
		f.kind = CALL_GROUP;
		f.module = "process";
	} else if (span_is(label, "[unknown]")) {
		*ret = f;
		return 0;
	} else if (label.n > 2 && label.p[0] == '[' && label.p[label.n - 1] == ']') {
		r = call_tree_name(t, (struct span){ label.p + 1, label.n - 2 }, &f.module);
		*ret = f;
		return r;
	}
	r = call_tree_name(t, label, &f.function);
	*ret = f;
	return r;
}

/* "main;work 12" -> "main;work" and 12; fractions, which some write, are rounded. */
static bool split_weight(struct span line, struct span *ret_stack, uint64_t *ret)
{
	struct span stack = span_trim(line), number;
	uint64_t tenths;

	if (!span_until_last(&stack, ' ', &number))
		return false;
	stack = span_trim(stack);
	if (!span_fixed(number, 1, &tenths) || stack.n == 0)
		return false;
	*ret_stack = stack;
	*ret = (tenths + 5) / 10;
	return true;
}

static int add_stack(struct call_tree *t, struct span stack, uint64_t weight)
{
	uint32_t at = CALL_ROOT;
	struct span label;

	for (size_t depth = 0; stack.n; depth++) {
		struct call_frame f;
		uint32_t frame;

		if (depth + 1 == CALL_FOLDED_DEPTH || !span_until(&stack, ';', &label)) {
			label = stack;
			stack.n = 0;
		}
		int r = call_label_parse(t, label, depth == 0, &f);
		if (r == 0)
			r = call_tree_frame(t, &f, &frame);
		if (r == 0)
			r = call_tree_child(t, at, frame, &at);
		if (r < 0)
			return r;
	}
	t->node.v[at].self += weight;
	return 0;
}

int call_folded_parse(struct span text, struct call_tree *t, size_t *ret_refused)
{
	struct span line, stack;
	size_t refused = 0, taken = 0;
	uint64_t weight;

	while (span_line(&text, &line)) {
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!split_weight(line, &stack, &weight)) {
			refused++;
			continue;
		}
		int r = add_stack(t, stack, weight);
		if (r < 0)
			return r;
		taken++;
	}
	/* A file of something else has lines that end in a number too. */
	if (taken == 0 || refused > taken)
		return -EBADMSG;
	*ret_refused = refused;
	return 0;
}
