#include "cmd/interrupt.h"

#include <signal.h>

volatile int interrupted;

static void on_signal(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

void interrupt_catch(void)
{
	/* No SA_RESTART: sleeps shall end. */
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}
