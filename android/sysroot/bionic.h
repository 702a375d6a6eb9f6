// Of bionic's headers what LLVM's libunwind needs, under all the names by which it asks: `build`
// makes each of them include this file. Names, types and numbers are those of Android's stable ABI.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// assert.h, with NDEBUG
#define assert(condition) ((void)0)

// errno.h
#define EFAULT 14
#define errno (*__errno())
int *__errno(void);

// inttypes.h
#define PRIu8 "u"
#ifdef __LP64__
#define PRIu64 "lu"
#define PRIx64 "lx"
#else
#define PRIu64 "llu"
#define PRIx64 "llx"
#endif

// stdio.h
typedef struct __sFILE FILE;
extern FILE *stderr;
int fflush(FILE *);
int fprintf(FILE *, const char *, ...);
int snprintf(char *, size_t, const char *, ...);

// stdlib.h
void abort(void) __attribute__((noreturn));
void free(void *);
void *malloc(size_t);

// string.h
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);

// pthread.h
#ifdef __LP64__
typedef struct { int32_t opaque[14]; } pthread_rwlock_t;
#else
typedef struct { int32_t opaque[10]; } pthread_rwlock_t;
#endif
#define PTHREAD_RWLOCK_INITIALIZER {{0}}
int pthread_rwlock_rdlock(pthread_rwlock_t *);
int pthread_rwlock_unlock(pthread_rwlock_t *);
int pthread_rwlock_wrlock(pthread_rwlock_t *);

// signal.h, sys/syscall.h: on arm64 alone, to see whether an address can be read
#define NSIG 65
#define SYS_rt_sigprocmask 135
typedef unsigned long sigset_t;
long syscall(long, ...);

// sys/auxv.h
#define AT_HWCAP2 26
unsigned long getauxval(unsigned long);

// elf.h, link.h, dlfcn.h
#define PT_LOAD 1
#define PT_GNU_EH_FRAME 0x6474e550
#ifdef __LP64__
#define ElfW(type) Elf64_##type
#else
#define ElfW(type) Elf32_##type
#endif
typedef uint16_t Elf32_Half, Elf64_Half;
typedef uint32_t Elf32_Addr;
typedef uint64_t Elf64_Addr;
typedef struct {
  uint32_t p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align;
} Elf32_Phdr;
typedef struct {
  uint32_t p_type, p_flags;
  uint64_t p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
} Elf64_Phdr;
struct dl_phdr_info {
  ElfW(Addr) dlpi_addr;
  const char *dlpi_name;
  const ElfW(Phdr) *dlpi_phdr;
  ElfW(Half) dlpi_phnum;
};
int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *);
typedef struct {
  const char *dli_fname;
  void *dli_fbase;
  const char *dli_sname;
  void *dli_saddr;
} Dl_info;
int dladdr(const void *, Dl_info *);
#ifdef __arm__
typedef unsigned long _Unwind_Ptr;
_Unwind_Ptr dl_unwind_find_exidx(_Unwind_Ptr, int *);
#endif

#ifdef __cplusplus
}
#endif
