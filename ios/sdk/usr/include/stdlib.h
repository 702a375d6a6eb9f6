// For clang's <mm_malloc.h>, which <immintrin.h> includes.
#pragma once
#include <stddef.h>
void *malloc(size_t);
void free(void *);
