/* Verdicts from an engine in this process: the daemon's own, on the same configuration and store.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/privileges.h"
#include "base/str.h"
#include "ctl/verify.h"
#include "policy/inquiry.h"
#include "policy/verdict_json.h"

struct local_run {
    const struct ctl_env *env;
    struct loop *loop;
    struct store *store;
    char scratch[1024]; /* directory of a throwaway store, "" for none */
    struct verifier *verifier;
    size_t left; /* answers not in yet */
};

struct local_ask {
    struct local_run *run;
    const char *asked;
    struct address address;
    json_t **result;
};

static void keep_result(struct local_ask *a, const struct address *address, const char *detail,
                        const struct verdict *v, const char *trace)
{
    *a->result = verdict_json(a->run->env->policy, a->asked, address, detail, v);
    if (*a->result != NULL && trace != NULL)
        (void)json_object_set_new(*a->result, "trace", json_string(trace));
    if (--a->run->left == 0)
        loop_stop(a->run->loop);
}

static void on_verdict(void *arg, const struct verdict *v, const char *trace)
{
    struct local_ask *a = arg;

    keep_result(a, &a->address, NULL, v, trace);
}

static void ask_one(struct local_ask *a, const struct ctl_question *q)
{
    struct local_run *run = a->run;
    struct verifier_request rq = {
        .address = &a->address,
        .fresh = q->fresh,
        .no_probe = q->no_probe,
        .want_catch_all = true,
        .trace = q->trace,
    };
    struct verdict v;
    const char *why;

    if (!address_parse(a->asked, strlen(a->asked), &a->address, &why)) {
        verdict_init(&v, REASON_BAD_SYNTAX, SOURCE_SYNTAX);
        keep_result(a, NULL, why, &v, NULL);
    } else if (inquiry_start(run->env->policy, CLASS_OUTBOUND, run->verifier, &rq, run->loop,
                             on_verdict, a, &v)) {
        on_verdict(a, &v, NULL);
    }
}

/* A store of this run alone, for those who may not open the daemon's. */
static bool open_scratch(struct local_run *run, struct store_opts *opts, struct error *err)
{
    const char *tmp = getenv("TMPDIR");

    if (!str_format(run->scratch, sizeof(run->scratch), "%s/calloutctl.XXXXXX",
                    tmp != NULL && tmp[0] == '/' ? tmp : "/tmp") ||
        mkdtemp(run->scratch) == NULL) {
        error_set(err, "%s: %s", run->scratch, strerror(errno));
        run->scratch[0] = '\0';
        return false;
    }
    (void)str_copy(opts->dir, sizeof(opts->dir), run->scratch);
    return store_open(&run->store, opts, NULL, err);
}

static bool open_store(struct local_run *run, struct error *err)
{
    struct store_opts opts = *run->env->store;
    struct error why;

    if (store_open(&run->store, &opts, NULL, &why))
        return true;
    fprintf(stderr, "calloutctl: %s; answers are kept for this run only\n", why.text);
    return open_scratch(run, &opts, err);
}

static void remove_scratch(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." refuse by themselves */
    if (d != NULL)
        closedir(d);
    if (rmdir(path) != 0)
        fprintf(stderr, "calloutctl: %s: %s\n", path, strerror(errno));
}

static bool run_open(struct local_run *run, struct error *err)
{
    if (!privileges_drop(run->env->user, err) || !open_store(run, err))
        return false;
    run->loop = loop_new("front");
    if (run->loop == NULL) {
        error_set(err, "out of memory");
        return false;
    }
    return verifier_new(&run->verifier, run->env->verifier, run->store, err);
}

static void run_close(struct local_run *run)
{
    if (run->verifier != NULL) /* sessions get as long for their QUIT as they ever do */
        verifier_stop(run->verifier, run->env->verifier->session.quit_ms + 1000);
    verifier_join(run->verifier);
    store_close(&run->store);
    verifier_free(&run->verifier);
    loop_free(&run->loop);
    if (run->scratch[0] != '\0')
        remove_scratch(run->scratch);
}

enum ctl_result ctl_verify_local(const struct ctl_env *env, const struct ctl_question *q,
                                 json_t **results, struct error *err)
{
    struct local_run run = {.env = env, .left = q->count};
    struct local_ask *asks = calloc(q->count, sizeof(*asks));
    bool ok = asks != NULL && run_open(&run, err);

    if (asks == NULL)
        error_set(err, "out of memory");
    for (size_t i = 0; ok && i < q->count; i++) {
        asks[i] = (struct local_ask){.run = &run, .asked = q->addresses[i], .result = &results[i]};
        ask_one(&asks[i], q);
    }
    if (ok)
        loop_run(run.loop);
    run_close(&run);
    free(asks);
    for (size_t i = 0; ok && i < q->count; i++)
        ok = results[i] != NULL;
    return ok ? CTL_OK : CTL_FAILED;
}
