/*
 * A scanner plugin for QHPSI="plugin: sample.so", to read, change and compile in a lesson.
 *
 * qhpsi loads it with dlopen(), looks up the function virusscan (or what QUEUE_PLUGIN_SYMB names) and calls it with
 * the name of the message. The number that it gives is taken as a scanner's exit code: QHPSIRC (1) virus, QHPSIRN (0)
 * clean, everything else "no verdict" and 451. Another number than 0 also ends the list of plugins.
 *
 * It looks for the kit's harmless teaching marker, which is written here in two halves, so that no scanner finds it in
 * this file. What it cannot read to the end is never clean.
 *
 *     cc -shared -fPIC -o sample.so sample_plugin.c
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>

enum { CLEAN = 0, VIRUS = 1, NO_VERDICT = 2 };

#define MARKER "X-INDIMAIL-KIT-" "HARMLESS-TEACHING-MARKER-ALPHA"
#define MARKER_BYTES (sizeof(MARKER) - 1)

static int search(FILE *message)
{
	/* The end of each piece is kept in front of the next: the marker may lie across both. */
	char piece[MARKER_BYTES - 1 + 65536];
	size_t kept = 0, got;

	while ((got = fread(piece + kept, 1, sizeof(piece) - kept, message)) > 0) {
		size_t have = kept + got;

		if (memmem(piece, have, MARKER, MARKER_BYTES))
			return VIRUS;
		kept = have < MARKER_BYTES - 1 ? have : MARKER_BYTES - 1;
		memmove(piece, piece + have - kept, kept);
	}
	return ferror(message) ? NO_VERDICT : CLEAN;
}

int virusscan(const char *message_name)
{
	FILE *message = fopen(message_name, "rb");
	int result;

	if (!message)
		return NO_VERDICT;
	result = search(message);
	fclose(message);
	return result;
}
