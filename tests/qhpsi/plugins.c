/* Scanner plugins for the tests; compiled with -DFIRST, -DCRASH, -DEXITS, -DLOOPS, -DWHO or -DNOSYM. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(FIRST)
/* As recorded: virusscan returns the number in $PLUGRC (0 if unset), other returns 1. */
int virusscan(const char *message)
{
	const char *rc = getenv("PLUGRC");

	printf("virusscan(%s)\n", message);
	fflush(stdout);
	return rc ? atoi(rc) : 0;
}

int other(const char *message)
{
	return message != 0;
}
#elif defined(CRASH)
int virusscan(const char *message)
{
	abort();
	return message != 0;
}
#elif defined(EXITS)
/* As IndiMail's generic.so: it ends the process with its scanner's exit code. */
int virusscan(const char *message)
{
	_exit(message ? 0 : 1);
}
#elif defined(LOOPS)
int virusscan(const char *message)
{
	while (message)
		usleep(1000);
	return 0;
}
#elif defined(WHO)
/* Code that runs at once when the object is loaded, before any function is called. */
__attribute__((constructor)) static void loaded(void)
{
	printf("%d %d %d\n", (int) getuid(), (int) geteuid(), getgroups(0, NULL));
	fflush(stdout);
}

int virusscan(const char *message)
{
	char line[8] = "";
	FILE *file = fopen(message, "r");

	printf("read %d, write %d, root %d\n", file && fgets(line, sizeof(line), file), fopen(message, "a") != 0,
	       setuid(0) == 0);
	fflush(stdout);
	return 0;
}
#else
int nothing_of_interest;
#endif
