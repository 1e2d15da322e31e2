#include "source/sources.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cmd/command.h"
#include "cmd/output.h"

enum { JSON, HOST, NO_COLOR };

static const struct option options[] = {
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.sources/1" },
	[HOST] = { "host", 0, OPTION_FILE, "FILE", "ask a capture in place of this machine" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

static void text_row(struct page *p, const struct source *s, const struct source_state *state)
{
	static const enum page_tone tones[] = {
		[PRESENT] = TONE_GREEN, [ABSENT] = TONE_YELLOW, [DENIED] = TONE_RED, [MALFORMED] = TONE_RED,
		[UNREAD] = TONE_DIM,
	};
	unsigned hang = p->style.width < 60 ? 4 : 10;

	page_tone(p, tones[state->presence]);
	page_put(p, "%s", presence_name(state->presence));
	page_tone(p, TONE_PLAIN);
	page_indent(p, p->column >= hang ? p->column + 1 : hang);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s", s->path);
	page_tone(p, TONE_PLAIN);
	unsigned column = p->style.width < 80 ? hang + 2 : 43;
	if (p->style.width < 80 || p->column >= column)
		page_newline(p);
	page_indent(p, column);
	page_wrap(p, column, "%s", s->gives);
	page_newline(p);
	if (state->presence == PRESENT)
		return;
	if (state->why.text[0]) {
		page_indent(p, hang);
		page_wrap(p, hang + 2, "needs: %s", state->why.text);
		page_newline(p);
	}
	page_indent(p, hang);
	page_wrap(p, hang + 2, "lost without it: %s", s->without);
	page_newline(p);
}

static void json_row(struct json *j, const struct source *s, const struct source_state *state)
{
	json_object(j, NULL);
	json_string(j, "source", s->id);
	json_string(j, "path", s->path);
	json_string(j, "presence", presence_name(state->presence));
	json_string(j, "needs", state->presence != PRESENT && state->why.text[0] ? state->why.text : NULL);
	json_string(j, "gives", s->gives);
	json_string(j, "without", s->without);
	json_end(j);
}

static int tell(struct host *h, const struct arguments *args)
{
	cleanup(buf_deinit) struct buf text = { 0 }, scratch = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };
	struct json j = { .out = &text };
	bool json = args->option[JSON].given;

	if (json) {
		json_object(&j, NULL);
		json_string(&j, "schema", "osprey.sources/1");
		json_array(&j, "sources");
	}
	for (size_t i = 0; i < nsources; i++) {
		struct source_state state;

		source_probe(h, &sources[i], &scratch, &state);
		if (json)
			json_row(&j, &sources[i], &state);
		else
			text_row(&p, &sources[i], &state);
	}
	if (json) {
		json_end(&j);
		json_end(&j);
		p.error = json_finish(&j);
	}
	return output_write(buf_span(&text), p.error);
}

static int run(const struct arguments *args)
{
	struct note note = { "" };
	struct host *h;
	int r = args->option[HOST].given ? host_open_capture(args->option[HOST].text, &h, &note) :
					   host_open_live("/", &h, &note);

	if (r < 0) {
		say("sources: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	int code = tell(h, args);
	host_free(h);
	return code;
}

const struct command command_sources = {
	.name = "sources",
	.summary = "show what osprey reads, whether it can here, and what is lost without it",
	.description = "Tries each source of the kernel once and changes nothing. present: it can be read; absent: "
		       "this kernel lacks it or it is switched off; denied: it is there and needs a privilege; "
		       "unread: a capture does not hold it.",
	OPTIONS(options),
	.run = run,
};
