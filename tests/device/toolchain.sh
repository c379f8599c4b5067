#!/usr/bin/env bash
# Install what the emulated microcontrollers take, where it is missing: two cross compilers and QEMU, by apt.
# Exit code 77 where the Arm ones are missing and cannot be installed; without the RISC-V ones their tests skip.
set -euo pipefail

ARM=(arm-none-eabi-gcc qemu-system-arm)
RISCV=(riscv64-unknown-elf-gcc qemu-system-riscv32)

missing() {
  for program in "$@"; do
    command -v "$program" > /dev/null || echo "$program"
  done
}

# The package that brings a program. Debian 12 has the RISC-V emulator in qemu-system-misc, later ones by itself.
package() {
  case $1 in
    arm-none-eabi-gcc) echo gcc-arm-none-eabi libnewlib-arm-none-eabi ;;
    riscv64-unknown-elf-gcc) echo gcc-riscv64-unknown-elf ;;
    qemu-system-riscv32) apt-cache show qemu-system-riscv > /dev/null 2>&1 && echo qemu-system-riscv || echo qemu-system-misc ;;
    *) echo "$1" ;;
  esac
}

install() {
  [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null || return 1
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq > /dev/null || return 1
  local packages=()
  for program in "$@"; do
    read -ra of_program < <(package "$program")
    packages+=("${of_program[@]}")
  done
  apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null
}

for wanted in "${ARM[*]}" "${RISCV[*]}"; do
  read -ra programs <<< "$wanted"
  mapfile -t lacking < <(missing "${programs[@]}")
  [ ${#lacking[@]} = 0 ] || install "${lacking[@]}" || true
done
mapfile -t lacking < <(missing "${ARM[@]}")
if [ ${#lacking[@]} -gt 0 ]; then
  echo "toolchain.sh: there is no ${lacking[*]}; root on Debian gets them by apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm" >&2
  exit 77
fi
