/* The field table for people and programs: every column of every entity. */
#include <string.h>

#include "base/cleanup.h"
#include "base/closest.h"
#include "base/json.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "view/entity.h"

enum { JSON, NO_COLOR };

static const struct option options[] = {
	[JSON] = { "json", 'j', OPTION_FLAG, NULL, "print one JSON document, schema osprey.metrics/1" },
	[NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

static const char *entity_word(size_t i)
{
	return i < nentities ? entities[i]->name : NULL;
}

static void text_entity(struct page *p, const struct entity *e)
{
	bool wide = p->style.width >= 80;

	page_tone(p, TONE_STRONG);
	page_put(p, "%s", e->name);
	page_tone(p, TONE_PLAIN);
	page_put(p, ": ");
	page_wrap(p, 2, "%s", e->help);
	page_newline(p);
	for (size_t i = 0; i < e->ncolumns; i++) {
		const struct column *c = &e->columns[i];

		page_indent(p, 2);
		page_tone(p, TONE_CYAN);
		page_put(p, "%s", c->name);
		page_tone(p, TONE_PLAIN);
		page_indent(p, p->column < 27 ? 28 : p->column + 1);
		page_put(p, "%s %s", field_unit_name(c->unit)[0] ? field_unit_name(c->unit) : "count", field_kind_name(c->kind));
		if (!wide)
			page_newline(p);
		unsigned hang = wide ? 44 : 6;
		page_indent(p, p->column < hang ? hang : p->column + 1);
		page_wrap(p, hang, "%s", c->help);
		page_tone(p, TONE_DIM);
		page_wrap(p, hang, "(%s)", c->source);
		page_tone(p, TONE_PLAIN);
		page_newline(p);
	}
}

static void json_entity(struct json *j, const struct entity *e)
{
	json_object(j, NULL);
	json_string(j, "entity", e->name);
	json_string(j, "help", e->help);
	json_array(j, "fields");
	for (size_t i = 0; i < e->ncolumns; i++) {
		const struct column *c = &e->columns[i];

		json_object(j, NULL);
		json_u64(j, "id", c->id);
		json_string(j, "name", c->name);
		json_string(j, "header", c->header);
		json_string(j, "unit", field_unit_name(c->unit));
		json_string(j, "kind", field_kind_name(c->kind));
		json_string(j, "source", c->source);
		json_bool(j, "on_request", c->costly);
		json_string(j, "help", c->help);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static int run(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[NO_COLOR].given) };
	struct json j = { .out = &text };
	bool json = args->option[JSON].given, first = true;

	if (json) {
		json_object(&j, NULL);
		json_string(&j, "schema", "osprey.metrics/1");
		json_array(&j, "entities");
	}
	for (size_t i = 0; i < nentities; i++) {
		if (args->noperands && strcmp(args->operand[0], entities[i]->name) != 0)
			continue;
		if (json) {
			json_entity(&j, entities[i]);
			continue;
		}
		if (!first)
			page_newline(&p);
		first = false;
		text_entity(&p, entities[i]);
	}
	if (json) {
		json_end(&j);
		json_end(&j);
		p.error = json_finish(&j);
	}
	return output_write(buf_span(&text), p.error);
}

const struct command command_metrics = {
	.name = "metrics",
	.summary = "list every field of the views: name, unit, kind, source and help",
	.description = "The names are what --columns, --sort and --filter take, and the keys in JSON and CSV. Kinds: a gauge "
		       "is what is now, a counter only grows, a rate is a counter's growth a second or a share of time, a label "
		       "tells things apart.\n\n"
		       "A filter compares fields: == != < <= > >=, and ~ (holds) and !~ (holds not) in texts; joined by && || ! and "
		       "parentheses. Numbers may have a unit: 1.5G, 10ms, 1h30m. Times are 21:00, '2026-11-20 21:00' or yesterday; "
		       "10m, 2h, 3d are so long ago. Texts with blanks stand in quotes. What is missing fulfils nothing, nor its "
		       "contrary:\n\n"
		       "  osprey ps --filter 'start > 10m && rss_bytes > 1.5G && !(command ~ java)'",
	.operands = "[ENTITY]",
	.max_operands = 1,
	.operand_choice = entity_word,
	OPTIONS(options),
	.run = run,
};
