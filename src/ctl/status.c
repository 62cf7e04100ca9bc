/* calloutctl status: how the daemon is, on one screen. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"
#include "base/rfc3339.h"
#include "base/str.h"
#include "ctl/ctl.h"
#include "ctl/http.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "ctl/text.h"

#define LABEL        "%-16s "
#define LABEL_WIDTH  17
#define NAME_WIDTH   26
#define WIDTH        80 /* of what is no terminal */
#define WIDTH_MIN    60
#define DESTINATIONS 15 /* on a screen; the others are counted */

static json_int_t count_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool has(const json_t *o, const char *key)
{
    return json_object_get(o, key) != NULL;
}

static int screen_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < WIDTH_MIN)
        return WIDTH;
    return size.ws_col;
}

static void print_cut(const char *text, int width)
{
    if (ctl_text_width(text) <= width)
        printf("%s\n", text);
    else
        printf("%.*s...\n", (int)ctl_text_cut(text, width - 3), text);
}

/* All of it: who is to mend something has to know what. */
static void print_problem(const char *text, int width)
{
    char mark = '!';

    while (*text != '\0') {
        size_t len = ctl_text_line(text, width - 4);

        printf("  %c %.*s\n", mark, (int)len, text);
        text += len;
        text += strspn(text, " ");
        mark = ' ';
    }
}

static void print_health(const json_t *o, int width)
{
    const json_t *problems = json_object_get(o, "problems");
    const char *began = ctl_text_of(o, "began_at");
    char when[CTL_TEXT_SPAN_SIZE];

    printf("calloutd %s: %s", ctl_text_of(o, "version"), ctl_text_of(o, "health"));
    if (began[0] != '\0')
        printf(", since %s%s", began, ctl_text_when(began, time(NULL), when));
    putchar('\n');
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const char *text = json_string_value(json_array_get(problems, i));

        print_problem(text != NULL ? text : "", width);
    }
}

static double real_of(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* The last minutes, as far as something happened in them. */
static void print_window(const json_t *w)
{
    if (!has(w, "asked_rate"))
        return;
    printf("last %.0f s%*s", real_of(w, "seconds"),
           LABEL_WIDTH - snprintf(NULL, 0, "last %.0f s", real_of(w, "seconds")), "");
    printf("%.1f questions/s, ", real_of(w, "asked_rate"));
    if (has(w, "hit_ratio"))
        printf("%.1f %% from the store, ", 100 * real_of(w, "hit_ratio"));
    printf("%.1f callouts/s\n", real_of(w, "callout_rate"));
    if (has(w, "ms_p50"))
        printf(LABEL "p50 %lld ms, p95 %lld ms, p99 %lld ms\n", "a callout",
               (long long)count_of(w, "ms_p50"), (long long)count_of(w, "ms_p95"),
               (long long)count_of(w, "ms_p99"));
}

static void print_totals(const json_t *o)
{
    const json_t *asked = json_object_get(o, "asked");
    json_int_t store = count_of(asked, "store"), stale = count_of(asked, "stale");

    if (asked != NULL)
        printf(LABEL "%lld, %lld of them from the store, %lld stale\n" LABEL "%lld\n", "questions",
               (long long)(store + stale + count_of(asked, "asked")), (long long)(store + stale),
               (long long)stale, "callouts", (long long)count_of(o, "callouts"));
    printf(LABEL "%lld flights, %lld sessions, %lld waiters\n", "under way",
           (long long)count_of(o, "flights"), (long long)count_of(o, "sessions"),
           (long long)count_of(o, "waiters"));
    printf("to be asked again: %lld\n", (long long)count_of(o, "greylisted"));
}

static void print_store(const json_t *store, int width)
{
    json_int_t used = count_of(store, "used"), size = count_of(store, "size"), entries = 0;
    char of_used[CTL_TEXT_BYTES_SIZE], of_size[CTL_TEXT_BYTES_SIZE];
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(store, "entries"), name, value) entries +=
        json_integer_value(value);
    printf(LABEL "%lld entries, %s of %s (%.1f %%)\n", "store", (long long)entries,
           ctl_text_bytes(used, of_used), ctl_text_bytes(size, of_size),
           size > 0 ? 100 * (double)used / (double)size : 0);
    if (has(store, "failing")) {
        printf(LABEL, "");
        print_cut(ctl_text_of(store, "failing"), width - LABEL_WIDTH);
    }
}

/* "open", "level 3", "-": what keeps us from asking there. */
static const char *state_of(const json_t *d, char buf[32])
{
    const char *breaker = ctl_text_of(d, "breaker");

    if (strcmp(breaker, "closed") != 0)
        return breaker;
    if (count_of(d, "level") == 0)
        return "-";
    (void)str_format(buf, 32, "level %lld", (long long)count_of(d, "level"));
    return buf;
}

static void print_destination(const json_t *d, int width)
{
    const char *name = ctl_text_of(d, "name"), *reply = ctl_text_of(d, "reply");
    char state[32], span[CTL_TEXT_SPAN_SIZE];
    int64_t until = 0, now = time(NULL);
    int cut = (int)ctl_text_cut(name, NAME_WIDTH);
    bool paused = rfc3339_parse(ctl_text_of(d, "until"), &until) && until > now;

    printf("%.*s%*s %-8s %11s %7lld  ", cut, name,
           ctl_text_width(name) < NAME_WIDTH ? NAME_WIDTH - ctl_text_width(name) : 0, "",
           state_of(d, state), paused ? ctl_text_span(until - now, span) : "-",
           (long long)count_of(d, "waiting"));
    print_cut(reply[0] != '\0' ? reply : ctl_text_of(d, "reason"), width - NAME_WIDTH - 31);
}

static void print_destinations(const json_t *o, int width)
{
    const json_t *list = json_object_get(o, "destinations");
    size_t count = json_array_size(list), i;
    json_int_t more;

    if (count > 0)
        printf("\n%-*s %-8s %11s %7s  %s\n", NAME_WIDTH, "DESTINATION", "STATE", "FOR", "WAITING",
               "WHY");
    for (i = 0; i < count && i < DESTINATIONS; i++)
        print_destination(json_array_get(list, i), width);
    more = count_of(o, "more_destinations") + (json_int_t)(count - i);
    if (more > 0)
        printf("and %lld more\n", (long long)more);
}

static void print_screen(const json_t *o)
{
    int width = screen_width();

    print_health(o, width);
    print_totals(o);
    print_window(json_object_get(o, "window"));
    if (has(o, "store"))
        print_store(json_object_get(o, "store"), width);
    print_destinations(o, width);
}

static int fetch(const char *socket, json_t **out, struct error *err)
{
    struct ctl_http_request rq = {.method = "GET", .target = "/v1/status"};
    enum ctl_result reach = ctl_http_try(socket, err);
    struct ctl_http *h = NULL;
    int code = EX_UNAVAILABLE;

    if (reach == CTL_NO_DAEMON)
        error_set(err, "%s: no daemon is running there", socket);
    else if (reach == CTL_OK && (h = ctl_http_new(socket)) == NULL)
        error_set(err, "out of memory");
    if (h != NULL)
        code = ctl_http_object(h, &rq, out, err);
    ctl_http_free(&h);
    return code;
}

const char ctl_status_usage[] = "calloutctl [-c FILE] status [--json]\n";

static int parse_options(int argc, char **argv, bool *json)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    int c;

    optind = 0; /* glibc: start over */
    while ((c = ctl_options_next(argc, argv, longs, NULL)) == 'j')
        *json = true;
    if (c != -1)
        return ctl_usage_error(ctl_status_usage, NULL);
    return optind == argc ? 0 : ctl_usage_error(ctl_status_usage, "status: too many arguments");
}

int ctl_status(const struct ctl_env *env, int argc, char **argv)
{
    struct error err = {""};
    json_t *o = NULL;
    bool json = false;
    int code = parse_options(argc, argv, &json);

    if (code != 0)
        return code;
    process_ignore_sigpipe();
    code = fetch(env->control_path, &o, &err);
    if (code != 0) {
        fprintf(stderr, "calloutctl: %s\n", err.text);
        return code;
    }
    if (json) {
        code = ctl_output_json(o);
    } else {
        print_screen(o);
        code = ctl_output_flush(0);
    }
    json_decref(o);
    return code;
}
