/* The yardstick of bench_snapshot.py: looks at a queue as a C program does, message by message, and prints it.

   For each message of info: size of mess, sender and time from info, whether it bounces, recipients of both channels;
   a line for the message and one for each recipient. One read for a small file, buffered output, no sorting. Own code.
   usage: qread QUEUE SPLIT [count]       count: names in mess only */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char octets[1 << 20];

/* Reads a whole file; returns its length, or -1 if it is not there. */
static ssize_t slurp(const char *path, struct stat *status)
{
    ssize_t length = 0, got;
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd == -1)
        return -1;
    if (status && fstat(fd, status) == -1) {
        close(fd);
        return -1;
    }
    while ((got = read(fd, octets + length, sizeof octets - length)) > 0)
        length += got;
    close(fd);
    return length;
}

static void print_safely(const char *text, size_t length)
{
    for (size_t n = 0; n < length; n++)
        putchar(text[n] > 32 && text[n] < 127 ? text[n] : '_');
}

static void print_channel(const char *channel, unsigned long number, unsigned long split)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%lu/%lu", channel, number % split, number);
    ssize_t length = slurp(path, NULL);
    for (ssize_t start = 0; start < length;) {
        char *end = memchr(octets + start, 0, length - start);
        if (!end)
            break;
        printf("%s\t%s\t", octets[start] == 'D' ? "  done" : "", channel);
        print_safely(octets + start + 1, end - octets - start - 1);
        putchar('\n');
        start = end - octets + 1;
    }
}

static void print_message(unsigned long number, unsigned long split)
{
    char path[64], date[40];
    struct stat mess, info, bounce;
    snprintf(path, sizeof path, "mess/%lu/%lu", number % split, number);
    if (stat(path, &mess) == -1)
        return;
    snprintf(path, sizeof path, "info/%lu/%lu", number % split, number);
    ssize_t length = slurp(path, &info);
    if (length < 1)
        return;
    strftime(date, sizeof date, "%d %b %Y %H:%M:%S", gmtime(&info.st_mtime));
    printf("%s GMT  #%lu  %lld  <", date, number, (long long) mess.st_size);
    print_safely(octets + 1, strnlen(octets + 1, length - 1));
    snprintf(path, sizeof path, "bounce/%lu", number);
    printf(stat(path, &bounce) == 0 ? ">  bouncing\n" : ">\n");
    print_channel("local", number, split);
    print_channel("remote", number, split);
}

int main(int argc, char **argv)
{
    if (argc < 3 || chdir(argv[1]) == -1)
        return 2;
    unsigned long split = strtoul(argv[2], NULL, 10), count = 0;
    int counts = argc > 3 && !strcmp(argv[3], "count");
    for (unsigned long part = 0; part < split; part++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%lu", counts ? "mess" : "info", part);
        DIR *directory = opendir(path);
        struct dirent *entry;
        if (!directory)
            continue;
        while ((entry = readdir(directory)))
            if (entry->d_name[0] != '.') {
                count++;
                if (!counts)
                    print_message(strtoul(entry->d_name, NULL, 10), split);
            }
        closedir(directory);
    }
    if (counts)
        printf("%lu\n", count);
    return 0;
}
