/* Scanner plugins for the tests; compiled with -DFIRST, -DCRASH or -DNOSYM. */
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
#else
int nothing_of_interest;
#endif
