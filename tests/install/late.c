/* A program that knows nothing of the library until it runs, as an interpreter does: loads it, uses it in a
 * thread that ends after the library was closed. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static void *(*open_executor)(const void *options);
static int (*close_executor)(void *executor);

static void *use(void *of)
{
    void *executor = open_executor(NULL);
    int closed = executor ? close_executor(executor) : -1;
    dlclose(of);
    return closed == 0 ? of : NULL;
}

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL, *used = NULL;
    if (!library) {
        printf("%s\n", argc > 1 ? dlerror() : "which library?");
        return 1;
    }
    *(void **)&open_executor = dlsym(library, "allot_open");
    *(void **)&close_executor = dlsym(library, "allot_close");
    pthread_t thread;
    if (!open_executor || !close_executor || pthread_create(&thread, NULL, use, library) != 0)
        return 1;
    pthread_join(thread, &used);
    return used ? 0 : 1;
}
