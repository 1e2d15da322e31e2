#include "cmd/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/closest.h"
#include "base/toml.h"
#include "base/vec.h"
#include "cmd/command.h"
#include "cmd/output.h"

#define MAX_FILE (1 << 20)

static struct {
	bool read;
	struct config config;
	struct toml *toml;
	struct page_palette palette;
	char path[4096];
	VEC(char *) joined; /* arrays of columns as one text */
} own;

static const char *file_path(void)
{
	const char *named = getenv("OSPREY_CONFIG"), *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	if (named)
		n = snprintf(own.path, sizeof own.path, "%s", named);
	else if (base && base[0] == '/')
		n = snprintf(own.path, sizeof own.path, "%s/osprey/config.toml", base);
	else if (home && home[0] == '/')
		n = snprintf(own.path, sizeof own.path, "%s/.config/osprey/config.toml", home);
	else
		return NULL;
	return n > 0 && (size_t)n < sizeof own.path ? own.path : NULL;
}

/* 0, or -errno. */
static int slurp(const char *path, struct buf *ret)
{
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r = fd < 0 ? -errno : 0;

	while (r == 0 && ret->n < MAX_FILE) {
		r = buf_reserve(ret, 4096);
		ssize_t n = r < 0 ? -1 : read(fd, ret->data + ret->n, 4096);

		if (r == 0 && n < 0)
			r = -errno;
		if (n <= 0)
			break;
		ret->n += (size_t)n;
	}
	return r == 0 && ret->n >= MAX_FILE ? -EFBIG : r;
}

static void complain(unsigned line, const char *what, const char *word)
{
	say("%s, line %u: %s '%s'; it is left aside", own.path, line, what, word);
}

static void take_units(const struct toml_value *v)
{
	if (v->kind == TOML_STRING && strcmp(v->string, "iec") == 0)
		own.config.units = UNITS_IEC;
	else if (v->kind == TOML_STRING && strcmp(v->string, "si") == 0)
		own.config.units = UNITS_SI;
	else if (v->kind == TOML_STRING && strcmp(v->string, "raw") == 0)
		own.config.units = UNITS_RAW;
	else
		complain(v->line, "units are iec, si or raw, not", v->kind == TOML_STRING ? v->string : "a number");
}

static void take_color(const struct toml_value *v)
{
	bool never = v->kind == TOML_BOOLEAN ? !v->boolean : v->kind == TOML_STRING && strcmp(v->string, "never") == 0;
	bool automatic = v->kind == TOML_BOOLEAN ? v->boolean : v->kind == TOML_STRING && strcmp(v->string, "auto") == 0;

	if (!never && !automatic)
		complain(v->line, "color is auto or never, not", v->kind == TOML_STRING ? v->string : "that");
	own.config.no_color = never;
}

/* "bold red", "bright-blue", "dim", "none": as an SGR sequence of ECMA-48. False: a word is unknown. */
static bool color_code(const char *words, char *ret, size_t size)
{
	static const char *const colors[] = { "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white" };
	struct span rest = span_from(words), word;
	size_t n = (size_t)snprintf(ret, size, "\033[0");

	while (span_word(&rest, &word)) {
		bool bright = span_starts(word, "bright-");
		int code = span_is(word, "bold") ? 1 : span_is(word, "dim") ? 2 : span_is(word, "underline") ? 4 :
			   span_is(word, "reverse") ? 7 : span_is(word, "none") ? 0 : -1;

		if (bright)
			word = (struct span){ word.p + 7, word.n - 7 };
		for (int i = 0; i < 8; i++)
			if (span_is(word, colors[i]))
				code = (bright ? 90 : 30) + i;
		if (code < 0 || n + 8 >= size)
			return false;
		n += (size_t)snprintf(ret + n, size - n, ";%d", code);
	}
	snprintf(ret + n, size - n, "m");
	return true;
}

static const struct {
	const char *key;
	enum page_tone tone;
} tones[] = {
	{ "header", TONE_STRONG }, { "title", TONE_CYAN }, { "dim", TONE_DIM },
	{ "bad", TONE_RED },	   { "warning", TONE_YELLOW }, { "good", TONE_GREEN },
};

static void take_tone(const struct toml_entry *e)
{
	struct closest close = { 0 };

	for (size_t i = 0; i < sizeof tones / sizeof tones[0]; i++) {
		char *code = own.palette.code[tones[i].tone];

		closest_offer(&close, e->key, tones[i].key);
		if (strcmp(e->key, tones[i].key) != 0)
			continue;
		if (e->value.kind != TOML_STRING || !color_code(e->value.string, code, sizeof own.palette.code[0])) {
			code[0] = '\0';
			complain(e->value.line, "no colour (\"bold red\", \"bright-blue\", \"dim\", \"none\"):",
				 e->value.kind == TOML_STRING ? e->value.string : e->key);
		}
		own.config.palette = &own.palette;
		return;
	}
	say("%s, line %u: colors has no '%s'; closest: %s", own.path, e->value.line, e->key, close.word);
}

static bool is_command(const char *word)
{
	for (const struct command *const *c = commands_all(); *c; c++)
		if (strcmp((*c)->name, word) == 0)
			return true;
	return false;
}

static void take_entry(const struct toml_entry *e)
{
	const struct toml_value *v = &e->value;

	if (!*e->table && strcmp(e->key, "units") == 0)
		take_units(v);
	else if (!*e->table && strcmp(e->key, "color") == 0)
		take_color(v);
	else if (strcmp(e->table, "colors") == 0)
		take_tone(e);
	else if (strcmp(e->table, "aliases") == 0 && v->kind != TOML_STRING)
		complain(v->line, "an alias is a string:", e->key);
	else if (strcmp(e->table, "aliases") == 0 && is_command(e->key))
		complain(v->line, "a command cannot be an alias:", e->key);
	else if (strcmp(e->table, "aliases") != 0 &&
		 !(is_command(e->table) && (strcmp(e->key, "columns") == 0 || strcmp(e->key, "sort") == 0)))
		say("%s, line %u: '%s%s%s' means nothing; see docs/configuration.md", own.path, v->line, e->table,
		    *e->table ? "." : "", e->key);
}

const struct config *config_get(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct note note = { "" };
	const char *path;

	if (own.read)
		return &own.config;
	own.read = true;
	path = file_path();
	int r = path ? slurp(path, &text) : -ENOENT;
	if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
		return &own.config;
	if (r == 0)
		r = toml_parse(buf_span(&text), &own.toml, &note);
	if (r < 0)
		say("%s: %s; it is left aside", path, note.text[0] ? note.text : strerror(-r));
	for (size_t i = 0; own.toml && i < own.toml->nentries; i++)
		take_entry(&own.toml->entries[i]);
	return &own.config;
}

/* A string, or an array of strings as one; it lives until config_free. */
static const char *words_of(const char *table, const char *key)
{
	const struct toml_value *v;
	struct buf text = { 0 };
	int r = 0;

	config_get();
	v = toml_find(own.toml, table, key);
	if (!v || v->kind == TOML_STRING)
		return v ? v->string : NULL;
	for (size_t i = 0; r == 0 && i < v->nitems; i++)
		if (v->items[i].kind == TOML_STRING)
			r = buf_printf(&text, "%s%s", text.n ? "," : "", v->items[i].string);
	char **place = text.n && r == 0 ? vec_push(&own.joined) : NULL;
	if (!place) {
		buf_deinit(&text);
		return NULL;
	}
	return *place = text.data;
}

const char *config_columns(const char *view)
{
	return words_of(view, "columns");
}

const char *config_sort(const char *view)
{
	return words_of(view, "sort");
}

const char *config_alias(const char *name)
{
	const struct toml_value *v;

	config_get();
	v = toml_find(own.toml, "aliases", name);
	return v && v->kind == TOML_STRING ? v->string : NULL;
}

void config_free(void)
{
	vec_each(text, &own.joined)
		free(*text);
	vec_free(&own.joined);
	toml_free(own.toml);
	own.toml = NULL;
	own.read = false;
}
