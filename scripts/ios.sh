# Sourced by the scripts for iOS, after lib.sh; runs in bash 3.2 too.
# shellcheck shell=bash disable=SC2034 # it is for them

minimum_ios=15.0
minimum_macos=12.0

# The slices by name: the folder in the XCFramework, then Rust's targets. macOS comes from Macs only.
slices=(
  "ios-arm64 aarch64-apple-ios"
  "ios-arm64_x86_64-simulator aarch64-apple-ios-sim x86_64-apple-ios"
)
[ "$(uname)" != Darwin ] || slices+=("macos-arm64_x86_64 aarch64-apple-darwin x86_64-apple-darwin")

# architecture TARGET: as Apple calls it.
architecture() {
  case $1 in
    aarch64-*) echo arm64 ;;
    *) echo "${1%%-*}" ;;
  esac
}

# The LLVM tools of the Rust toolchain are the same everywhere. What it lacks Debian has by another
# name than Xcode.
PATH=$(rustc --print target-libdir)/../bin:$PATH
if [ "$(uname)" != Darwin ]; then
  clang() { clang-19 "$@"; }
  lipo() { llvm-lipo-19 "$@"; }
fi

sha256() {
  if has sha256sum; then
    sha256sum "$1"
  else
    shasum -a 256 "$1"
  fi | cut -d' ' -f1
}
