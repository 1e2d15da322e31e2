#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/closest.h"
#include "cmd/pages.h"

static int run_nothing(const struct arguments *args)
{
	(void)args;
	return EXIT_FINE;
}

static const char *const colors[] = { "red", "green", NULL };

static const struct option options[] = {
	{ "window", 'w', OPTION_DURATION, "DURATION", "", 1000000000, 60000000000 },
	{ "json", 'j', OPTION_FLAG, NULL, "" },
	{ "color", 0, OPTION_CHOICE, "COLOR", "", .choices = colors },
	{ "lines", 'n', OPTION_COUNT, "N", "", 1, 100 },
	{ "file", 0, OPTION_FILE, "FILE", "" },
};

static const char *fruit(size_t i)
{
	static const char *const words[] = { "apple", "pear" };
	return i < 2 ? words[i] : NULL;
}

static const struct command watch = { .name = "watch", .summary = "", OPTIONS(options), .run = run_nothing };
static const struct command eat = {
	.name = "eat", .summary = "", .operands = "FRUIT [FRUIT]", .min_operands = 1, .max_operands = 2,
	.operand_choice = fruit, OPTIONS(options), .run = run_nothing,
};
static const struct command start = {
	.name = "start", .summary = "", .operands = "-- COMMAND", .min_operands = 1, .max_operands = OPERANDS_ANY,
	.operands_end_options = true, OPTIONS(options), .run = run_nothing,
};
static const struct command *const children[] = { &eat, NULL };
static const struct command kitchen = { .name = "kitchen", .summary = "", .commands = children };
static const struct command *const commands[] = { &watch, &eat, &kitchen, &start, NULL };

static const struct command *command;
static struct arguments args;

static int parse(const char *line, struct buf *message)
{
	char text[256], *words[32], *state = NULL;
	int n = 0;

	snprintf(text, sizeof text, "%s", line);
	for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state))
		words[n++] = word;
	buf_clear(message);
	arguments_deinit(&args);
	int r = command_parse(commands, n, words, &command, &args, message);
	/* Words lie in `text`: only what is looked at here may be used. */
	return r;
}

static void right(const char *line, const struct command *wanted)
{
	cleanup(buf_deinit) struct buf message = { 0 };

	CHECK(parse(line, &message) == 0);
	CHECK(command == wanted);
}

static void wrong(const char *line, const char *wanted)
{
	cleanup(buf_deinit) struct buf message = { 0 };

	CHECK(parse(line, &message) == -EINVAL);
	CHECK_STR(message.data, wanted);
}

static void check_right(void)
{
	right("", &watch);
	right("--json", &watch);
	CHECK(args.option[1].given && !args.option[0].given);
	right("watch -w 2s", &watch);
	CHECK_U64(args.option[0].number, 2000000000);
	right("watch -w 2", &watch);
	CHECK_U64(args.option[0].number, 2000000000);
	right("watch -w2s -w3s", &watch);
	CHECK_U64(args.option[0].number, 3000000000);
	right("-j --window=1500ms", &watch);
	CHECK_U64(args.option[0].number, 1500000000);
	right("watch -jw2s", &watch);
	CHECK(args.option[1].given);
	CHECK_U64(args.option[0].number, 2000000000);
	right("--version", &command_version);
	right("-V", &command_version);
	right("--man", &command_man);
	right("watch --color green -n 7", &watch);
	CHECK_U64(args.option[2].number, 1);
	CHECK_U64(args.option[3].number, 7);
	right("eat -j apple", &eat);
	CHECK_U64(args.noperands, 1);
	right("eat apple -- pear", &eat);
	CHECK_U64(args.noperands, 2);
	right("start -j a --json -x --help b c d e f g h i", &start);
	CHECK_U64(args.noperands, 12);
	CHECK(args.operand[12] == NULL);
	right("start --file a -j --file=b -- -x", &start);
	CHECK_U64(args.noperands, 1);
	CHECK_U64(args.ngiven, 2);
	CHECK(args.given[0].option == 4 && args.given[1].option == 4);
	right("kitchen eat pear", &eat);
	right("kitchen eat --help", &command_help);
	CHECK_U64(args.noperands, 2);
}

static void check_wrong(void)
{
	wrong("wotch", "unknown command 'wotch'; closest: watch");
	wrong("free", "unknown command 'free'; here it is osprey memory");
	static const char *const tools[][2] = { { "strace", "trace" }, { "pstack", "stack" }, { "gstack", "stack" },
						{ "eu-stack", "stack" }, { "gcore", "core" }, { "perf", "profile" },
						{ "bpftrace", "probe" }, { "offcputime", "offcpu" }, { "runqlat", "latency" },
						{ "biolatency", "latency" }, { "memleak", "memory" } };
	for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++)
		CHECK_STR(command_of_tool(tools[i][0]), tools[i][1]);
	CHECK(command_of_tool("cowsay") == NULL);
	wrong("strace", "unknown command 'strace'; here it is osprey trace");
	wrong("kitchen free", "kitchen: unknown command 'free'; closest: eat");
	wrong("kitchen", "kitchen: something is missing; see osprey help kitchen");
	wrong("kitchen eta", "kitchen: unknown command 'eta'; closest: eat");
	wrong("kitchen --eta", "kitchen: unknown option '--eta'; closest: --help");
	wrong("kitchen eat", "kitchen eat: something is missing; usage: osprey kitchen eat FRUIT [FRUIT]");
	wrong("--windwo 2s", "watch: unknown option '--windwo'; closest: --window");
	wrong("--win=2s", "watch: unknown option '--win'; closest: --window");
	wrong("-x", "watch: unknown option '-x'; closest: --help");
	wrong("-jx", "watch: unknown option '-x'; closest: --help");
	wrong("--verison", "watch: unknown option '--verison'; closest: --version");
	wrong("watch --verison", "watch: unknown option '--verison'; closest: --json");
	wrong("-w", "watch: --window needs a DURATION");
	wrong("-jw", "watch: --window needs a DURATION");
	wrong("-w x", "watch: --window 'x' is no duration; write 500ms, 2s or 1m");
	wrong("-w s", "watch: --window 's' is no duration; write 500ms, 2s or 1m");
	wrong("-w 99", "watch: --window 99 is out of range: 1 s to 60 s");
	wrong("-w 2m", "watch: --window 2m is out of range: 1 s to 60 s");
	wrong("-w 99999999999999h", "watch: --window 99999999999999h is out of range: 1 s to 60 s");
	wrong("-n 0", "watch: --lines 0 is out of range: 1 to 100");
	wrong("-n x", "watch: --lines 'x' is no whole number");
	wrong("--color rde", "watch: --color cannot be 'rde'; closest: red");
	wrong("--json=1", "watch: --json takes no value, yet got '1'");
	wrong("--file=", "watch: --file is empty; it needs a FILE");
	wrong("watch apple", "watch: unexpected argument 'apple'; it takes options alone, see --help");
	wrong("eat aple", "eat: unknown argument 'aple'; closest: apple");
	wrong("eat apple pear apple", "eat: 'apple' is one argument too many; usage: osprey eat FRUIT [FRUIT]");
}

static void check_distance(void)
{
	CHECK_U64(edit_distance("", ""), 0);
	CHECK_U64(edit_distance("abc", ""), 3);
	CHECK_U64(edit_distance("kitten", "sitting"), 3);
	CHECK_U64(edit_distance("windwo", "window"), 1);
	CHECK_U64(edit_distance("ca", "abc"), 3);
	char vast[200];
	memset(vast, 'a', sizeof vast - 1);
	vast[sizeof vast - 1] = '\0';
	CHECK_U64(edit_distance(vast, "a"), 62);
}

int main(void)
{
	check_right();
	check_wrong();
	check_distance();
	arguments_deinit(&args);
	return check_exit();
}
