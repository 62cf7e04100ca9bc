/* Verdicts from the daemon: libcurl over the control socket. */
#include <curl/curl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/http.h"
#include "ctl/verify.h"

#define ANSWER_MAX      262144 /* bytes of one HTTP body */
#define CONNECTIONS_MAX 32
#define SLACK_MS        30000 /* that the daemon has for an answer beyond a callout */
#define URL_MAX         12288 /* the daemon takes 16 KiB of headers */

struct transfer {
    CURL *easy;
    char body[ANSWER_MAX];
    size_t len;
};

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;

    if (len > sizeof(t->body) - t->len)
        return 0; /* curl ends the transfer with an error */
    memcpy(t->body + t->len, data, len);
    t->len += len;
    return len;
}

static bool transfer_start(struct transfer *t, CURLM *multi, const char *path,
                           const struct ctl_question *q, const char *address, struct error *err)
{
    char url[URL_MAX], *escaped;
    bool fits;

    t->easy = curl_easy_init();
    escaped = t->easy != NULL ? curl_easy_escape(t->easy, address, 0) : NULL;
    if (escaped == NULL)
        return false;
    fits = str_format(url, sizeof(url), "http://localhost/v1/verify?address=%s%s%s%s", escaped,
                      q->fresh ? "&fresh=1" : "", q->no_probe ? "&probe=0" : "",
                      q->trace ? "&trace=1" : "");
    curl_free(escaped);
    if (!fits)
        error_set(err, "%.64s...: much too long for an address", address);
    return fits && curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_multi_add_handle(multi, t->easy) == CURLM_OK;
}

/* `patience_ms`: how long the daemon may go without any answer. */
static bool run_all(CURLM *multi, int64_t patience_ms, struct error *err)
{
    int64_t since = clock_mono_ms();
    int running = INT_MAX, before;
    CURLMcode rc;

    do {
        before = running;
        rc = curl_multi_perform(multi, &running);
        if (running < before)
            since = clock_mono_ms();
        if (rc == CURLM_OK && running > 0)
            rc = curl_multi_poll(multi, NULL, 0, 1000, NULL);
    } while (rc == CURLM_OK && running > 0 && clock_mono_ms() - since < patience_ms);
    if (rc != CURLM_OK)
        error_set(err, "control socket: %s", curl_multi_strerror(rc));
    else if (running > 0)
        error_set(err, "control socket: the daemon has said nothing for %lld s",
                  (long long)patience_ms / 1000);
    return rc == CURLM_OK && running == 0;
}

/* NULL with err set when the daemon's answer is no verdict. */
static json_t *transfer_verdict(const struct transfer *t, const char *address, struct error *err)
{
    json_error_t why;
    json_t *o = json_loadb(t->body, t->len, JSON_REJECT_DUPLICATES, &why);
    const char *problem = json_string_value(json_object_get(o, "error"));

    if (json_is_object(o) && problem == NULL)
        return o;
    error_set(err, "%s: the daemon's answer: %s", address,
              problem != NULL ? problem : (t->len == 0 ? "none" : why.text));
    json_decref(o);
    return NULL;
}

static void transfers_free(struct transfer *all, size_t count, CURLM *multi)
{
    for (size_t i = 0; i < count; i++) {
        if (all[i].easy == NULL)
            continue;
        if (multi != NULL)
            (void)curl_multi_remove_handle(multi, all[i].easy);
        curl_easy_cleanup(all[i].easy);
    }
    free(all);
    if (multi != NULL)
        curl_multi_cleanup(multi);
}

enum ctl_result ctl_verify_daemon(const struct ctl_env *env, const struct ctl_question *q,
                                  json_t **results, struct error *err)
{
    enum ctl_result reach = ctl_http_try(env->control_path, err);
    struct transfer *all;
    CURLM *multi;
    bool ok;

    if (reach != CTL_OK)
        return reach;
    all = calloc(q->count, sizeof(*all));
    multi = curl_multi_init();
    ok = all != NULL && multi != NULL;
    error_set(err, "out of memory");
    if (ok)
        (void)curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
    for (size_t i = 0; ok && i < q->count; i++)
        ok = transfer_start(&all[i], multi, env->control_path, q, q->addresses[i], err);
    ok = ok && run_all(multi, env->verifier->callout_ms + SLACK_MS, err);
    for (size_t i = 0; ok && i < q->count; i++)
        ok = (results[i] = transfer_verdict(&all[i], q->addresses[i], err)) != NULL;
    transfers_free(all, all != NULL ? q->count : 0, multi);
    return ok ? CTL_OK : CTL_FAILED;
}
