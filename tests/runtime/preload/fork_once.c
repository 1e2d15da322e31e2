/* Forks, with the library of atfork.c. */
#include <sys/wait.h>
#include <unistd.h>

int atfork_is_there(void);

int main(void)
{
	int status = !atfork_is_there();
	pid_t pid;

	alarm(20);
	pid = fork();
	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0;
}
