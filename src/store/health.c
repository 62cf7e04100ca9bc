#include "store/health.h"

#include "base/clock.h"
#include "base/rfc3339.h"
#include "base/str.h"

#define KEY_SHOWN_SIZE 512

void health_init(struct health *h, const char *path)
{
    h->path = path;
    pthread_mutex_init(&h->lock, NULL);
}

void health_destroy(struct health *h)
{
    pthread_mutex_destroy(&h->lock);
}

static bool log_fault(struct health *h, const char *what, const char *why)
{
    if (!log_ratelimit(&h->faults))
        return false;
    log_error("store %s: %s: %s; more of this is not logged for a minute", h->path, what, why);
    return true;
}

void health_report(struct health *h, const char *what, const char *why)
{
    (void)log_fault(h, what, why);
}

void health_damage(struct health *h, struct bytes key, const char *why)
{
    char name[KEY_SHOWN_SIZE];

    if (!log_ratelimit(&h->damage))
        return;
    str_printable(name, sizeof(name), key.data, key.len);
    log_error("store %s: ignored the value of \"%s\": %s; more of this is not logged for a minute",
              h->path, name, why);
}

void health_failed(struct health *h, const char *why, uint64_t lost)
{
    pthread_mutex_lock(&h->lock);
    if (!atomic_load(&h->failing)) {
        h->since = clock_wall();
        h->lost = 0;
        h->told = false;
        atomic_store(&h->failing, true);
    }
    h->lost += lost;
    if (why != NULL)
        (void)str_copy(h->why, sizeof(h->why), why);
    if (log_fault(h, "cannot write, so what was learned is not kept", h->why))
        h->told = true;
    pthread_mutex_unlock(&h->lock);
}

void health_worked(struct health *h)
{
    if (!atomic_load(&h->failing))
        return;
    pthread_mutex_lock(&h->lock);
    if (h->told)
        log_info("store %s: can write again; %llu changes were lost", h->path,
                 (unsigned long long)h->lost);
    atomic_store(&h->failing, false);
    pthread_mutex_unlock(&h->lock);
}

bool health_failing(struct health *h, char *text, size_t size)
{
    char since[RFC3339_SIZE];
    bool failing;

    if (!atomic_load(&h->failing))
        return false;
    pthread_mutex_lock(&h->lock);
    failing = atomic_load(&h->failing);
    if (failing && text != NULL)
        (void)str_format(text, size, "cannot write since %s: %s; %llu changes were lost",
                         rfc3339_format(h->since, since), h->why, (unsigned long long)h->lost);
    pthread_mutex_unlock(&h->lock);
    return failing;
}
