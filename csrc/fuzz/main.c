/* main.c: runs a fuzz target without libFuzzer, the same way every time.
 *
 * target MUTATIONS SEED FILE...: every file as it is, then with the first, second... allocation
 * failing until none does, then MUTATIONS damaged variants of the files in turn. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- allocations that fail (linked with --wrap) --- */

static size_t until_failure; /* 0 = never; 1 = the next one fails, and all after it */
static bool starved;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void) {
    if (until_failure == 0) return false;
    if (until_failure > 1) return until_failure--, false;
    return starved = true;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }

/* --- inputs against protected pages --- */

enum { ROOM = 1 << 20 };
static uint8_t *room; /* ROOM octets between two protected pages */

static void make_room(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *p = mmap(NULL, ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + page, ROOM, PROT_READ | PROT_WRITE)) abort();
    room = p + page;
}

static void run(const uint8_t *data, size_t n) {
    memcpy(room + ROOM - n, data, n);
    LLVMFuzzerTestOneInput(room + ROOM - n, n);
    memcpy(room, data, n);
    LLVMFuzzerTestOneInput(room, n);
}

static void run_starving(const uint8_t *data, size_t n) {
    size_t allowed = 0;
    memcpy(room, data, n);
    do {
        starved = false;
        until_failure = ++allowed;
        LLVMFuzzerTestOneInput(room, n);
    } while (starved);
    until_failure = 0;
}

/* --- mutations --- */

static uint64_t state;

static size_t below(size_t n) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return n ? (size_t)((state * 2685821657736338717u) >> 33) % n : 0;
}

static xg_span slice(const xg_buf *from, size_t longest) {
    size_t start = below(from->n + 1), n = below(longest + 1);
    return (xg_span){from->p + start, n < from->n - start ? n : from->n - start};
}

/* One cut or paste: octets of data give way to some of other, or to a single one. */
static size_t damage(uint8_t *data, size_t n, const xg_buf *other) {
    static const char likely[] = "<>/='\"&;:!?-[]#x0 \t\n\r\x00\x1f\x80\xc3\xff";
    size_t at = below(n + 1), cut = below(4) ? below(3) : below(n - at + 1);
    if (cut > n - at) cut = n - at;
    uint8_t octet = below(2) ? (uint8_t)likely[below(sizeof likely)] : (uint8_t)below(256);
    xg_span paste = {&octet, below(3) ? 1 : 0};
    if (below(4) == 0) paste = slice(other, 40);
    if (n - cut + paste.n > ROOM) return n;
    memmove(data + at + paste.n, data + at + cut, n - at - cut);
    memcpy(data + at, paste.p, paste.n);
    return n - cut + paste.n;
}

static bool read_file(xg_buf *out, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    out->p = malloc(ROOM);
    if (!out->p) abort();
    out->cap = ROOM;
    out->n = fread(out->p, 1, ROOM / 2, file);
    bool good = !ferror(file);
    return fclose(file) == 0 && good;
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: %s MUTATIONS SEED FILE...\n", argv[0]), 2;
    size_t mutations = strtoull(argv[1], NULL, 10), files = (size_t)argc - 3;
    xg_buf *seeds = calloc(files, sizeof *seeds);
    uint8_t *data = malloc(ROOM);
    if (!seeds || !data) abort();
    state = strtoull(argv[2], NULL, 10) * 2 + 1;
    make_room();
    for (size_t i = 0; i < files; i++) {
        if (!read_file(&seeds[i], argv[i + 3])) return perror(argv[i + 3]), 2;
        run(seeds[i].p, seeds[i].n);
        run_starving(seeds[i].p, seeds[i].n);
    }
    for (size_t i = 0; i < mutations; i++) {
        const xg_buf *seed = &seeds[i % files];
        size_t n = seed->n;
        memcpy(data, seed->p, n);
        for (size_t rounds = 1 + below(4); rounds; rounds--)
            n = damage(data, n, &seeds[below(files)]);
        run(data, n);
    }
    for (size_t i = 0; i < files; i++) xg_buf_free(&seeds[i]);
    free(seeds);
    free(data);
    printf("%zu files, %zu mutations\n", files, mutations);
    return 0;
}
