/* params.c: reading and writing OSSL_PARAM arrays; a key that was not asked for is no error. */
#include "provider.h"

OSSL_PARAM *xgp_param_find(OSSL_PARAM *params, const char *key) {
    for (; params && params->key; params++)
        if (strcmp(params->key, key) == 0) return params;
    return NULL;
}

static int put(OSSL_PARAM *param, const void *octets, size_t n, size_t end) {
    param->return_size = n;
    if (!param->data) return 1; /* only the size was asked for */
    if (param->data_size < n + end) {
        param->return_size = n;
        return 0;
    }
    memcpy(param->data, octets, n);
    if (end) ((char *)param->data)[n] = 0;
    return 1;
}

int xgp_param_set_int(OSSL_PARAM *params, const char *key, int value) {
    OSSL_PARAM *param = xgp_param_find(params, key);
    if (!param) return 1;
    bool number = param->data_type == OSSL_PARAM_INTEGER ||
                  param->data_type == OSSL_PARAM_UNSIGNED_INTEGER;
    if (!number || value < 0) return 0;
    int64_t wide = value;
    if (param->data && param->data_size == sizeof wide) return put(param, &wide, sizeof wide, 0);
    if (param->data && param->data_size != sizeof value) return 0;
    return put(param, &value, sizeof value, 0);
}

int xgp_param_set_text(OSSL_PARAM *params, const char *key, const char *text) {
    OSSL_PARAM *param = xgp_param_find(params, key);
    if (!param) return 1;
    if (param->data_type != OSSL_PARAM_UTF8_STRING) return 0;
    size_t n = strlen(text);
    return put(param, text, n, param->data && param->data_size > n ? 1 : 0);
}

int xgp_param_set_octets(OSSL_PARAM *params, const char *key, const uint8_t *p, size_t n) {
    OSSL_PARAM *param = xgp_param_find(params, key);
    if (!param) return 1;
    if (param->data_type != OSSL_PARAM_OCTET_STRING) return 0;
    return put(param, p, n, 0);
}

int xgp_param_set_number(OSSL_PARAM *params, const char *key, const uint8_t *p, size_t n) {
    OSSL_PARAM *param = xgp_param_find(params, key);
    if (!param) return 1;
    if (param->data_type != OSSL_PARAM_UNSIGNED_INTEGER) return 0;
    param->return_size = n;
    if (!param->data) return 1;
    if (param->data_size < n) return 0;
    uint8_t *to = param->data;
    size_t room = param->data_size;
    for (size_t i = 0; i < room; i++) {
        size_t significance = i < n ? p[n - 1 - i] : 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        to[i] = (uint8_t)significance;
#else
        to[room - 1 - i] = (uint8_t)significance;
#endif
    }
    param->return_size = room;
    return 1;
}

int xgp_param_int(int *out, const OSSL_PARAM *param) {
    if (!param->data) return 0;
    if (param->data_size == sizeof(int)) {
        memcpy(out, param->data, sizeof *out);
        return 1;
    }
    int64_t wide;
    if (param->data_size != sizeof wide) return 0;
    memcpy(&wide, param->data, sizeof wide);
    if (wide < INT32_MIN || wide > INT32_MAX) return 0;
    *out = (int)wide;
    return 1;
}
