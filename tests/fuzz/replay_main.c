/*
 * Stands in for libFuzzer: gives each file named, and each file in a directory named, to the
 * target. Fails where there was nothing to give.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1 << 20)

static unsigned replayed;

/* The input is a block of its own size, so that a read behind it is found out. */
static bool give(const uint8_t *data, size_t size)
{
    uint8_t *own = malloc(size > 0 ? size : 1);

    if (own == NULL)
        return false;
    for (size_t i = 0; i < size; i++)
        own[i] = data[i];
    LLVMFuzzerTestOneInput(own, size);
    free(own);
    replayed++;
    return true;
}

static bool replay_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *f = fopen(path, "rb");
    size_t size;
    bool ok;

    if (f == NULL) {
        perror(path);
        return false;
    }
    size = fread(data, 1, sizeof(data), f);
    ok = ferror(f) == 0 && give(data, size);
    fclose(f);
    return ok;
}

static bool replay_dir(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    bool ok = true;
    char file[4096];

    if (d == NULL) {
        perror(path);
        return false;
    }
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        ok = replay_file(file) && ok;
    }
    closedir(d);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;

    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool dir = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

        ok = (dir ? replay_dir(argv[i]) : replay_file(argv[i])) && ok;
    }
    printf("%u inputs\n", replayed);
    return ok && replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
