/* A log of qmail-send for bench_logs.py, from a seed, in the proportions of a real server: two lines in five are status
 * lines, 75 octets a line. makelog LINES QUEUES OPEN: about so many lines; 0 queues is plain qmail's form, else
 * IndiMail's with todo-proc's lines; about so many messages are open at once.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define QUEUES 16
#define LOCAL 10
#define REMOTE 20

struct recipient {
    int is_remote, user, host;
};

struct mail {
    unsigned long number;
    int queue, left, under_way, is_waiting;
    struct recipient recipients[50];
};

struct delivery {
    struct mail *mail;
    unsigned long number;
    struct recipient recipient;
};

static uint64_t state = 6, now_ns = 1700000000ULL * 1000000000, made;
static unsigned long next_number = 660188, qp = 3000, *numbers, deliveries[QUEUES];
static size_t number_count, number_room;
static int queues, used[QUEUES][2];
static struct mail **waiting;
static size_t waiting_count, waiting_room;
static struct delivery under_way[QUEUES * (LOCAL + REMOTE)];
static int under_way_count;

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t mixed = state += 0x9E3779B97F4A7C15;

    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return mixed ^ (mixed >> 31);
}

static double share(void)
{
    return (double)(draw() >> 11) / 9007199254740992.0;
}

static int below(int limit)
{
    return (int)(draw() % (unsigned)limit);
}

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

static void label(void)
{
    now_ns += 1 + draw() % 4000000;
    printf("@%016llx%08llx ", (1ULL << 62) + 10 + now_ns / 1000000000, (unsigned long long)(now_ns % 1000000000));
    made++;
}

static void line_end(int queue)
{
    if (queues)
        printf(" queue%d", queue + 1);
    putchar('\n');
}

static void address(struct recipient recipient)
{
    if (recipient.is_remote)
        printf("user%05d@mx%d.example.net", recipient.user, recipient.host);
    else
        printf("user%05d@example.com", recipient.user);
}

static void status(int queue)
{
    label();
    printf("status: local %d/%d remote %d/%d", used[queue][0], LOCAL, used[queue][1], REMOTE);
    line_end(queue);
}

static void arrive(void)
{
    struct mail *mail = calloc(1, sizeof *mail);
    double chance = share();
    int user = below(20000), host = below(400), bytes;

    if (!mail)
        exit(111);
    mail->left = chance < 0.8 ? 1 : chance < 0.96 ? 2 + below(4) : 6 + below(45);
    mail->number = number_count ? numbers[--number_count] : next_number++;
    mail->queue = queues ? below(queues) : 0;
    for (int i = 0; i < mail->left; i++) {
        mail->recipients[i].is_remote = share() >= 0.6;
        mail->recipients[i].user = below(20000);
        mail->recipients[i].host = below(400);
    }
    qp = qp < 4000000 ? qp + 1 + (unsigned long)below(8) : 300;
    bytes = 200 + (int)exp(8.5 + 1.3 * sqrt(-2 * log(1 - share())) * cos(6.283185307179586 * share()));
    if (queues) {
        label();
        printf("info: todo-proc: queue%d: subdir=todo/%lu fn=todo/%lu/%lu\n", mail->queue + 1, mail->number % 151,
            mail->number % 151, mail->number);
    }
    label();
    printf("new msg %lu", mail->number);
    line_end(mail->queue);
    label();
    printf("info msg %lu: bytes %d from <user%05d@mail%d.example.org> qp %lu uid 555", mail->number, bytes, user, host, qp);
    line_end(mail->queue);
    for (int i = 0; queues && i < mail->left; i++) {
        label();
        printf("%s: user%05d@mail%d.example.org ", mail->recipients[i].is_remote ? "remote" : "local", user, host);
        address(mail->recipients[i]);
        printf(" %lu %d bytes queue%d opendir mode\n", mail->number, bytes, mail->queue + 1);
    }
    waiting = room(waiting, waiting_count, &waiting_room, sizeof *waiting);
    waiting[waiting_count++] = mail;
    mail->is_waiting = 1;
}

static void delivery_number(const struct delivery *delivery)
{
    printf("delivery %lu", delivery->number);
    if (queues)
        printf(".%d", delivery->mail->queue + 1);
}

/* Start a delivery if its queue and channel have room for one more. */
static int start(void)
{
    size_t place = draw() % waiting_count;
    struct mail *mail = waiting[place];
    struct recipient next = mail->recipients[mail->left - 1];
    struct delivery *delivery = under_way + under_way_count;

    if (used[mail->queue][next.is_remote] >= (next.is_remote ? REMOTE : LOCAL))
        return 0;
    under_way_count++;
    delivery->mail = mail;
    delivery->recipient = next;
    mail->left--;
    if (!mail->left) {
        waiting[place] = waiting[--waiting_count];
        mail->is_waiting = 0;
    }
    mail->under_way++;
    delivery->number = ++deliveries[mail->queue];
    used[mail->queue][delivery->recipient.is_remote]++;
    label();
    printf("starting ");
    delivery_number(delivery);
    printf(": msg %lu to %s ", mail->number, delivery->recipient.is_remote ? "remote" : "local");
    address(delivery->recipient);
    line_end(mail->queue);
    status(mail->queue);
    return 1;
}

static void report(double chance, int is_remote)
{
    int host = 1 + below(254);

    if (chance >= 0.15 && !is_remote)
        printf("success: did_1+0+0/");
    else if (chance >= 0.15)
        printf("success: 192.0.2.%d_accepted_message./Remote_host_said:_250_2.0.0_ok_1268600000_qp_%d/", host, host);
    else if (chance >= 0.12)
        printf("failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/");
    else if (!is_remote)
        printf("deferral: CNAME_lookup_failed_temporarily._(#4.4.3)/");
    else
        printf("deferral: 192.0.2.%d_does_not_like_recipient./Remote_host_said:_451_4.7.1_Greylisted/Giving_up_on_192.0.2.%d./",
            host, host);
}

static void end(void)
{
    int place = below(under_way_count);
    struct delivery delivery = under_way[place];
    struct mail *mail = delivery.mail;
    double chance = share();

    under_way[place] = under_way[--under_way_count];
    mail->under_way--;
    used[mail->queue][delivery.recipient.is_remote]--;
    label();
    delivery_number(&delivery);
    printf(": ");
    report(chance, delivery.recipient.is_remote);
    line_end(mail->queue);
    status(mail->queue);
    if (chance < 0.12) {
        mail->recipients[mail->left++] = delivery.recipient;
        if (!mail->is_waiting) {
            waiting = room(waiting, waiting_count, &waiting_room, sizeof *waiting);
            waiting[waiting_count++] = mail;
            mail->is_waiting = 1;
        }
    } else if (!mail->left && !mail->under_way) {
        label();
        printf("end msg %lu", mail->number);
        if (queues)
            printf(" qmail-send:");
        line_end(mail->queue);
        numbers = room(numbers, number_count, &number_room, sizeof *numbers);
        numbers[number_count++] = mail->number;
        free(mail);
    }
}

int main(int count, char **words)
{
    uint64_t lines;
    size_t open_count;

    if (count != 4)
        return 100;
    lines = strtoull(words[1], NULL, 10);
    queues = atoi(words[2]);
    open_count = strtoull(words[3], NULL, 10);
    if (queues < 0 || queues > QUEUES || !open_count)
        return 100;
    while (made < lines) {
        if (waiting_count < open_count)
            arrive();
        else if (under_way_count && share() < 0.5)
            end();
        else if (!start())
            end();
    }
    return fflush(stdout) ? 111 : 0;
}
