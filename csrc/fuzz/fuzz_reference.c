/* fuzz_reference.c: the text of a key reference; what is read is whole and within its bounds. */
#include "../provider/reference.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const xgp_reference *key) {
    if (key->kind != XGP_RSA && key->kind != XGP_EC) abort();
    if (key->socket[0] != '/' || strlen(key->socket) >= sizeof key->socket) abort();
    if (!key->name[0] || strlen(key->name) > XGP_NAME_MAX) abort();
    if (!key->first_n || key->first_n > XGP_FIELD_MAX || key->second_n > XGP_FIELD_MAX) abort();
    if (key->kind == XGP_RSA && (key->bits < 1024 || !key->second_n)) abort();
    if (key->kind == XGP_EC && (key->bits < 256 || key->first[0] != 4)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    xgp_reference *key = malloc(sizeof *key), *before = malloc(sizeof *before);
    if (key && before) {
        memset(key, 0x5a, sizeof *key);
        *before = *key;
        if (xgp_reference_read(key, data, size))
            check(key);
        else if (memcmp(key, before, sizeof *key) != 0)
            abort(); /* a refusal leaves no trace */
    }
    free(key);
    free(before);
    return 0;
}
