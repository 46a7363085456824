/* What matchup does, as a yardstick for bench_logs.py: lines of qmail-send on standard input, rows d and m on standard
 * output. Written for this project from the description of the rows; open messages and deliveries are looked for one
 * after the other, as the real program does.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 16

struct message {
    unsigned long number, bytes, qp, uid;
    long counts[3];
    char *birth, *sender;
};

struct delivery {
    unsigned long number, queue;
    unsigned long message;
    char *start, *channel, *recipient;
};

static struct message *messages;
static size_t message_count, message_room;
static struct delivery *deliveries;
static size_t delivery_count, delivery_room;
static char *field[FIELDS];
static int fields;

static void *room(void *array, size_t count, size_t *size, size_t one)
{
    if (count < *size)
        return array;
    *size = *size ? *size * 2 : 64;
    array = realloc(array, *size * one);
    if (!array)
        exit(111);
    return array;
}

static struct message *find_message(unsigned long number)
{
    for (size_t i = 0; i < message_count; i++)
        if (messages[i].number == number)
            return messages + i;
    return NULL;
}

static void drop_message(struct message *message)
{
    free(message->birth);
    free(message->sender);
    *message = messages[--message_count];
}

/* "@" and 24 digits -> seconds and nanoseconds as text */
static char *moment(const char *label)
{
    static char text[64];
    char digits[17];
    unsigned long seconds, nanoseconds;

    if (label[0] != '@' || strlen(label) != 25)
        return strcpy(text, "0");
    memcpy(digits, label + 1, 16);
    digits[16] = 0;
    seconds = strtoul(digits, NULL, 16) - 4611686018427387914UL;
    nanoseconds = strtoul(label + 17, NULL, 16);
    snprintf(text, sizeof text, "%lu.%09lu", seconds, nanoseconds);
    return text;
}

static char *lower(char *text)
{
    for (char *at = text; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return text;
}

static void info(void)
{
    unsigned long number = strtoul(field[3], NULL, 10);
    struct message *message = find_message(number);

    if (message)
        drop_message(message);
    messages = room(messages, message_count, &message_room, sizeof *messages);
    message = messages + message_count++;
    memset(message, 0, sizeof *message);
    message->number = number;
    message->bytes = strtoul(field[5], NULL, 10);
    message->sender = strdup(lower(field[7]));
    message->qp = strtoul(field[9], NULL, 10);
    message->uid = strtoul(field[11], NULL, 10);
    message->birth = strdup(moment(field[0]));
}

static void starting(void)
{
    struct delivery *delivery;
    char *rest;

    deliveries = room(deliveries, delivery_count, &delivery_room, sizeof *deliveries);
    delivery = deliveries + delivery_count++;
    delivery->number = strtoul(field[3], &rest, 10);
    delivery->queue = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    delivery->message = strtoul(field[5], NULL, 10);
    delivery->channel = strdup(field[7]);
    delivery->recipient = strdup(lower(field[8]));
    delivery->start = strdup(moment(field[0]));
}

static void ended(void)
{
    char *rest;
    unsigned long number = strtoul(field[2], &rest, 10);
    unsigned long queue = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
    int letter = field[3][0] == 's' ? 'k' : field[3][0] == 'f' ? 'd' : 'z';

    for (size_t i = 0; i < delivery_count; i++) {
        struct delivery *delivery = deliveries + i;
        struct message *message;

        if (delivery->number != number || delivery->queue != queue)
            continue;
        message = find_message(delivery->message);
        if (message) {
            message->counts[letter == 'k' ? 0 : letter == 'd' ? 1 : 2]++;
            printf("d %c %s %s %s %lu %s %s.%s %lu %lu %s\n", letter, message->birth, delivery->start, moment(field[0]),
                message->bytes, message->sender, delivery->channel, delivery->recipient, message->qp, message->uid,
                fields > 4 ? field[4] : "");
        } else {
            printf("d %c %s %s %s 0 ? %s.%s ? ? %s\n", letter, delivery->start, delivery->start, moment(field[0]),
                delivery->channel, delivery->recipient, fields > 4 ? field[4] : "");
        }
        free(delivery->start);
        free(delivery->channel);
        free(delivery->recipient);
        *delivery = deliveries[--delivery_count];
        return;
    }
}

static void end(void)
{
    struct message *message = find_message(strtoul(field[3], NULL, 10));

    if (!message)
        return;
    printf("m %s %s %lu %ld %ld %ld %s %lu %lu\n", message->birth, moment(field[0]), message->bytes, message->counts[0],
        message->counts[1], message->counts[2], message->sender, message->qp, message->uid);
    drop_message(message);
}

static void gone(void)
{
    while (delivery_count) {
        delivery_count--;
        free(deliveries[delivery_count].start);
        free(deliveries[delivery_count].channel);
        free(deliveries[delivery_count].recipient);
    }
}

int main(void)
{
    char *line = NULL, *copy = NULL;
    size_t size = 0, copy_size = 0;
    ssize_t length;

    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] != '\n')
            break;
        line[--length] = 0;
        copy = room(copy, (size_t)length + 1, &copy_size, 1);
        while (copy_size <= (size_t)length)
            copy = room(copy, copy_size, &copy_size, 1);
        memcpy(copy, line, (size_t)length + 1);
        fields = 0;
        for (char *at = copy; at && fields < FIELDS;) {
            field[fields++] = at;
            at = strchr(at, ' ');
            if (at)
                *at++ = 0;
        }
        if (fields < 2)
            printf("? %s\n", line);
        else if (!strcmp(field[1], "status:") || !strcmp(field[1], "local:") || !strcmp(field[1], "remote:"))
            continue;
        else if (!strcmp(field[1], "starting") && fields >= 9)
            starting();
        else if (!strcmp(field[1], "delivery") && fields >= 4)
            ended();
        else if (!strcmp(field[1], "new") && fields >= 4)
            continue;
        else if (!strcmp(field[1], "info") && fields >= 12)
            info();
        else if (!strcmp(field[1], "end") && fields >= 4)
            end();
        else if (!strcmp(field[1], "running") || !strcmp(field[1], "exiting"))
            gone();
        else if (!strcmp(field[1], "info:") && fields >= 6 && !strcmp(field[2], "todo-proc:") && !strncmp(field[4], "subdir=", 7))
            continue;
        else
            printf("? %s\n", line);
    }
    return fflush(stdout) ? 111 : 0;
}
