/* The yardsticks of bench_enqueue.py: a small qmail-queue, an MTA that starts it for each message, and the floor.
 *
 *   enqueue queue QUEUE DIRS          message on fd 0, envelope on fd 1; the same system calls as qmail-queue
 *   enqueue driver QUEUE DIRS COUNT   COUNT messages, a process and two pipes for each, as qmail-smtpd does it
 *   enqueue floor DIRECTORY COUNT     COUNT times two new files, each written and fsynced: what two fsyncs cost here
 *
 * DIRS is 1 to fsync the directories of mess and todo as well. Prints the nanoseconds that it took.
 * Ours; the order of calls is qmail's (INTERNALS, section 3).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SPLIT 23
#define MESSAGE 2048

static char message[MESSAGE];
static const char envelope[] = "Fann@example.com\0Tbob@example.com\0"; /* and the final NUL of the string */

static void die(const char *what) { perror(what); _exit(111); }

static void write_all(int fd, const char *octets, size_t length)
{
  while (length) {
    ssize_t done = write(fd, octets, length);
    if (done < 0) { if (errno == EINTR) continue; die("write"); }
    octets += done; length -= done;
  }
}

static void sync_directory(const char *path)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY);
  if (fd < 0 || fsync(fd) < 0) die(path);
  close(fd);
}

static int queue(const char *directory, int has_dirs)
{
  char pid[64], mess[64], intd[64], todo[64], text[512], parent[64];
  static char buffer[65536];
  struct stat status;
  time_t now = time(0);
  ssize_t length;
  int fd, intdfd, trigger;

  umask(033);
  if (chdir(directory) < 0) die("chdir");
  snprintf(pid, sizeof pid, "pid/%d.%ld.1", getpid(), (long)now);
  if ((fd = open(pid, O_WRONLY | O_CREAT | O_EXCL, 0644)) < 0) die("pid");
  if (fstat(fd, &status) < 0) die("fstat");
  snprintf(mess, sizeof mess, "mess/%lu/%lu", (unsigned long)status.st_ino % SPLIT, (unsigned long)status.st_ino);
  snprintf(intd, sizeof intd, "intd/%lu/%lu", (unsigned long)status.st_ino % SPLIT, (unsigned long)status.st_ino);
  snprintf(todo, sizeof todo, "todo/%lu/%lu", (unsigned long)status.st_ino % SPLIT, (unsigned long)status.st_ino);
  if (link(pid, mess) < 0) die("link mess");
  if (unlink(pid) < 0) die("unlink pid");
  length = snprintf(buffer, sizeof buffer, "Received: indimail-mta queue %d by host bench\n (invoked by uid %d); ", getpid(), getuid());
  length += strftime(buffer + length, 64, "%a, %d %b %Y %H:%M:%S +0000\n", gmtime(&now));
  for (;;) { /* buffered, as qmail's substdio: one write for a small message */
    ssize_t got = read(0, buffer + length, sizeof buffer - length);
    if (got < 0) die("read message");
    if (!got) break;
    length += got;
    if (length == sizeof buffer) { write_all(fd, buffer, length); length = 0; }
  }
  write_all(fd, buffer, length);
  if ((intdfd = open(intd, O_WRONLY | O_CREAT | O_EXCL, 0644)) < 0) die("intd");
  if ((length = read(1, text, sizeof text)) < 2) die("read envelope");
  {
    char records[1024];
    int head = snprintf(records, sizeof records, "u%d%cp%d%c", getuid(), 0, getpid(), 0);
    memcpy(records + head, text, length - 1);
    write_all(intdfd, records, head + length - 1);
  }
  if (fsync(fd) < 0 || fsync(intdfd) < 0) die("fsync");
  if (has_dirs) {
    snprintf(parent, sizeof parent, "mess/%lu", (unsigned long)status.st_ino % SPLIT);
    sync_directory(parent);
  }
  if (link(intd, todo) < 0) die("link todo");
  if (has_dirs) {
    snprintf(parent, sizeof parent, "todo/%lu", (unsigned long)status.st_ino % SPLIT);
    sync_directory(parent);
  }
  if ((trigger = open("lock/trigger", O_WRONLY | O_NONBLOCK)) >= 0) {
    if (write(trigger, "", 1) < 0) { /* qmail-send finds the message without that too */ }
    close(trigger);
  }
  return 0;
}

static void driver(char *self, char *directory, char *has_dirs, long count)
{
  char *arguments[] = {self, "queue", directory, has_dirs, 0};
  while (count--) {
    int messages[2], envelopes[2], status;
    pid_t child;
    if (pipe2(messages, O_CLOEXEC) < 0 || pipe2(envelopes, O_CLOEXEC) < 0) die("pipe");
    if ((child = vfork()) < 0) die("vfork");
    if (!child) {
      dup2(messages[0], 0);
      dup2(envelopes[0], 1);
      execv("/proc/self/exe", arguments);
      _exit(120);
    }
    close(messages[0]); close(envelopes[0]);
    write_all(messages[1], message, MESSAGE);
    close(messages[1]);
    write_all(envelopes[1], envelope, sizeof envelope);
    close(envelopes[1]);
    if (waitpid(child, &status, 0) < 0 || status) die("qmail-queue failed");
  }
}

static void two_files(const char *directory, long count)
{
  char path[64];
  if (chdir(directory) < 0) die("chdir");
  for (long number = 0; number < count; number++)
    for (int half = 0; half < 2; half++) {
      int fd;
      snprintf(path, sizeof path, "%s%ld", half ? "b" : "a", number);
      if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644)) < 0) die(path);
      write_all(fd, message, half ? 64 : MESSAGE);
      if (fsync(fd) < 0) die("fsync");
      close(fd);
    }
}

int main(int count, char **words)
{
  struct timespec start, end;
  if (count == 4 && !strcmp(words[1], "queue")) return queue(words[2], atoi(words[3]));
  memset(message, 'x', MESSAGE);
  memcpy(message, "Subject: t\n\n", 12);
  clock_gettime(CLOCK_MONOTONIC, &start);
  if (count == 5 && !strcmp(words[1], "driver")) driver(words[0], words[2], words[3], atol(words[4]));
  else if (count == 4 && !strcmp(words[1], "floor")) two_files(words[2], atol(words[3]));
  else return 2;
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000LL + (end.tv_nsec - start.tv_nsec));
  return 0;
}
