/* A PKCS#11 module with weather: it hands every call on to a real one, and refuses, hides or hangs
 * when a test says so. The real module's path is in the environment variable XG_REAL_MODULE. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ul;
typedef unsigned char octet;
enum { INITIALIZE = 0, FINALIZE, SLOTS = 4, TOKEN = 6, OPEN = 12, SESSION = 15, LOGIN = 18, LOGOUT,
       SIGN = 43, FUNCTIONS = 68 };
struct list { octet version[2]; void *f[FUNCTIONS]; };

static struct list *real, ours;
static struct { ul code; int after, times, calls; } weather[FUNCTIONS];
static ul hidden = ~0ul, flags, init_flags;
static volatile int hanging, hung;

void weather_refuse(int f, ul code, int after, int times) {
    weather[f].code = code; weather[f].after = after; weather[f].times = times;
}
int weather_calls(int f) { return weather[f].calls; }
void weather_hide(ul slot) { hidden = slot; }
void weather_flags(ul more) { flags = more; }
ul weather_init_flags(void) { return init_flags; }
void weather_hang(int on) { hanging = on; }
int weather_hung(void) { return hung; }
void weather_clear(void) {
    memset(weather, 0, sizeof weather); hidden = ~0ul; flags = 0; hanging = 0;
}

static ul refused(int f) {
    weather[f].calls++;
    if (weather[f].after > 0) { weather[f].after--; return 0; }
    if (weather[f].times == 0) return 0;
    weather[f].times--;
    return weather[f].code;
}
#define HAND_ON(i, type, ...) \
    ul c = refused(i);        \
    return c ? c : ((type)real->f[i])(__VA_ARGS__)

static ul initialize(void *a) {
    init_flags = a ? 0x100 | *(ul *)((char *)a + 4 * sizeof(void *)) : 0;
    HAND_ON(INITIALIZE, ul (*)(void *), a);
}
static ul finalize(void *a) { HAND_ON(FINALIZE, ul (*)(void *), a); }
static ul slots(octet present, ul *list, ul *count) {
    ul all[64], n = 0, m = 64, c = refused(SLOTS);
    if (!c) c = ((ul (*)(octet, ul *, ul *))real->f[SLOTS])(present, 0, &m);
    if (!c) c = ((ul (*)(octet, ul *, ul *))real->f[SLOTS])(present, all, &m);
    if (c) return c;
    for (ul i = 0; i < m; i++)
        if (hidden != ~1ul && all[i] != hidden) { if (list) list[n] = all[i]; n++; }
    *count = n;
    return 0;
}
static ul token(ul slot, void *info) {
    ul c = refused(TOKEN);
    if (!c && slot == hidden) c = 0xE0;
    if (!c) c = ((ul (*)(ul, void *))real->f[TOKEN])(slot, info);
    if (!c) *(ul *)((char *)info + 96) |= flags;
    return c;
}
static ul open_session(ul slot, ul f, void *a, void *n, ul *s) {
    if (slot == hidden) return 0xE0;
    HAND_ON(OPEN, ul (*)(ul, ul, void *, void *, ul *), slot, f, a, n, s);
}
static ul session(ul s, void *info) { HAND_ON(SESSION, ul (*)(ul, void *), s, info); }
static ul login(ul s, ul u, octet *p, ul n) {
    HAND_ON(LOGIN, ul (*)(ul, ul, octet *, ul), s, u, p, n);
}
static ul logout(ul s) { HAND_ON(LOGOUT, ul (*)(ul), s); }
static ul sign(ul s, octet *d, ul n, octet *v, ul *m) {
    while (hanging) { hung = 1; usleep(1000); }
    hung = 0;
    if (!v) return ((ul (*)(ul, octet *, ul, octet *, ul *))real->f[SIGN])(s, d, n, v, m); /* asks the size */
    HAND_ON(SIGN, ul (*)(ul, octet *, ul, octet *, ul *), s, d, n, v, m);
}

ul C_GetFunctionList(struct list **out) {
    if (!real) {
        void *library = dlopen(getenv("XG_REAL_MODULE"), RTLD_NOW | RTLD_LOCAL);
        ul (*get)(struct list **) = library ? (ul (*)(struct list **))dlsym(library, "C_GetFunctionList") : 0;
        if (!get || get(&real)) return 5;
        ours = *real;
        ours.f[INITIALIZE] = initialize; ours.f[FINALIZE] = finalize; ours.f[SLOTS] = slots;
        ours.f[TOKEN] = token; ours.f[OPEN] = open_session; ours.f[SESSION] = session;
        ours.f[LOGIN] = login; ours.f[LOGOUT] = logout; ours.f[SIGN] = sign;
    }
    *out = &ours;
    return 0;
}
