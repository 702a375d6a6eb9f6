// What every shared library begins with: the handle by which bionic knows whose destructors are
// whose, their run when the library is unloaded, and the note that names the API level.
#include <stdint.h>

extern void __cxa_finalize(void *);

__attribute__((visibility("hidden"))) void *__dso_handle = &__dso_handle;

__attribute__((destructor)) static void unload(void) { __cxa_finalize(&__dso_handle); }

__attribute__((section(".note.android.ident"), used)) static const struct {
  uint32_t name_size, level_size, type;
  char name[8];
  uint32_t level;
} ident = {8, 4, 1, "Android", __ANDROID_API__};
