#!/bin/sh
# Makes the storage of etc/aoeha.toml: the mirror over both shelves, its file system, and the folders in it.
# Run it once, on one gateway, before the first start. It destroys what is on the legs.
#
#   make-storage.sh            writes the whole mirror once (takes as long as the disks are big)
#   make-storage.sh --zeroed   for new, zeroed legs: reads them, and skips that write when both hold nothing but zeros
#
# The names below are those of etc/aoeha.toml; change them in both places.
set -eu

INTERFACES="eth1"
LEGS="/dev/etherd/e1.0 /dev/etherd/e2.0"
DEVICE=/dev/md/aoeha
UUID=a0e4a000:00000000:00000000:00000001
DIRECTORY=/srv/aoeha

fail() { echo "make-storage: cannot go on: $*" >&2; exit 1; }

modprobe aoe aoe_iflist="$INTERFACES"
for leg in $LEGS; do
    tries=0
    until [ -b "$leg" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 100 ] || fail "$leg does not appear: is its shelf on, and on the network of $INTERFACES?"
        [ "$((tries % 10))" -ne 1 ] || echo >/dev/etherd/discover
        sleep 0.1
    done
    [ "$(blockdev --getsize64 "$leg")" -gt 0 ] || fail "$leg has no size"
done

clean=""
if [ "${1:-}" = "--zeroed" ]; then
    for leg in $LEGS; do
        blockdev --setra 8192 "$leg"
        cmp -s -n "$(blockdev --getsize64 "$leg")" "$leg" /dev/zero || fail "$leg holds more than zeros: leave out --zeroed"
    done
    # Only legs that are equal in every byte may be declared in sync without having been written.
    clean="--assume-clean"
fi

# A bitmap chunk of 1 MiB keeps the resync after a takeover below a second; the default makes a small array one region.
# shellcheck disable=SC2086
mdadm --create "$DEVICE" --run --level=1 --raid-devices=2 --metadata=1.2 --homehost=any --name=aoeha --uuid="$UUID" \
    --bitmap=internal --bitmap-chunk=1M $clean $LEGS
mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$DEVICE"

mkdir -p "$DIRECTORY"
mount -t ext4 "$DEVICE" "$DIRECTORY"
mkdir -p "$DIRECTORY/export" "$DIRECTORY/.nfs"
chmod 0777 "$DIRECTORY/export"
chmod 0700 "$DIRECTORY/.nfs"
sync
umount "$DIRECTORY"
mdadm --wait "$DEVICE" || true
mdadm --stop "$DEVICE"
modprobe -r aoe
echo "make-storage: done; aoeha starts it from here"
