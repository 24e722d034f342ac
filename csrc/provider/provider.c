/* provider.c: where OpenSSL comes in. */
#include "provider.h"

enum { REASON = 1 };

static const OSSL_ITEM REASONS[] = {{REASON, (void *)"the signer gave no signature"}, {0, NULL}};

static void vset(const xgp_provider *provider, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    provider->vset_error(provider->core, REASON, format, arguments);
    va_end(arguments);
}

int xgp_refuse(const xgp_provider *provider, const char *why) {
    if (provider->new_error && provider->vset_error) {
        provider->new_error(provider->core);
        if (provider->set_error_debug) provider->set_error_debug(provider->core, "", 0, "xgate");
        vset(provider, "%s", why);
    }
    return 0;
}

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache) {
    (void)provider;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        return xgp_key_algorithms;
    case OSSL_OP_SIGNATURE:
        return xgp_signature_algorithms;
    case OSSL_OP_DECODER:
        return xgp_decoder_algorithms;
    default:
        return NULL;
    }
}

static const OSSL_PARAM *gettable(void *provider) {
    static const OSSL_PARAM all[] = {
        XGP_PARAM(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
        XGP_PARAM(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, sizeof(int)),
        XGP_END,
    };
    (void)provider;
    return all;
}

static int get_params(void *provider, OSSL_PARAM params[]) {
    static const char NAME[] = "xgate: keys that the signer holds";
    (void)provider;
    OSSL_PARAM *name = xgp_param_find(params, OSSL_PROV_PARAM_NAME);
    if (name && name->data_type == OSSL_PARAM_UTF8_PTR && name->data) {
        *(const char **)name->data = NAME;
        name->return_size = sizeof NAME - 1;
    }
    return xgp_param_set_int(params, OSSL_PROV_PARAM_STATUS, 1);
}

static const OSSL_ITEM *reasons(void *provider) {
    (void)provider;
    return REASONS;
}

static void teardown(void *provider) { free(provider); }

static const OSSL_DISPATCH PROVIDER[] = {
    XGP_FN(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
    XGP_FN(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable),
    XGP_FN(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
    XGP_FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
    XGP_FN(OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, reasons),
    {0, NULL},
};

__attribute__((visibility("default"))) int OSSL_provider_init(const OSSL_CORE_HANDLE *core,
                                                              const OSSL_DISPATCH *in,
                                                              const OSSL_DISPATCH **out,
                                                              void **context) {
    xgp_provider *made = calloc(1, sizeof *made);
    if (!made) return 0;
    made->core = core;
    atomic_init(&made->not_before, INT64_MIN);
    for (; in->function_id; in++) switch (in->function_id) {
        case OSSL_FUNC_CORE_NEW_ERROR:
            made->new_error = OSSL_FUNC_core_new_error(in);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
            made->set_error_debug = OSSL_FUNC_core_set_error_debug(in);
            break;
        case OSSL_FUNC_CORE_VSET_ERROR:
            made->vset_error = OSSL_FUNC_core_vset_error(in);
            break;
        case OSSL_FUNC_BIO_READ_EX:
            made->bio_read = OSSL_FUNC_BIO_read_ex(in);
            break;
        default:
            break;
        }
    if (!made->bio_read) {
        free(made);
        return 0;
    }
    *out = PROVIDER;
    *context = made;
    return 1;
}
