#include "report/guide.h"

#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

static struct facts *facts;

static int render(const char *markdown, struct page_style style, struct buf *ret)
{
	struct page p = { .out = ret, .style = style };

	buf_clear(ret);
	return guide_render(&p, span_from(markdown), facts);
}

static void check(const char *markdown, const char *wanted)
{
	cleanup(buf_deinit) struct buf text = { 0 };

	CHECK(render(markdown, (struct page_style){ 40, false, false }, &text) == 0);
	CHECK_STR(text.data ? text.data : "", wanted);
}

static void check_facts(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	const char *name, *help;
	size_t n = 0;

	for (; (name = fact_name(n, &help)); n++) {
		buf_clear(&text);
		CHECK(fact_text(facts, span_from(name), &text) == 0);
		CHECK(text.n > 0 && help[0]);
	}
	CHECK(n > 20);
	CHECK(fact_text(facts, SPAN("no_such_fact"), &text) < 0);
}

static void check_placeholders(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char wanted[64];

	CHECK(render("`{{cpus}}` of {{ cpus }}", (struct page_style){ 80, false, false }, &text) == 0);
	snprintf(wanted, sizeof wanted, "`%ld` of %ld\n", sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_NPROCESSORS_ONLN));
	CHECK_STR(text.data, wanted);
	CHECK(render("{{memory_total}} {{nonsense}} {{more_nonsense}}", (struct page_style){ 80, false, false }, &text) == 2);
	CHECK(strstr(text.data, " {{nonsense}} {{more_nonsense}}\n"));
	CHECK(render("a {{ b", (struct page_style){ 80, false, false }, &text) == 0);
	CHECK_STR(text.data, "a {{ b\n");
}

int main(void)
{
	struct host *h;

	if (host_open_live("/", &h, NULL) < 0 || facts_read(h, &facts) < 0)
		check_skip("this host cannot be read");
	check("", "");
	check("# Title\n\nText that is\n*wrapped* here, **as one**, at forty columns.",
	      "Title\n=====\n\nText that is wrapped here, as one, at\nforty columns.\n");
	check("- one\n- two two two two two two two two two\n  two two\n",
	      "- one\n- two two two two two two two two two\n  two two\n");
	check("3. x\n4. y\n", "3. x\n4. y\n");
	check("- outer\n  - inner\n", "- outer\n  - inner\n");
	check("    a  command   that is not wrapped however long it is\n",
	      "    a  command   that is not wrapped however long it is\n");
	check("```\na\n\nb\n```\n\nend", "    a\n\n    b\n\nend\n");
	check("`a_b`, c", "`a_b`, c\n");
	check("[text](http://x/)", "text <http://x/>\n");
	check("> quoted", "  quoted\n");
	check_placeholders();
	check_facts();
	facts_free(facts);
	host_free(h);
	return check_exit();
}
