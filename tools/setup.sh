#!/bin/sh
# Makes this machine able to run naka-gs: a Vulkan loader and at least one Vulkan driver.
# Without a GPU that driver is lavapipe, Mesa's software one. Runs as often as you like; does nothing that is done.
#
#   tools/setup.sh          the loader and a driver
#   tools/setup.sh --dev    also what the checks of .ci/run need (rustfmt, clippy), and what the tests of the window, of
#                           reports and of videos are driven by (Xvfb, xdotool, Chromium, ffmpeg), without which these
#                           tests are skipped
#   tools/setup.sh --with-colmap    also COLMAP, which finds the poses of photographs that have none
set -eu

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

dev=no
colmap=no
for argument in "$@"; do
    case $argument in
        --dev) dev=yes ;;
        --with-colmap) colmap=yes ;;
        -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument '$argument'; there are --dev and --with-colmap" ;;
    esac
done

# What building needs comes first: nothing is installed for a program that then cannot be built.
check_rust() {
    needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml")
    command -v cargo >/dev/null || fail "there is no cargo; install Rust $needed or later (https://rustup.rs) and run this again"
    found=$(cargo --version 2>/dev/null | cut -d' ' -f2)
    lowest=$(printf '%s\n%s\n' "$needed" "${found%%-*}" | sort -t. -k1,1n -k2,2n | head -n 1)
    [ "$lowest" = "$needed" ] || fail "cargo is ${found:-broken}, and $needed is needed: rustup update stable"
    command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
        fail "there is no C compiler to link with; install one (Debian, Ubuntu: apt install build-essential; Fedora: dnf install gcc; Arch: pacman -S base-devel)"
}

has_loader() {
    { command -v ldconfig >/dev/null && ldconfig -p 2>/dev/null; /sbin/ldconfig -p 2>/dev/null; true; } | grep -q 'libvulkan\.so\.1' && return 0
    for file in /usr/lib/libvulkan.so.1 /usr/lib64/libvulkan.so.1 /usr/lib/*/libvulkan.so.1 /usr/local/lib/libvulkan.so.1; do
        [ -e "$file" ] && return 0
    done
    return 1
}

# lavapipe always has a device; any other driver only where its hardware is.
has_driver() {
    for file in /usr/share/vulkan/icd.d/lvp_icd*.json /usr/local/share/vulkan/icd.d/lvp_icd*.json; do
        [ -e "$file" ] && return 0
    done
    has_device || return 1
    for file in ${VK_DRIVER_FILES:+"$VK_DRIVER_FILES"} ${VK_ICD_FILENAMES:+"$VK_ICD_FILENAMES"} \
        /usr/share/vulkan/icd.d/*.json /usr/local/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json; do
        [ -e "$file" ] && return 0
    done
    return 1
}

has_device() {
    for node in /dev/dri/renderD* /dev/nvidia0 /dev/dxg; do
        [ -e "$node" ] && return 0
    done
    return 1
}

# The list of packages is fetched once, however many are installed one after another.
listed=no
apt_install() {
    [ "$listed" = yes ] || as_root apt-get update -q || say "the list of packages could not be fetched"
    listed=yes
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "installing needs root and there is no sudo; as root, run: $*" >&2
        return 1
    fi
}

install_packages() {
    if command -v apt-get >/dev/null; then
        say "installing libvulkan1 and mesa-vulkan-drivers with apt-get"
        apt_install libvulkan1 mesa-vulkan-drivers
    elif command -v dnf >/dev/null; then
        say "installing vulkan-loader and mesa-vulkan-drivers with dnf"
        as_root dnf install -y vulkan-loader mesa-vulkan-drivers
    elif command -v pacman >/dev/null; then
        say "installing vulkan-icd-loader and vulkan-swrast with pacman"
        as_root pacman -S --needed --noconfirm vulkan-icd-loader vulkan-swrast
    elif command -v zypper >/dev/null; then
        say "installing libvulkan1 and libvulkan_lvp with zypper"
        as_root zypper --non-interactive install libvulkan1 libvulkan_lvp
    else
        fail "no apt-get, dnf, pacman or zypper here; install a Vulkan loader and driver (Mesa's lavapipe needs no GPU) by hand"
    fi
}

check_rust
case $(uname -s) in
    Linux)
        if has_loader && has_driver; then
            say "a Vulkan loader and a driver are installed already"
        else
            install_packages || fail "the package manager failed (see above); without network, install the packages it named by hand"
            has_loader && has_driver || fail "the packages are installed, but no Vulkan driver was found in /usr/share/vulkan/icd.d"
            say "done"
        fi
        ;;
    Darwin) say "macOS has Metal; nothing to install" ;;
    MINGW* | MSYS* | CYGWIN*) say "Windows has Direct3D 12; nothing to install" ;;
    *) fail "unknown system $(uname -s); install a Vulkan loader and driver by hand" ;;
esac

install_colmap() {
    if command -v apt-get >/dev/null; then
        say "installing colmap with apt-get"
        apt_install colmap
    elif command -v dnf >/dev/null; then
        say "installing colmap with dnf"
        as_root dnf install -y colmap
    elif command -v zypper >/dev/null; then
        say "installing colmap with zypper"
        as_root zypper --non-interactive install colmap
    elif command -v brew >/dev/null; then
        say "installing colmap with brew"
        brew install colmap
    else
        fail "no package of COLMAP is known for this system (on Arch it is in the AUR); see https://colmap.github.io/install.html"
    fi
}

if [ "$colmap" = yes ]; then
    if command -v colmap >/dev/null; then
        say "COLMAP is installed already"
    else
        install_colmap || fail "the package manager failed (see above); see https://colmap.github.io/install.html"
    fi
fi

# What only tests need, by its names for apt-get, dnf, pacman and zypper. They are skipped without it, so that a machine
# that cannot have it is no failure.
install_for_tests() {
    say "installing $1 for the tests"
    if command -v apt-get >/dev/null; then
        apt_install "$2"
    elif command -v dnf >/dev/null; then
        as_root dnf install -y "$3"
    elif command -v pacman >/dev/null; then
        as_root pacman -S --needed --noconfirm "$4"
    elif command -v zypper >/dev/null; then
        as_root zypper --non-interactive install "$5"
    else
        say "no apt-get, dnf, pacman or zypper here"
        false
    fi || say "$1 could not be installed: tests that need it will be skipped"
}

has_browser() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}

if [ "$dev" = yes ]; then
    if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then
        say "rustfmt and clippy are installed already"
    else
        say "installing rustfmt and clippy with rustup"
        rustup component add rustfmt clippy || fail "could not add rustfmt and clippy; install them by hand"
    fi
    if [ "$(uname -s)" = Linux ]; then
        command -v Xvfb >/dev/null || install_for_tests Xvfb xvfb xorg-x11-server-Xvfb xorg-server-xvfb xorg-x11-server-Xvfb
        command -v xdotool >/dev/null || install_for_tests xdotool xdotool xdotool xdotool xdotool
        command -v ffmpeg >/dev/null || install_for_tests ffmpeg ffmpeg ffmpeg-free ffmpeg ffmpeg
        has_browser || install_for_tests Chromium chromium chromium chromium chromium
    fi
fi
