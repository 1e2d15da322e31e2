#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/inherited.h"
#include "cmd/output.h"

#define COMMAND(name) extern const struct command command_##name;
#include "cmd/commands.def"
#undef COMMAND

const struct command *const *commands_all(void)
{
	static const struct command *const table[] = {
#define COMMAND(name) &command_##name,
#include "cmd/commands.def"
#undef COMMAND
		NULL,
	};
	return table;
}

struct inherited inherited;

/* Without this a file opened as descriptor 1 would receive the answer. Read-only, so that an
 * answer that nobody receives is an error. */
static void keep_standard_descriptors(void)
{
	int fd = open("/dev/null", O_RDONLY);

	while (fd >= 0 && fd <= STDERR_FILENO) {
		inherited.closed[fd] = true;
		fd = dup(fd);
	}
	if (fd > STDERR_FILENO)
		close(fd);
}

/* A shell on the burning host may allow few: what may be had, is taken. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max && limit.rlim_cur < 256) {
		inherited.nofile = limit;
		inherited.has_nofile = true;
		limit.rlim_cur = limit.rlim_max < 256 ? limit.rlim_max : 256;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int command_main(int argc, char *argv[])
{
	cleanup(buf_deinit) struct buf message = { 0 };
	const struct command *command;
	struct arguments args;

	keep_standard_descriptors();
	raise_descriptor_limit();
	inherited.ignored_pipe = signal(SIGPIPE, SIG_IGN) == SIG_IGN; /* a reader that left is told by EPIPE */
	int r = command_parse(commands_all(), argc > 0 ? argc - 1 : 0, argv + 1, &command, &args, &message);
	if (r == 0) {
		int code = command->run(&args);

		arguments_deinit(&args);
		return code;
	}
	say("%s", r == -EINVAL ? message.data : strerror(-r));
	return r == -EINVAL ? EXIT_USAGE : EXIT_UNABLE;
}
