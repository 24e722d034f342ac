/* line.c: one connection, one question, one answer, one deadline.
 *
 * A connection of its own for each handshake: nothing is shared between threads or with a child
 * process, and a Unix socket costs some ten microseconds. */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "provider.h"

typedef struct {
    int fd;
    int64_t deadline;
    uint8_t *heard; /* cap octets */
    size_t n, cap;
} line;

int64_t xgp_now(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now)) return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1; 0: an error; -1: too late. */
static int wait_for(const line *line, short events) {
    for (;;) {
        int64_t left = line->deadline - xgp_now();
        if (left <= 0) return -1;
        struct pollfd one = {line->fd, events, 0};
        int ready = poll(&one, 1, (int)left);
        if (ready > 0) return 1;
        if (ready < 0 && errno != EINTR) return 0;
    }
}

static int say(const line *line, const uint8_t *p, size_t n) {
    while (n) {
        ssize_t sent = send(line->fd, p, n, MSG_NOSIGNAL);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) {
            int ready = wait_for(line, POLLOUT);
            if (ready != 1) return ready;
        } else if (sent == 0 || errno != EINTR) {
            return 0;
        }
    }
    return 1;
}

/* Until a whole frame stands at the beginning of what was heard; its size. 0: never; -1: late. */
static int64_t hear_frame(line *line) {
    for (;;) {
        size_t size = xgp_frame_size(line->heard, line->n);
        if (size > line->cap) return 0;
        if (size && line->n >= size) return (int64_t)size;
        ssize_t got = recv(line->fd, line->heard + line->n, line->cap - line->n, 0);
        if (got > 0) {
            line->n += (size_t)got;
        } else if (got < 0 && errno == EAGAIN) {
            int ready = wait_for(line, POLLIN);
            if (ready != 1) return ready;
        } else if (got == 0 || errno != EINTR) {
            return 0;
        }
    }
}

/* 1, 0 or -1, as xgp_ask; why is written by an answer that refuses. */
static int talk(uint8_t *out, size_t *out_n, size_t cap, char *why, size_t why_n, line *line,
                const uint8_t *words, size_t n) {
    int said = say(line, words, n);
    if (said != 1) return said;
    int64_t size = hear_frame(line);
    if (size <= 0) return (int)size;
    if (!xgp_is_welcome(line->heard, (size_t)size))
        return xgp_answer_read(out, out_n, 0, why, why_n, line->heard, (size_t)size);
    line->n -= (size_t)size;
    memmove(line->heard, line->heard + size, line->n);
    size = hear_frame(line);
    if (size <= 0) return (int)size;
    return xgp_answer_read(out, out_n, cap, why, why_n, line->heard, (size_t)size);
}

static int call(const char *path) {
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof place.sun_path) return -1;
    memcpy(place.sun_path, path, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&place, sizeof place) == 0) return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

int xgp_ask(uint8_t *out, size_t *out_n, size_t cap, char *why, size_t why_n, const char *socket,
            const uint8_t *words, size_t n, int milliseconds) {
    enum { ROOM = 4 + 65536 };
    line line = {-1, xgp_now() + milliseconds, malloc(ROOM), 0, ROOM};
    if (!line.heard) return 0;
    line.fd = call(socket);
    if (line.fd < 0) {
        snprintf(why, why_n, "no signer answers at %s: %s", socket, strerror(errno));
        free(line.heard);
        return 0;
    }
    snprintf(why, why_n, "the signer at %s broke off", socket);
    int done = talk(out, out_n, cap, why, why_n, &line, words, n);
    if (done < 0) snprintf(why, why_n, "the signer at %s took too long", socket);
    close(line.fd);
    free(line.heard);
    return done;
}
