#include "cmd/inherited.h"

#include <signal.h>
#include <unistd.h>

void inherited_restore(void)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (!inherited.ignored_pipe)
		signal(SIGPIPE, SIG_DFL);
	if (inherited.has_nofile)
		(void)!setrlimit(RLIMIT_NOFILE, &inherited.nofile);
	for (int fd = 0; fd < 3; fd++)
		if (inherited.closed[fd])
			close(fd);
}
