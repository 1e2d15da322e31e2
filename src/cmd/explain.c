#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "conditions/conditions.h"
#include "report/guide.h"

enum { FACTS, HOST, NO_COLOR };

static const struct option options[] = {
	[FACTS] = { "facts", 0, OPTION_FLAG, NULL, "list the figures of this machine that guides can use" },
	[HOST] = { "host", 0, OPTION_FILE, "FILE", "take the figures from a capture" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

static const char *condition_choice(size_t i)
{
	size_t n;
	const struct condition *const *all = conditions_all(&n);

	return i < n ? all[i]->id : NULL;
}

static void list_conditions(struct page *p)
{
	size_t n;
	const struct condition *const *all = conditions_all(&n);

	for (size_t i = 0; i < n; i++) {
		page_tone(p, TONE_STRONG);
		page_put(p, "%s", all[i]->id);
		page_tone(p, TONE_PLAIN);
		if (p->style.width < 60)
			page_newline(p);
		unsigned hang = p->style.width < 60 ? 2 : 22;
		page_indent(p, hang);
		page_wrap(p, hang, "%s", all[i]->title);
		page_newline(p);
	}
}

static int list_facts(struct page *p, const struct facts *facts)
{
	cleanup(buf_deinit) struct buf value = { 0 };
	unsigned hang = p->style.width < 60 ? 2 : 28;
	const char *name, *help;
	int r = 0;

	for (size_t i = 0; r == 0 && (name = fact_name(i, &help)); i++) {
		buf_clear(&value);
		r = fact_text(facts, span_from(name), &value);
		page_put(p, "{{%s}}", name);
		if (hang < 28)
			page_newline(p);
		page_indent(p, hang);
		page_wrap(p, hang, "%s:", help);
		page_tone(p, TONE_STRONG);
		page_wrap_span(p, hang, buf_span(&value));
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
	return r;
}

static int render(const struct arguments *args, struct host *h, struct page *p)
{
	struct facts *facts;
	int r = facts_read(h, &facts);

	if (r < 0)
		return r;
	if (args->option[FACTS].given)
		r = list_facts(p, facts);
	else
		r = guide_render(p, condition_find(args->operand[0])->guide, facts);
	facts_free(facts);
	return r < 0 ? r : 0;
}

static int run(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };
	struct note note = { "" };
	struct host *h;

	if (args->option[FACTS].given && args->noperands > 0) {
		say("explain: --facts lists figures; it cannot go with '%s'", args->operand[0]);
		return EXIT_USAGE;
	}
	if (args->noperands == 0 && !args->option[FACTS].given) {
		list_conditions(&p);
		return output_write(buf_span(&text), p.error);
	}
	int r = args->option[HOST].given ? host_open_capture(args->option[HOST].text, &h, &note) :
					   host_open_live("/", &h, &note);
	if (r < 0) {
		say("explain: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	r = render(args, h, &p);
	host_free(h);
	return output_write(buf_span(&text), r < 0 ? r : p.error);
}

const struct command command_explain = {
	.name = "explain",
	.summary = "tell what a condition means, how to confirm it and how to mend it",
	.description =
		"Prints the guide of a condition, with this machine's own figures filled in. Without a condition it "
		"lists them.",
	.operands = "[CONDITION]",
	.max_operands = 1,
	.operand_choice = condition_choice,
	OPTIONS(options),
	.run = run,
};
