// clang defines TARGET_OS_* itself, from the target, since version 17.
