/* fuzz_words.c: what a signer answers, and what is asked of it: answers that are cut, overlong or
 * none at all; the first octet says how much room there is for a signature. */
#include "../provider/words.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_answer(const uint8_t *frame, size_t n, size_t cap) {
    uint8_t signature[256];
    char why[32] = "nothing";
    size_t made = 12345;
    memset(signature, 0x5a, sizeof signature);
    bool welcome = xgp_is_welcome(frame, n);
    if (xgp_answer_read(signature, &made, cap, why, sizeof why, frame, n)) {
        if (welcome || !made || made > cap) abort();
        return;
    }
    if (made != 12345 || signature[0] != 0x5a) abort(); /* a refusal leaves no trace */
    if (!memchr(why, 0, sizeof why)) abort();
    for (const char *c = why; *c; c++)
        if (*c < 0x20 || *c > 0x7e) abort();
}

static void write_words(const uint8_t *octets, size_t n) {
    uint8_t *words = NULL;
    size_t made = 0;
    if (!xgp_words_write(&words, &made, "name", "pss", "SHA-256", octets, n)) {
        if (words || made) abort();
        return;
    }
    if (xgp_frame_size(words, made) != 12) abort();
    size_t message = (size_t)words[12] << 24 | (size_t)words[13] << 16 | (size_t)words[14] << 8 |
                     words[15];
    if (made != 16 + message || memcmp(words + made - n, octets, n) != 0) abort();
    free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    size_t whole = xgp_frame_size(data + 1, size - 1);
    if (whole && whole != SIZE_MAX && whole < 4) abort();
    read_answer(data + 1, size - 1, data[0]);
    write_words(data, size);
    return 0;
}
