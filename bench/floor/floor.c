/*
 * The floor: a relay that does what the kernel demands for the protocol and hardly more. It is what the channel server is measured
 * against, not a server to run: no limits but three seats, no timeouts, no fragments, no UTF-8 validation, one thread.
 *
 *   floor PORT [HEARTBEAT_SECONDS] [batch|ask]
 *
 * Without `batch` each envelope leaves in a send of its own; with it, all envelopes due to one socket after one turn of the
 * loop leave together. With `ask` a ping with the envelope's number rides behind each, and the pong to it is read: the least that
 * knowing what has arrived can cost. System calls of a message: epoll_wait (shared by all that is ready), recv, send. Of a session besides:
 * accept4, epoll_ctl, one recv and one send for the upgrade (the greeting rides along), one recv, send and close for the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "encodings.h"

enum { SEATS = 3, ID = 22, MAX_FD = 1 << 20, BUFFER = 256 * 1024, EVENTS = 512, BUCKETS = 1 << 16,
       OUTPUT = 16 * 1024, SPARES = 64 };

struct channel {
    struct channel *next; /* in its bucket */
    char id[ID];
    uint8_t seats;
    int fd[SEATS];
};

/* Indexed by descriptor; untouched pages of the table cost nothing. */
struct connection {
    struct channel *channel; /* NULL until upgraded */
    char *sender;            /* the JSON object, its length in the first two octets */
    uint8_t *input;          /* the beginning of a frame whose rest has not come */
    uint8_t *output;         /* what the kernel did not take, or this turn's batch */
    uint32_t inputLength, outputLength, outputRoom;
    uint32_t pingDue;   /* milliseconds of the loop's clock */
    uint32_t envelopes; /* counted if it is asked whether they arrived */
    struct in_addr address;
    int older, newer; /* first-in-first-out list of pings due; 0 ends it */
    bool blocked, dirty;
};

static struct connection connections[MAX_FD];
static struct channel *buckets[BUCKETS];
static uint8_t received[BUFFER], frame[2 * BUFFER], *spare[SPARES];
static int spareCount;
static int dirty[MAX_FD], dirtyCount;
static int oldest, newest, epoll, heartbeat;
static bool batching, asking;
static uint32_t now;

static uint32_t bucketOf(const char *id)
{
    uint64_t key;
    memcpy(&key, id, 8);
    return (uint32_t)(key * 0x9E3779B97F4A7C15u >> 48) % BUCKETS;
}

static void drop(int fd);

/* Sends at once; keeps what the kernel does not take. A batch is only extended here and leaves at the end of the turn. */
static void put(int fd, const uint8_t *bytes, size_t length, bool deferred)
{
    struct connection *c = &connections[fd];
    if (!c->blocked && !deferred && c->outputLength == 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent == (ssize_t)length)
            return;
        if (sent < 0 && errno != EAGAIN)
            return; /* the end shows as an event */
        if (sent > 0)
            bytes += sent, length -= (size_t)sent;
        c->blocked = true;
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &(struct epoll_event){.events = EPOLLIN | EPOLLOUT, .data.fd = fd});
    }
    if (!c->output) {
        c->output = spareCount ? spare[--spareCount] : malloc(OUTPUT);
        c->outputRoom = OUTPUT;
    }
    if (c->outputLength + length > c->outputRoom) {
        c->outputRoom = (uint32_t)(c->outputLength + length) * 2;
        c->output = realloc(c->output, c->outputRoom);
    }
    memcpy(c->output + c->outputLength, bytes, length);
    c->outputLength += (uint32_t)length;
    if (!c->blocked && !c->dirty) {
        c->dirty = true;
        dirty[dirtyCount++] = fd;
    }
}

static void flush(int fd)
{
    struct connection *c = &connections[fd];
    c->dirty = false;
    if (c->outputLength == 0)
        return;
    ssize_t sent = send(fd, c->output, c->outputLength, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        sent = c->outputLength;
    if (sent < 0)
        sent = 0;
    c->outputLength -= (uint32_t)sent;
    bool blocked = c->outputLength > 0;
    if (blocked)
        memmove(c->output, c->output + sent, c->outputLength);
    if (blocked != c->blocked) {
        c->blocked = blocked;
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd,
            &(struct epoll_event){.events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.fd = fd});
    }
    if (!blocked) { /* an idle connection holds no buffer */
        if (c->outputRoom == OUTPUT && spareCount < SPARES)
            spare[spareCount++] = c->output;
        else
            free(c->output);
        c->output = NULL;
    }
}

/* A ping whose payload is the number in decimal digits; gives its length. */
static size_t question(uint8_t *out, uint32_t number)
{
    size_t length = 1;
    for (uint32_t rest = number; rest >= 10; rest /= 10)
        length++;
    out[0] = 0x89, out[1] = (uint8_t)length;
    for (size_t i = length; i > 0; i--, number /= 10)
        out[1 + i] = (uint8_t)('0' + number % 10);
    return 2 + length;
}

static void relay(int fd, uint8_t *text, size_t length)
{
    struct connection *c = &connections[fd];
    while (length > 0 && isSpace(text[length - 1]))
        length--;
    while (length > 0 && isSpace(*text))
        text++, length--;

    /* Room for the longest header is left in front, so that the payload is copied once. */
    static const char before[] = "{\"message\":\"", between[] = "\",\"sender\":";
    uint8_t *start = frame + 10, *end = start;
    uint16_t senderLength;
    memcpy(&senderLength, c->sender, 2);
    end = mempcpy(end, before, sizeof before - 1);
    if (!wantsEscape(text, length))
        end = mempcpy(end, text, length);
    else
        end += escape(end, text, length);
    end = mempcpy(end, between, sizeof between - 1);
    end = mempcpy(end, c->sender + 2, senderLength);
    *end++ = '}';
    uint8_t head[10];
    size_t headLength = header(head, 1, (size_t)(end - start));
    start -= headLength;
    memcpy(start, head, headLength);
    for (int i = 0; i < c->channel->seats; i++) {
        int to = c->channel->fd[i];
        if (to == fd)
            continue;
        size_t asked = asking ? question(end, ++connections[to].envelopes) : 0;
        put(to, start, (size_t)(end - start) + asked, batching);
    }
}

/* Handles whole frames; gives the octets used, or -1 if the connection is gone. */
static ssize_t frames(int fd, uint8_t *bytes, size_t length)
{
    size_t used = 0;
    while (length - used >= 6) {
        uint8_t *f = bytes + used;
        size_t have = length - used, size = f[1] & 127, head = 6;
        if (f[0] >> 4 != 8 || !(f[1] & 0x80) || size == 127)
            return drop(fd), -1;
        if (size == 126)
            size = (size_t)f[2] << 8 | f[3], head = 8;
        if (have < head + size)
            break;
        uint8_t *text = f + head;
        unmask(text, size, text - 4);
        used += head + size;
        switch (f[0] & 15) {
        case 1:
            relay(fd, text, size);
            break;
        case 8: { /* echoed with its code */
            uint8_t close[4] = {0x88, (uint8_t)(size >= 2 ? 2 : 0), size >= 2 ? text[0] : 0, size >= 2 ? text[1] : 0};
            if (connections[fd].outputLength)
                flush(fd);
            put(fd, close, 2u + close[1], false);
            return drop(fd), -1;
        }
        case 9: {
            uint8_t pong[2 + 125] = {0x8A, (uint8_t)size};
            memcpy(pong + 2, text, size <= 125 ? size : 0);
            put(fd, pong, 2 + size, false);
            break;
        }
        case 10:
            break;
        default:
            return drop(fd), -1;
        }
    }
    return (ssize_t)used;
}

static void listPing(int fd)
{
    struct connection *c = &connections[fd];
    c->pingDue = now + (uint32_t)heartbeat * 1000;
    c->older = newest, c->newer = 0;
    if (newest)
        connections[newest].newer = fd;
    else
        oldest = fd;
    newest = fd;
}

static void unlistPing(int fd)
{
    struct connection *c = &connections[fd];
    if (oldest != fd && !c->older)
        return;
    *(c->older ? &connections[c->older].newer : &oldest) = c->newer;
    *(c->newer ? &connections[c->newer].older : &newest) = c->older;
    c->older = c->newer = 0;
}

#include "upgrade.h"

static void drop(int fd)
{
    struct connection *c = &connections[fd];
    struct channel *channel = c->channel;
    if (channel) {
        unlistPing(fd);
        for (int i = 0; i < channel->seats; i++)
            if (channel->fd[i] == fd)
                channel->fd[i] = channel->fd[--channel->seats];
        if (channel->seats == 0) {
            struct channel **at = &buckets[bucketOf(channel->id)];
            while (*at != channel)
                at = &(*at)->next;
            *at = channel->next;
            free(channel);
        }
    }
    free(c->sender);
    free(c->input);
    free(c->output);
    memset(c, 0, sizeof *c);
    close(fd);
}

static void readable(int fd)
{
    struct connection *c = &connections[fd];
    size_t kept = c->inputLength;
    ssize_t got = recv(fd, received + kept, BUFFER - kept - 1, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(fd);
        return;
    }
    memcpy(received, c->input, kept);
    size_t length = kept + (size_t)got, used = 0;
    if (!c->channel) {
        ssize_t head = upgrade(fd, received, length);
        if (head < 0)
            return;
        used = (size_t)head;
    }
    if (c->channel) {
        ssize_t more = frames(fd, received + used, length - used);
        if (more < 0)
            return;
        used += (size_t)more;
    }
    size_t rest = length - used;
    if (rest) {
        c->input = realloc(c->input, rest);
        memcpy(c->input, received + used, rest);
    } else if (c->input) {
        free(c->input);
        c->input = NULL;
    }
    c->inputLength = (uint32_t)rest;
}

static uint32_t milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fprintf(stderr, "floor PORT [HEARTBEAT_SECONDS] [batch|ask]\n"), 2;
    heartbeat = argc > 2 ? atoi(argv[2]) : 5;
    batching = argc > 3 && !strcmp(argv[3], "batch");
    asking = argc > 3 && !strcmp(argv[3], "ask");
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    signal(SIGPIPE, SIG_IGN);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    if (bind(listener, (struct sockaddr *)&any, sizeof any) || listen(listener, 4096))
        return perror("floor"), 1;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});

    struct epoll_event events[EVENTS];
    now = milliseconds();
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, oldest ? (int)(connections[oldest].pingDue - now) : -1);
        now = milliseconds();
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                /* Level-triggered: if more wait, the next turn says so, at no further call. */
                struct sockaddr_in peer;
                socklen_t length = sizeof peer;
                int accepted = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (accepted >= MAX_FD)
                    close(accepted);
                else if (accepted >= 0) {
                    connections[accepted].address = peer.sin_addr;
                    epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &(struct epoll_event){.events = EPOLLIN, .data.fd = accepted});
                }
                continue;
            }
            if (events[i].events & EPOLLOUT)
                flush(fd);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                readable(fd);
        }
        for (int i = 0; i < dirtyCount; i++)
            if (connections[dirty[i]].dirty)
                flush(dirty[i]);
        dirtyCount = 0;
        while (oldest && (int32_t)(connections[oldest].pingDue - now) <= 0) {
            int fd = oldest;
            unlistPing(fd);
            listPing(fd);
            put(fd, (const uint8_t[]){0x89, 0}, 2, false);
        }
    }
}
